//! What the command tells about itself and about applications, and what it does about its limits.

use std::process::Command;

use crate::apps::app;
use crate::common::c;
use crate::http;
use crate::process::Process;
use crate::server::{Server, blocking, demo, serve};
use crate::wire::{LAST, Wire};

fn said(arguments: &[&str]) -> String {
    c::succeed(c::server().args(arguments))
}

#[test]
fn its_version_is_that_of_the_package() {
    assert_eq!(said(&["--version"]), concat!("awsgi ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn its_help_has_every_command_and_an_example() {
    let help = said(&["--help"]);
    for part in ["serve", "check", "Examples:", "awsgi serve ./app.so", "awsgi check ./app.so"] {
        assert!(help.contains(part), "{part} is missing:\n{help}");
    }
    let help = said(&["serve", "--help"]);
    for part in ["--bind", "--fd", "--workers", "--mount", "--access-log", "--max-body", "SIGTERM"]
    {
        assert!(help.contains(part), "{part} is missing:\n{help}");
    }
}

#[test]
fn check_says_what_an_application_is() {
    for (application, name, style) in [
        (demo(), "demo", "steps"),
        (app("environ"), "environ", "steps"),
        (app("failing_blocking"), "failing_blocking", "blocking"),
    ] {
        let said = c::succeed(c::server().arg("check").arg(application));
        assert_eq!(said, format!("name:  {name}\nstyle: {style}\nabi:   0\n"));
    }
    c::succeed(c::server().arg("check").arg(blocking()).args(["--", "127.0.0.1:9"]));
}

#[test]
fn the_access_log_has_a_line_for_each_exchange() {
    let mount = format!("/blocking={}", app("failing_blocking").display());
    let mut server =
        Server::start(&demo(), &["--access-log", "--mount", &mount, "--max-body", "10"]);
    let agent = http::agent();
    http::get_with(&agent, &server, "/hello");
    http::get_with(&agent, &server, "/nowhere?x=%20");
    http::head(&server, "/hello");
    http::get_with(&agent, &server, "/stream?bytes=100000");
    http::get_with(&agent, &server, "/blocking/fine");
    http::get_with(&agent, &server, "/blocking/negative");
    Wire::ask(&server, &format!("POST /upload HTTP/1.1\r\nContent-Length: 99\r\n{LAST}"));
    Wire::ask(&server, "nonsense\r\n\r\n");
    Wire::ask(&server, "GET /hello HTTP/1.0\r\n\r\n");
    let expected = [
        "\"GET /hello HTTP/1.1\" 200 6 ",
        "\"GET /nowhere?x=%20 HTTP/1.1\" 404 ",
        "\"HEAD /hello HTTP/1.1\" 200 0 ",
        "\"GET /stream?bytes=100000 HTTP/1.1\" 200 100000 ",
        "\"GET /blocking/fine HTTP/1.1\" 200 5 ",
        "\"GET /blocking/negative HTTP/1.1\" 500 ",
        "\"POST /upload HTTP/1.1\" 413 ",
        "\"-\" 400 ",
        "\"GET /hello HTTP/1.0\" 200 6 ",
    ];
    server.process().signal("TERM");
    assert_eq!(server.process().wait().code(), Some(0));
    let log = server.stdout.text();
    assert_eq!(log.lines().count(), expected.len(), "{log}");
    for part in expected {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(part)).collect();
        assert_eq!(lines.len(), 1, "{part} in\n{log}");
        assert!(lines[0].starts_with("127.0.0.1 - - ["), "{}", lines[0]);
    }
}

#[test]
fn without_being_asked_it_writes_no_log() {
    let mut server = Server::start(&demo(), &[]);
    http::get(&server, "/hello");
    server.process().signal("TERM");
    server.process().wait();
    assert_eq!(server.stdout.text(), "");
}

/// The same command below a shell that has set a limit.
fn limited(limit: &str, options: &[&str]) -> Command {
    let command = serve(&app("environ"), options);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit {limit} && exec \"$@\""), "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

#[test]
fn it_raises_its_limit_of_descriptors_as_far_as_it_may() {
    let server = Server::run(&mut limited("-Sn 300", &["--max-exchanges", "10"]));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<_> = files.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{files}");
    assert_ne!(numbers[0], "300");
}

#[test]
fn it_says_when_the_limit_of_descriptors_is_too_low() {
    let server = Server::run(&mut limited("-n 400", &["--max-exchanges", "1000"]));
    let said = server.stderr.text();
    assert!(said.contains("400") && said.contains("ulimit -n"), "{said}");
    let server = Server::run(&mut limited("-n 400", &["--max-exchanges", "100"]));
    assert!(!server.stderr.text().contains("ulimit"), "{}", server.stderr.text());
}

#[test]
fn without_a_free_descriptor_it_waits_and_goes_on() {
    let options = ["--max-exchanges", "100", "--workers", "1"];
    let server = Server::run(&mut limited("-n 40", &options));
    let clients: Vec<Wire> = (0..60).map(|_| Wire::connect(&server)).collect();
    // Those beyond the limit wait in the kernel until the others leave.
    drop(clients);
    assert_eq!(http::get(&server, "/").status, 200);
}

#[test]
fn what_it_listens_at_is_the_first_thing_it_says() {
    let mut process = Process::start(&mut serve(&app("environ"), &["--log-level", "off"]));
    let url = process.stderr.line("listening on ").unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    process.signal("INT");
    assert_eq!(process.wait().code(), Some(0));
    assert_eq!(process.stderr.text().lines().count(), 1, "{}", process.stderr.text());
}
