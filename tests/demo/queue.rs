//! More requests than exchanges at once: they queue, in order, and are refused when that is in vain.

use std::time::{Duration, Instant};

use crate::apps::app;
use crate::http;
use crate::server::{Demo, Server};
use crate::wire::{HOST, Wire};

/// A request that occupies its exchange until `finish` sends the rest of its body.
fn occupy(server: &Server) -> Wire {
    let mut wire = Wire::connect(server);
    wire.send(format!("POST / HTTP/1.1\r\nContent-Length: 1\r\n{HOST}"));
    wire.until_read();
    wire
}

fn finish(mut wire: Wire) -> String {
    wire.send("x");
    wire.response().text()
}

#[test]
fn queued_requests_are_served_in_order() {
    // Two workers share the queue.
    let server = Server::start(&app("numbers"), &["--max-exchanges", "1", "--workers", "2"]);
    let first = occupy(&server);
    let mut queued: Vec<Wire> = (0..20)
        .map(|_| {
            let mut wire = Wire::connect(&server);
            wire.send(format!("GET / HTTP/1.1\r\n{HOST}"));
            wire.until_read();
            wire
        })
        .collect();
    assert_eq!(finish(first), "1\n");
    for (nth, wire) in queued.iter_mut().enumerate() {
        assert_eq!(wire.response().text(), format!("{}\n", nth + 2));
    }
    // Each keeps its connection, and there is room again.
    queued[7].send(format!("GET / HTTP/1.1\r\n{HOST}"));
    assert_eq!(queued[7].response().text(), "22\n");
}

#[test]
fn whoever_waits_in_vain_is_told_to_come_again() {
    let options = ["--max-exchanges", "1", "--queue-timeout", "0.3"];
    let server = Server::start(&app("numbers"), &options);
    let first = occupy(&server);
    let mut wire = Wire::connect(&server);
    let since = Instant::now();
    wire.send(format!("GET / HTTP/1.1\r\n{HOST}"));
    let response = wire.response();
    assert!(since.elapsed() >= Duration::from_millis(300), "after {:?}", since.elapsed());
    assert_eq!(response.status, 503);
    assert_eq!(response.header("retry-after"), Some("1"));
    assert!(!response.closes(), "{}", response.head);
    assert_eq!(finish(first), "1\n");
    // It may try again with the same connection.
    wire.send(format!("GET / HTTP/1.1\r\n{HOST}"));
    assert_eq!(wire.response().text(), "2\n");
}

#[test]
fn a_full_queue_refuses_at_once() {
    let options = ["--max-exchanges", "1", "--max-queued", "1", "--queue-timeout", "600"];
    let server = Server::start(&app("numbers"), &options);
    let first = occupy(&server);
    let mut second = Wire::connect(&server);
    second.send(format!("GET / HTTP/1.1\r\n{HOST}"));
    second.until_read();
    let third = http::get(&server, "/");
    assert_eq!(third.status, 503);
    assert!(third.text().starts_with("503 "), "{}", third.text());
    assert_eq!(finish(first), "1\n");
    assert_eq!(second.response().text(), "2\n");
}

#[test]
fn whoever_leaves_the_queue_makes_room_in_it() {
    let options = ["--max-exchanges", "1", "--max-queued", "1", "--queue-timeout", "600"];
    let server = Server::start(&app("numbers"), &options);
    let first = occupy(&server);
    let mut second = Wire::connect(&server);
    second.send(format!("GET / HTTP/1.1\r\n{HOST}"));
    second.until_read();
    drop(second);
    let mut third = Wire::connect(&server);
    crate::until("room in the queue", || {
        third.send(format!("GET / HTTP/1.1\r\n{HOST}"));
        third.until_read();
        third.stream.set_nonblocking(true).unwrap();
        let mut byte = [0];
        let refused = third.stream.peek(&mut byte).is_ok();
        third.stream.set_nonblocking(false).unwrap();
        if refused {
            assert_eq!(third.response().status, 503);
        }
        !refused
    });
    assert_eq!(finish(first), "1\n");
    assert_eq!(third.response().text(), "2\n");
}

#[test]
fn every_place_is_given_back_however_an_exchange_ends() {
    let demo = Demo::start(&["--max-exchanges", "2", "--max-queued", "0"]);
    for round in 0..30 {
        let mut wire = Wire::connect(&demo);
        let path = ["/hello", "/sleep?ms=600000", "/events", "/stream?bytes=10000000"][round % 4];
        wire.send(format!("GET {path} HTTP/1.1\r\n{HOST}"));
        wire.until_read();
        drop(wire);
    }
    let both = ["/sleep?ms=100", "/sleep?ms=100"].map(|path| {
        crate::until("two free places", || http::get(&demo, path).status == 200);
    });
    assert_eq!(both.len(), 2);
    std::thread::scope(|scope| {
        let threads = [0, 1].map(|_| {
            scope.spawn(|| {
                crate::until("a place", || http::get(&demo, "/sleep?ms=200").status == 200);
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
    });
}
