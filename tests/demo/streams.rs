//! Bodies far larger than any buffer: constant memory, nothing cut, both ways.

use std::io::{Read, Write};
use std::time::Duration;

use crate::http;
use crate::pattern::{Crc32, pattern};
use crate::server::Demo;
use crate::wire::{HOST, Wire};
use crate::{is_deep, until};

const MIB: u64 = 1 << 20;
/// What a process may grow by while it passes on any amount of data.
const GROWTH: u64 = 16 * MIB;

fn size() -> u64 {
    if is_deep() { 1024 * MIB } else { 64 * MIB }
}

/// A sanitizer keeps what was freed for a while, so that memory says nothing.
fn is_memory_ours() -> bool {
    let flags = std::env::var("AWSGI_TEST_CFLAGS").unwrap_or_default();
    !flags.contains("sanitize") && std::env::var_os("AWSGI_TEST_PRELOAD").is_none()
}

/// The largest memory seen, against what it was at first.
struct Memory {
    first: u64,
    most: u64,
}

impl Memory {
    /// After the first exchange, which fills pools and caches.
    fn of(demo: &Demo) -> Memory {
        http::get(demo, "/stream?bytes=1000000");
        http::post(demo, "/upload", &pattern(0, 1_000_000));
        let first = demo.memory();
        Memory { first, most: first }
    }

    fn look(&mut self, demo: &Demo) {
        self.most = self.most.max(demo.memory());
    }

    fn check(self, what: &str) {
        let growth = self.most - self.first;
        println!("{what}: {} KiB more than the {} KiB before", growth >> 10, self.first >> 10);
        assert!(growth < GROWTH || !is_memory_ours(), "{what}: {growth} bytes more");
    }
}

#[test]
fn a_stream_to_a_slow_reader_is_whole_and_takes_no_memory() {
    let demo = Demo::start(&[]);
    let mut memory = Memory::of(&demo);
    let agent = http::agent();
    let response = agent.get(format!("{}/stream?bytes={}", demo.url, size())).call().unwrap();
    let mut body = response.into_body();
    let mut reader = body.with_config().limit(u64::MAX).reader();
    let mut piece = vec![0; MIB as usize];
    let mut offset = 0;
    while offset < size() {
        reader.read_exact(&mut piece).unwrap();
        assert!(piece == pattern(offset, piece.len()), "it differs after {offset} bytes");
        offset += MIB;
        // The server runs ahead as far as it can.
        std::thread::sleep(Duration::from_millis(if is_deep() { 60 } else { 10 }));
        memory.look(&demo);
    }
    assert_eq!(reader.read(&mut piece).unwrap(), 0, "more than was asked for");
    memory.check("stream");
    demo.assert_all_closed();
}

#[test]
fn an_upload_from_a_slow_sender_is_whole_and_takes_no_memory() {
    let demo = Demo::start(&["--max-body", "unlimited"]);
    let mut memory = Memory::of(&demo);
    let mut wire = Wire::connect(&demo);
    wire.send(format!("POST /upload HTTP/1.1\r\nContent-Length: {}\r\n{HOST}", size()));
    let mut crc = Crc32::new();
    let mut offset = 0;
    while offset < size() {
        let piece = pattern(offset, MIB as usize);
        crc.add(&piece);
        wire.send(&piece);
        offset += MIB;
        std::thread::sleep(Duration::from_millis(if is_deep() { 60 } else { 10 }));
        memory.look(&demo);
    }
    assert_eq!(wire.response().text(), format!("{} {:08x}\n", size(), crc.value()));
    memory.check("upload");
    demo.assert_all_closed();
}

#[test]
fn an_upload_in_chunks_at_full_speed_is_whole_and_takes_no_memory() {
    struct Pattern(u64, u64, Crc32);
    impl Read for Pattern {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let length = (self.1 - self.0).min(into.len() as u64) as usize;
            let piece = pattern(self.0, length);
            self.2.add(&piece);
            self.0 += length as u64;
            (&mut into[..]).write_all(&piece)?;
            Ok(length)
        }
    }
    let demo = Demo::start(&[]);
    let mut memory = Memory::of(&demo);
    let mut body = Pattern(0, size(), Crc32::new());
    let got = http::post_chunked(&demo, "/upload", &mut body);
    assert_eq!(got.text(), format!("{} {:08x}\n", size(), body.2.value()));
    memory.look(&demo);
    memory.check("chunked upload");
}

#[test]
fn readers_that_take_nothing_cost_nothing() {
    let demo = Demo::start(&[]);
    let mut memory = Memory::of(&demo);
    let idle: Vec<Wire> = (0..8)
        .map(|_| {
            let mut wire = Wire::connect(&demo);
            wire.send(format!("GET /stream?bytes={} HTTP/1.1\r\n{HOST}", 1024 * MIB));
            wire
        })
        .collect();
    until("the streams", || demo.counter("stream.opened") == 9);
    for _ in 0..50 {
        memory.look(&demo);
        assert_eq!(http::get(&demo, "/hello").status, 200);
    }
    drop(idle);
    until("their end", || demo.counter("stream.closed") == 9);
    memory.check("idle readers");
}

#[test]
fn a_stream_through_both_relays_is_whole() {
    let demo = Demo::shared();
    for relay in ["/relay", "/relay-blocking"] {
        let size = 16 * MIB;
        let got = http::get(&demo, &format!("{relay}/big?bytes={size}"));
        assert!(got.bytes() == pattern(0, size as usize), "{relay}");
    }
}
