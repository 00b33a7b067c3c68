//! What a reactor does when the kernel refuses: each system call is made to fail in turn, in each
//! mode, and a forked child finds everything refused without one.
#![cfg(feature = "ffi")]

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "cli")]
mod contract;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::c::{self, Compiler};
use common::header;

fn program(name: &str, sources: &[&str]) -> PathBuf {
    let directory = header::root().join("tests/faults");
    let sources: Vec<_> = sources.iter().map(|source| directory.join(source)).collect();
    Compiler::c().program(name, &sources)
}

#[test]
fn each_system_call_may_fail_once() {
    print!("{}", c::run(&program("scenario", &["scenario.c", "faults.c"]), &[]));
}

#[test]
fn a_forked_child_makes_no_system_call_with_what_its_parent_made() {
    c::run(&program("forked", &["forked.c"]), &[]);
}

/// The modes of the scenario in which a call is made.
const ALL: &[&str] = &["owned", "nested", "honouring", "delegated"];

/// What is made to fail in the kernel, and how. What the loader and the scenario call as well is
/// left to the other test.
const INJECTED: &[(&str, &str, &[&str])] = &[
    ("epoll_create1", "EMFILE", ALL),
    ("epoll_ctl", "ENOMEM", ALL),
    ("epoll_ctl", "ENOSPC", ALL),
    ("epoll_ctl", "EBADF", ALL),
    ("epoll_wait", "EINTR", ALL),
    ("epoll_wait", "ENOMEM", ALL),
    ("eventfd2", "EMFILE", ALL),
    ("timerfd_create", "EMFILE", &["nested"]),
    ("timerfd_settime", "ENOMEM", &["nested"]),
    ("ppoll", "EINTR", &["owned"]),
    ("write", "EINTR", ALL),
    ("clone3", "EAGAIN", &["delegated"]),
];

/// Runs the scenario with the `when`th such call failing. Answers whether there was one.
fn inject(scenario: &Path, mode: &str, call: &str, error: &str, when: u32) -> bool {
    let log = c::scratch().join("injected");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(&log).args(["-e", &format!("trace={call}")]);
    strace.args(["-e", &format!("inject={call}:error={error}:when={when}")]);
    // The leak checker traces, too, and only one can.
    strace.env("ASAN_OPTIONS", "detect_leaks=0").arg(scenario).arg(mode);
    c::succeed(&mut strace);
    std::fs::read_to_string(&log).unwrap().contains("(INJECTED)")
}

#[test]
#[ignore = "needs strace, and takes minutes"]
fn the_kernel_may_refuse_a_call_once() {
    let scenario = program("outside", &["scenario.c", "outside.c"]);
    for (call, error, modes) in INJECTED {
        for mode in *modes {
            // A sample: the first ones one by one, the others by and by. Of clones the second is the
            // scenario's own.
            let last = if *call == "clone3" { 1 } else { 100 };
            let mut when = 1;
            while when <= last && inject(&scenario, mode, call, error, when) {
                when += if when < 8 { 1 } else { 1 + when / 4 };
            }
            assert!(when > 1, "{mode}: {call} is never called");
        }
    }
}
