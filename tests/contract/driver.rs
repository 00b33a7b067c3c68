//! The words in which scenarios are written.

mod ending;
mod lines;

use std::collections::VecDeque;
use std::fmt::Display;
use std::time::{Duration, Instant};

use super::ledger::{Broken, Ledger};
use super::process::Process;
use super::protocol::{Answer, Bits, Done, Greeting, Outcome, Said};

/// Why a scenario does not go on.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    Fail {
        expected: String,
        got: String,
    },
    /// A system call failed, as it was made to.
    Fault,
}

pub type Played<T = ()> = Result<T, Stop>;

pub fn fail<T>(expected: impl Into<String>, got: impl Into<String>) -> Played<T> {
    Err(Stop::Fail { expected: expected.into(), got: got.into() })
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Stop {
        Stop::Fail { expected: broken.expected, got: broken.got }
    }
}

/// How the runner plays.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// For a whole scenario.
    pub limit: Duration,
    /// Every line is printed as it is spoken.
    pub trace: bool,
    /// System calls fail.
    pub faults: bool,
}

/// How many of the lines that were spoken are shown.
const SHOWN: usize = 12;

/// A driver that plays a scenario.
pub struct Driver {
    process: Process,
    manner: Manner,
    until: Instant,
    ledger: Ledger,
    /// What happened and was not asked for yet.
    done: VecDeque<Done>,
    changes: VecDeque<Change>,
    spoken: VecDeque<String>,
    /// Commands whose answers are awaited.
    unanswered: VecDeque<String>,
    quitting: bool,
    barriers: usize,
    greeting: Greeting,
}

/// A watch change; no bits: stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub object: String,
    pub bits: Option<Bits>,
}

impl Driver {
    pub fn new(process: Process, manner: Manner) -> Driver {
        Driver {
            process,
            manner,
            until: Instant::now() + manner.limit,
            ledger: Ledger::new(manner.faults),
            done: VecDeque::new(),
            changes: VecDeque::new(),
            spoken: VecDeque::new(),
            unanswered: VecDeque::new(),
            quitting: false,
            barriers: 0,
            greeting: Greeting::default(),
        }
    }

    /// Whether the host can do this.
    pub fn has(&self, thing: &str) -> bool {
        self.greeting.reason(thing).is_none()
    }

