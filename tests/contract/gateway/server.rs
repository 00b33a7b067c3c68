//! A server under test, with the application of the contract in it.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::wire::Wire;
use crate::driver::{Manner, Played, fail};
use crate::process::{Exit, Process};

/// How often what cannot be waited for is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// A process that serves, and what its application says on standard error.
pub struct Server {
    process: Process,
    address: SocketAddr,
    until: Instant,
    trace: bool,
    /// It was told to end.
    drains: bool,
}

impl Server {
    /// Starts one, and waits until it says where it listens.
    pub fn start(
        command: &[String],
        manner: Manner,
    ) -> io::Result<Result<Server, (String, String)>> {
        let process = Process::start(command)?;
        let until = Instant::now() + manner.limit;
        loop {
            let said = process.errors();
            if let Some(address) = listening(&said) {
                let trace = manner.trace;
                return Ok(Ok(Server { process, address, until, trace, drains: false }));
            }
            if Instant::now() > until || process.has_ended() {
                let expected = "a line `listening on http://ADDRESS:PORT` on standard error";
                return Ok(Err((expected.into(), said)));
            }
            thread::sleep(LOOK);
        }
    }

    pub fn connect(&self) -> Played<Wire> {
        match TcpStream::connect(self.address) {
            Ok(stream) => Wire::new(stream, self.until, self.trace),
            Err(error) => fail("a connection", error.to_string()),
        }
    }

    /// Whether it still accepts.
    pub fn accepts(&self) -> bool {
        TcpStream::connect(self.address).is_ok()
    }

    /// Has the application with this name go on from its gate, by a connection of its own.
    pub fn go(&self, name: &str) -> Played {
        self.said(&format!("{name} waits"))?;
        let mut wire = self.connect()?;
        wire.send(&format!("GET /go?{name} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))?;
        wire.response("GET")?.has_status(200)
    }

    /// What the application has said, line by line, without what begins them all.
    pub fn lines(&self) -> Vec<String> {
        let said = self.process.errors();
        said.lines().filter_map(|line| line.strip_prefix("contract ")).map(str::to_owned).collect()
    }

    pub fn has_said(&self, line: &str) -> bool {
        self.lines().iter().any(|said| said == line)
    }

    /// Waits until the application has said this.
    pub fn said(&self, line: &str) -> Played {
        self.wait_until(&format!("the application says `{line}`"), || self.has_said(line))
    }

    /// Waits until an exchange was closed; answers after how many steps.
    pub fn closed(&self, name: &str) -> Played<u32> {
        let begin = format!("{name} closed after ");
        let steps = || {
            self.lines()
                .iter()
                .find_map(|line| line.strip_prefix(&begin)?.strip_suffix(" steps")?.parse().ok())
        };
        self.wait_until(&format!("`close` of {name}"), || steps().is_some())?;
        Ok(steps().unwrap_or_default())
    }

    /// How much an application says it has written, when that has not grown for a while.
    pub fn stalled(&self, name: &str) -> Played<u64> {
        let begin = format!("{name} wrote ");
        let latest = || {
            let lines = self.lines();
            let numbers = lines.iter().filter_map(|line| line.strip_prefix(&begin)?.parse().ok());
            numbers.max().unwrap_or(0_u64)
        };
        let mut last = (latest(), Instant::now());
        self.wait_until("an application that is stopped by its client", || {
            let now = latest();
            if now != last.0 {
                last = (now, Instant::now());
            }
            now > 0 && last.1.elapsed() > Duration::from_millis(300)
        })?;
        Ok(latest())
    }

    pub fn wait_until(&self, what: &str, mut happened: impl FnMut() -> bool) -> Played {
        while !happened() {
            if Instant::now() > self.until {
                return fail(what, format!("silence; it said last: {:?}", self.lines().last()));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Its threads.
    pub fn threads(&self) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.number()));
        tasks.map_or(0, Iterator::count)
    }

    /// Tells it to end, and waits until it accepts no more.
    pub fn drain(&mut self) -> Played {
        self.drains = true;
        self.process.terminate();
        self.wait_until("no more is accepted", || !self.accepts())
    }

    /// Its end, which comes by itself once it drains.
    pub fn ends(&mut self) -> Played {
        match self.process.wait(self.until) {
            Exit::Status(0) => Ok(()),
            other => fail("it ends with 0", format!("it {}", other.words())),
        }
    }

    /// What holds after every scenario: each exchange was closed, once, and it ends as it should.
    pub fn finish(&mut self) -> Played {
        if !self.drains {
            let opened = self.names("opened");
            self.wait_until("`close` of every exchange", || {
                self.names("closed after ").is_superset(&opened)
            })?;
            self.drains = true;
            self.process.terminate();
        }
        self.ends()?;
        for name in self.names("opened") {
            let begin = format!("{name} closed after ");
            let times = self.lines().iter().filter(|line| line.starts_with(&begin)).count();
            if times != 1 {
                return fail(format!("`close` of {name} once"), format!("{times} times"));
            }
        }
        Ok(())
    }

    /// The names of those of which this was said.
    fn names(&self, what: &str) -> BTreeSet<String> {
        let lines = self.lines();
        let named = lines.iter().filter_map(|line| line.split_once(' '));
        named.filter(|(_, said)| said.starts_with(what)).map(|(name, _)| name.to_owned()).collect()
    }

    pub fn errors(&self) -> String {
        self.process.errors()
    }
}

fn listening(said: &str) -> Option<SocketAddr> {
    let line = said.lines().find_map(|line| line.split_once("listening on http://"))?;
    line.1.trim().parse().ok()
}
