//! The bar of the sleepers: thousands of suspended requests on two workers cost next to nothing
//! and are answered in time. `make sleepers`; ends with 1 if it is not met.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::machine::{Process, need_descriptors, raise_descriptor_limit};
use crate::measure::{Outcome, Side};
use crate::servers::Server;
use crate::waiting::{ask, connect, is_answer, read};

const REQUESTS: usize = 5000;
const SLEEP: Duration = Duration::from_secs(10);
/// The part of the sleep in the middle, in which next to nothing is to happen.
const MARGIN: Duration = Duration::from_secs(1);

const LATE: Duration = Duration::from_millis(300);
const THREADS: usize = 16;
const RESIDENT: u64 = 200 << 20;
const CPU: Duration = Duration::from_millis(20);

/// What is looked at while all of them sleep.
struct Middle {
    cpu: Duration,
    threads: usize,
}

/// Measures, and compares with the bar: the command, or a server of c-examples/hosts.
pub fn check(hosted: Option<&str>) -> Outcome<()> {
    raise_descriptor_limit()?;
    need_descriptors(REQUESTS as u64 + 100)?;
    let server = match hosted {
        None => Server::start(Side::Ours)?,
        Some(name) => Server::hosted(name)?,
    };
    let process = server.process();
    let mut streams = connect(server.address, REQUESTS)?;
    process.settle()?;

    let mut asked = Vec::with_capacity(REQUESTS);
    for stream in &mut streams {
        asked.push(Instant::now());
        ask(stream, SLEEP.as_millis() as u64)?;
    }
    let (first, last) = (asked[0], asked[REQUESTS - 1]);
    let middle = std::thread::spawn(move || watch(process, first, last).map_err(|e| e.to_string()));
    let took = answers(streams, &asked)?;
    let middle = middle.join().map_err(|_| "watching panicked")??;
    let resident = process.peak_resident()?;

    let (earliest, latest) = took
        .iter()
        .fold((Duration::MAX, Duration::ZERO), |(low, high), one| (low.min(*one), high.max(*one)));
    let checks = [
        (
            earliest >= SLEEP,
            format!("the earliest answer after {earliest:.4?} (at least {SLEEP:?})"),
        ),
        (
            latest <= SLEEP + LATE,
            format!("the latest after {latest:.4?} (at most {:?})", SLEEP + LATE),
        ),
        (middle.threads < THREADS, format!("{} threads (fewer than {THREADS})", middle.threads)),
        (
            resident < RESIDENT,
            format!("{:.1} MB resident at most (below 200)", resident as f64 / f64::from(1 << 20)),
        ),
        (
            middle.cpu < CPU,
            format!("{:.3?} of CPU in the middle 8 seconds (under {CPU:?})", middle.cpu),
        ),
    ];
    let on = hosted.map_or("two workers".to_owned(), |name| format!("the one thread of {name}"));
    println!("{REQUESTS} concurrent requests that sleep for {SLEEP:?}, on {on}:");
    for (met, text) in &checks {
        println!("  {}  {text}", if *met { "ok    " } else { "FAILED" });
    }
    match checks.iter().all(|(met, _)| *met) {
        true => Ok(()),
        false => Err("the bar of the sleepers is not met".into()),
    }
}

/// Watches the server in the middle of the sleep, when all have been asked and none is due.
fn watch(process: Process, first: Instant, last: Instant) -> Outcome<Middle> {
    let length = SLEEP - 2 * MARGIN;
    let begin = last + MARGIN;
    if begin + length > first + SLEEP {
        return Err("asking took longer than a second: this machine is too busy to tell".into());
    }
    std::thread::sleep(begin.saturating_duration_since(Instant::now()));
    let before = process.cpu()?;
    let threads = process.threads()?;
    std::thread::sleep((begin + length).saturating_duration_since(Instant::now()));
    Ok(Middle { cpu: process.cpu()? - before, threads })
}

/// Waits for every answer, and tells how long it took.
pub fn answers(mut streams: Vec<TcpStream>, asked: &[Instant]) -> Outcome<Vec<Duration>> {
    let mut poll = Poll::new()?;
    for (at, stream) in streams.iter().enumerate() {
        stream.set_nonblocking(true)?;
        let fd = stream.as_raw_fd();
        poll.registry().register(&mut SourceFd(&fd), Token(at), Interest::READABLE)?;
    }
    let mut texts = vec![String::new(); streams.len()];
    let mut took = Vec::new();
    let mut events = Events::with_capacity(1024);
    let until = asked[asked.len() - 1] + 3 * SLEEP;
    while took.len() < streams.len() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(
                format!("{} requests were never answered", streams.len() - took.len()).into()
            );
        }
        match poll.poll(&mut events, Some(left)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        let now = Instant::now();
        for event in &events {
            let at = event.token().0;
            let text = read(&mut streams[at])?;
            if text.is_empty() {
                if is_answer(&texts[at]) {
                    // Some servers close then.
                    poll.registry().deregister(&mut SourceFd(&streams[at].as_raw_fd()))?;
                    continue;
                }
                return Err("a connection was closed before its answer".into());
            }
            texts[at] += &text;
            if is_answer(&texts[at]) {
                took.push(now - asked[at]);
            }
        }
    }
    Ok(took)
}
