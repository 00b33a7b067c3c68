//! Thousands of exchanges that wait: on few threads, in little memory, and never early.

use std::time::{Duration, Instant};

use crate::http;
use crate::is_deep;
use crate::server::Demo;
use crate::wire::{LAST, Wire};

#[test]
fn thousands_sleep_at_once_on_two_workers() {
    let (count, ms) = if is_deep() { (5000, 10_000) } else { (500, 2000) };
    let demo = Demo::start(&["--workers", "2"]);
    http::get(&demo, "/hello");
    let mut sleepers: Vec<(Wire, Instant)> = (0..count)
        .map(|_| {
            let mut wire = Wire::connect(&demo);
            wire.send(format!("GET /sleep?ms={ms} HTTP/1.1\r\n{LAST}"));
            (wire, Instant::now())
        })
        .collect();
    let all = crate::until("all of them", || demo.counter("sleep.opened") == count);
    println!("{count} began within {all:?}");
    assert!(demo.threads() < 16, "{} threads", demo.threads());
    println!("{} threads, {} KiB", demo.threads(), demo.memory() >> 10);
    assert!(demo.memory() < 200 << 20, "{} bytes", demo.memory());
    let before = demo.ticks();
    std::thread::sleep(Duration::from_millis(ms / 5));
    println!("{} ticks of CPU in {} ms", demo.ticks() - before, ms / 5);
    assert_eq!(demo.counter("sleep.closed"), 0);
    let mut latest = Duration::ZERO;
    for (wire, since) in &mut sleepers {
        assert_eq!(wire.response().text(), format!("slept {ms} ms\n"));
        let took = since.elapsed();
        assert!(took >= Duration::from_millis(ms), "it slept {took:?}");
        latest = latest.max(took);
    }
    println!("the last of {count} was answered {:?} late", latest - Duration::from_millis(ms));
    demo.assert_all_closed();
}
