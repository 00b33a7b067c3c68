//! What the core holds: waitables with their waiters, waits with their members, and the queues of
//! those that ended.

mod exchanges;
mod waitables;
mod waits;

use std::collections::VecDeque;

use super::growth::room_for_one;
use super::readiness::Readiness;
use super::slots::{Listens, NIL, Slots, stale};
use super::timers::Timers;
use super::token::{Kind, Token};
use super::wait::{Completion, Deadline, Outcome, WaitSpec};
use crate::error::{Error, Result, Status};

/// Whose wait it is, and so where its completion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The host's: it completes in the turn's array.
    Host,
    /// An exchange's, by its slot: it resumes the exchange.
    Exchange(u32),
}

/// What stands behind a waitable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A descriptor; closed with its waitable if owned.
    Descriptor { fd: i32, own: bool },
    /// A flag that `notify` sets.
    Event,
    /// An exchange, by its slot.
    Exchange(u32),
}

/// How much a reactor may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) waitables: u32,
    pub(crate) waits: u32,
}

/// One end of a waiter list: the wait's slot (24 bits) and the member's position in its set (16),
/// packed, because there are two in every member.
#[derive(Clone, Copy, PartialEq, Eq)]
struct NodeRef([u8; 5]);

impl NodeRef {
    const NONE: NodeRef = NodeRef([0xff; 5]);

    fn new(wait: u32, member: u32) -> NodeRef {
        let ([a, b, c, _], [d, e, ..]) = (wait.to_le_bytes(), member.to_le_bytes());
        NodeRef([a, b, c, d, e])
    }

    fn wait(self) -> u32 {
        u32::from_le_bytes([self.0[0], self.0[1], self.0[2], 0])
    }

    fn member(self) -> usize {
        usize::from(u16::from_le_bytes([self.0[3], self.0[4]]))
    }
}

/// Readiness of a waitable, which needs no more than a byte.
#[derive(Clone, Copy)]
struct Bits(u8);

impl Bits {
    fn of(readiness: Readiness) -> Bits {
        debug_assert!(Readiness::INTERESTS.contains(readiness));
        Bits((readiness & Readiness::INTERESTS).bits() as u8)
    }

    fn get(self) -> Readiness {
        Readiness::from_bits_truncate(self.0.into())
    }
}

/// A member of a wait's set, linked into its waitable's list of waiters.
#[derive(Clone, Copy)]
struct Node {
    waitable: u32,
    interest: Bits,
    ready: Bits,
    before: NodeRef,
    after: NodeRef,
}

enum Members {
    None,
    One(Node),
    Many(Box<[Node]>),
}

impl Members {
    fn as_slice(&self) -> &[Node] {
        match self {
            Members::None => &[],
            Members::One(node) => std::slice::from_ref(node),
            Members::Many(nodes) => nodes,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Node] {
        match self {
            Members::None => &mut [],
            Members::One(node) => std::slice::from_mut(node),
            Members::Many(nodes) => nodes,
        }
    }
}

struct Wait {
    /// The slot of the exchange whose wait it is; NIL: the host's.
    exchange: u32,
    user_data: u64,
    /// None while it is armed.
    outcome: Option<Outcome>,
    members: Members,
    /// The other waits of the same exchange.
    before: u32,
    after: u32,
}

impl Wait {
    fn owner(&self) -> Owner {
        if self.exchange == NIL { Owner::Host } else { Owner::Exchange(self.exchange) }
    }
}

struct Waitable {
    source: Source,
    /// What an event was notified of and nobody took.
    notified: Bits,
    first: NodeRef,
    /// How many waiters ask for READABLE, WRITABLE, PRIORITY, READ_CLOSED.
    asked: [u32; 4],
    /// The exchange that made it, and its other waitables.
    maker: u32,
    before: u32,
    after: u32,
}

struct ExchangeEntry {
    /// The gateway's own name for it.
    key: u32,
    waits: u32,
    first_wait: u32,
    first_waitable: u32,
}

enum Entry {
    Free { next: u32 },
    Waitable(Waitable),
    Wait(Wait),
    Exchange(ExchangeEntry),
}

const COUNTED: [Readiness; 4] =
    [Readiness::READABLE, Readiness::WRITABLE, Readiness::PRIORITY, Readiness::READ_CLOSED];

/// A wait that was checked but does not exist yet.
pub(crate) struct Plan {
    owner: Owner,
    user_data: u64,
    deadline: Deadline,
    members: Members,
}

impl Plan {
    /// The waitables to arm, by slot, with what this wait asks of each.
    pub(crate) fn arms(&self) -> impl Iterator<Item = (u32, Readiness)> + '_ {
        self.members.as_slice().iter().map(|node| (node.waitable, node.interest.get()))
    }
}

