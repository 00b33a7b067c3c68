//! What the core holds: waitables with their waiters, waits with their members, and the queues of
//! those that ended.

mod entries;
mod exchanges;
mod foreign;
mod labels;
mod timer;
mod waitables;
mod waits;

use std::collections::{HashMap, VecDeque};

use slab::Slab;

use super::growth::room_for_one;
use super::readiness::Readiness;
use super::slots::{Listens, NIL, Slots, stale};
use super::timers::Timers;
use super::token::{Kind, Token};
use super::wait::{Completion, Deadline, Member, Outcome, WaitSpec};
use crate::error::{Error, Result, Status};
use entries::{Bits, Entry, ExchangeEntry, Flags, Node, NodeRef, Set, Short, Wait, Waitable};
pub(crate) use foreign::How;
use foreign::{Foreign, Pending};
use timer::Timer;
pub(crate) use waitables::Direct;

/// Whose wait it is, and so where its completion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The host's: it completes in the turn's array.
    Host,
    /// An exchange's, by its slot: it resumes the exchange.
    Exchange(u32),
    /// A future's, by the reactor's key for it: it wakes its task.
    Task(u32),
}

/// What a waitable is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum New {
    /// A descriptor; closed with its waitable if owned.
    Descriptor { fd: i32, own: bool },
    /// A flag, or a counter, that `notify` sets.
    Event { counter: bool },
    /// Expirations at `first` and, unless `period` is 0, at each `period` after it.
    Timer { first: u64, period: u64 },
    /// What only the host can watch, by the host's name for it.
    Foreign { handle: u64, how: How },
    /// An exchange, by its slot.
    Exchange(u32),
}

/// What stands behind a waitable. The numbers are places in tables of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Descriptor { fd: i32, own: bool },
    Event,
    Counter(u32),
    Timer(u32),
    Foreign(u32),
    Exchange(u32),
}

/// How much a reactor may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) waitables: u32,
    pub(crate) waits: u32,
}

/// A wait that was checked but does not exist yet.
pub(crate) struct Plan {
    owner: Owner,
    flags: Flags,
    need: u16,
    user_data: u64,
    deadline: Deadline,
    nodes: Nodes,
}

enum Nodes {
    None,
    One(Node),
    Many(Box<[Node]>),
}

impl Nodes {
    fn as_slice(&self) -> &[Node] {
        match self {
            Nodes::None => &[],
            Nodes::One(node) => std::slice::from_ref(node),
            Nodes::Many(nodes) => nodes,
        }
    }
}

impl Plan {
    /// The waitable to arm for the member in this place, by slot, and what is asked of it.
    pub(crate) fn arm(&self, member: usize) -> (u32, Readiness) {
        let node = &self.nodes.as_slice()[member];
        (node.slot(), node.interest())
    }

    /// How many waitables it names.
    pub(crate) fn len(&self) -> usize {
        self.nodes.as_slice().len()
    }

    /// The member in this place was found ready while it was armed.
    pub(crate) fn found(&mut self, member: usize, ready: Readiness) {
        let node = match &mut self.nodes {
            Nodes::None => unreachable!("a sleep has no members"),
            Nodes::One(node) => node,
            Nodes::Many(nodes) => &mut nodes[member],
        };
        node.found(ready);
    }
}

