//! C programs under `tests/c` that use the library as its users do. Each ends with 0 if all it
//! checked holds.
#![cfg(feature = "ffi")]

mod common;

use common::c::{self, Compiler};
use common::header;

macro_rules! programs {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            let source = header::root().join(concat!("tests/c/", stringify!($name), ".c"));
            c::run(&Compiler::c().program(stringify!($name), &[source]), &[]);
        })*

        #[test]
        fn every_program_is_run() {
            let listed = [$(stringify!($name)),*];
            for entry in std::fs::read_dir(header::root().join("tests/c")).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if let Some(name) = name.strip_suffix(".c") {
                    assert!(listed.contains(&name), "tests/c_programs.rs does not run {name}");
                }
            }
        }
    };
}

programs! {
    version waits sets multishot timers foreign nested delegated events bad_core bad_host misuse unsupported
    gateway server examples
}
