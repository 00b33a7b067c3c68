//! What is simulated against the model, seen from outside: tokens are numbers, answers are plain.

use crate::model::words::{Behind, End};

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Invalid,
    Stale,
    State,
    Limit,
    Closed,
    /// One that no operation of the simulation may be answered with.
    Other(i32),
}

pub type Answer<T> = Result<T, Refusal>;

/// To whom completions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Host,
    Exchange,
    Task,
}

/// Whose wait it is to be; an exchange by its token.
#[derive(Clone, Copy, Debug)]
pub enum Whose {
    Host,
    Exchange(u64),
    Task(u32),
}

/// A question.
#[derive(Clone, Debug)]
pub struct Ask {
    pub set: Vec<(u64, u32)>,
    pub at_least: u32,
    pub multishot: bool,
    pub off_loop: bool,
    pub deadline: u64,
    pub user_data: u64,
    pub whose: Whose,
    /// What a selector answers when the members are armed: position and readiness.
    pub found: Vec<(usize, u32)>,
    /// Goes the shorter way that there is for one waitable and for none.
    pub straight: bool,
}

/// A completion that was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The key of the exchange or the task; 0 for the host's.
    pub key: u32,
    pub user_data: u64,
    pub wait: u64,
    pub outcome: End,
    pub more: bool,
    pub members: u16,
    pub ready: u32,
    pub index: u32,
    pub error: i32,
}

/// A watch change that the host was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub waitable: u64,
    pub handle: u64,
    pub interest: u32,
    pub how: How,
}

/// How a host watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Level,
    Once,
    Descriptor,
}

/// How much may be open at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub waitables: u32,
    pub waits: u32,
}

/// A core, or whatever behaves like one, driven by the operations of the simulation.
pub trait Subject {
    fn new(limits: Limits) -> Self;

    // Objects.
    fn open(&mut self, behind: Behind, handle: u64, maker: Option<u64>) -> Answer<u64>;
    fn open_exchange(&mut self, key: u32) -> Answer<u64>;
    /// Forgets its waits, closes its waitables (in the order that is answered), ends it.
    fn end_exchange(&mut self, exchange: u64) -> Vec<u64>;
    fn close(&mut self, waitable: u64) -> Answer<()>;
    fn close_waits(&mut self, waitable: u64);
    fn fail_waits(&mut self, waitable: u64, errno: i32);

    // Waits. What is to be armed is answered, too; with `drop_plan` nothing but that happens.
    fn arm(&mut self, ask: &Ask, now: u64, drop_plan: bool) -> Answer<(u64, Vec<(u64, u32)>)>;
    fn cancel(&mut self, wait: u64) -> Answer<()>;
    fn forget(&mut self, wait: u64) -> Answer<()>;
    fn rearm(&mut self, wait: u64, now: u64) -> Answer<Option<(u64, u32)>>;

    // What happens.
    /// Answers whether anybody waited for it.
    fn notify(&mut self, waitable: u64, bits: u32, times: u64) -> Answer<bool>;
    /// As from another thread; answers whether the inbox was empty of it.
    fn notify_elsewhere(&mut self, waitable: u64, bits: u32) -> Answer<bool>;
    fn drain(&mut self);
    /// Answers whether it woke anybody.
    fn ready(&mut self, waitable: u64, bits: u32) -> bool;
    /// The same where the host's array has room: a completion that needs no queue; else nothing.
    fn ready_at_once(&mut self, waitable: u64, bits: u32) -> Option<Delivered>;
    fn take(&mut self, waitable: u64, now: u64) -> Answer<u64>;
    fn expire(&mut self, now: u64, limit: usize) -> usize;

    // What comes of it.
    fn begin_turn(&mut self);
    /// An exchange's code returns: it asks no more for members of what it was told.
    fn end_step(&mut self, exchange: u64);
    fn next_completion(&mut self, class: Class) -> Option<Delivered>;
    /// Waitable (0: closed since), position and readiness of each ready member.
    fn members(&self, of: &Delivered) -> Answer<Vec<(u64, u32, u32)>>;
    fn plan_changes(&mut self);
    fn next_change(&mut self) -> Option<Told>;
    /// A descriptor that can be closed now.
    fn next_closable(&mut self) -> Option<u64>;

    // What can be seen.
    fn has_completion(&self, class: Class) -> bool;
    fn has_changes(&self) -> bool;
    fn next_deadline(&mut self) -> u64;
    fn waits(&self) -> u32;
    fn waitables(&self) -> u32;
    /// Whether an exchange has a wait for a waitable that was not delivered.
    fn is_watched_by(&self, waitable: u64, exchange: u64) -> bool;
    fn exchange_waits(&self, exchange: u64) -> u32;
    /// What is asked of it, with HANGUP and ERROR; 0 if nobody asks.
    fn interest(&self, waitable: u64) -> u32;
    fn is_live(&self, token: u64) -> bool;
    fn is_closed(&self) -> bool;

    // The end.
    fn close_all(&mut self);
    /// Ends it, and makes another in its place that inherits its slots.
    fn restart(&mut self);
}
