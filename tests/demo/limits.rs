//! What is too large or too slow, each with its status, and what is just within the limits.

use std::time::{Duration, Instant};

use crate::http;
use crate::pattern::{pattern, receipt};
use crate::server::Demo;
use crate::wire::{HOST, LAST, Wire};

/// Sends all, and holds if the answer has this status and ends the connection.
fn refused(demo: &Demo, request: &str, status: u16) {
    let mut wire = Wire::connect(demo);
    wire.send_if_taken(request);
    let response = wire.response();
    let shown = &request[..request.len().min(80)];
    assert_eq!(response.status, status, "{shown:?}: {response:?}");
    assert!(response.closes(), "{shown:?}: {}", response.head);
    assert!(response.text().starts_with(&status.to_string()), "{shown:?}: {response:?}");
    wire.assert_closed();
}

#[test]
fn a_head_beyond_its_limits_is_431() {
    let demo = Demo::start(&["--max-headers", "20", "--max-header-bytes", "4K"]);
    let fields = |count: usize| (0..count).map(|nth| format!("X-{nth}: y\r\n")).collect::<String>();
    // Host and Connection count.
    let ok = Wire::ask(&demo, &format!("GET /hello HTTP/1.1\r\n{}{LAST}", fields(18)));
    assert_eq!(ok.status, 200);
    refused(&demo, &format!("GET /hello HTTP/1.1\r\n{}{LAST}", fields(19)), 431);

    let long =
        |length: usize| format!("GET /hello HTTP/1.1\r\nX: {}\r\n{LAST}", "y".repeat(length));
    assert_eq!(Wire::ask(&demo, &long(3900)).status, 200);
    refused(&demo, &long(5000), 431);
    refused(&demo, &long(100_000), 431);
    // Without an end.
    refused(&demo, &format!("GET /hello HTTP/1.1\r\nX: {}", "y".repeat(5000)), 431);
    let target = |length: usize| format!("GET /{} HTTP/1.1\r\n{LAST}", "y".repeat(length));
    assert_eq!(Wire::ask(&demo, &target(3900)).status, 404);
    let mut wire = Wire::connect(&demo);
    wire.send_if_taken(target(100_000));
    let status = wire.response().status;
    assert!([414, 431].contains(&status), "{status}");
}

#[test]
fn by_default_a_hundred_headers_and_32_kib_are_taken() {
    let demo = Demo::shared();
    let fields = |count: usize| (0..count).map(|nth| format!("X-{nth}: y\r\n")).collect::<String>();
    let ok = Wire::ask(&demo, &format!("GET /hello HTTP/1.1\r\n{}{LAST}", fields(98)));
    assert_eq!(ok.status, 200);
    refused(&demo, &format!("GET /hello HTTP/1.1\r\n{}{LAST}", fields(99)), 431);
    let long =
        |length: usize| format!("GET /hello HTTP/1.1\r\nX: {}\r\n{LAST}", "y".repeat(length));
    assert_eq!(Wire::ask(&demo, &long(32_000)).status, 200);
    refused(&demo, &long(33_000), 431);
}

#[test]
fn a_body_beyond_its_limit_is_413() {
    let demo = Demo::start(&["--max-body", "100K"]);
    let body = pattern(0, 100 << 10);
    assert_eq!(http::post(&demo, "/upload", &body).text(), receipt(&body));
    let got = http::post_chunked(&demo, "/upload", &mut &body[..]);
    assert_eq!(got.text(), receipt(&body));

    let head = |framing: &str| format!("POST /upload HTTP/1.1\r\n{framing}\r\n{HOST}");
    // By its length, before a byte of it came, and without a 100.
    let length = (100 << 10) + 1;
    refused(&demo, &head(&format!("Content-Length: {length}")), 413);
    refused(&demo, &head(&format!("Content-Length: {length}\r\nExpect: 100-continue")), 413);
    refused(&demo, &head("Content-Length: 4611686018427387904"), 413);
    // In chunks, when it becomes too large.
    let chunk = format!("6000\r\n{}\r\n", "x".repeat(0x6000));
    let large = head("Transfer-Encoding: chunked") + &chunk.repeat(5);
    let mut wire = Wire::connect(&demo);
    wire.send_if_taken(&large);
    let response = wire.response();
    assert_eq!(response.status, 413, "{response:?}");
    assert!(response.closes(), "{}", response.head);
    wire.assert_closed();
    demo.assert_all_closed();
}