    /// The kinds of foreign waitables that it has.
    pub fn foreign_kinds(&self) -> Vec<&'static str> {
        ["level", "once"].into_iter().filter(|kind| self.has(kind)).collect()
    }

    /// One of them.
    pub fn foreign_kind(&self) -> &'static str {
        self.foreign_kinds().first().copied().unwrap_or("level")
    }

    // Commands.

    /// A command that is answered with ok; answers its values.
    pub fn ok(&mut self, command: &str) -> Played<String> {
        self.write(command);
        self.expect_ok(command)
    }

    /// A command that is answered with ok and a number.
    pub fn value(&mut self, command: &str) -> Played<u64> {
        let values = self.ok(command)?;
        match values.parse() {
            Ok(value) => Ok(value),
            Err(_) => fail(format!("`ok N` to `{command}`"), format!("`ok {values}`")),
        }
    }

    /// A command that is answered with this value.
    pub fn value_is(&mut self, command: &str, expected: u64) -> Played {
        match self.value(command)? {
            value if value == expected => Ok(()),
            value => fail(format!("`ok {expected}` to `{command}`"), format!("`ok {value}`")),
        }
    }

    /// Takes until this was taken from an object in all. What was put may be on its way: a host reads
    /// when it was asked to.
    pub fn take_all(&mut self, object: &str, expected: u64) -> Played {
        let mut taken = self.value(&format!("take {object}"))?;
        while taken < expected {
            self.barriers += 1;
            let wait = format!("more{}", self.barriers);
            self.ok(&format!("wait {wait} any {object}:READABLE"))?;
            self.ready(&wait, "0:READABLE")?;
            taken += self.value(&format!("take {object}"))?;
        }
        if taken != expected {
            return fail(format!("{expected} from `take {object}`"), taken.to_string());
        }
        Ok(())
    }

    /// A command that is answered with this status.
    pub fn refused(&mut self, command: &str, status: &str) -> Played {
        self.write(command);
        match self.answer(command)? {
            Answer::Error(got) if got == status => Ok(()),
            other => {
                fail(format!("`error {status}` to `{command}`"), format!("`{}`", other.words()))
            }
        }
    }

    /// A command about a wait that may have ended by itself; answers whether it had not.
    pub fn in_time(&mut self, command: &str) -> Played<bool> {
        self.write(command);
        match self.answer(command)? {
            Answer::Ok(_) => Ok(true),
            Answer::Error(status) if status == "STALE" => Ok(false),
            other => fail(
                format!("`ok` or `error STALE` to `{command}`"),
                format!("`{}`", other.words()),
            ),
        }
    }

    /// Commands that are executed with no turn between them; answers their values.
    pub fn batch<T: Display>(&mut self, commands: &[T]) -> Played<Vec<String>> {
        let commands: Vec<String> = commands.iter().map(ToString::to_string).collect();
        self.write(&format!("batch {}", commands.len()));
        for command in &commands {
            self.write(command);
        }
        commands.iter().map(|command| self.expect_ok(command)).collect()
    }

    /// A number of `stats`.
    pub fn stat(&mut self, name: &str) -> Played<u64> {
        let values = self.ok("stats")?;
        let words = values.split(' ').filter_map(|word| word.split_once('='));
        match words.filter(|(word, _)| *word == name).find_map(|(_, value)| value.parse().ok()) {
            Some(value) => Ok(value),
            None => fail(format!("{name}=N in the answer to `stats`"), format!("`ok {values}`")),
        }
    }

    fn expect_ok(&mut self, command: &str) -> Played<String> {
        match self.answer(command)? {
            Answer::Ok(values) => Ok(values),
            Answer::Error(status) if self.manner.faults && is_fault(&status) => Err(Stop::Fault),
            other => fail(format!("`ok` to `{command}`"), format!("`{}`", other.words())),
        }
    }

    fn answer(&mut self, command: &str) -> Played<Answer> {
        loop {
            let expected = format!("an answer to `{command}`");
            match self.read(&expected)? {
                Said::Answer(answer) => {
                    self.unanswered.pop_front();
                    self.ledger.answered(command, &answer)?;
                    return Ok(answer);
                }
                Said::Event(event) => self.keep(event)?,
            }
        }
    }

    // Completions.

    /// The next completion of a wait.
    pub fn done(&mut self, wait: &str) -> Played<Done> {
        loop {
            if let Some(place) = self.done.iter().position(|done| done.wait == wait) {
                return Ok(self.done.remove(place).expect("it is there"));
            }
            self.await_event(&format!("a completion of {wait}"))?;
        }
    }

    /// The next completion, of any wait.
    pub fn next_done(&mut self) -> Played<Done> {
        while self.done.is_empty() {
            self.await_event("a completion")?;
        }
        Ok(self.done.pop_front().expect("it is there"))
    }

    /// The next completion of a wait has this outcome.
    pub fn ends(&mut self, wait: &str, outcome: Outcome) -> Played<Done> {
        let done = self.done(wait)?;
        if done.outcome != outcome || done.more {
            return fail(format!("{wait} ends {outcome:?}"), format!("`{}`", done.line));
        }
        Ok(done)
    }

    /// A wait is ready with these members, as in `0:READABLE 2:WRITABLE`, and has ended.
    pub fn ready(&mut self, wait: &str, members: &str) -> Played {
        let done = self.ends(wait, Outcome::Ready)?;
        shows(&done, members)
    }

    /// A multishot wait is ready with these members, and goes on.
    pub fn ready_more(&mut self, wait: &str, members: &str) -> Played {
        let done = self.done(wait)?;
        if done.outcome != Outcome::Ready || !done.more {
            return fail(format!("{wait} is READY with MORE"), format!("`{}`", done.line));
        }
        shows(&done, members)
    }

    /// Nothing came of a wait, when everything that was ready before has been delivered.
    pub fn nothing_of(&mut self, wait: &str) -> Played {
        self.barrier()?;
        match self.done.iter().find(|done| done.wait == wait) {
            Some(done) => fail(format!("nothing more of {wait}"), format!("`{}`", done.line)),
            None => Ok(()),
        }
    }

    /// Everything that was ready before has been delivered: an event that is made ready now has come.
    pub fn barrier(&mut self) -> Played {
        self.barriers += 1;
        let event = format!("barrier{}", self.barriers);
        let wait = format!("past_{event}");
        self.ok(&format!("event {event}"))?;
        self.ok(&format!("wait {wait} any {event}:READABLE"))?;
        self.ok(&format!("notify {event} READABLE"))?;
        self.ready(&wait, "0:READABLE")?;
        self.ok(&format!("close {event}"))?;
        Ok(())
    }

    /// The same for descriptors, of which the reactor hears by other ways.
    pub fn descriptor_barrier(&mut self) -> Played {
        self.barriers += 1;
        let pipe = format!("barrier{}", self.barriers);
        let wait = format!("past_{pipe}");
        self.ok(&format!("pipe {pipe}"))?;
        self.ok(&format!("wait {wait} any {pipe}:READABLE"))?;
        self.ok(&format!("put {pipe}"))?;
        self.ready(&wait, "0:READABLE")?;
        self.ok(&format!("close {pipe}"))?;
        self.barrier()
    }

    // Watch changes.

    /// Whether the host watches an object before it is told to, so that it may never be told.
    fn is_watched_ahead(&self, object: &str) -> bool {
        self.ledger.is_once(object) && !self.has("once_changes")
    }

    /// The host is told to watch an object for this, in its next change.
    pub fn watched(&mut self, object: &str, bits: &str) -> Played {
        if self.is_watched_ahead(object) {
            return Ok(());
        }
        let expected = format!("`watch {object} {bits}`");
        let change = self.change(object, &expected)?;
        if change.bits.is_none() || change.bits != Bits::parse(bits) {
            return fail(expected, format!("{change:?}"));
        }
        Ok(())
    }

    /// The host is told to stop watching an object, sooner or later.
    pub fn stopped(&mut self, object: &str) -> Played {
        if self.is_watched_ahead(object) {
            return Ok(());
        }
        while self.change(object, &format!("`stop {object}`"))?.bits.is_some() {}
        Ok(())
    }

    fn change(&mut self, object: &str, expected: &str) -> Played<Change> {
        loop {
            if let Some(place) = self.changes.iter().position(|change| change.object == object) {
                return Ok(self.changes.remove(place).expect("it is there"));
            }
            self.await_event(expected)?;
        }
    }

    /// The changes for an object that came and were not asked for yet; of one that is watched ahead, none
    /// is of interest.
    pub fn changes(&mut self, object: &str) -> Vec<Change> {
        let (its, others): (Vec<_>, Vec<_>) =
            self.changes.drain(..).partition(|change| change.object == object);
        self.changes = others.into();
        if self.is_watched_ahead(object) { Vec::new() } else { its }
    }
}

/// What a system call that failed is answered with.
fn is_fault(status: &str) -> bool {
    status == "OS" || status == "LIMIT"
}

/// Whether these and no other members are ready.
fn shows(done: &Done, members: &str) -> Played {
    let member = |word: &str| {
        let (index, bits) = word.split_once(':')?;
        Some((index.parse().ok()?, Bits::parse(bits)?))
    };
    let expected: Option<Vec<(usize, Bits)>> = members.split(' ').map(member).collect();
    if expected.as_ref() != Some(&done.members) {
        return fail(format!("{} READY {members}", done.wait), format!("`{}`", done.line));
    }
    Ok(())
}