/// The core of one reactor.
pub(crate) struct Core {
    slots: &'static Slots,
    number: u16,
    limits: Limits,
    entries: Vec<Entry>,
    /// How many slots the last reactor of the number left.
    inherited: usize,
    oldest_free: u32,
    newest_free: u32,
    /// Deadlines of waits and expirations of timers that somebody waits for, by slot.
    timers: Timers,
    /// The latest time that the core was told.
    now: u64,
    /// Advances whenever a waiter comes, goes, or has something to deliver.
    epoch: u64,
    waits: u32,
    waitables: u32,
    closed: bool,
    sets: Slab<Set>,
    counters: Slab<u64>,
    clocks: Slab<Timer>,
    foreign: Slab<Foreign>,
    /// Descriptors that the host watches, by number.
    by_handle: HashMap<u64, u32>,
    /// Foreign waitables whose interest may have changed since `plan_changes`.
    touched: VecDeque<(u32, u64)>,
    planned: VecDeque<Pending>,
    /// The last number given to an entry of the two queues.
    plans: u64,
    /// How many planned changes were not made needless.
    live_plans: usize,
    /// Descriptors to close: once the host has stopped watching them, and now.
    stopping: Vec<i32>,
    closable: Vec<i32>,
    /// All that will be closed, also those of which the host has not fetched that it is to stop.
    closing: Vec<i32>,
    labels: HashMap<u32, Box<str>>,
    /// The slots of waits that have something to deliver.
    host_done: VecDeque<u32>,
    exchange_done: VecDeque<u32>,
    task_done: VecDeque<u32>,
    /// How many queued completions turned out to be of forgotten waits.
    stale: u64,
    /// Delivered waits of the host's whose members may be asked for until the next turn.
    spent: Vec<u32>,
}

impl Core {
    /// A core over the slots of reactor `number`, which it alone changes from here on.
    pub(crate) fn new(slots: &'static Slots, number: u16, limits: Limits) -> Core {
        Core {
            slots,
            number,
            limits,
            entries: Vec::new(),
            inherited: slots.len() as usize,
            oldest_free: NIL,
            newest_free: NIL,
            timers: Timers::default(),
            now: 0,
            epoch: 1,
            waits: 0,
            waitables: 0,
            closed: false,
            sets: Slab::new(),
            counters: Slab::new(),
            clocks: Slab::new(),
            foreign: Slab::new(),
            by_handle: HashMap::new(),
            touched: VecDeque::new(),
            planned: VecDeque::new(),
            plans: 0,
            live_plans: 0,
            stopping: Vec::new(),
            closable: Vec::new(),
            closing: Vec::new(),
            labels: HashMap::new(),
            host_done: VecDeque::new(),
            exchange_done: VecDeque::new(),
            task_done: VecDeque::new(),
            stale: 0,
            spent: Vec::new(),
        }
    }

    // ---- slots ------------------------------------------------------------------------------

    #[inline]
    fn queue_free(&mut self, slot: u32) {
        if let Some(Entry::Free { next }) = self.entries.get_mut(self.newest_free as usize) {
            *next = slot;
        } else {
            self.oldest_free = slot;
        }
        self.newest_free = slot;
    }

    /// A slot that this core has not used: one that the last reactor of the number left, or else a
    /// new one.
    fn another_slot(&mut self) -> Result<u32> {
        loop {
            let slot = self.entries.len() as u32;
            if slot == self.slots.len() && self.slots.grow().is_none() {
                return Err(Error::new(
                    Status::Limit,
                    "a reactor holds at most 16,777,215 objects: end some",
                ));
            }
            room_for_one(&mut self.entries);
            self.entries.push(Entry::Free { next: NIL });
            // One whose generations are used up rests.
            if self.slots.is_free(slot) {
                return Ok(slot);
            }
        }
    }

    /// Takes the slot that has been free for longest for an object that is put there next. Answers
    /// the slot with the object's generation.
    #[inline(always)]
    fn claim(&mut self, kind: Kind, listens: Listens) -> Result<(u32, u32)> {
        // What the last reactor of the number left has been free for longer than anything of ours.
        let inherits = self.entries.len() < self.inherited;
        let slot = if self.oldest_free == NIL || inherits {
            self.another_slot()?
        } else {
            let slot = self.oldest_free;
            let Entry::Free { next } = self.entries[slot as usize] else {
                unreachable!("a queued slot is free")
            };
            self.oldest_free = next;
            if next == NIL {
                self.newest_free = NIL;
            }
            slot
        };
        Ok((slot, self.slots.occupy(slot, kind, listens)))
    }

    /// Puts an object into the slot that has been free for longest.
    fn occupy(&mut self, kind: Kind, listens: Listens, entry: Entry) -> Result<Token> {
        let (slot, generation) = self.claim(kind, listens)?;
        self.entries[slot as usize] = entry;
        Ok(Token::new(kind, self.number, generation, slot))
    }

