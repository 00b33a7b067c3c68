//! What an application is to the gateway, whatever language it is written in.

use super::exchange::Exchange;
use crate::core::Completion;
use crate::error::{Error, Result};
use crate::reactor::Reactor;

/// The ways in which an application can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Called, suspends by returning, and is called again with what completed since.
    Steps,
    /// Called once for an exchange, on a pool thread; its waits block that thread.
    Blocking,
}

/// What a step decided.
#[derive(Debug)]
pub enum Step {
    /// The response is complete.
    Done,
    /// Resume me when one of my waits completes; for a blocking application: call me again, on a
    /// pool thread, when there is body to read.
    Suspend,
    /// Call me again, fairly.
    Yield,
    /// The exchange failed: 500 if the head is unsent, otherwise the connection ends.
    Failed(Error),
}

/// A handler of requests.
pub trait Application: Send + Sync {
    /// Its name, for people who look.
    fn name(&self) -> &str;

    /// How it is written.
    fn style(&self) -> Style;

    /// Makes the part that belongs to one worker; called once per worker, on the worker's thread.
    /// Dropping it ends that part.
    ///
    /// # Errors
    ///
    /// Why the application cannot serve on this worker.
    fn worker(&self, reactor: &Reactor) -> Result<Box<dyn Worker>>;
}

/// The part of an application that belongs to one worker; its pool threads share it.
pub trait Worker: Send + Sync {
    /// Makes the run of one exchange.
    fn open(&self) -> Box<dyn Run>;
}

/// One exchange of an application. It is never run by two threads at once.
pub trait Run: Send {
    /// Runs it: a step, or for a blocking application the whole exchange, unless that gives its
    /// thread back.
    ///
    /// `done` is what completed since the last step, empty at the first.
    fn run(&mut self, exchange: Exchange, done: &[Completion]) -> Step;

    /// Ends it. Called exactly once, also when `run` never was.
    fn close(self: Box<Self>, exchange: Exchange);
}
