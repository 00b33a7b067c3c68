//! HTTP/1.1 as it goes over the wire: persistent connections, framing, versions.

use crate::http;
use crate::pattern::{pattern, receipt};
use crate::server::Demo;
use crate::wire::{HOST, LAST, Wire, pause};

#[test]
fn a_connection_serves_one_request_after_another() {
    let demo = Demo::shared();
    let mut wire = Wire::connect(&demo);
    for path in [
        "/hello",
        "/sleep?ms=1",
        "/stream?bytes=100000",
        "/relay/hello",
        "/nowhere",
        "/relay-blocking/hello",
        "/sleep?ms=x",
        "/hello",
    ] {
        wire.send(format!("GET {path} HTTP/1.1\r\n{HOST}"));
        let response = wire.response();
        assert!(response.whole && !response.closes(), "{path}: {}", response.head);
    }
    wire.send(format!("POST /upload HTTP/1.1\r\nContent-Length: 5\r\n{HOST}hello"));
    assert_eq!(wire.response().text(), receipt(b"hello"));
    wire.send(format!("GET /hello HTTP/1.1\r\n{LAST}"));
    let last = wire.response();
    assert_eq!(last.text(), "hello\n");
    assert!(last.closes(), "{}", last.head);
    wire.assert_closed();
}

#[test]
fn the_client_that_is_not_ours_uses_its_connection_again() {
    let demo = Demo::shared();
    let agent = http::agent();
    for _ in 0..100 {
        assert_eq!(http::get_with(&agent, &demo, "/hello").text(), "hello\n");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let demo = Demo::shared();
    let mut wire = Wire::connect(&demo);
    let upload = format!("POST /upload HTTP/1.1\r\nContent-Length: 3\r\n{HOST}abc");
    let chunked = format!(
        "POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{HOST}2\r\nde\r\n0\r\n\r\n"
    );
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\n{HOST}");
    let (slow, hello, stream) = (get("/sleep?ms=100"), get("/hello"), get("/stream?bytes=70000"));
    wire.send(format!("{slow}{upload}{hello}{chunked}{stream}{slow}{hello}"));
    for expected in ["slept 100 ms\n", &receipt(b"abc"), "hello\n", &receipt(b"de")] {
        assert_eq!(wire.response().text(), expected);
    }
    assert!(wire.response().body == pattern(0, 70_000));
    for expected in ["slept 100 ms\n", "hello\n"] {
        assert_eq!(wire.response().text(), expected);
    }
}

#[test]
fn a_thousand_pipelined_requests_get_a_thousand_answers() {
    let demo = Demo::shared();
    let mut wire = Wire::connect(&demo);
    wire.send(format!("GET /hello HTTP/1.1\r\n{HOST}").repeat(1000));
    for _ in 0..1000 {
        assert_eq!(wire.response().text(), "hello\n");
    }
}

#[test]
fn requests_after_a_connection_close_are_not_answered() {
    let demo = Demo::shared();
    let mut wire = Wire::connect(&demo);
    wire.send(format!("GET /hello HTTP/1.1\r\n{LAST}GET /hello HTTP/1.1\r\n{HOST}"));
    assert_eq!(wire.response().text(), "hello\n");
    wire.assert_closed();
}

#[test]
fn a_head_that_comes_in_pieces_is_the_same_head() {
    let demo = Demo::shared();
    let request = format!("GET /hello HTTP/1.1\r\nX-Long: {}\r\n{LAST}", "y".repeat(50));
    for at in 1..request.len() {
        let mut wire = Wire::connect(&demo);
        wire.send(&request[..at]);
        pause();
        wire.send(&request[at..]);
        assert_eq!(wire.response().text(), "hello\n", "cut at {at}");
    }
}

#[test]
fn a_length_that_is_not_known_means_chunks_for_1_1_and_the_end_for_1_0() {
    let demo = Demo::shared();
    let mut wire = Wire::connect(&demo);
    wire.send(format!("GET /relay/big?bytes=100000&length=no HTTP/1.1\r\n{HOST}"));
    let response = wire.response();
    assert_eq!(response.header("transfer-encoding"), Some("chunked"));
    assert!(response.whole && response.body == pattern(0, 100_000));

    let old = Wire::ask(&demo, "GET /relay/big?bytes=100000&length=no HTTP/1.0\r\n\r\n");
    assert_eq!(old.header("transfer-encoding"), None);
    assert_eq!(old.header("content-length"), None);
    assert!(old.body == pattern(0, 100_000));
}

#[test]
fn a_client_of_1_0_is_served_and_closed() {
    let demo = Demo::shared();
    let response = Wire::ask(&demo, "GET /hello HTTP/1.0\r\n\r\n");
    assert_eq!((response.status, response.text().as_str()), (200, "hello\n"));
    let response = Wire::ask(&demo, "POST /upload HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(response.text(), receipt(b"hi"));
}

#[test]
fn a_client_of_1_0_may_ask_to_be_kept() {
    let demo = Demo::shared();
    let mut wire = Wire::connect(&demo);
    for _ in 0..3 {
        wire.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(wire.response().text(), "hello\n");
    }
}

#[test]
fn a_broken_response_to_1_0_does_not_look_whole() {
    let demo = Demo::with_timeout(300, &[]);
    let mut wire = Wire::connect(&demo);
    wire.send("GET /relay/stall-body?after=1000 HTTP/1.0\r\n\r\n");
    let response = wire.response();
    // The upstream's Content-Length stands in the head, and fewer bytes came.
    assert!(!response.whole, "{response:?}");
}

#[test]
fn every_form_of_target_is_understood() {
    let demo = Demo::shared();
    for target in [
        "/hello",
        "/hello?",
        "/hello?x",
        "http://elsewhere.example/hello",
        "http://elsewhere.example:81/hello?x",
        "/%68ello",
    ] {
        let response = Wire::ask(&demo, &format!("GET {target} HTTP/1.1\r\n{LAST}"));
        assert_eq!((response.status, response.text().as_str()), (200, "hello\n"), "{target}");
    }
    let response = Wire::ask(&demo, &format!("GET http://elsewhere.example HTTP/1.1\r\n{LAST}"));
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
    let response = Wire::ask(&demo, &format!("CONNECT a:80 HTTP/1.1\r\n{LAST}"));
    assert_eq!(response.status, 501);
}

#[test]
fn empty_lines_before_a_request_are_skipped() {
    let demo = Demo::shared();
    let response = Wire::ask(&demo, &format!("\r\n\r\nGET /hello HTTP/1.1\r\n{LAST}"));
    assert_eq!(response.text(), "hello\n");
}

#[test]
fn every_response_has_a_date_and_one_framing() {
    let demo = Demo::shared();
    for path in ["/hello", "/nowhere", "/events", "/relay/big?length=no", "/stream?bytes=0"] {
        let mut wire = Wire::connect(&demo);
        wire.send(format!("HEAD {path} HTTP/1.1\r\n{HOST}"));
        let response = wire.response_to("HEAD");
        assert!(response.header("date").is_some_and(|date| date.ends_with(" GMT")), "{path}");
        let length = response.header("content-length").is_some();
        assert!(!length || response.header("transfer-encoding").is_none(), "{path}");
    }
}
