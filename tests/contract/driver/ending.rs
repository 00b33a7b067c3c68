//! What every scenario ends with.

use super::{Driver, Played, fail};
use crate::process::{Exit, Next};
use crate::protocol::{Done, Event, Outcome, Said, said};

impl Driver {
    /// Has the driver close the reactor; what was outstanding is to be asked for.
    pub fn quit(&mut self) -> Played {
        self.ok("quit").map(drop)
    }

    /// Ends the driver's input, which is as quit.
    pub fn end_input(&mut self) {
        self.quitting = true;
        self.ledger.quits();
        self.process.end_input();
    }

    /// What every scenario ends with.
    pub fn finish(&mut self) -> Played {
        if !self.quitting {
            self.barrier()?;
            // One more than needed is allowed of a multishot wait.
            let ledger = &self.ledger;
            let needless = |done: &&Done| !(done.more && ledger.is_multishot(&done.wait));
            if let Some(done) = self.done.iter().find(needless) {
                return fail("nothing more", format!("`{}`", done.line));
            }
            self.done.clear();
            let outstanding = self.ledger.outstanding();
            self.quit()?;
            let ledger = &self.ledger;
            let closed: Vec<String> =
                outstanding.into_iter().filter(|wait| ledger.ends_by_closing_alone(wait)).collect();
            for wait in &closed {
                self.ends(wait, Outcome::Closed)?;
            }
        }
        while !self.ledger.is_freed() {
            self.await_event("`freed`")?;
        }
        self.end_of_output()?;
        match self.process.wait(self.until) {
            Exit::Status(0) => Ok(()),
            exit => fail("the exit status 0", format!("the driver {}", exit.words())),
        }
    }

    /// The end after a fault: nobody knows what can still be done, so nothing is asked for. Nothing
    /// crashes, hangs, or completes twice.
    pub fn finish_after_fault(&mut self) -> Played {
        self.write("quit");
        self.end_input();
        loop {
            match self.process.read(self.until) {
                Next::End => break,
                Next::Silence => return self.hangs("the end of the driver"),
                Next::Line(line) => {
                    self.hear(&line);
                    match said(&line) {
                        // What could not be started may be missing now, too.
                        Some(Said::Event(Event::Freed)) => {}
                        Some(Said::Event(event)) => self.ledger.happened(&event)?,
                        Some(Said::Answer(answer)) => {
                            if let Some(command) = self.unanswered.pop_front() {
                                self.ledger.answered(&command, &answer)?;
                            }
                        }
                        None => return fail("a line of docs/contract.md", format!("`{line}`")),
                    }
                }
            }
        }
        match self.process.wait(self.until) {
            Exit::Status(0) => Ok(()),
            Exit::Status(1) if !self.process.errors().trim().is_empty() => Ok(()),
            exit => fail(
                "the exit status 0, or 1 and a sentence on standard error",
                format!("the driver {}", exit.words()),
            ),
        }
    }

    fn end_of_output(&mut self) -> Played {
        match self.process.read(self.until) {
            Next::End => Ok(()),
            Next::Line(line) => {
                self.hear(&line);
                fail("nothing after `freed`", format!("`{line}`"))
            }
            Next::Silence => self.hangs("the end of the driver"),
        }
    }
}
