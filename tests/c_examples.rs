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
    let out = c::run(&c::examples().join("nested_epoll"), &[]);
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort();
    assert_eq!(lines, ["event: notified", "sleep: its time has come"]);
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
