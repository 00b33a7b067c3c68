//! /upload: bodies of any size and framing arrive whole.

use std::io::{Cursor, Read};

use crate::http;
use crate::pattern::{pattern, receipt};
use crate::server::Demo;
use crate::wire::{HOST, LAST, Wire, pause};

/// Sizes around those of the buffers on the way.
const SIZES: [usize; 13] =
    [0, 1, 15, 16, 4095, 4096, 8191, 16_384, 16_385, 65_535, 65_536, 65_537, 3_000_001];

/// Gives pieces of ever other sizes.
struct Pieces(Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.1 = (self.1 * 7 + 3) % 9973;
        let most = into.len().min(self.1 + 1);
        self.0.read(&mut into[..most])
    }
}

#[test]
fn a_body_with_a_length_arrives_whole() {
    let demo = Demo::shared();
    for size in SIZES {
        let body = pattern(7, size);
        let got = http::post(&demo, "/upload", &body);
        assert_eq!((got.status, got.text()), (200, receipt(&body)));
    }
}

#[test]
fn a_body_in_chunks_of_any_size_arrives_whole() {
    let demo = Demo::shared();
    for size in SIZES {
        let body = pattern(7, size);
        let mut pieces = Pieces(Cursor::new(body.clone()), size);
        let got = http::post_chunked(&demo, "/upload", &mut pieces);
        assert_eq!((got.status, got.text()), (200, receipt(&body)));
    }
}

#[test]
fn a_body_cut_anywhere_is_the_same_body() {
    let demo = Demo::shared();
    let fixed = format!("POST /upload HTTP/1.1\r\nContent-Length: 11\r\n{LAST}hello world");
    let chunked = format!(
        "POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{LAST}\
         5;name=value\r\nhello\r\n06\r\n world\r\n0\r\nTrailer: x\r\n\r\n"
    );
    for request in [fixed, chunked] {
        for at in 1..request.len() {
            let mut wire = Wire::connect(&demo);
            wire.send(&request[..at]);
            pause();
            wire.send(&request[at..]);
            assert_eq!(wire.response().text(), receipt(b"hello world"), "cut at {at}");
        }
    }
}

#[test]
fn a_body_of_single_bytes_arrives_whole() {
    let demo = Demo::shared();
    let body = pattern(0, 2000);
    let mut wire = Wire::connect(&demo);
    wire.send(format!("POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{HOST}"));
    for byte in &body {
        wire.send([b'1', b'\r', b'\n', *byte, b'\r', b'\n']);
    }
    wire.send("0\r\n\r\n");
    assert_eq!(wire.response().text(), receipt(&body));
}

#[test]
fn a_client_that_expects_100_gets_it_when_the_application_wants_the_body() {
    let demo = Demo::shared();
    let head =
        format!("POST /upload HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n{HOST}");
    let mut wire = Wire::connect(&demo);
    for _ in 0..3 {
        wire.send(&head);
        assert_eq!(wire.response().status, 100);
        wire.send("hello");
        assert_eq!(wire.response().text(), receipt(b"hello"));
    }
}

#[test]
fn a_client_that_expects_100_gets_none_where_the_body_is_not_wanted() {
    let demo = Demo::shared();
    let mut wire = Wire::connect(&demo);
    wire.send(format!(
        "POST /hello HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n{HOST}"
    ));
    let response = wire.response();
    assert_eq!(response.status, 405);
}

#[test]
fn a_client_that_does_not_wait_for_the_100_is_served_too() {
    let demo = Demo::shared();
    let mut wire = Wire::connect(&demo);
    wire.send(format!(
        "POST /upload HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n{HOST}hello"
    ));
    let mut response = wire.response();
    if response.status == 100 {
        response = wire.response();
    }
    assert_eq!(response.text(), receipt(b"hello"));
}

#[test]
fn the_client_that_is_not_ours_also_knows_how_to_expect() {
    let demo = Demo::shared();
    let body = pattern(0, 100_000);
    let request = http::agent().post(format!("{}/upload", demo.url));
    let response = request.header("Expect", "100-continue").send(&body[..]).unwrap();
    assert_eq!(http::taken(response).text(), receipt(&body));
}

#[test]
fn a_response_before_the_end_of_the_body_is_delivered() {
    let demo = Demo::shared();
    let mut wire = Wire::connect(&demo);
    wire.send(format!("POST /hello HTTP/1.1\r\nContent-Length: 50000000\r\n{HOST}"));
    let body = pattern(0, 1 << 20);
    // It answers before it has read all of this, and reads on for as long as it takes.
    wire.send_if_taken(&body);
    assert_eq!(wire.response().status, 405);
}

#[test]
fn a_body_that_ends_early_closes_its_exchange() {
    let demo = Demo::start(&[]);
    for (count, framing) in ["Content-Length: 100", "Transfer-Encoding: chunked"].iter().enumerate()
    {
        let mut wire = Wire::connect(&demo);
        wire.send(format!("POST /upload HTTP/1.1\r\n{framing}\r\n{HOST}5\r\nhello\r\n"));
        crate::until("the exchange", || demo.counter("upload.opened") == count as u64 + 1);
        drop(wire);
        crate::until("its end", || demo.counter("upload.closed") == count as u64 + 1);
    }
    demo.assert_all_closed();
}
