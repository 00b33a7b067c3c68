//! What a slot of the core holds, packed: there is one of each for every suspended exchange.

use super::super::readiness::Readiness;
use super::super::slots::NIL;
use super::super::wait::Outcome;
use super::{Owner, Source};

/// One end of a waiter list: the wait's slot (24 bits) and the member's position in its set (16),
/// packed, because there are two in every member.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeRef([u8; 5]);

impl NodeRef {
    pub(super) const NONE: NodeRef = NodeRef([0xff; 5]);

    pub(super) fn new(wait: u32, member: u32) -> NodeRef {
        let ([a, b, c, _], [d, e, ..]) = (wait.to_le_bytes(), member.to_le_bytes());
        NodeRef([a, b, c, d, e])
    }

    pub(super) fn wait(self) -> u32 {
        u32::from_le_bytes([self.0[0], self.0[1], self.0[2], 0])
    }

    /// Whether it ends a list.
    pub(super) fn is_none(self) -> bool {
        // No wait lies in the highest slot.
        self.wait() == 0x00ff_ffff
    }

    pub(super) fn member(self) -> usize {
        usize::from(u16::from_le_bytes([self.0[3], self.0[4]]))
    }
}

/// A slot in three bytes; the highest one is none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Short([u8; 3]);

impl Short {
    pub(super) const NONE: Short = Short([0xff; 3]);

    pub(super) fn new(slot: u32) -> Short {
        let [a, b, c, _] = slot.to_le_bytes();
        Short([a, b, c])
    }

    /// The slot, or NIL.
    pub(super) fn get(self) -> u32 {
        if self == Short::NONE {
            NIL
        } else {
            u32::from_le_bytes([self.0[0], self.0[1], self.0[2], 0])
        }
    }
}

/// Readiness of a waitable, which needs no more than six bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Bits(u8);

impl Bits {
    pub(super) const NONE: Bits = Bits(0);

    pub(super) fn of(readiness: Readiness) -> Bits {
        debug_assert!(Readiness::INTERESTS.contains(readiness));
        Bits((readiness & Readiness::INTERESTS).bits() as u8)
    }

