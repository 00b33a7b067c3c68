//! /relay and /relay-blocking against an upstream that behaves well and badly: a sensible status, or
//! a transfer that breaks visibly; never a hang, never less than was promised that looks whole.

use std::net::{Ipv4Addr, TcpListener};

use crate::http::{self, Got};
use crate::pattern::pattern;
use crate::server::{Demo, serve_demo};
use crate::until;
use crate::wire::{HOST, Wire};

const BOTH: [&str; 2] = ["/relay", "/relay-blocking"];

/// What a misbehaving upstream may lead to.
#[derive(Clone, Copy)]
enum Fate {
    Status(u16),
    /// 200, and after at most so many bytes the transfer breaks.
    Breaks(usize),
    /// That, or one of these statuses: what came at once with its end may be known to be bad before
    /// the head is out, and a reset takes with it what the relay has not read.
    Lost(&'static [u16], usize),
}

fn check(path: &str, got: &Got, fate: Fate) {
    let broken = |most: usize| {
        let error = got.body.as_ref().expect_err("it looks whole, and is not");
        let read = error.split_whitespace().rev().nth(1).unwrap();
        assert!(read.parse::<usize>().unwrap() <= most, "{path}: {error}");
    };
    match fate {
        Fate::Status(status) => {
            assert_eq!(got.status, status, "{path}: {:?}", got.body);
            got.bytes();
        }
        Fate::Breaks(most) => {
            assert_eq!(got.status, 200, "{path}");
            broken(most);
        }
        Fate::Lost(statuses, _) if statuses.contains(&got.status) => drop(got.bytes()),
        Fate::Lost(_, most) => {
            assert_eq!(got.status, 200, "{path}");
            broken(most);
        }
    }
}

#[test]
fn what_the_upstream_answers_is_passed_on() {
    let demo = Demo::shared();
    for relay in BOTH {
        let get = |path: &str| http::get(&demo, &format!("{relay}{path}"));
        for path in ["", "/", "/hello", "/slow?ms=50", "/long-head?bytes=8000"] {
            let got = get(path);
            assert_eq!(
                (got.status, got.text().as_str()),
                (200, "hello from the upstream\n"),
                "{path}"
            );
            assert_eq!(got.header("server"), Some("awsgi-upstream"));
            assert_eq!(got.header("content-length"), Some("24"));
        }
        for code in [200, 404, 503, 599] {
            assert_eq!(get(&format!("/status?code={code}")).status, code);
        }
        let echo = get("/echo/a%20b/c%0D%0Ad?x=%20y").text();
        assert!(echo.starts_with("GET /echo/a%20b/c%0D%0Ad?x=%20y HTTP/1.0\r\n"), "{echo}");
        for query in ["bytes=3000000", "bytes=3000000&length=no", "bytes=0", "bytes=0&length=no"] {
            let got = get(&format!("/big?{query}"));
            let length = if query.contains("3000000") { 3_000_000 } else { 0 };
            assert!(got.bytes() == pattern(0, length), "{query}: {} bytes", got.bytes().len());
        }
        let head = http::head(&demo, &format!("{relay}/big?bytes=3000000"));
        assert_eq!((head.status, head.header("content-length")), (200, Some("3000000")));
        assert_eq!(http::post(&demo, &format!("{relay}/hello"), b"x").status, 405);
    }
}

#[test]
fn responses_without_a_body_are_passed_on_without_one() {
    let demo = Demo::shared();
    for relay in BOTH {
        for code in [204, 304] {
            let mut wire = Wire::connect(&demo);
            wire.send(format!("GET {relay}/status?code={code} HTTP/1.1\r\n{HOST}"));
            wire.send(format!("GET /hello HTTP/1.1\r\n{HOST}"));
            assert_eq!(wire.response().status, code);
            assert_eq!(wire.response().text(), "hello\n");
        }
    }
}

#[test]
fn every_misbehaviour_has_a_status_or_a_visible_break() {
    let demo = Demo::with_timeout(300, &[]);
    let fates = [
        ("/garbage", Fate::Status(502)),
        ("/long-head?bytes=20000", Fate::Status(502)),
        ("/status?code=100", Fate::Status(502)),
        ("/status?code=999", Fate::Status(502)),
        ("/stall", Fate::Status(504)),
        ("/slow?ms=60000", Fate::Status(504)),
        ("/stall-body?after=0", Fate::Breaks(0)),
        ("/stall-body?after=1000", Fate::Breaks(1000)),
        ("/stall-body?after=200000", Fate::Breaks(200_000)),
        ("/stall-body?after=half", Fate::Status(504)),
        ("/die?after=head", Fate::Status(502)),
        ("/die?after=half", Fate::Status(502)),
        ("/die?after=0", Fate::Lost(&[500], 0)),
        ("/die?after=1", Fate::Lost(&[500], 1)),
        ("/die?after=1048575", Fate::Breaks(1_048_575)),
        ("/reset?after=head", Fate::Status(502)),
        ("/reset?after=half", Fate::Status(502)),
        ("/reset?after=0", Fate::Lost(&[500, 502], 0)),
        ("/reset?after=1000", Fate::Lost(&[500, 502], 1000)),
        ("/reset?after=500000", Fate::Lost(&[500, 502], 500_000)),
    ];
    std::thread::scope(|scope| {
        for relay in BOTH {
            let demo = &demo;
            scope.spawn(move || {
                for (path, fate) in fates {
                    let path = format!("{relay}{path}");
                    check(&path, &http::get(demo, &path), fate);
                }
            });
        }
    });
    demo.assert_all_closed();
}

#[test]
fn an_upstream_that_refuses_is_a_502() {
    // Nobody listens at that port of 127.0.0.2 while it is taken at 127.0.0.1.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = (Ipv4Addr::new(127, 0, 0, 2), taken.local_addr().unwrap().port());
    let server = serve_demo(&format!("{}:{}", nobody.0, nobody.1), 5000, &[]);
    for relay in BOTH {
        let got = http::get(&server, relay);
        assert_eq!(got.status, 502);
        assert_eq!(got.text(), "The upstream cannot be reached: Connection refused.\n");
    }
}

#[test]
fn a_client_that_leaves_ends_its_relay() {
    let mut demo = Demo::with_timeout(600_000, &[]);
    http::get(&demo, "/relay/hello");
    http::get(&demo, "/relay-blocking/hello");
    let before = demo.server().process().settled_descriptors();
    let clients: Vec<Wire> = ["/stall", "/stall-body", "/big?bytes=100000000"]
        .iter()
        .flat_map(|path| BOTH.map(|relay| format!("GET {relay}{path} HTTP/1.1\r\n{HOST}")))
        .map(|request| {
            let mut wire = Wire::connect(&demo);
            wire.send(request);
            wire
        })
        .collect();
    until("the relays", || demo.counter("relay.opened") == 4);
    // Each has a connection to its client, and one to the upstream.
    until("their connections", || demo.descriptors() >= before + 12);
    drop(clients);
    let took = until("their end", || demo.counter("relay.closed") == 4);
    println!("three relays ended {took:?} after their clients");
    until("the end of their connections", || demo.descriptors() <= before);
    assert_eq!(http::get(&demo, "/relay-blocking/hello").status, 200);
    demo.assert_all_closed();
}

#[test]
fn without_an_upstream_the_rest_of_the_demo_works() {
    let server = crate::server::Server::start(&crate::server::demo(), &[]);
    let got = http::get(&server, "/relay");
    assert_eq!(got.status, 503);
    assert!(got.text().contains("HOST:PORT"), "{}", got.text());
    assert_eq!(http::get(&server, "/hello").text(), "hello\n");
}
