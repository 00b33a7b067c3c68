//! Applications that fail: a 500, or a transfer that breaks if it has begun, and the others go on.

use crate::apps::app;
use crate::http;
use crate::server::Server;
use crate::until;
use crate::wire::{HOST, LAST, Wire};

/// Those that fail before anything is on the wire.
const EARLY: [&str; 11] = [
    "/negative",
    "/unknown",
    "/nonsense",
    "/nothing",
    "/unstarted",
    "/stale",
    "/unstarted-write",
    "/short",
    "/long",
    "/negative-later",
    "/nothing-later",
];
/// Those whose head is out.
const LATE: [&str; 2] = ["/short-later", "/broken-later"];

/// How many exchanges have begun before this one, and how many have ended.
fn counters(server: &Server) -> (u64, u64) {
    let text = http::get(server, "/counters").text();
    let (opened, closed) = text.trim().split_once(' ').unwrap();
    (opened.parse::<u64>().unwrap() - 1, closed.parse().unwrap())
}

#[test]
fn each_failure_is_a_500_and_the_next_exchange_is_served() {
    let server = Server::start(&app("failing"), &[]);
    let agent = http::agent();
    for path in EARLY {
        let got = http::get_with(&agent, &server, path);
        assert_eq!(got.status, 500, "{path}");
        assert!(
            got.text().starts_with("500") || got.text().contains("500"),
            "{path}: {}",
            got.text()
        );
        assert_eq!(http::get_with(&agent, &server, "/fine").text(), "fine\n");
    }
}

#[test]
fn a_response_that_has_begun_breaks_visibly() {
    let server = Server::start(&app("failing"), &[]);
    for path in LATE {
        let got = http::get(&server, path);
        assert_eq!(got.status, 200, "{path}");
        assert!(got.body.is_err(), "{path} looks whole: {:?}", got.body);
        let mut wire = Wire::connect(&server);
        wire.send(format!("GET {path} HTTP/1.1\r\n{HOST}"));
        let response = wire.response();
        assert_eq!(response.body, b"half\n", "{path}: what there was is delivered");
        assert!(!response.whole, "{path}");
        // Without a length, only a reset tells a client of HTTP/1.0.
        let mut wire = Wire::connect(&server);
        wire.send(format!("GET {path} HTTP/1.0\r\n\r\n"));
        let mut all = Vec::new();
        let end = std::io::Read::read_to_end(&mut wire.stream, &mut all);
        let text = String::from_utf8_lossy(&all);
        let promised = text.to_lowercase().contains("content-length: 10");
        assert!(end.is_err() || promised, "{path} looks whole: {text}");
    }
}

#[test]
fn others_go_on_beside_those_that_fail() {
    let server = Server::start(&app("failing"), &["--workers", "1"]);
    std::thread::scope(|scope| {
        for path in EARLY.into_iter().chain(LATE).chain(["/fine", "/yield"]) {
            let server = &server;
            scope.spawn(move || {
                let agent = http::agent();
                for _ in 0..5 {
                    let got = http::get_with(&agent, server, path);
                    let status = if EARLY.contains(&path) { 500 } else { 200 };
                    assert_eq!(got.status, status, "{path}");
                    assert_eq!(http::get_with(&agent, server, "/fine").text(), "fine\n");
                }
            });
        }
    });
}

#[test]
fn each_is_closed_exactly_once() {
    let server = Server::start(&app("failing"), &[]);
    let all = EARLY.into_iter().chain(LATE).chain(["/fine", "/yield", "/twice"]);
    let mut count = 0;
    for path in all {
        http::get(&server, path);
        count += 1;
    }
    let asked = std::cell::Cell::new(0);
    until("their ends", || {
        let (opened, closed) = counters(&server);
        let before = asked.replace(asked.get() + 1);
        assert_eq!(opened, count + before);
        assert!(closed <= opened, "{closed} of {opened} were closed");
        closed == opened
    });
}

#[test]
fn giving_up_its_turn_often_is_allowed() {
    let server = Server::start(&app("failing"), &[]);
    assert_eq!(http::get(&server, "/yield").text(), "yielded\n");
}

#[test]
fn a_second_head_is_refused_and_the_first_stands() {
    let server = Server::start(&app("failing"), &[]);
    let got = http::get(&server, "/twice");
    assert_eq!((got.status, got.text().as_str()), (200, "AWSGI_E_STATE"));
}

#[test]
fn a_failure_leaves_the_connection_usable_or_closes_it_openly() {
    let server = Server::start(&app("failing"), &[]);
    let mut wire = Wire::connect(&server);
    wire.send(format!("GET /negative HTTP/1.1\r\n{HOST}"));
    let response = wire.response();
    assert_eq!(response.status, 500);
    if response.closes() {
        wire.assert_closed();
    } else {
        wire.send(format!("GET /fine HTTP/1.1\r\n{LAST}"));
        assert_eq!(wire.response().text(), "fine\n");
    }
}

#[test]
fn blocking_applications_fail_in_the_same_way() {
    let server = Server::start(&app("failing_blocking"), &["--pool-threads", "1"]);
    for path in ["/negative", "/nonsense", "/suspend", "/unstarted"] {
        assert_eq!(http::get(&server, path).status, 500, "{path}");
        assert_eq!(http::get(&server, "/fine").text(), "fine\n");
    }
}

#[test]
fn a_failure_is_told_to_whoever_runs_the_server() {
    let server = Server::start(&app("failing"), &[]);
    for path in ["/negative", "/nonsense", "/nothing", "/unstarted", "/short"] {
        let before = server.stderr.text().lines().count();
        assert_eq!(http::get(&server, path).status, 500);
        until(&format!("a diagnostic of {path}"), || server.stderr.text().lines().count() > before);
    }
}
