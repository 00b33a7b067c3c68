//! The server over real sockets, with an application of this file's.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::*;
use crate::core::{Completion, Deadline, Readiness, WaitSpec, Watch};
use crate::gateway::{self, Application, Exchange, Run, Step, Style};
use crate::reactor::Reactor;

/// Long enough for a slow machine; no test waits for it unless it fails.
const BOUND: Duration = Duration::from_secs(20);

/// How many exchanges were begun and how many were closed.
#[derive(Default)]
struct Counts {
    begun: AtomicUsize,
    closed: AtomicUsize,
}

struct Demo(Arc<Counts>);

struct One {
    counts: Arc<Counts>,
    path: String,
    read: usize,
    written: usize,
}

impl Application for Demo {
    fn name(&self) -> &str {
        "demo"
    }

    fn style(&self) -> Style {
        Style::Steps
    }

    fn worker(&self, _reactor: &Reactor) -> Result<Box<dyn gateway::Worker>> {
        Ok(Box::new(Demo(Arc::clone(&self.0))))
    }
}

impl gateway::Worker for Demo {
    fn open(&self) -> Box<dyn Run> {
        let counts = Arc::clone(&self.0);
        Box::new(One { counts, path: String::new(), read: 0, written: 0 })
    }
}

impl Run for One {
    fn run(&mut self, exchange: Exchange, done: &[Completion]) -> Step {
        self.step(exchange, done).unwrap_or_else(Step::Failed)
    }

    fn close(self: Box<Self>, _exchange: Exchange) {
        self.counts.closed.fetch_add(1, Ordering::SeqCst);
    }
}

fn variable(exchange: Exchange, name: &str) -> Result<String> {
    exchange.environ(name.as_bytes(), |value| {
        String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
    })
}

impl One {
    fn step(&mut self, exchange: Exchange, done: &[Completion]) -> Result<Step> {
        if self.path.is_empty() {
            self.counts.begun.fetch_add(1, Ordering::SeqCst);
            self.path = variable(exchange, "PATH_INFO")?;
        }
        let on = |interest: Readiness, deadline: Deadline| -> Result<Step> {
            let watch = Watch { waitable: exchange.waitable()?, interest };
            exchange.wait(&WaitSpec::any(&[watch]).until(deadline))?;
            Ok(Step::Suspend)
        };
        let number =
            || -> Result<usize> { Ok(variable(exchange, "QUERY_STRING")?.parse().unwrap_or(0)) };
        match self.path.as_str() {
            "/hello" => {
                exchange.start(200, &[(b"X-Demo", b"1"), (b"X-Demo", b"2")])?;
                exchange.write(b"hello")?;
                Ok(Step::Done)
            }
            "/script" => {
                exchange.start(200, &[])?;
                exchange.write(variable(exchange, "SCRIPT_NAME")?.as_bytes())?;
                Ok(Step::Done)
            }
            "/sleep" if done.is_empty() => {
                let at = exchange.reactor()?.now()? + number()? as u64 * 1_000_000;
                exchange.wait(&WaitSpec::sleep(Deadline::at(at)))?;
                Ok(Step::Suspend)
            }
            "/sleep" => {
                exchange.start(200, &[(b"Content-Length", b"5")])?;
                exchange.write(b"slept")?;
                Ok(Step::Done)
            }
            "/watch" if done.is_empty() => on(Readiness::HANGUP, Deadline::FOREVER),
            "/watch" => Ok(Step::Done),
            "/upload" => {
                let mut buffer = [0; 4096];
                loop {
                    match exchange.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(read) => self.read += read,
                        Err(error) if error.status() == Status::Again => {
                            return on(Readiness::READABLE, Deadline::FOREVER);
                        }
                        Err(error) => return Err(error),
                    }
                }
                exchange.start(200, &[])?;
                exchange.write(self.read.to_string().as_bytes())?;
                Ok(Step::Done)
            }
            "/stream" => {
                if self.written == 0 {
                    exchange.start(200, &[])?;
                }
                let bytes = number()?;
                while self.written < bytes {
                    let piece = [b'x'; 1000];
                    let piece = &piece[..piece.len().min(bytes - self.written)];
                    match exchange.write(piece)? {
                        0 => return on(Readiness::WRITABLE, Deadline::FOREVER),
                        written => self.written += written,
                    }
                }
                Ok(Step::Done)
            }
            "/break" => {
                exchange.start(200, &[])?;
                exchange.write(b"half")?;
                if done.is_empty() {
                    let at = exchange.reactor()?.now()? + 1_000_000;
                    exchange.wait(&WaitSpec::sleep(Deadline::at(at)))?;
                    return Ok(Step::Suspend);
                }
                Err(Error::new(Status::Invalid, "it broke"))
            }
            "/fail" => Err(Error::new(Status::Invalid, "it failed")),
            _ => {
                exchange.start(404, &[])?;
                Ok(Step::Done)
            }
        }
    }
}

/// A server that runs until the test ends.
struct Running {
    server: Arc<Server>,
    counts: Arc<Counts>,
    log: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<Result<()>>>,
}

