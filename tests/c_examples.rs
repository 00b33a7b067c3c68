//! The C examples compile without a warning, and do what they say.
#![cfg(feature = "cli")]

mod common;

use common::{c, header};

#[test]
fn nested_epoll_sees_its_sleep_and_its_event() {
    let out = c::run(&c::examples().join("nested_epoll"), &[]);
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort();
    assert_eq!(lines, ["event: notified", "sleep: its time has come"]);
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
