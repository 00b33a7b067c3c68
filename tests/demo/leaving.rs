//! Clients that go away: what they asked for ends, once and at once.

use std::time::{Duration, Instant};

use crate::http;
use crate::server::Demo;
use crate::until;
use crate::wire::{HOST, Wire};

/// An end that is at once takes less, also on a machine that is busy with something else.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Has a client ask, waits until its exchange has begun, and drops the client.
fn leave(demo: &Demo, route: &str, request: &str) -> Duration {
    let before = demo.counters();
    let opened = format!("{route}.opened");
    let closed = format!("{route}.closed");
    let mut wire = Wire::connect(demo);
    wire.send(request);
    until("the exchange", || demo.counter(&opened) == before[&opened] + 1);
    assert_eq!(demo.counter(&closed), before[&closed]);
    drop(wire);
    let took = until("its end", || demo.counter(&closed) > before[&closed]);
    assert!(took < AT_ONCE, "{request:?} ended after {took:?}");
    println!("{route} ended {took:?} after its client");
    took
}

#[test]
fn events_come_once_a_second_until_the_client_leaves() {
    let demo = Demo::start(&[]);
    let mut wire = Wire::connect(&demo);
    wire.send(format!("GET /events HTTP/1.1\r\n{HOST}"));
    let head = wire.read_to("\r\n\r\n");
    assert!(head.contains("text/event-stream"), "{head}");
    wire.read_to("id: 1\ndata: 1\n\n");
    let first = Instant::now();
    wire.read_to("id: 2\ndata: 2\n\n");
    let between = first.elapsed();
    assert!(between > Duration::from_millis(800), "the second came after {between:?}");
    assert!(between < Duration::from_secs(4), "the second came after {between:?}");
    drop(wire);
    let took = until("its end", || demo.counter("events.closed") == 1);
    println!("/events ended {took:?} after its client");
    assert!(took < AT_ONCE, "{took:?}");
    demo.assert_all_closed();
}

#[test]
fn whoever_leaves_ends_what_it_asked_for_once() {
    let demo = Demo::start(&[]);
    let sleep = format!("GET /sleep?ms=600000 HTTP/1.1\r\n{HOST}");
    leave(&demo, "sleep", &sleep);
    leave(&demo, "events", &format!("GET /events HTTP/1.1\r\n{HOST}"));
    leave(&demo, "stream", &format!("GET /stream?bytes=1000000000 HTTP/1.1\r\n{HOST}"));
    leave(&demo, "upload", &format!("POST /upload HTTP/1.1\r\nContent-Length: 9\r\n{HOST}1234"));
    // Behind bytes that nobody reads.
    leave(&demo, "sleep", &format!("{sleep}GET /hello HTTP/1.1\r\n"));
    leave(&demo, "sleep", &sleep.replace("GET /sleep?ms=600000", "GET /sleep?ms=599999"));
    demo.assert_all_closed();
}

#[test]
fn whoever_leaves_with_a_body_half_sent_ends_its_exchange() {
    let demo = Demo::start(&[]);
    let body = "x".repeat(300_000);
    let request = format!("POST /upload HTTP/1.1\r\nContent-Length: 500000\r\n{HOST}{body}");
    leave(&demo, "upload", &request);
    demo.assert_all_closed();
}

#[test]
fn a_client_that_says_it_sends_no_more_still_gets_a_quick_answer() {
    let demo = Demo::shared();
    let mut wire = Wire::connect(&demo);
    wire.send(format!("GET /hello HTTP/1.1\r\n{HOST}"));
    wire.finish();
    assert_eq!(wire.response().text(), "hello\n");
    wire.assert_closed();
}

#[test]
fn a_hundred_that_leave_together_are_each_closed_once() {
    let demo = Demo::start(&[]);
    let clients: Vec<Wire> = (0..100)
        .map(|nth| {
            let mut wire = Wire::connect(&demo);
            let path = if nth % 2 == 0 { "/sleep?ms=600000" } else { "/events" };
            wire.send(format!("GET {path} HTTP/1.1\r\n{HOST}"));
            wire
        })
        .collect();
    until("their exchanges", || {
        demo.counter("sleep.opened") == 50 && demo.counter("events.opened") == 50
    });
    assert_eq!(demo.counter("sleep.closed") + demo.counter("events.closed"), 0);
    drop(clients);
    let took = until("their end", || {
        demo.counter("sleep.closed") == 50 && demo.counter("events.closed") == 50
    });
    println!("a hundred exchanges ended {took:?} after their clients");
    assert!(took < AT_ONCE, "{took:?}");
    demo.assert_all_closed();
}

#[test]
fn sleepers_that_answer_while_their_client_leaves_are_closed_once() {
    let demo = Demo::start(&[]);
    for round in 0..200 {
        let mut wire = Wire::connect(&demo);
        wire.send(format!("GET /sleep?ms={} HTTP/1.1\r\n{HOST}", round % 4));
        if round % 3 == 0 {
            wire.until_read();
        }
    }
    assert_eq!(http::get(&demo, "/hello").status, 200);
    demo.assert_all_closed();
}
