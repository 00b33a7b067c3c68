//! Sequences of calls of the C ABI, with calls in between that have to be refused; see tests/fuzz/bad.rs.
#![no_main]

mod fixed;
#[path = "../../tests/fuzz/mod.rs"]
mod fuzz;

use std::sync::{LazyLock, Mutex, PoisonError};

use fixed::Fixed;

static FIXED: LazyLock<Mutex<Option<Fixed>>> = LazyLock::new(|| Mutex::new(Fixed::new()));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::run_among_bad(bytes));

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let _ = seed;
    match &mut *FIXED.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(fixed) => fixed.next(&mut data[..max_size]),
        None => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
});
