//! The hosts of `c-examples/hosts` serve real connections with the program `echo`, and the program
//! knows nothing of their loops.
#![cfg(feature = "cli")]

mod common;

use common::{c, header};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// Every host there is, by the name of its file.
const HOSTS: [&str; 11] = [
    "owned",
    "poll",
    "epoll_level",
    "epoll_edge",
    "libuv",
    "libevent",
    "libev",
    "glib",
    "uv_streams",
    "queue",
    "watches",
];

/// How long to wait for what comes at once, unless something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// More than the kernel holds between two sockets, so that the server has to wait for its peer.
const MUCH: usize = 24 << 20;

/// A server that does not outlive a test that fails.
struct Echo {
    name: &'static str,
    child: Child,
    port: u16,
}

impl Echo {
    /// One that ends after so many connections; each may idle for so long.
    fn start(name: &'static str, connections: usize, idle: Duration) -> Echo {
        let command = c::runner(&c::examples().join("hosts").join(name));
        Echo::start_as(name, command, connections, idle)
    }

    fn start_as(
        name: &'static str,
        mut command: Command,
        connections: usize,
        idle: Duration,
    ) -> Echo {
        command.arg(connections.to_string()).arg(idle.as_millis().to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim_end().strip_prefix("listening on ").expect(name).parse().unwrap();
        Echo { name, child, port }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// It ends by itself, and has kept nothing: a sanitizer or valgrind would say so.
    fn ends(mut self) {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{}: {status}", self.name);
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("{} does not end after its last connection", self.name);
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // Nothing happens to one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a message and takes it back.
fn exchange(stream: &mut TcpStream, message: &[u8]) {
    let mut answer = vec![0; message.len()];
    stream.write_all(message).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, message);
}

/// Bytes of which none can be missing, or in another's place: they repeat after a prime number, which
/// is the size of nobody's buffer.
fn bytes(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let block: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(65_521)
    .collect();
    let mut bytes = block.repeat(count / block.len() + 1);
    bytes.truncate(count);
    bytes
}

/// Writes until nothing more is taken: the server cannot write either, and waits until it can.
fn fill(stream: &TcpStream, bytes: &[u8]) -> usize {
    let mut written = 0;
    let mut stream = stream;
    stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    written
}

#[test]
fn every_host_echoes_on_many_connections_at_once() {
    for name in HOSTS {
        let echo = Echo::start(name, 50, PATIENCE);
        let mut streams: Vec<TcpStream> = (0..50).map(|_| echo.connect()).collect();
        for round in 0..3 {
            for (at, stream) in streams.iter_mut().enumerate() {
                stream.write_all(format!("{round} of {at}").as_bytes()).unwrap();
            }
            // The last to ask is the first to be listened to.
            for (at, stream) in streams.iter_mut().enumerate().rev() {
                let expected = format!("{round} of {at}");
                let mut answer = vec![0; expected.len()];
                stream.read_exact(&mut answer).unwrap();
                assert_eq!(answer, expected.as_bytes(), "{name}");
            }
        }
        drop(streams);
        echo.ends();
    }
}

#[test]
fn who_reads_slowly_gets_everything_and_holds_up_nobody() {
    for name in HOSTS {
        let echo = Echo::start(name, 2, PATIENCE);
        let sent = bytes(MUCH);
        let slow = echo.connect();
        let written = fill(&slow, &sent);
        assert!(written < MUCH, "{name} takes more than it can have sent back");
        let mut other = echo.connect();
        exchange(&mut other, b"still there?");
        let mut received = Vec::with_capacity(MUCH);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (&slow).write_all(&sent[written..]).unwrap();
                slow.shutdown(Shutdown::Write).unwrap();
            });
            (&slow).read_to_end(&mut received).unwrap();
        });
        assert!(received == sent, "{name}: {} of {MUCH} bytes", received.len());
        drop(other);
        echo.ends();
    }
}

#[test]
fn a_connection_is_closed_when_it_idles_and_never_before() {
    let idle = Duration::from_millis(300);
    for name in HOSTS {
        let echo = Echo::start(name, 4, idle);
        // Some that never say anything, and some that have.
        std::thread::scope(|scope| {
            for talks in [false, false, true, true] {
                let echo = &echo;
                scope.spawn(move || {
                    let mut began = Instant::now();
                    let mut stream = echo.connect();
                    if talks {
                        exchange(&mut stream, b"hello");
                        began = Instant::now();
                        exchange(&mut stream, b"again");
                    }
                    let mut rest = String::new();
                    stream.read_to_string(&mut rest).unwrap();
                    let after = began.elapsed();
                    assert_eq!(rest, "idle, closing\n", "{name}");
                    assert!(after >= idle, "{name} closes after {after:?}");
                });
            }
        });
        echo.ends();
    }
}

#[test]
fn a_connection_that_takes_nothing_is_closed() {
    for name in HOSTS {
        let echo = Echo::start(name, 1, Duration::from_millis(300));
        let mut stream = echo.connect();
        let sent = bytes(MUCH);
        let error = stream.write_all(&sent).expect_err(name);
        let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(kinds.contains(&error.kind()), "{name}: {error}");
        echo.ends();
    }
}

