//! The C ABI from a third language: Python reads the header, and calls every function with every kind of bad
//! argument. `tests/ffi/harness.py` says how.
#![cfg(all(feature = "ffi", feature = "server", target_os = "linux"))]

mod common;

use common::{c, header, python};
use std::process::Command;

/// What breaks a promise, and what the harness has to say of it.
const CANARIES: [(&str, &str); 11] = [
    ("follows", "the process died of it: signal SIGSEGV"),
    ("accepts", "it answered AWSGI_OK, and should have answered AWSGI_E_NULL"),
    ("leaves", "8 bytes that were not cleared"),
    ("surprises", "it answered AWSGI_E_BUSY, which its comment does not name"),
    ("changes", "and yet changed what the reactor holds"),
    ("exceeds", "it wrote behind text"),
    ("forgets", "it leaves memory behind"),
    ("opens", "it leaves descriptors behind"),
    ("hangs", "number is 3: it hangs"),
    ("lets", "no case has it refuse anything"),
    ("takes_nothing", "it has no negative case"),
];

#[test]
fn every_function_answers_every_kind_of_bad_argument() {
    let said = c::succeed(harness().arg("--library").arg(c::library()));
    let last = said.lines().last().unwrap_or_default();
    println!("{last}");
    let functions = header::functions(&header::awsgi_h()).len();
    assert!(last.starts_with(&format!("{functions} functions x ")), "not all of them: {said}");
}

#[test]
fn a_function_that_breaks_a_promise_is_found() {
    let library = canaries();
    let run = |canary: &str| {
        let mut harness = harness();
        harness.arg("--header").arg(header::root().join("tests/ffi/canary.h"));
        harness
            .arg("--library")
            .arg(&library)
            .args(["--patience", if canary == "hangs" { "3" } else { "60" }]);
        let output = harness.args(["--only", &format!("awsgi_canary_{canary}")]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), said + &String::from_utf8_lossy(&output.stderr))
    };
    for (canary, words) in CANARIES {
        let (passed, said) = run(canary);
        // A sanitizer ends the process in its own way, or finds it first.
        let found = said.contains(words) || said.contains("AddressSanitizer");
        assert!(!passed && found, "{canary}: the harness does not say {words:?}, but\n{said}");
    }
    let (passed, said) = run("behaves");
    assert!(passed, "{said}");
}

#[test]
fn the_fuzzer_walks_the_same_list() {
    let written = c::scratch().join("list.rs");
    let mut command = python::command();
    command.arg(header::root().join("tests/ffi/rust.py")).arg(header::root().join("include"));
    std::fs::write(&written, c::succeed(&mut command)).unwrap();
    let mut format = Command::new("rustfmt");
    format.args(["--edition", "2024", "--config-path"]).arg(header::root()).arg(&written);
    c::succeed(&mut format);
    let wanted = std::fs::read_to_string(&written).unwrap();
    if std::env::var_os("AWSGI_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(header::root().join("tests/fuzz/list.rs"), &wanted).unwrap();
        return;
    }
    assert!(
        header::read("tests/fuzz/list.rs") == wanted,
        "tests/fuzz/list.rs is not what the header says; to write it anew:\n\
         AWSGI_BLESS=1 cargo test --all-features --test ffi"
    );
}

/// The harness, told where the header is.
fn harness() -> Command {
    let mut command = python::command();
    // The canaries may be compiled with a sanitizer where the library is not.
    if let Some(runtime) = std::env::var_os("AWSGI_TEST_PRELOAD") {
        command.env("LD_PRELOAD", runtime).env("ASAN_OPTIONS", "detect_leaks=0");
    }
    command.arg(header::root().join("tests/ffi/harness.py"));
    // The header that is installed, if it is not that of this repository.
    let include = std::env::var_os("AWSGI_TEST_INCLUDE").map(std::path::PathBuf::from);
    command.arg("--include").arg(include.unwrap_or_else(|| header::root().join("include")));
    command
}

/// A build of the library that has the canaries, too.
fn canaries() -> std::path::PathBuf {
    let library = c::scratch().join("libawsgi-canary.so");
    let mut command = c::Compiler::c().command();
    command.args(["-std=c11", "-shared", "-fPIC"]).args(c::STRICT);
    command.arg(header::root().join("tests/ffi/canary.c")).arg("-o").arg(&library);
    c::succeed(command.args(c::link_flags()));
    library
}
