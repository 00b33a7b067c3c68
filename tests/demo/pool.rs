//! Blocking applications beside suspending ones: a full pool queues, and stops nobody else.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::http;
use crate::server::serve_demo;
use crate::wire::{HOST, Wire};
use crate::{BOUND, until};

/// An upstream that answers when the test says so.
struct Patient(TcpListener);

impl Patient {
    fn accept(&self) -> TcpStream {
        let (mut stream, _) = self.0.accept().unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).unwrap() > 0);
        stream
    }

    /// Whether somebody waits to be accepted.
    fn is_asked(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let asked = self.0.accept().is_ok();
        self.0.set_nonblocking(false).unwrap();
        asked
    }
}

fn answer(mut stream: TcpStream) {
    stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
}

#[test]
fn a_full_pool_never_stops_suspending_applications() {
    let upstream = Patient(TcpListener::bind("127.0.0.1:0").unwrap());
    let address = upstream.0.local_addr().unwrap().to_string();
    let server = serve_demo(&address, 600_000, &["--workers", "1", "--pool-threads", "2"]);
    let mut clients: Vec<Wire> = (0..8)
        .map(|_| {
            let mut wire = Wire::connect(&server);
            wire.send(format!("GET /relay-blocking/x HTTP/1.1\r\n{HOST}"));
            wire.until_read();
            wire
        })
        .collect();
    let mut asked: Vec<TcpStream> = (0..2).map(|_| upstream.accept()).collect();
    // Both threads are taken. Everybody else is served as ever.
    for _ in 0..50 {
        assert_eq!(http::get(&server, "/hello").text(), "hello\n");
        assert_eq!(http::get(&server, "/sleep?ms=1").text(), "slept 1 ms\n");
    }
    assert!(!upstream.is_asked(), "three ran in a pool of two threads");
    // One of them ends, and the next in the queue has its thread.
    for _ in 0..6 {
        answer(asked.remove(0));
        asked.push(upstream.accept());
    }
    asked.into_iter().for_each(answer);
    for client in &mut clients {
        assert_eq!(client.response().text(), "ok");
    }
    server.assert_all_closed();
}

#[test]
fn whoever_leaves_while_the_pool_is_full_costs_no_thread() {
    let upstream = Patient(TcpListener::bind("127.0.0.1:0").unwrap());
    let address = upstream.0.local_addr().unwrap().to_string();
    let server = serve_demo(&address, 600_000, &["--workers", "1", "--pool-threads", "1"]);
    let request = format!("GET /relay-blocking/x HTTP/1.1\r\n{HOST}");
    let mut first = Wire::connect(&server);
    first.send(&request);
    let asked = upstream.accept();
    let queued: Vec<Wire> = (0..5)
        .map(|_| {
            let mut wire = Wire::connect(&server);
            wire.send(&request);
            wire.until_read();
            wire
        })
        .collect();
    drop(queued);
    // The one that runs is freed from its wait, too.
    drop(first);
    drop(asked);
    let mut last = Wire::connect(&server);
    last.send(&request);
    // Those that left may still have asked before they were found to be gone.
    let serving = std::thread::spawn(move || {
        loop {
            let Ok((mut stream, _)) = upstream.0.accept() else { return };
            let mut request = [0; 4096];
            let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
            if stream.read(&mut request).is_ok_and(|read| read > 0)
                && stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok").is_ok()
                && request.starts_with(b"GET /last")
            {
                return;
            }
        }
    });
    assert_eq!(last.response().text(), "ok");
    assert_eq!(http::get(&server, "/relay-blocking/last").text(), "ok");
    serving.join().unwrap();
}

#[test]
fn as_many_threads_as_were_asked_for_and_no_more() {
    let upstream = Patient(TcpListener::bind("127.0.0.1:0").unwrap());
    let address = upstream.0.local_addr().unwrap().to_string();
    let server = serve_demo(&address, 600_000, &["--workers", "1", "--pool-threads", "4"]);
    let before = server.threads();
    let clients: Vec<Wire> = (0..20)
        .map(|_| {
            let mut wire = Wire::connect(&server);
            wire.send(format!("GET /relay-blocking/x HTTP/1.1\r\n{HOST}"));
            wire.until_read();
            wire
        })
        .collect();
    let asked: Vec<TcpStream> = (0..4).map(|_| upstream.accept()).collect();
    assert!(server.threads() <= before + 4, "{} after {before}", server.threads());
    drop(clients);
    drop(asked);
    until("the server", || http::get(&server, "/hello").status == 200);
}
