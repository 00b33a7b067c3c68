//! Sequences of calls of the C ABI; see tests/fuzz/mod.rs.
#![no_main]

#[path = "../../tests/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::run(bytes));
