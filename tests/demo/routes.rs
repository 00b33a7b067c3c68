//! Every route of the demo, as a visitor sees it.

use std::time::{Duration, Instant};

use crate::http;
use crate::server::Demo;
use crate::wire::{LAST, Wire};

#[test]
fn the_page_explains_and_links_every_route() {
    let demo = Demo::shared();
    let page = http::get(&demo, "/");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let text = page.text();
    for route in ["/hello", "/sleep", "/relay", "/relay-blocking", "/upload", "/stream", "/events"]
    {
        assert!(text.contains(route), "the page does not speak of {route}");
    }
    // What it links is there.
    for link in text.split("href=").skip(1) {
        let quote = link.chars().next().unwrap();
        let path = link[1..].split(quote).next().unwrap().replace("&amp;", "&");
        if path.starts_with('/') && !path.starts_with("/events") {
            let got = http::get(&demo, &path);
            assert!(got.status < 400, "{path} answers {}", got.status);
        }
    }
}

#[test]
fn hello_has_its_length_and_head_is_the_same_without_a_body() {
    let demo = Demo::shared();
    let hello = http::get(&demo, "/hello");
    assert_eq!((hello.status, hello.text().as_str()), (200, "hello\n"));
    assert_eq!(hello.header("content-length"), Some("6"));
    assert_eq!(hello.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(hello.header("transfer-encoding"), None);
    let head = http::head(&demo, "/hello");
    assert_eq!((head.status, head.bytes().len()), (200, 0));
    assert_eq!(head.header("content-length"), Some("6"));
    for name in ["content-type", "cache-control"] {
        assert_eq!(head.header(name), hello.header(name), "{name}");
    }
}

#[test]
fn head_sends_no_byte_of_a_body_on_any_route() {
    let demo = Demo::shared();
    for path in [
        "/",
        "/hello",
        "/sleep?ms=1",
        "/stream?bytes=100000",
        "/events",
        "/counters",
        "/relay/hello",
        "/relay-blocking/hello",
        "/nowhere",
    ] {
        let mut wire = Wire::connect(&demo);
        wire.send(format!("HEAD {path} HTTP/1.1\r\n{LAST}"));
        let response = wire.response_to("HEAD");
        assert_eq!(response.status, if path == "/nowhere" { 404 } else { 200 }, "{path}");
        wire.assert_closed();
    }
}

#[test]
fn sleep_is_never_early() {
    let demo = Demo::shared();
    for ms in [0, 1, 10, 250] {
        let since = Instant::now();
        let got = http::get(&demo, &format!("/sleep?ms={ms}"));
        let took = since.elapsed();
        assert_eq!((got.status, got.text()), (200, format!("slept {ms} ms\n")));
        assert!(took >= Duration::from_millis(ms), "{ms} ms ended after {took:?}");
    }
    let since = Instant::now();
    assert_eq!(http::get(&demo, "/sleep").text(), "slept 250 ms\n");
    assert!(since.elapsed() >= Duration::from_millis(250));
}

#[test]
fn what_is_no_number_is_answered_with_400_and_a_sentence() {
    let demo = Demo::shared();
    for path in [
        "/sleep?ms=",
        "/sleep?ms=-1",
        "/sleep?ms=1.5",
        "/sleep?ms=x",
        "/sleep?ms=600001",
        "/sleep?ms=99999999999999999999",
        "/sleep?ms=%31",
        "/stream?bytes=x",
        "/stream?bytes=1099511627777",
    ] {
        let got = http::get(&demo, path);
        assert_eq!(got.status, 400, "{path}");
        assert!(got.text().contains("as in /"), "{path}: {}", got.text());
    }
}

#[test]
fn what_is_not_there_is_404_and_other_methods_are_405() {
    let demo = Demo::shared();
    for path in ["/nowhere", "/hello/", "/hellox", "/hello%00.html", "/HELLO", "//hello"] {
        let status = http::get(&demo, path).status;
        // A NUL in a path is nothing that an environ can hold.
        assert_eq!(status, if path.contains("%00") { 400 } else { 404 }, "{path}");
    }
    assert_eq!(http::get(&demo, "/hell%6F").text(), "hello\n");
    let got = http::post(&demo, "/hello", b"body");
    assert_eq!((got.status, got.header("allow")), (405, Some("GET, HEAD")));
    let got = http::get(&demo, "/upload");
    assert_eq!((got.status, got.header("allow")), (405, Some("POST")));
    let got = Wire::ask(&demo, &format!("BREW /hello HTTP/1.1\r\n{LAST}"));
    assert_eq!(got.status, 405);
}

#[test]
fn counters_count() {
    let demo = Demo::start(&[]);
    assert_eq!(demo.counter("hello.opened"), 0);
    for _ in 0..7 {
        http::get(&demo, "/hello");
    }
    assert_eq!(demo.counter("hello.opened"), 7);
    demo.assert_all_closed();
}

#[test]
fn fifty_visitors_at_once_each_get_their_own() {
    let demo = Demo::shared();
    std::thread::scope(|scope| {
        for visitor in 0..50_u64 {
            let demo = &demo;
            scope.spawn(move || {
                let agent = http::agent();
                let get = |path: &str| http::get_with(&agent, demo, path).text();
                let ms = 20 + visitor;
                assert_eq!(get(&format!("/sleep?ms={ms}")), format!("slept {ms} ms\n"));
                let bytes = (1000 * visitor) as usize;
                let body = get(&format!("/stream?bytes={bytes}"));
                assert!(body.as_bytes() == crate::pattern::pattern(0, bytes), "{bytes}");
                assert_eq!(get("/relay/hello"), "hello from the upstream\n");
            });
        }
    });
}
