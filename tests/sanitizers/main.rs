//! Whether the sanitizers of the deep stages are on: each has to find what is planted in planted.c.
#![cfg(feature = "ffi")]

#[path = "../common/mod.rs"]
mod common;

use common::c::{self, Compiler};
use common::header;

#[test]
#[ignore = "needs a sanitizer, or valgrind as AWSGI_TEST_RUNNER; AWSGI_TEST_FINDS names what it finds"]
fn what_is_planted_is_found() {
    let kinds = std::env::var("AWSGI_TEST_FINDS").expect("AWSGI_TEST_FINDS, as in \"leak race\"");
    let source = header::root().join("tests/sanitizers/planted.c");
    let planted = Compiler::c().program("planted", &[source]);
    assert!(!kinds.trim().is_empty());
    for kind in kinds.split_whitespace() {
        let output = c::runner(&planted).arg(kind).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "nothing was found for {kind}: {said}");
        // It was not a usage error, or a library that is missing.
        let found = ["AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error", "=="];
        assert!(found.iter().any(|name| said.contains(name)), "{kind}: {said}");
    }
}
