//! The contract of hosts, while the kernel refuses a call of theirs or of the library's. Each scenario
//! is played on each host with each fault; which of the calls it is differs from one to the next, and
//! is the same in every run.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use super::common::c;

/// One of each mode, and of each way to sleep. The timerfd is of those who do not keep the deadline.
const HOSTS: [&str; 6] = ["owned", "poll", "epoll_edge", "libuv", "queue", "watches"];

/// What fails, and how.
struct Fault {
    /// As strace has it: one that begins with a question mark need not exist on this machine.
    calls: &'static str,
    error: &'static str,
    /// Only those on such a descriptor.
    on: Option<&'static str>,
    /// Which of each thread's: the third is `3`, that and every second one after it `3+2`.
    at: &'static [&'static str],
    hosts: &'static [&'static str],
}

/// A call that was interrupted is made again, and nobody notices; so there may be many of them. The
/// others are refused once, and are told.
const FAULTS: &[Fault] = &[
    Fault {
        calls: "epoll_create1",
        error: "EMFILE",
        on: None,
        at: &["1", "2", "3"],
        hosts: &["owned", "poll", "epoll_edge", "libuv", "queue"],
    },
    Fault {
        calls: "epoll_ctl",
        error: "ENOMEM",
        on: None,
        at: &["1", "2", "3", "4", "5", "6", "8", "11"],
        hosts: &["owned", "poll", "epoll_edge", "queue"],
    },
    Fault {
        calls: "epoll_ctl",
        error: "ENOSPC",
        on: None,
        at: &["3", "4", "5", "6", "7", "9", "13", "20"],
        hosts: &["owned", "poll", "epoll_edge", "queue"],
    },
    Fault {
        calls: "?epoll_wait,?epoll_pwait",
        error: "EINTR",
        on: None,
        at: &["1+2", "2+2", "1+3", "2+5"],
        hosts: &["owned", "poll", "epoll_edge", "libuv", "queue"],
    },
    Fault {
        calls: "?epoll_wait,?epoll_pwait",
        error: "ENOMEM",
        on: None,
        at: &["1", "2", "4", "7", "12", "20"],
        hosts: &["owned", "poll", "epoll_edge", "queue"],
    },
    Fault { calls: "eventfd2", error: "EMFILE", on: None, at: &["1", "2", "3"], hosts: &HOSTS },
    Fault {
        calls: "timerfd_create",
        error: "EMFILE",
        on: None,
        at: &["1"],
        hosts: &["epoll_level"],
    },
    Fault {
        calls: "timerfd_settime",
        error: "ENOMEM",
        on: None,
        at: &["1", "2", "3", "5", "8"],
        hosts: &["epoll_level"],
    },
    Fault {
        calls: "?poll,?ppoll",
        error: "EINTR",
        on: None,
        at: &["1+2", "2+2", "1+3", "2+5"],
        hosts: &["owned", "poll", "watches"],
    },
    Fault {
        calls: "write",
        error: "EINTR",
        on: Some("anon_inode:[eventfd]"),
        at: &["1+2", "2+2", "3+3"],
        hosts: &HOSTS,
    },
    Fault {
        calls: "read",
        error: "EINTR",
        on: Some("anon_inode:[eventfd]"),
        at: &["1+2", "2+2", "3+3"],
        hosts: &["poll", "epoll_edge", "libuv", "watches"],
    },
    // The first is the driver's, for its input.
    Fault {
        calls: "clone3",
        error: "EAGAIN",
        on: None,
        at: &["1", "2", "3", "4", "5"],
        hosts: &HOSTS,
    },
];

fn runner() -> Command {
    Command::new(env!("CARGO_BIN_EXE_awsgi-contract"))
}

fn scenarios() -> Vec<String> {
    let list = c::succeed(runner().arg("--list"));
    list.lines().filter(|line| !line.starts_with(' ')).map(str::to_owned).collect()
}

/// Plays scenarios while a call fails. Answers how many calls did, and what went wrong.
fn play(driver: &Path, fault: &Fault, at: &str, scenarios: &[&str]) -> (usize, String) {
    let Fault { calls, error, .. } = fault;
    let log = c::scratch().join("contract");
    let _ = std::fs::remove_file(&log);
    let mut runner = runner();
    runner.args(["--table", "--jobs", "6", "--timeout", "120"]);
    if *error != "EINTR" {
        runner.arg("--faults");
    }
    for scenario in scenarios {
        runner.args(["--only", scenario]);
    }
    runner.args(["strace", "-f", "--seccomp-bpf", "-qq", "-A", "-o"]).arg(&log);
    if let Some(path) = fault.on {
        runner.args(["-P", path]);
    }
    runner.args(["-e", &format!("trace={calls}")]);
    runner.args(["-e", &format!("inject={calls}:error={error}:when={at}")]).arg(driver);
    // The leak checker traces, too, and only one can.
    runner.env("ASAN_OPTIONS", "detect_leaks=0");
    let output = runner.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let mut wrong = String::new();
    for line in said.lines().filter(|line| line.contains("\tFAIL\t")) {
        writeln!(wrong, "{line}").unwrap();
    }
    if wrong.is_empty() && !output.status.success() {
        wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    if wrong.is_empty() && said.lines().count() != scenarios.len() {
        wrong = format!("some were not played:\n{said}");
    }
    let log = std::fs::read_to_string(&log).unwrap();
    (log.lines().filter(|line| line.ends_with("(INJECTED)")).count(), wrong)
}

#[test]
#[ignore = "needs strace, and takes minutes"]
fn the_kernel_may_refuse_a_call_in_any_scenario() {
    let scenarios = scenarios();
    let mut wrong = String::new();
    for (place, fault) in FAULTS.iter().enumerate() {
        for (nth, host) in fault.hosts.iter().enumerate() {
            let driver = c::drivers().join(host);
            assert!(driver.exists(), "{host} was not built: run `make deps`");
            let mut injected = 0;
            for (at, when) in fault.at.iter().enumerate() {
                // Another call of each scenario on the next host.
                let count = fault.at.len();
                let mine = (0..scenarios.len()).filter(|index| (index + nth + place) % count == at);
                let mine: Vec<&str> = mine.map(|index| scenarios[index].as_str()).collect();
                let (count, failed) = play(&driver, fault, when, &mine);
                injected += count;
                if !failed.is_empty() {
                    let Fault { calls, error, .. } = fault;
                    writeln!(wrong, "{host}, {calls} {error} at {when}:\n{failed}").unwrap();
                }
            }
            if injected == 0 {
                writeln!(wrong, "{host}: {} is never called", fault.calls).unwrap();
            }
            println!("{host}: {} {}: {injected}", fault.calls, fault.error);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
