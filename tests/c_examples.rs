//! The C examples compile without a warning, and do what they say.
#![cfg(feature = "cli")]

mod common;

use common::{c, header};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[test]
fn nested_epoll_sees_its_sleep_and_its_event() {
    assert_eq!(sorted_lines("nested_epoll"), ["event: notified", "sleep: its time has come"]);
}

/// What an example prints, line by line.
fn lines(name: &str) -> Vec<String> {
    c::run(&c::examples().join(name), &[]).lines().map(str::to_owned).collect()
}

/// The same, where the order is not promised.
fn sorted_lines(name: &str) -> Vec<String> {
    let mut lines = lines(name);
    lines.sort();
    lines
}

#[test]
fn owned_sees_its_input_and_its_sleep_before_it_is_stopped() {
    assert_eq!(sorted_lines("owned"), ["input: ready", "sleep: its time has come"]);
}

#[test]
fn delegated_is_woken_by_threads_descriptors_and_time() {
    let expected = ["event: ready", "pipe: ready", "sleep: its time has come"];
    assert_eq!(sorted_lines("delegated"), expected);
}

#[test]
fn foreign_needs_one_change_to_begin_and_one_to_stop() {
    let messages = (1..=5).map(|message| format!("message {message}"));
    let expected: Vec<_> =
        ["watch".to_owned()].into_iter().chain(messages).chain(["stop".to_owned()]).collect();
    assert_eq!(lines("foreign"), expected);
}

#[test]
fn timers_count_what_was_missed() {
    let lines = lines("timers");
    assert_eq!(lines.len(), 6, "{lines:?}");
    let expired: Vec<u64> = (1..=5)
        .map(|tick| {
            let count = lines[tick - 1].strip_prefix(&format!("tick {tick}: expired "));
            count.expect("a tick in its place").parse().unwrap()
        })
        .collect();
    assert!(expired.iter().all(|count| *count > 0), "{lines:?}");
    assert!(expired[2] >= 3, "three periods passed before the third tick: {lines:?}");
    assert_eq!(lines[5], "no more ticks");
}

#[test]
fn multishot_echoes_everything_with_one_wait() {
    let mut lines = lines("multishot");
    assert_eq!(lines.pop().unwrap(), "60000 of 60000 bytes came back");
    assert!(!lines.is_empty(), "it never had to be armed again");
    assert!(lines.iter().all(|line| line == "room again"), "{lines:?}");
}

#[test]
fn sets_tell_their_members() {
    let lines = lines("sets");
    assert_eq!(lines.len(), 3, "{lines:?}");
    // A slow machine may see the timer expire early on.
    assert!(lines[0].starts_with("timed out, ") && lines[0].contains(" event"), "{lines:?}");
    assert!(lines[1].starts_with("ready, ") && lines[1].contains(" pipe event"), "{lines:?}");
    assert_eq!(lines[2], "ready, 3 of 3 ready: pipe event timer");
}

#[test]
fn threads_lose_no_notify() {
    assert_eq!(lines("threads"), ["counted: 40000, event: 1", "afterwards: AWSGI_E_STALE"]);
}

#[test]
fn nested_exchange_prints_what_the_application_answers() {
    let demo = c::examples().join("demo.so");
    let ask = |application: &OsStr, arguments: &[&str]| {
        let mut all = vec![application];
        all.extend(arguments.iter().map(OsStr::new));
        c::run(&c::examples().join("nested_exchange"), &all)
    };
    assert_eq!(ask(c::examples().join("hello.so").as_os_str(), &[]), "status: 200\n\nhello\n");
    // More than the library holds of either body.
    let body = "x".repeat(100_000);
    let answer = ask(demo.as_os_str(), &["/upload", &body]);
    assert!(answer.starts_with("status: 200\n") && answer.contains("\n\n100000 "), "{answer}");
    let answer = ask(demo.as_os_str(), &["/stream?bytes=300000"]);
    assert_eq!(answer.split_once("\n\n").unwrap().1.len(), 300_000);
    // An application that does not read the body.
    let answer = ask(demo.as_os_str(), &["/nowhere", &body]);
    assert!(answer.starts_with("status: 404\n"), "{answer}");
}

/// A program that does not outlive a test that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing happens to one that has ended.
        let _ = self.0.kill();
    }
}

#[test]
fn server_serves_until_it_is_told_to_end() {
    let mut command = c::runner(&c::examples().join("server"));
    command.arg(c::examples().join("hello.so")).arg("127.0.0.1:0");
    let mut server = Running(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening on http://").expect(&line);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert!(response.ends_with("\r\n\r\nhello\n"), "{response}");
    c::succeed(Command::new("kill").args(["-TERM", &server.0.id().to_string()]));
    let status = server.0.wait().unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn applications_pass_the_check_of_the_command() {
    for (name, config) in
        [("hello.so", ""), ("demo.so", "127.0.0.1:9"), ("relay_blocking.so", "127.0.0.1:9")]
    {
        let mut command = c::server();
        command.arg("check").arg(c::examples().join(name));
        if !config.is_empty() {
            command.args(["--", config]);
        }
        c::succeed(&mut command);
    }
}

#[test]
fn applications_link_nothing_of_ours_and_export_one_symbol() {
    for name in ["hello.so", "demo.so", "relay_blocking.so"] {
        let exported = common::elf::exported(&c::examples().join(name));
        let ours: Vec<_> = exported.iter().filter(|name| !name.starts_with('_')).collect();
        assert_eq!(ours, ["awsgi_application_main"], "{name}");
    }
}

#[test]
fn every_example_is_built() {
    let makefile = header::read("c-examples/Makefile");
    for entry in std::fs::read_dir(header::root().join("c-examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(stem) = name.strip_suffix(".c") {
            assert!(makefile.contains(stem), "c-examples/Makefile does not know {name}");
        }
    }
}