/// The core of one reactor.
pub(crate) struct Core {
    slots: &'static Slots,
    number: u16,
    limits: Limits,
    entries: Vec<Entry>,
    oldest_free: u32,
    newest_free: u32,
    timers: Timers,
    waits: u32,
    waitables: u32,
    closed: bool,
    host_done: VecDeque<Token>,
    exchange_done: VecDeque<Token>,
}

impl Core {
    /// A core over the slots of reactor `number`, which it alone changes from here on.
    pub(crate) fn new(slots: &'static Slots, number: u16, limits: Limits) -> Core {
        let mut core = Core {
            slots,
            number,
            limits,
            entries: Vec::new(),
            oldest_free: NIL,
            newest_free: NIL,
            timers: Timers::default(),
            waits: 0,
            waitables: 0,
            closed: false,
            host_done: VecDeque::new(),
            exchange_done: VecDeque::new(),
        };
        for slot in 0..slots.len() {
            room_for_one(&mut core.entries);
            core.entries.push(Entry::Free { next: NIL });
            if slots.is_free(slot) {
                core.queue_free(slot);
            }
        }
        core
    }

    // ---- slots ------------------------------------------------------------------------------

    fn queue_free(&mut self, slot: u32) {
        if let Some(Entry::Free { next }) = self.entries.get_mut(self.newest_free as usize) {
            *next = slot;
        } else {
            self.oldest_free = slot;
        }
        self.newest_free = slot;
    }

    /// Puts an object into the slot that has been free for longest.
    fn occupy(&mut self, kind: Kind, entry: Entry) -> Result<Token> {
        let listens = match &entry {
            Entry::Waitable(waitable) if waitable.source == Source::Event => Listens::Flag,
            // A pool thread tells its exchange so.
            Entry::Exchange(_) => Listens::Flag,
            Entry::Waitable(_) | Entry::Wait(_) | Entry::Free { .. } => Listens::No,
        };
        let slot = if self.oldest_free == NIL {
            let slot = self.slots.grow().ok_or_else(|| {
                Error::new(Status::Limit, "a reactor holds at most 16,777,216 objects: end some")
            })?;
            debug_assert_eq!(slot as usize, self.entries.len());
            room_for_one(&mut self.entries);
            self.entries.push(entry);
            slot
        } else {
            let slot = self.oldest_free;
            let before = std::mem::replace(&mut self.entries[slot as usize], entry);
            let Entry::Free { next } = before else { unreachable!("a queued slot is free") };
            self.oldest_free = next;
            if next == NIL {
                self.newest_free = NIL;
            }
            slot
        };
        let generation = self.slots.occupy(slot, kind, listens);
        Ok(Token::new(kind, self.number, generation, slot))
    }

    fn vacate(&mut self, slot: u32) -> Entry {
        let entry = std::mem::replace(&mut self.entries[slot as usize], Entry::Free { next: NIL });
        if self.slots.vacate(slot) {
            self.queue_free(slot);
        }
        entry
    }

    /// The slot of a living object of this reactor and kind.
    pub(crate) fn find(&self, token: Token, kind: Kind) -> Result<u32> {
        if token.reactor() != self.number || !self.slots.is_live(token) {
            return Err(stale());
        }
        if token.kind() != Some(kind) {
            return Err(Error::new(
                Status::Invalid,
                format!("{token:?} is not a {kind:?}: give the token of one"),
            ));
        }
        Ok(token.slot())
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

    // ---- the end ----------------------------------------------------------------------------

    /// Refuses new waits, and completes every wait as closed.
    pub(crate) fn close_all(&mut self) {
        self.closed = true;
        for slot in 0..self.entries.len() as u32 {
            if matches!(self.entries[slot as usize], Entry::Wait(_)) {
                self.end_wait(slot, Outcome::Closed);
            }
        }
    }

    /// Whether the core was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// How many waits have not been delivered or forgotten.
    pub(crate) fn waits(&self) -> u32 {
        self.waits
    }

    /// The slots of all waitables.
    pub(crate) fn waitables(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.entries.len() as u32)
            .filter(|slot| matches!(self.entries[*slot as usize], Entry::Waitable(_)))
    }

    /// Makes every token stale. The core is not used after it.
    pub(crate) fn end(&mut self) {
        for slot in 0..self.entries.len() as u32 {
            if !matches!(self.entries[slot as usize], Entry::Free { .. }) {
                self.vacate(slot);
            }
        }
    }
}

fn closing() -> Error {
    Error::new(Status::Closed, "the reactor is being closed: it takes no new waits or waitables")
}

#[cfg(test)]
mod tests;
