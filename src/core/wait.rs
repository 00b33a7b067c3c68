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

/// A question: wake me when any, all or so many of these are ready, or at this deadline.
#[derive(Clone, Copy, Debug)]
pub struct WaitSpec<'a> {
    /// The waitables, each once; empty with a finite deadline is a sleep.
    pub set: &'a [Watch],
    /// How many of them have to be ready; 0 is 1. A member counts from the first time it was ready.
    pub at_least: u32,
    /// It completes at each readiness of its one waitable, until it is ended. After each completion
    /// drain what it waits for, or [`rearm`](crate::wait_rearm).
    pub multishot: bool,
    /// What it waited for is dealt with elsewhere than in the host's loop, so the host of a foreign
    /// waitable is to stop watching for it as soon as the wait has ended.
    pub off_loop: bool,
    /// When it ends as timed out.
    pub deadline: Deadline,
    /// Comes back in the completion.
    pub user_data: u64,
}

impl<'a> WaitSpec<'a> {
    /// Waits for any of `set`, for ever.
    pub fn any(set: &'a [Watch]) -> WaitSpec<'a> {
        WaitSpec {
            set,
            at_least: 1,
            multishot: false,
            off_loop: false,
            deadline: Deadline::FOREVER,
            user_data: 0,
        }
    }

    /// Waits for all of `set`, for ever.
    pub fn all(set: &'a [Watch]) -> WaitSpec<'a> {
        // Longer sets than can be counted are refused for their length.
        WaitSpec::any(set).at_least(set.len().min(u32::MAX as usize) as u32)
    }

    /// Waits for nothing but the time.
    pub fn sleep(until: Deadline) -> WaitSpec<'static> {
        WaitSpec::any(&[]).until(until)
    }

    /// The same, for so many of the set.
    pub fn at_least(mut self, members: u32) -> WaitSpec<'a> {
        self.at_least = members;
        self
    }

    /// The same, completing at each readiness.
    pub fn multishot(mut self) -> WaitSpec<'a> {
        self.multishot = true;
        self
    }

    /// The same, for what is dealt with elsewhere than in the host's loop.
    pub fn off_loop(mut self) -> WaitSpec<'a> {
        self.off_loop = true;
        self
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

/// A question that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    set: Box<[Watch]>,
    at_least: u32,
    multishot: bool,
    off_loop: bool,
    deadline: Deadline,
    user_data: u64,
}

impl Question {
    pub(crate) fn of(spec: &WaitSpec<'_>) -> Question {
        let WaitSpec { set, at_least, multishot, off_loop, deadline, user_data } = *spec;
        Question { set: set.into(), at_least, multishot, off_loop, deadline, user_data }
    }

    pub(crate) fn spec(&self) -> WaitSpec<'_> {
        let Question { ref set, at_least, multishot, off_loop, deadline, user_data } = *self;
        WaitSpec { set, at_least, multishot, off_loop, deadline, user_data }
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

/// A ready member of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The waitable; [`Token::NONE`] if it was closed since.
    pub waitable: Token,
    /// Its position in the set.
    pub index: u32,
    /// Its readiness.
    pub ready: Readiness,
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
