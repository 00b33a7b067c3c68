//! A program without a loop of its own: the turn is its loop, and blocks until something happened.
//!
//! `cargo run --example turns`

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use awsgi::{
    Deadline, Outcome, Reactor, ReactorOptions, Readiness, Result, Turn, WaitSpec, Watch, notify,
    waitable_close,
};

// Our names for the waits.
const SLEEP: u64 = 1;
const EVENT: u64 = 2;
const SOCKET: u64 = 3;

fn main() -> Result<()> {
    for line in run()? {
        println!("{line}");
    }
    Ok(())
}

/// What it prints.
pub fn run() -> Result<Vec<String>> {
    let reactor = Reactor::new(&ReactorOptions::default())?;
    let (mut ours, mut theirs) = UnixStream::pair().expect("a socket pair");

    let until = Deadline::at(reactor.now()? + 100_000_000);
    reactor.wait_start(&WaitSpec::sleep(until).user_data(SLEEP))?;
    let event = reactor.event()?;
    let set = [Watch { waitable: event, interest: Readiness::READABLE }];
    reactor.wait_start(&WaitSpec::any(&set).user_data(EVENT))?;
    let socket = reactor.descriptor(ours.as_raw_fd(), false)?;
    let set = [Watch { waitable: socket, interest: Readiness::READABLE }];
    reactor.wait_start(&WaitSpec::any(&set).user_data(SOCKET))?;

    // Another thread may notify, which takes the token alone.
    let other = std::thread::spawn(move || {
        theirs.write_all(b"x").expect("the other end is open");
        notify(event, Readiness::READABLE)
    });

    let mut lines = Vec::new();
    let mut left = 3;
    while left > 0 {
        let turn = Turn { deadline: Deadline::FOREVER, ..Turn::default() };
        reactor.turn(&turn, |done| {
            left -= 1;
            lines.push(match (done.user_data, done.outcome) {
                (SLEEP, Outcome::TimedOut) => "sleep: its time has come".to_owned(),
                (EVENT, Outcome::Ready) => "event: notified".to_owned(),
                (SOCKET, Outcome::Ready) => {
                    let mut byte = [0];
                    format!("socket: {} byte", ours.read(&mut byte).expect("it is readable"))
                }
                (_, outcome) => format!("a wait ended otherwise: {outcome:?}"),
            });
        })?;
    }
    other.join().expect("it does not panic")?;

    // The waitable before its descriptor; then the reactor, in two steps.
    waitable_close(socket)?;
    drop(ours);
    reactor.close()?;
    while !reactor.turn(&Turn::default(), |_| ())?.closed {}
    reactor.free()?;
    Ok(lines)
}
