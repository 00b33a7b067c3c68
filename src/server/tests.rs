//! The server over real sockets, with an application of this file's.

mod ends;
mod limits;
mod requests;

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
            "/odd" => {
                exchange.start(299, &[])?;
                Ok(Step::Done)
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
