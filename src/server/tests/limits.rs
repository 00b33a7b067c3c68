//! Requests that are refused: malformed, too large, too slow, too many.

use super::*;

#[test]
fn what_is_malformed_gets_400_and_the_connection_closes() {
    let running = serve(|_| {});
    for request in [
        "nonsense\r\n\r\n",
        "GET / HTTP/3.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ] {
        let response = running.ask(request);
        assert!(response.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{request:?}: {response}");
        assert!(response.contains("connection: close\r\n"), "{request:?}: {response}");
        assert!(response.ends_with('\n') && !response.ends_with("\r\n"), "{request:?}: {response}");
    }
    let response = running.ask(&format!("CONNECT a:1 HTTP/1.1\r\n{CLOSE}"));
    assert!(response.starts_with("HTTP/1.1 501 "), "{response}");
}

#[test]
fn what_is_too_large_gets_413_or_431() {
    let running = serve(|options| options.limits.max_body = Some(10));
    let head = |rest: &str| format!("POST /upload HTTP/1.1\r\nHost: a\r\n{rest}\r\n\r\n");
    let large = running.ask(&(head("Content-Length: 11") + "12345678901"));
    assert!(large.starts_with("HTTP/1.1 413 "), "{large}");
    let chunked =
        running.ask(&(head("Transfer-Encoding: chunked") + "b\r\n12345678901\r\n0\r\n\r\n"));
    assert!(chunked.starts_with("HTTP/1.1 413 "), "{chunked}");
    assert!(chunked.contains("connection: close\r\n"), "{chunked}");
    let fields = running.ask(&head(&"X: y\r\n".repeat(100)));
    assert!(fields.starts_with("HTTP/1.1 431 "), "{fields}");
    let bytes = running.ask(&head(&format!("X: {}", "y".repeat(33 << 10))));
    assert!(bytes.starts_with("HTTP/1.1 431 "), "{bytes}");
    assert!(bytes.ends_with("than this server takes\n"), "{bytes}");
}

#[test]
fn what_is_too_slow_gets_408_and_what_never_began_nothing() {
    let running = serve(|options| {
        options.limits.header_time = Duration::from_millis(100);
        options.limits.idle_time = Duration::from_millis(100);
    });
    let head = running.ask("GET / HTTP/1.1\r\n");
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    for expect in ["", "Expect: 100-continue\r\n"] {
        let request = format!("POST /upload HTTP/1.1\r\nContent-Length: 9\r\n{expect}{CLOSE}");
        let body = running.ask(&request);
        assert!(body.contains("HTTP/1.1 408 "), "{body}");
    }
    assert_eq!(running.ask(""), "");
    let idle = running.ask("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(idle.matches("HTTP/1.1").count(), 1, "{idle}");
}

#[test]
fn a_body_that_nobody_waits_for_may_be_slow() {
    let running = serve(|options| options.limits.idle_time = Duration::from_millis(50));
    let slow = running.ask(&format!("POST /sleep?300 HTTP/1.1\r\nContent-Length: 9\r\n{CLOSE}"));
    assert!(slow.starts_with("HTTP/1.1 200 "), "{slow}");
}

#[test]
fn who_takes_nothing_is_closed() {
    let running = serve(|options| options.limits.idle_time = Duration::from_millis(100));
    let mut stream = running.connect();
    write!(stream, "GET /stream?50000000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until("its end", || running.counts.closed.load(Ordering::SeqCst) == 1);
}

#[test]
fn a_full_server_queues_and_then_refuses() {
    let running = serve(|options| {
        options.limits.max_exchanges = 1;
        options.limits.max_queued = 1;
    });
    let mut first = running.connect();
    write!(first, "GET /sleep?300 HTTP/1.1\r\n{CLOSE}").unwrap();
    until("the first", || running.counts.begun.load(Ordering::SeqCst) == 1);
    let mut second = running.connect();
    write!(second, "GET /hello HTTP/1.1\r\n{CLOSE}").unwrap();
    until("the second", || running.server.shared.admission.queued() == 1);
    let third = running.ask(&format!("GET /hello HTTP/1.1\r\n{CLOSE}"));
    assert!(third.starts_with("HTTP/1.1 503 "), "{third}");
    assert!(third.contains("retry-after: 1\r\n"), "{third}");
    assert!(rest(&mut first).ends_with("slept"));
    assert!(rest(&mut second).ends_with("hello"));
}