    #[inline]
    fn vacate(&mut self, slot: u32) {
        self.entries[slot as usize] = Entry::Free { next: NIL };
        if self.slots.vacate(slot) {
            self.queue_free(slot);
        }
    }

    /// The slot of a living object of this reactor and kind.
    #[inline]
    pub(crate) fn find(&self, token: Token, kind: Kind) -> Result<u32> {
        if token.reactor() == self.number && token.is_of(kind) && self.slots.is_live(token) {
            return Ok(token.slot());
        }
        Err(self.not_found(token, kind))
    }

    #[cold]
    fn not_found(&self, token: Token, kind: Kind) -> Error {
        if token.kind().is_some() && token.reactor() != self.number {
            return Error::new(
                Status::Stale,
                format!("{token:?} is not of this reactor: give one that was made with it"),
            );
        }
        if !self.slots.is_live(token) {
            return stale();
        }
        Error::new(Status::Invalid, format!("{token:?} is not a {kind:?}: give the token of one"))
    }

    fn token_of(&self, kind: Kind, slot: u32) -> Token {
        self.slots.token(kind, self.number, slot)
    }

    fn waitable(&self, slot: u32) -> &Waitable {
        match &self.entries[slot as usize] {
            Entry::Waitable(waitable) => waitable,
            _ => unreachable!("slot {slot} is a waitable"),
        }
    }

    fn waitable_mut(&mut self, slot: u32) -> &mut Waitable {
        match &mut self.entries[slot as usize] {
            Entry::Waitable(waitable) => waitable,
            _ => unreachable!("slot {slot} is a waitable"),
        }
    }

    fn wait(&self, slot: u32) -> &Wait {
        match &self.entries[slot as usize] {
            Entry::Wait(wait) => wait,
            _ => unreachable!("slot {slot} is a wait"),
        }
    }

    fn wait_mut(&mut self, slot: u32) -> &mut Wait {
        match &mut self.entries[slot as usize] {
            Entry::Wait(wait) => wait,
            _ => unreachable!("slot {slot} is a wait"),
        }
    }

    fn exchange(&self, slot: u32) -> &ExchangeEntry {
        match &self.entries[slot as usize] {
            Entry::Exchange(exchange) => exchange,
            _ => unreachable!("slot {slot} is an exchange"),
        }
    }

    fn exchange_mut(&mut self, slot: u32) -> &mut ExchangeEntry {
        match &mut self.entries[slot as usize] {
            Entry::Exchange(exchange) => exchange,
            _ => unreachable!("slot {slot} is an exchange"),
        }
    }

    /// Time goes on, and never back.
    fn at(&mut self, now: u64) {
        self.now = self.now.max(now);
    }

    // ---- the end ----------------------------------------------------------------------------

    /// Refuses new waits, completes every wait as closed, and has the host stop watching.
    pub(crate) fn close_all(&mut self) {
        self.closed = true;
        for slot in 0..self.entries.len() as u32 {
            if matches!(&self.entries[slot as usize], Entry::Wait(wait) if !wait.flags.has(Flags::SPENT))
            {
                self.end_wait(slot, Outcome::Closed);
            }
        }
        self.stop_watching();
    }

    /// Whether the core was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// How many waits have not been delivered or forgotten.
    pub(crate) fn waits(&self) -> u32 {
        self.waits
    }

    /// How many waitables there are.
    pub(crate) fn waitable_count(&self) -> u32 {
        self.waitables
    }

    /// The slots of all waitables.
    pub(crate) fn waitables(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.entries.len() as u32)
            .filter(|slot| matches!(self.entries[*slot as usize], Entry::Waitable(_)))
    }

    /// Makes every token stale. The core is not used after it.
    pub(crate) fn end(&mut self) {
        for slot in 0..self.entries.len() as u32 {
            match &self.entries[slot as usize] {
                Entry::Wait(wait) if wait.flags.has(Flags::SPENT) => {}
                Entry::Free { .. } | Entry::Forgotten => {}
                _ => self.vacate(slot),
            }
        }
        self.end_changes();
    }
}

fn closing() -> Error {
    Error::new(Status::Closed, "the reactor is being closed: it takes no new waits or waitables")
}

#[cfg(test)]
mod tests;