fn serve(change: impl FnOnce(&mut ServerOptions)) -> Running {
    let counts = Arc::new(Counts::default());
    let log = Arc::new(Mutex::new(Vec::new()));
    let listen = "127.0.0.1:0".parse().unwrap();
    let mut options = ServerOptions::new(listen, Arc::new(Demo(Arc::clone(&counts))));
    options.workers = 1;
    options.access_log = Some({
        let log = Arc::clone(&log);
        Arc::new(move |line| log.lock().unwrap().push(line.to_string()))
    });
    change(&mut options);
    let server = Arc::new(Server::new(options).unwrap());
    let thread = {
        let server = Arc::clone(&server);
        std::thread::spawn(move || server.run())
    };
    Running { server, counts, log, thread: Some(thread) }
}

impl Running {
    fn connect(&self) -> TcpStream {
        let Address::Inet(address) = *self.server.local_addr() else { panic!("no address") };
        let stream = TcpStream::connect::<SocketAddr>(address).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.set_write_timeout(Some(BOUND)).unwrap();
        stream
    }

    /// What comes back until the server closes.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        rest(&mut stream)
    }

    fn stop(mut self) -> Result<()> {
        self.server.drain(BOUND);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.drain(Duration::ZERO);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.unwrap().unwrap();
            }
        }
    }
}

fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn read(stream: &mut TcpStream, text: &str) {
    let mut seen = vec![0; text.len()];
    stream.read_exact(&mut seen).unwrap();
    assert_eq!(String::from_utf8_lossy(&seen), text);
}

/// Waits for a condition that another thread brings about.
fn until(what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < BOUND, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
    since.elapsed()
}

const CLOSE: &str = "Host: a\r\nConnection: close\r\n\r\n";

#[test]
fn a_response_has_its_length_its_fields_and_a_date() {
    let response = serve(|_| {}).ask(&format!("GET /hello HTTP/1.1\r\n{CLOSE}"));
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.contains("x-demo: 1\r\nx-demo: 2\r\n"), "{response}");
    assert!(response.contains("content-length: 5\r\n"), "{response}");
    assert!(response.contains("date: "), "{response}");
    assert!(!response.contains("server: "), "{response}");
    assert!(response.ends_with("\r\n\r\nhello"), "{response}");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let get = "GET /sleep?20 HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    let response = serve(|_| {}).ask(&format!("{get}{get}HEAD /hello HTTP/1.1\r\n{CLOSE}"));
    assert_eq!(response.matches("HTTP/1.1 200 OK").count(), 5, "{response}");
    let (slept, hello) = (response.find("slept").unwrap(), response.find("hello").unwrap());
    assert!(slept < hello);
    assert!(response.ends_with("\r\n\r\n"), "HEAD has no body: {response}");
    assert!(response.rfind("content-length: 5").unwrap() > response.rfind("hello").unwrap());
}

#[test]
fn a_mount_gets_its_script_name() {
    let running = serve(|options| {
        let mounted = Arc::new(Demo(Arc::default()));
        options.mounts.push(("/mounted".into(), mounted));
    });
    let response = running.ask(&format!("GET /mounted/script HTTP/1.1\r\n{CLOSE}"));
    assert!(response.ends_with("\r\n\r\n/mounted"), "{response}");
    let response = running.ask(&format!("GET /script HTTP/1.1\r\n{CLOSE}"));
    assert!(response.contains("content-length: 0\r\n"), "{response}");
}

#[test]
fn bodies_arrive_fixed_and_chunked_and_larger_than_every_buffer() {
    let running = serve(|_| {});
    let body = "y".repeat(1 << 20);
    let length = body.len();
    let head = format!("POST /upload HTTP/1.1\r\nContent-Length: {length}\r\n{CLOSE}");
    assert!(running.ask(&format!("{head}{body}")).ends_with("\r\n\r\n1048576"));
    let head = format!("POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{CLOSE}");
    let chunk = format!("{:x}\r\n{body}\r\n", length);
    let response = running.ask(&format!("{head}{chunk}{chunk}0\r\n\r\n"));
    assert!(response.ends_with("\r\n\r\n2097152"), "{response}");
}

#[test]
fn a_large_response_is_whole_and_chunked() {
    let running = serve(|_| {});
    let response = running.ask(&format!("GET /stream?3000000 HTTP/1.1\r\n{CLOSE}"));
    assert!(response.contains("transfer-encoding: chunked"));
    assert!(response.ends_with("\r\n0\r\n\r\n"));
    let old = running.ask("GET /stream?3000000 HTTP/1.0\r\n\r\n");
    assert_eq!(old.split_once("\r\n\r\n").unwrap().1.len(), 3_000_000);
}

#[test]
fn a_100_is_sent_when_the_application_wants_the_body() {
    let running = serve(|_| {});
    let expect = "Host: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let mut stream = running.connect();
    write!(stream, "POST /upload HTTP/1.1\r\n{expect}").unwrap();
    read(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"abc").unwrap();
    read(&mut stream, "HTTP/1.1 200 OK\r\n");
    let mut stream = running.connect();
    write!(stream, "POST /hello HTTP/1.1\r\n{expect}").unwrap();
    read(&mut stream, "HTTP/1.1 200 OK\r\n");
}

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