#[test]
fn peers_that_vanish_disturb_nobody() {
    for name in HOSTS {
        let echo = Echo::start(name, 42, PATIENCE);
        let mut other = echo.connect();
        exchange(&mut other, b"before");
        let sent = bytes(100_000);
        for at in 0..40 {
            let mut stream = echo.connect();
            // The kernel resets a connection that is closed with unread bytes.
            match at % 4 {
                0 => {}
                1 => stream.write_all(&sent[..1]).unwrap(),
                2 => stream.write_all(&sent).unwrap(),
                _ => {
                    stream.write_all(&sent).unwrap();
                    stream.read_exact(&mut [0; 1]).unwrap();
                }
            }
        }
        exchange(&mut other, b"after");
        exchange(&mut echo.connect(), b"and anew");
        drop(other);
        echo.ends();
    }
}

/// The program accepts, so that one host is as good as another.
#[test]
fn without_descriptors_connections_are_refused_and_later_ones_served() {
    // valgrind and its like need descriptors of their own.
    if std::env::var_os("AWSGI_TEST_RUNNER").is_some() {
        return;
    }
    const ROOM: usize = 32;
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {ROOM}; exec \"$@\""), "sh"]);
    command.arg(c::examples().join("hosts/poll"));
    let echo = Echo::start_as("poll", command, 0, PATIENCE);
    let mut served = Vec::new();
    let mut refused = 0;
    for _ in 0..2 * ROOM {
        let mut stream = echo.connect();
        let mut answer = [0; 1];
        // Whether the end comes before our byte, or in answer to it, is a matter of time.
        match stream.write_all(b"x").and_then(|()| stream.read_exact(&mut answer)) {
            Ok(()) => served.push(stream),
            Err(_) => refused += 1,
        }
    }
    assert!(served.len() > 4 && refused >= ROOM, "{} served, {refused} refused", served.len());
    // As many as were served before find room again, when the server has seen that those left.
    served.clear();
    let began = Instant::now();
    loop {
        let mut stream = echo.connect();
        if stream.write_all(b"x").and_then(|()| stream.read_exact(&mut [0; 1])).is_ok() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "nobody is served any more");
    }
}

#[test]
fn what_threads_raise_is_seen() {
    let program = header::root().join("tests/hosts/signal.c");
    c::run(&c::host("uv_streams", &program), &[]);
}

/// Before the first turn, and in completions: where nothing but the host's own care has it turn.
#[test]
fn what_a_program_begins_needs_nobody_else_to_wake_the_host() {
    let program = header::root().join("tests/hosts/alone.c");
    for name in HOSTS {
        c::run(&c::host(name, &program), &[]);
    }
}

#[test]
fn every_host_is_built_and_in_the_table() {
    let makefile = header::read("c-examples/Makefile");
    for entry in std::fs::read_dir(header::root().join("c-examples/hosts")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(stem) = name.strip_suffix(".c").filter(|stem| *stem != "echo") else { continue };
        let is_server = header::read(&format!("c-examples/hosts/{name}")).contains("\"server.h\"");
        assert!(is_server || HOSTS.contains(&stem), "{name} is not tested");
        let words = makefile.split(|c: char| !c.is_alphanumeric() && c != '_');
        assert!(words.into_iter().any(|word| word == stem), "the Makefile does not know {name}");
    }
}

/// A driver of the contract, spoken to by hand.
struct Driver {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<std::process::ChildStdout>,
}

impl Driver {
    fn start(name: &str) -> Driver {
        let mut command = c::runner(&c::drivers().join(name));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut driver = Driver { child, input, output };
        while driver.line() != "ready" {}
        driver
    }

    fn write(&mut self, text: &str) {
        self.input.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the driver has ended");
        line.trim_end().to_owned()
    }

    fn ends(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_driver_takes_its_lines_however_they_come() {
    for name in HOSTS {
        let mut driver = Driver::start(name);
        // Several at once, one in two pieces, and one that is longer than a pipe.
        driver.write("event a\nnotify a READABLE\ntake a\ntake");
        for expected in ["ok", "ok", "ok 1"] {
            assert_eq!(driver.line(), expected, "{name}");
        }
        driver.write(" a\n");
        assert_eq!(driver.line(), "ok 0", "{name}");
        driver.write(&format!("{}\n", "x".repeat(200_000)));
        assert_eq!(driver.line(), "unknown command", "{name}");
        driver.write("quit\n");
        assert_eq!([driver.line(), driver.line()], ["ok", "freed"], "{name}");
        driver.ends();
    }
}

#[test]
fn a_driver_ends_with_its_input_and_tells_what_was_left() {
    for name in HOSTS {
        let mut driver = Driver::start(name);
        driver.write("event a\nwait w any a:READABLE\nwait s any deadline=60000000000\n");
        assert_eq!([driver.line(), driver.line(), driver.line()], ["ok", "ok", "ok"], "{name}");
        driver.input = None;
        let mut left = [driver.line(), driver.line()].map(|line| line[..13].to_owned());
        left.sort();
        assert_eq!(left, ["done s CLOSED", "done w CLOSED"], "{name}");
        assert_eq!(driver.line(), "freed", "{name}");
        driver.ends();
    }
}