#[test]
fn by_default_a_body_may_have_16_mib() {
    let server = crate::server::Server::start(&crate::server::demo(), &[]);
    let body = vec![b'x'; 16 << 20];
    assert_eq!(http::post(&server, "/upload", &body).text(), receipt(&body));
    let mut wire = Wire::connect(&server);
    wire.send(format!("POST /upload HTTP/1.1\r\nContent-Length: {}\r\n{HOST}", body.len() + 1));
    assert_eq!(wire.response().status, 413);
}

#[test]
fn a_head_that_does_not_end_is_408() {
    let demo = Demo::start(&["--header-timeout", "0.3"]);
    let since = Instant::now();
    refused(&demo, "GET /hello HTTP/1.1\r\nHost: a\r\n", 408);
    assert!(since.elapsed() >= Duration::from_millis(300), "after {:?}", since.elapsed());

    // The second of a connection too.
    let mut wire = Wire::connect(&demo);
    wire.send(format!("GET /hello HTTP/1.1\r\n{HOST}"));
    assert_eq!(wire.response().text(), "hello\n");
    wire.send("GET /he");
    assert_eq!(wire.response().status, 408);
    wire.assert_closed();

    // A byte now and then does not help.
    let mut wire = Wire::connect(&demo);
    let since = Instant::now();
    for byte in "GET /hello HTTP/1.1\r\nX: ".bytes().chain(std::iter::repeat_n(b'y', 200)) {
        wire.send_if_taken([byte]);
        std::thread::sleep(Duration::from_millis(10));
        if since.elapsed() > Duration::from_secs(1) {
            break;
        }
    }
    assert_eq!(wire.response().status, 408);
}

#[test]
fn a_connection_that_sends_nothing_is_closed() {
    let demo = Demo::start(&["--header-timeout", "0.3"]);
    let since = Instant::now();
    Wire::connect(&demo).assert_closed();
    assert!(since.elapsed() >= Duration::from_millis(300), "after {:?}", since.elapsed());
}

#[test]
fn a_body_that_does_not_come_is_408() {
    let demo = Demo::start(&["--idle-timeout", "0.3"]);
    for request in [
        format!("POST /upload HTTP/1.1\r\nContent-Length: 10\r\n{HOST}123"),
        format!("POST /upload HTTP/1.1\r\nContent-Length: 10\r\n{HOST}"),
        format!("POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{HOST}3\r\n123\r\n"),
    ] {
        let mut wire = Wire::connect(&demo);
        let since = Instant::now();
        wire.send(&request);
        let response = wire.response();
        assert!(since.elapsed() >= Duration::from_millis(300), "after {:?}", since.elapsed());
        assert_eq!(response.status, 408, "{request:?}: {response:?}");
        assert!(response.closes(), "{}", response.head);
        wire.assert_closed();
    }
    demo.assert_all_closed();
}

#[test]
fn a_body_that_comes_slowly_but_steadily_is_taken() {
    let demo = Demo::start(&["--idle-timeout", "2"]);
    let mut wire = Wire::connect(&demo);
    wire.send(format!("POST /upload HTTP/1.1\r\nContent-Length: 30\r\n{HOST}"));
    let mut longest = Duration::ZERO;
    for _ in 0..30 {
        let since = Instant::now();
        wire.send("x");
        std::thread::sleep(Duration::from_millis(80));
        longest = longest.max(since.elapsed());
    }
    let response = wire.response();
    assert_eq!(response.status, 200, "the longest pause was {longest:?}");
    assert_eq!(response.text(), receipt(&[b'x'; 30]));
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let demo = Demo::start(&["--idle-timeout", "0.3"]);
    let mut wire = Wire::connect(&demo);
    wire.send(format!("GET /hello HTTP/1.1\r\n{HOST}"));
    assert_eq!(wire.response().text(), "hello\n");
    let since = Instant::now();
    wire.assert_closed();
    assert!(since.elapsed() >= Duration::from_millis(250), "after {:?}", since.elapsed());
}

#[test]
fn an_exchange_that_waits_for_itself_is_not_idle() {
    let demo = Demo::start(&["--idle-timeout", "0.2", "--header-timeout", "0.2"]);
    assert_eq!(http::get(&demo, "/sleep?ms=900").text(), "slept 900 ms\n");
}

#[test]
fn a_client_that_takes_nothing_is_closed() {
    let demo = Demo::start(&["--idle-timeout", "0.3"]);
    let mut wire = Wire::connect(&demo);
    wire.send(format!("GET /stream?bytes=1000000000 HTTP/1.1\r\n{HOST}"));
    crate::until("the end of its exchange", || demo.counter("stream.closed") == 1);
    let response = wire.response();
    assert!(!response.whole);
}
