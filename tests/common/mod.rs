//! What several tests need: the header read as text, and C programs compiled against the library.

// Every test file takes only a part of it.
#![allow(dead_code)]

pub mod c;
pub mod elf;
pub mod header;
pub mod java;
pub mod python;
