//! Requests that are not HTTP as it should be: 400, a sentence, and a closed connection.

use crate::server::Demo;
use crate::wire::{HOST, Wire};

/// Sends it, and holds if the answer is one line with this status and the end.
fn refused(demo: &Demo, request: &[u8], status: u16) {
    let shown = String::from_utf8_lossy(&request[..request.len().min(120)]).into_owned();
    let mut wire = Wire::connect(demo);
    wire.send_if_taken(request);
    let response = wire.response();
    assert_eq!(response.status, status, "{shown:?}: {response:?}");
    assert!(response.closes(), "{shown:?}: {}", response.head);
    let text = response.text();
    assert!(text.starts_with(&status.to_string()) && text.ends_with('\n'), "{shown:?}: {text:?}");
    assert_eq!(text.lines().count(), 1, "{shown:?}: {text:?}");
    wire.assert_closed();
}

#[test]
fn a_malformed_request_line_is_refused() {
    let demo = Demo::shared();
    for request in [
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET /hello\r\n\r\n",
        "GET /hello HTTP/3.9\r\nHost: a\r\n\r\n",
        "GET /hello HTTP/1.1 more\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n",
        "G\u{7f}T /hello HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /hel\0lo HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET hello HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
    ] {
        refused(&demo, request.as_bytes(), 400);
    }
}

#[test]
fn a_malformed_header_is_refused() {
    let demo = Demo::shared();
    for header in [
        "no colon",
        ": no name",
        "X : a space",
        "X\t: a tab",
        " X: a space before",
        "X: one\r\n folded",
        "X: a\0nul",
        "X: a\rcarriage return",
        "X\u{e9}: a name beyond ASCII",
        "X(: no token",
    ] {
        refused(&demo, format!("GET /hello HTTP/1.1\r\n{header}\r\n{HOST}").as_bytes(), 400);
    }
}

#[test]
fn host_is_there_exactly_once() {
    let demo = Demo::shared();
    for request in [
        "GET /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: user@a\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a:b\r\n\r\n",
        "GET /hello HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    ] {
        refused(&demo, request.as_bytes(), 400);
    }
}

#[test]
fn a_framing_that_can_be_read_in_two_ways_is_refused() {
    let demo = Demo::shared();
    for fields in [
        "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: 1\r\nX: y\r\ncontent-length: 2",
        "Content-Length: 1, 2",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 5 5",
        "Content-Length: 0x5",
        "Content-Length: 99999999999999999999",
        "Content-Length:",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: x\u{b}chunked",
    ] {
        let request = format!("POST /upload HTTP/1.1\r\n{fields}\r\n{HOST}0\r\n\r\nGET /hello");
        refused(&demo, request.as_bytes(), 400);
    }
    // RFC 9112, 6.3, lets a server choose: refuse both together, or go by the chunks alone. Nothing
    // that follows may be taken for a request in either case.
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
    ] {
        let mut wire = Wire::connect(&demo);
        let request = format!("POST /upload HTTP/1.1\r\n{fields}\r\n{HOST}0\r\n\r\n");
        wire.send(format!("{request}GET /hello HTTP/1.1\r\n{HOST}"));
        let response = wire.response();
        if response.status != 400 {
            assert_eq!(response.text(), crate::pattern::receipt(b""), "{fields:?}");
        }
        assert!(response.closes(), "{fields:?}: {}", response.head);
        wire.assert_closed();
    }
    refused(&demo, b"POST /upload HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
}

#[test]
fn a_malformed_chunk_is_refused() {
    let demo = Demo::shared();
    for body in [
        "zz\r\n",
        "-1\r\nx\r\n",
        "\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "10000000000000000\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
    ] {
        let head = format!("POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{HOST}");
        let mut wire = Wire::connect(&demo);
        wire.send(&head);
        wire.send_if_taken(body);
        let response = wire.response();
        assert_eq!(response.status, 400, "{body:?}: {response:?}");
        assert!(response.closes(), "{body:?}: {}", response.head);
        wire.assert_closed();
    }
}

#[test]
fn requests_before_a_malformed_one_are_answered_and_none_after_it() {
    let demo = Demo::shared();
    let mut wire = Wire::connect(&demo);
    let hello = format!("GET /hello HTTP/1.1\r\n{HOST}");
    let slow = format!("GET /sleep?ms=50 HTTP/1.1\r\n{HOST}");
    wire.send(format!("{hello}{slow}GET nowhere HTTP/1.1\r\n{HOST}{hello}"));
    assert_eq!(wire.response().text(), "hello\n");
    assert_eq!(wire.response().text(), "slept 50 ms\n");
    assert_eq!(wire.response().status, 400);
    wire.assert_closed();
}

#[test]
fn a_refused_request_never_reaches_the_application() {
    let demo = Demo::start(&[]);
    refused(&demo, b"GET /hello HTTP/1.1\r\n\r\n", 400);
    refused(&demo, b"GET /hello HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400);
    assert_eq!(demo.counter("hello.opened"), 0);
    assert_eq!(demo.counter("other.opened"), 0);
}

#[test]
fn connections_that_send_nothing_or_half_a_head_and_leave_do_no_harm() {
    let mut demo = Demo::start(&[]);
    crate::http::get(&demo, "/hello");
    let before = demo.server().process().settled_descriptors();
    for bytes in ["", "G", "GET /hello HTTP/1.1\r\nHost", "\r\n"] {
        for _ in 0..20 {
            Wire::connect(&demo).send(bytes);
        }
    }
    crate::until("the end of their connections", || demo.descriptors() <= before);
    assert_eq!(crate::http::get(&demo, "/hello").status, 200);
    demo.assert_all_closed();
}