    pub(super) fn get(self) -> Readiness {
        Readiness::from_bits_truncate(self.0.into())
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// In a node's interest, above the bits: the node lies in its waitable's list of waiters.
const LINKED: u8 = 0x40;
/// The node still asks: its wait has not ended, and it has not seen what it counts for.
const ASKS: u8 = 0x80;

/// A member of a wait's set, linked into its waitable's list of waiters.
#[derive(Clone, Copy)]
pub(crate) struct Node {
    /// The waitable's slot.
    waitable: u32,
    interest: u8,
    pub(super) ready: Bits,
    pub(super) before: NodeRef,
    pub(super) after: NodeRef,
}

impl Node {
    pub(super) const NONE: Node = Node {
        waitable: 0,
        interest: 0,
        ready: Bits::NONE,
        before: NodeRef::NONE,
        after: NodeRef::NONE,
    };

    pub(super) fn new(slot: u32, interest: Readiness) -> Node {
        Node { waitable: slot, interest: Bits::of(interest).0, ..Node::NONE }
    }

    /// A node that stands for a set in the table of sets.
    pub(super) fn of_set(set: usize) -> Node {
        Node { waitable: set as u32, ..Node::NONE }
    }

    pub(super) fn set(&self) -> usize {
        self.waitable as usize
    }

    pub(crate) fn slot(&self) -> u32 {
        self.waitable
    }

    /// The member was found ready while it was armed.
    pub(crate) fn found(&mut self, ready: Readiness) {
        self.ready = Bits::of(self.ready.get() | ready);
    }

    /// It is in no list any more: in place of its neighbours it keeps the waitable's generation, by
    /// which that is told from its successors.
    pub(super) fn retire(&mut self, generation: u32) {
        self.set_linked(false);
        self.before = NodeRef::new(generation & 0x00ff_ffff, generation >> 24);
        self.after = NodeRef::NONE;
    }

    /// Whether the object of this generation is the one that was asked for, of a retired node.
    pub(super) fn is_of(&self, generation: u32) -> bool {
        self.before == NodeRef::new(generation & 0x00ff_ffff, generation >> 24)
    }

    pub(super) fn interest(&self) -> Readiness {
        Readiness::from_bits_truncate(u32::from(self.interest & !(LINKED | ASKS)))
    }

    pub(super) fn is_linked(&self) -> bool {
        self.interest & LINKED != 0
    }

    /// It is put into the list of its waitable, and asks.
    pub(super) fn begin(&mut self) {
        self.interest |= LINKED | ASKS;
    }

    pub(super) fn set_linked(&mut self, linked: bool) {
        self.interest = if linked { self.interest | LINKED } else { self.interest & !LINKED };
    }

    pub(super) fn asks(&self) -> bool {
        self.interest & ASKS != 0
    }

    pub(super) fn set_asks(&mut self, asks: bool) {
        self.interest = if asks { self.interest | ASKS } else { self.interest & !ASKS };
    }
}

/// The members of a wait for several waitables.
pub(super) struct Set {
    /// How many have to be ready, and how many are.
    pub(super) need: u16,
    pub(super) have: u16,
    pub(super) nodes: Box<[Node]>,
}

/// What kind of wait it is, and in which state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags(u16);

impl Flags {
    pub(super) const NONE: Flags = Flags(0);
    /// It completes at each readiness.
    pub(super) const MULTISHOT: Flags = Flags(1);
    /// A multishot wait with a completion that was not delivered.
    pub(super) const QUEUED: Flags = Flags(2);
    /// What it asked for is dropped when it ends.
    pub(super) const OFF_LOOP: Flags = Flags(4);
    /// Its owner is a task.
    pub(super) const TASK: Flags = Flags(8);
    /// It was delivered; only its members are still there.
    pub(super) const SPENT: Flags = Flags(16);
    /// It has one member, in `node`.
    pub(super) const ONE: Flags = Flags(32);
    /// It has several, in the table of sets.
    pub(super) const MANY: Flags = Flags(64);
    /// It has a deadline.
    pub(super) const TIMED: Flags = Flags(128);
    /// Its one waitable is foreign, and reported once for each watch change.
    pub(super) const ONCE: Flags = Flags(256);

    /// Whether it has one member, and nothing that makes its end more than its own affair.
    pub(super) fn is_plain(self) -> bool {
        let other = Flags::QUEUED.0
            | Flags::OFF_LOOP.0
            | Flags::TASK.0
            | Flags::SPENT.0
            | Flags::ONCE.0
            | Flags::MANY.0;
        self.0 & (Flags::ONE.0 | other) == Flags::ONE.0
    }

    /// Whether it has no members, and waits for its deadline.
    pub(super) fn is_sleep(self) -> bool {
        let other = Flags::ONE.0 | Flags::MANY.0 | Flags::TASK.0;
        self.0 & (Flags::TIMED.0 | other) == Flags::TIMED.0
    }

    pub(super) fn with_if(self, condition: bool, flag: Flags) -> Flags {
        if condition { self.with(flag) } else { self }
    }

    pub(super) fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }

    pub(super) fn with(self, flag: Flags) -> Flags {
        Flags(self.0 | flag.0)
    }

    pub(super) fn without(self, flag: Flags) -> Flags {
        Flags(self.0 & !flag.0)
    }
}

// Laid out so that an entry's tag and a waitable fit beside `outcome`.
#[repr(C)]
pub(super) struct Wait {
    /// None while it is armed.
    pub(super) outcome: Option<Outcome>,
    pub(super) flags: Flags,
    /// The slot of its exchange, or the key of its task; NIL: the host's.
    pub(super) owner: u32,
    pub(super) user_data: u64,
    pub(super) node: Node,
    /// The other waits of the same exchange.
    pub(super) before: u32,
    pub(super) after: u32,
    /// The errno, if it failed.
    pub(super) error: i32,
    /// That of its token.
    pub(super) generation: u32,
}

impl Wait {
    pub(super) fn owner(&self) -> Owner {
        if self.flags.has(Flags::TASK) {
            Owner::Task(self.owner)
        } else if self.owner == NIL {
            Owner::Host
        } else {
            Owner::Exchange(self.owner)
        }
    }
}

pub(super) struct Waitable {
    pub(super) source: Source,
    /// What an event was notified of and nobody took.
    pub(super) notified: Bits,
    pub(super) first: NodeRef,
    /// How many members ask for READABLE, WRITABLE, PRIORITY, READ_CLOSED, and how many ask.
    asked: [[u8; 3]; 5],
    /// The exchange that made it, and its other waitables.
    pub(super) maker: Short,
    pub(super) before: Short,
    pub(super) after: Short,
}

const COUNTED: [Readiness; 4] =
    [Readiness::READABLE, Readiness::WRITABLE, Readiness::PRIORITY, Readiness::READ_CLOSED];

impl Waitable {
    pub(super) fn new(source: Source, maker: Short) -> Waitable {
        Waitable {
            source,
            notified: Bits::NONE,
            first: NodeRef::NONE,
            asked: [[0; 3]; 5],
            maker,
            before: Short::NONE,
            after: Short::NONE,
        }
    }

    #[inline]
    fn asked(&self, which: usize) -> u32 {
        let [a, b, c] = self.asked[which];
        u32::from_le_bytes([a, b, c, 0])
    }

    #[inline]
    fn add(&mut self, which: usize, by: i32) {
        let [a, b, c, _] = self.asked(which).wrapping_add_signed(by).to_le_bytes();
        self.asked[which] = [a, b, c];
    }

    /// A member begins or ceases to ask.
    #[inline]
    pub(super) fn count(&mut self, interest: Readiness, by: i32) {
        for (which, bit) in COUNTED.into_iter().enumerate() {
            if interest.intersects(bit) {
                self.add(which, by);
            }
        }
        self.add(4, by);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked[4] != [0; 3]
    }

    pub(super) fn is_asked_for_reading(&self) -> bool {
        self.asked[0] != [0; 3]
    }

    /// What those who ask ask for together, without HANGUP and ERROR, which all do.
    pub(super) fn wanted(&self) -> Readiness {
        let mut wanted = Readiness::NONE;
        for (which, bit) in COUNTED.into_iter().enumerate() {
            if self.asked[which] != [0; 3] {
                wanted |= bit;
            }
        }
        wanted
    }
}

pub(super) struct ExchangeEntry {
    /// The gateway's own name for it.
    pub(super) key: u32,
    pub(super) waits: u32,
    pub(super) first_wait: u32,
    pub(super) first_waitable: u32,
    /// Its delivered waits, whose members its code may ask for.
    pub(super) spent: u32,
}

pub(super) enum Entry {
    Free {
        next: u32,
    },
    /// A wait that was forgotten while it was queued: the slot is free once the queue is past it.
    Forgotten,
    Waitable(Waitable),
    Wait(Wait),
    Exchange(ExchangeEntry),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A suspended exchange has two or three of them.
    #[test]
    fn an_entry_stays_small() {
        assert_eq!(size_of::<Node>(), 16);
        assert_eq!(size_of::<Entry>(), 48);
    }
}
