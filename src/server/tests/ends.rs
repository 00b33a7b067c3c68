//! How exchanges, connections and servers end.

use super::*;

#[test]
fn an_application_that_fails_is_a_500_or_a_broken_response() {
    let running = serve(|_| {});
    let failed = running.ask(&format!("GET /fail HTTP/1.1\r\n{CLOSE}"));
    assert!(failed.starts_with("HTTP/1.1 500 "), "{failed}");
    let broken = running.ask(&format!("GET /break HTTP/1.1\r\n{CLOSE}"));
    assert!(broken.starts_with("HTTP/1.1 200 OK"), "{broken}");
    assert!(broken.ends_with("4\r\nhalf\r\n"), "what there was came, the end did not: {broken}");
}

#[test]
fn a_client_that_leaves_ends_its_exchange_at_once() {
    let running = serve(|_| {});
    let unread = "z".repeat(120_000);
    let long =
        format!("POST /sleep?600000 HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n{unread}");
    for (index, request) in [
        "GET /sleep?600000 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /watch HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /sleep?600000 HTTP/1.1\r\nHost: a\r\n\r\nGET /pipelined HTTP/1.1\r\n",
        &long,
    ]
    .into_iter()
    .enumerate()
    {
        let mut stream = running.connect();
        stream.write_all(request.as_bytes()).unwrap();
        until("the exchange", || running.counts.begun.load(Ordering::SeqCst) == index + 1);
        drop(stream);
        let closed = || running.counts.closed.load(Ordering::SeqCst) == index + 1;
        let took = until(&format!("the end of {index}"), closed);
        assert!(took < Duration::from_secs(2), "{index}: {took:?}");
    }
}

#[test]
fn who_sends_what_nobody_reads_is_told_that_the_connection_ends() {
    let running = serve(|_| {});
    let long = "z".repeat(500_000);
    for (target, status) in [("/hello", "200 OK"), ("/fail", "500 ")] {
        let mut stream = running.connect();
        write!(stream, "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n")
            .unwrap();
        // What the kernel does not take is left: the response comes all the same.
        let mut sender = stream.try_clone().unwrap();
        let long = long.clone();
        let sends = std::thread::spawn(move || sender.write_all(long.as_bytes()).is_ok());
        let answer = rest(&mut stream);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        let _ = sends.join();
    }
    // One that was taken, though not read, is in nobody's way.
    let short = "POST /hello HTTP/1.1\r\nContent-Length: 3\r\n";
    let answers = running.ask(&format!("{short}Host: a\r\n\r\nabc{short}{CLOSE}abc"));
    assert_eq!(answers.matches("200 OK").count(), 2, "{answers}");
    assert_eq!(answers.matches("connection: close").count(), 1, "{answers}");
}

#[test]
fn who_only_stops_sending_gets_a_quick_response() {
    let running = serve(|_| {});
    let mut stream = running.connect();
    write!(stream, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(rest(&mut stream).ends_with("hello"));
}

#[test]
fn draining_finishes_what_is_open_and_closes_what_is_idle() {
    let running = serve(|_| {});
    let mut busy = running.connect();
    write!(busy, "GET /sleep?200 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until("the exchange", || running.counts.begun.load(Ordering::SeqCst) == 1);
    let mut idle = running.connect();
    write!(idle, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    read(&mut idle, "HTTP/1.1 200 OK\r\n");
    let since = Instant::now();
    let log = Arc::clone(&running.log);
    running.stop().unwrap();
    assert!(since.elapsed() < BOUND / 2);
    assert!(rest(&mut idle).ends_with("hello"));
    let response = rest(&mut busy);
    assert!(response.contains("connection: close\r\n"), "{response}");
    assert!(response.ends_with("slept"), "{response}");
    let log = log.lock().unwrap();
    assert!(log.iter().any(|line| line.contains("\"GET /sleep?200 HTTP/1.1\" 200 5 ")), "{log:?}");
}

#[test]
fn a_drain_without_time_cuts_off_what_is_open() {
    let running = serve(|_| {});
    let mut busy = running.connect();
    write!(busy, "GET /sleep?600000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until("the exchange", || running.counts.begun.load(Ordering::SeqCst) == 1);
    running.server.drain(BOUND);
    running.server.drain(Duration::ZERO);
    let response = rest(&mut busy);
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    let counts = Arc::clone(&running.counts);
    running.stop().unwrap();
    assert_eq!(counts.closed.load(Ordering::SeqCst), 1);
}

#[test]
fn it_runs_once() {
    let running = serve(|_| {});
    running.ask(&format!("GET /hello HTTP/1.1\r\n{CLOSE}"));
    assert_eq!(running.server.run().unwrap_err().status(), Status::State);
}
