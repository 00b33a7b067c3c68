//! The question and its answer: wait specs, deadlines, outcomes and completions.

use super::readiness::Readiness;
use super::token::Token;

/// An absolute point in time in nanoseconds of the reactor's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Deadline(u64);

impl Deadline {
    /// Already past: ask once.
    pub const NOW: Deadline = Deadline(0);
    /// Never.
    pub const FOREVER: Deadline = Deadline(u64::MAX);

    /// The point at `nanoseconds` of the reactor's clock.
    pub const fn at(nanoseconds: u64) -> Deadline {
        Deadline(nanoseconds)
    }

    /// The nanoseconds.
    pub const fn nanoseconds(self) -> u64 {
        self.0
    }
}

/// One member of a set: a waitable and what is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The waitable.
    pub waitable: Token,
    /// What is waited for.
    pub interest: Readiness,
}

/// A question: wake me when any of these is ready, or at this deadline.
#[derive(Clone, Copy, Debug)]
pub struct WaitSpec<'a> {
    /// The waitables; empty with a finite deadline is a sleep.
    pub set: &'a [Watch],
    /// When it ends as timed out.
    pub deadline: Deadline,
    /// Comes back in the completion.
    pub user_data: u64,
}

impl<'a> WaitSpec<'a> {
    /// Waits for any of `set`, for ever.
    pub fn any(set: &'a [Watch]) -> WaitSpec<'a> {
        WaitSpec { set, deadline: Deadline::FOREVER, user_data: 0 }
    }

    /// Waits for nothing but the time.
    pub fn sleep(until: Deadline) -> WaitSpec<'static> {
        WaitSpec { set: &[], deadline: until, user_data: 0 }
    }

    /// The same, ending at `deadline`.
    pub fn until(mut self, deadline: Deadline) -> WaitSpec<'a> {
        self.deadline = deadline;
        self
    }

    /// The same, with this value in its completion.
    pub fn user_data(mut self, user_data: u64) -> WaitSpec<'a> {
        self.user_data = user_data;
        self
    }
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// A waitable of the set is ready.
    Ready = 1,
    /// The deadline passed.
    TimedOut = 2,
    /// It was cancelled.
    Cancelled = 3,
    /// A waitable of the set, or the reactor, was closed.
    Closed = 4,
    /// The waitable cannot be waited for any longer; `error` says why.
    Failed = 5,
}

/// The record that says how a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The value given with the question.
    pub user_data: u64,
    /// The wait; retired, unless `more`. For the host's half of an exchange, the exchange.
    pub wait: Token,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether further completions of it follow.
    pub more: bool,
    /// How many waitables of the set were ready.
    pub members: u16,
    /// The readiness of member `index`.
    pub ready: Readiness,
    /// The position in the set of the first ready member.
    pub index: u32,
    /// The errno, if it failed.
    pub error: i32,
}
