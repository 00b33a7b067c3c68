//! Lines, one after the other, as they are spoken.

use std::time::Instant;

use super::{Change, Driver, Played, SHOWN, Stop, fail};
use crate::process::{Exit, Next};
use crate::protocol::{Answer, Event, Greeting, Outcome, Said, said};
use crate::report;

impl Driver {
    /// Reads the lines that come before the first command.
    pub fn greet(&mut self) -> Played<Greeting> {
        let first = self.line("`contract 1`")?;
        if first != "contract 1" {
            return fail("`contract 1`, the version that this runner speaks", format!("`{first}`"));
        }
        let mut greeting = Greeting::default();
        loop {
            let line = self.line("`ready`")?;
            if line == "ready" {
                break;
            }
            if let Err(expected) = greeting.take(&line) {
                return fail(expected, format!("`{line}`"));
            }
        }
        if greeting.host.is_empty() || greeting.mode.is_empty() {
            return fail("`host NAME` and `mode MODE` before `ready`", "`ready`");
        }
        self.greeting = greeting.clone();
        Ok(greeting)
    }

    pub(super) fn write(&mut self, line: &str) {
        self.quitting |= line == "quit";
        self.speak(format!("> {line}"));
        self.process.write(line);
        if !line.starts_with("batch ") {
            self.unanswered.push_back(line.to_owned());
        }
    }

    pub(super) fn read(&mut self, expected: &str) -> Played<Said> {
        let line = self.line(expected)?;
        match said(&line) {
            Some(Said::Answer(Answer::Unknown(why))) => {
                fail(expected, format!("`unknown {why}`: the driver cannot do this"))
            }
            Some(said) => Ok(said),
            None => fail(expected, format!("`{line}`, which is no line of docs/contract.md")),
        }
    }

    pub(super) fn line(&mut self, expected: &str) -> Played<String> {
        match self.process.read(self.until) {
            Next::Line(line) => {
                self.hear(&line);
                Ok(line)
            }
            Next::Silence => self.hangs(expected),
            Next::End => match self.process.wait(self.until) {
                Exit::Status(1)
                    if self.manner.faults && !self.process.errors().trim().is_empty() =>
                {
                    Err(Stop::Fault)
                }
                exit => fail(expected, format!("its end: the driver {}", exit.words())),
            },
        }
    }

    pub(super) fn hangs<T>(&mut self, expected: &str) -> Played<T> {
        self.process.kill();
        let limit = self.manner.limit.as_secs_f64();
        fail(format!("{expected} within {limit} s"), "silence: the driver was killed")
    }

    pub(super) fn await_event(&mut self, expected: &str) -> Played {
        match self.read(expected)? {
            Said::Event(event) => self.keep(event),
            Said::Answer(answer) => fail(expected, format!("`{}`, unasked", answer.words())),
        }
    }

    pub(super) fn keep(&mut self, event: Event) -> Played {
        self.ledger.happened(&event)?;
        match event {
            Event::Done(done) if done.outcome == Outcome::Failed => return Err(Stop::Fault),
            Event::Done(done) => self.done.push_back(done),
            Event::Watch { object, bits } => {
                self.changes.push_back(Change { object, bits: Some(bits) });
            }
            Event::Stop { object } => self.changes.push_back(Change { object, bits: None }),
            Event::Freed | Event::Broken(_) => {}
        }
        Ok(())
    }

    pub(super) fn hear(&mut self, line: &str) {
        self.speak(format!("< {line}"));
    }

    pub(super) fn speak(&mut self, line: String) {
        if self.manner.trace {
            report::print(&format!("  {line}"));
        }
        if self.spoken.len() == SHOWN {
            self.spoken.pop_front();
        }
        self.spoken.push_back(line);
    }

    /// The last lines that were spoken.
    pub fn spoken(&self) -> Vec<String> {
        self.spoken.iter().cloned().collect()
    }

    /// What the driver wrote to its standard error.
    pub fn errors(&self) -> String {
        self.process.errors()
    }

    /// Until when the scenario has time.
    pub fn until(&self) -> Instant {
        self.until
    }
}
