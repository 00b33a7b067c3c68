//! How the command ends: it finishes what is open, and no later than it was told.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::http;
use crate::server::{Demo, Server, demo};
use crate::until;
use crate::wire::{HOST, Wire};

/// A client whose exchange sleeps.
fn sleeper(server: &Server, ms: u64) -> Wire {
    let before = server.counter("sleep.opened");
    let mut wire = Wire::connect(server);
    wire.send(format!("GET /sleep?ms={ms} HTTP/1.1\r\n{HOST}"));
    until("the exchange", || server.counter("sleep.opened") == before + 1);
    wire
}

fn is_refused(server: &Server) -> bool {
    TcpStream::connect(server.address()).is_err()
}

#[test]
fn suspended_exchanges_finish_while_new_connections_are_refused() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(&demo(), &[]);
        let mut wire = sleeper(&server, 1500);
        server.process().signal(signal);
        until("the end of listening", || is_refused(&server));
        assert!(!server.process().has_ended());
        let response = wire.response();
        assert_eq!(response.text(), "slept 1500 ms\n");
        assert!(response.closes(), "{}", response.head);
        wire.assert_closed();
        assert_eq!(server.process().wait().code(), Some(0), "{}", server.stderr.text());
    }
}

#[test]
fn a_server_without_work_ends_at_once() {
    let mut server = Server::start(&demo(), &[]);
    http::get(&server, "/hello");
    let mut idle = Wire::connect(&server);
    idle.send(format!("GET /hello HTTP/1.1\r\n{HOST}"));
    assert_eq!(idle.response().text(), "hello\n");
    let since = Instant::now();
    server.process().signal("TERM");
    idle.assert_closed();
    assert_eq!(server.process().wait().code(), Some(0));
    assert!(since.elapsed() < Duration::from_secs(10), "after {:?}", since.elapsed());
}

#[test]
fn a_body_on_its_way_still_arrives() {
    let mut server = Server::start(&demo(), &[]);
    let mut wire = Wire::connect(&server);
    wire.send(format!("POST /upload HTTP/1.1\r\nContent-Length: 5\r\n{HOST}he"));
    until("the exchange", || server.counter("upload.opened") == 1);
    server.process().signal("TERM");
    until("the end of listening", || is_refused(&server));
    wire.send("llo");
    assert_eq!(wire.response().text(), crate::pattern::receipt(b"hello"));
    assert_eq!(server.process().wait().code(), Some(0));
}

#[test]
fn events_end_cleanly_when_the_server_drains() {
    let mut server = Server::start(&demo(), &[]);
    let mut wire = Wire::connect(&server);
    wire.send(format!("GET /events HTTP/1.1\r\n{HOST}"));
    until("the exchange", || server.counter("events.opened") == 1);
    let since = Instant::now();
    server.process().signal("TERM");
    let response = wire.response();
    assert!(response.whole, "{response:?}");
    assert_eq!(server.process().wait().code(), Some(0));
    println!("/events ended {:?} after the signal", since.elapsed());
}

#[test]
fn what_does_not_finish_in_time_is_ended() {
    let mut server = Server::start(&demo(), &["--drain-timeout", "0.5"]);
    let mut wire = sleeper(&server, 600_000);
    let mut upload = Wire::connect(&server);
    upload.send(format!("POST /upload HTTP/1.1\r\nContent-Length: 5\r\n{HOST}he"));
    until("the exchange", || server.counter("upload.opened") == 1);
    let since = Instant::now();
    server.process().signal("TERM");
    assert_eq!(wire.response().status, 503);
    wire.assert_closed();
    assert_eq!(upload.response().status, 503);
    assert_eq!(server.process().wait().code(), Some(0), "{}", server.stderr.text());
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(500), "after {took:?}");
    assert!(took < Duration::from_secs(10), "after {took:?}");
}

#[test]
fn a_second_signal_ends_at_once() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut server = Server::start(&demo(), &["--drain-timeout", "600"]);
        let mut wire = sleeper(&server, 600_000);
        server.process().signal("TERM");
        until("the end of listening", || is_refused(&server));
        let since = Instant::now();
        server.process().signal(signal);
        assert_eq!(server.process().wait().code(), Some(code), "{}", server.stderr.text());
        println!("it ended {:?} after the second signal", since.elapsed());
        assert!(since.elapsed() < Duration::from_secs(10), "after {:?}", since.elapsed());
        assert_eq!(wire.response().status, 503);
    }
}

#[test]
fn a_blocking_application_that_waits_does_not_hold_up_the_end() {
    let mut demo = Demo::with_timeout(600_000, &["--drain-timeout", "0.3"]);
    let mut wire = Wire::connect(&demo);
    wire.send(format!("GET /relay-blocking/stall HTTP/1.1\r\n{HOST}"));
    wire.until_read();
    let since = Instant::now();
    let process = demo.server().process();
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr.text());
    assert!(since.elapsed() < Duration::from_secs(10), "after {:?}", since.elapsed());
    assert_eq!(wire.response().status, 503);
}

#[test]
fn every_exchange_is_closed_before_the_process_ends() {
    // What the demo frees in `close`, a sanitizer would find if it were not called.
    let mut demo = Demo::start(&["--drain-timeout", "0.2", "--access-log"]);
    let wires: Vec<Wire> =
        ["/sleep?ms=600000", "/events", "/stream?bytes=100000000", "/relay/stall"]
            .iter()
            .map(|path| {
                let mut wire = Wire::connect(&demo);
                wire.send(format!("GET {path} HTTP/1.1\r\n{HOST}"));
                wire.until_read();
                wire
            })
            .collect();
    let process = demo.server().process();
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr.text());
    let log = process.stdout.text();
    assert_eq!(log.lines().count(), wires.len(), "{log}");
}
