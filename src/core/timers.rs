//! Deadlines: the next one is exact, and one that is forgotten is never put in order.
//!
//! Most deadlines are forgotten long before they pass, so entries lie unsorted in a leaf until the
//! order is asked for. A leaf that is full is parted into 64, by the highest six bits in which its
//! entries differ. When the next deadline is asked for, the earliest leaf is parted again, until it
//! is small enough that the earliest few can be picked: sorted, they are the front, from which
//! deadlines are taken. Of equal deadlines, the number of the slot decides, so that there is always
//! something by which to part. Levels lie at multiples of six bits, so an entry goes down 17 times
//! at most, whatever the deadlines; most go down twice or three times. Time that passes moves
//! nothing.
//!
//! A slot has a stamp, odd while it has a deadline, and an entry bears the stamp of its start. To
//! forget is to advance the stamp, and to count in the leaf that one of its entries is dead. When
//! the dead of a leaf outnumber its living, they are dropped; so a leaf without a living entry is
//! never met on the way to the earliest.
//!
//! A leaf holds so many entries at most, and nothing but a single leaf, or a node that has become
//! small enough to be a leaf, is ever worked on as a whole. So not only the average but each single
//! call costs the same however many deadlines there are.
//!
//! The idea is that of the ladder queue (Tang, Goh, Thng 2005), which sorts only what is due next,
//! with the buckets of a radix heap, which are not chosen by how deadlines happen to be spread. A
//! hashed or hierarchical timing wheel (Varghese, Lauck 1987) starts and forgets as fast, but it
//! rounds deadlines to ticks, has to search for the next one, and moves entries down as time
//! passes, asked or not.

mod ledger;
#[cfg(test)]
mod tests;
mod tree;

use ledger::{Entry, HALF_OF_STAMPS, IN_FRONT, Key, Ledger};
use tree::Tree;

/// How many entries move to the front at a time.
const SMALL: usize = 64;

/// How many of the dead are buried at a time.
const BURIED_AT_ONCE: usize = 16;

/// The deadlines of waits, each named by the slot of its wait.
#[derive(Default)]
pub(crate) struct Timers {
    /// The earliest entries, the earliest last, which is live. Never more than twice SMALL.
    front: Vec<Entry>,
    /// All others, none earlier than any of the front.
    rest: Tree,
    ledger: Ledger,
    /// Those that died in the tree, but are not counted there yet. Where one is has to be fetched
    /// from far away in memory: while that is under way, other things can be done, if only nothing
    /// depends on it.
    unburied: Vec<Key>,
    sweep: Sweep,
}

/// How far the search is for entries so old that their stamps are about to come back.
#[derive(Default)]
struct Sweep {
    /// How many times the end has to be reached yet.
    rounds: u32,
    from: Key,
}

impl Timers {
    /// The earliest deadline.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<u64> {
        if self.front.is_empty() {
            self.fill_front();
        }
        self.front.last().map(|first| first.deadline)
    }

    /// Whether a slot has a deadline.
    #[inline]
    pub(crate) fn is_started(&self, slot: u32) -> bool {
        self.ledger.is_started(slot)
    }

    /// Starts a slot's deadline; it must have none.
    #[inline]
    pub(crate) fn start(&mut self, slot: u32, deadline: u64) {
        let precedes = self.front.first().is_some_and(|last| deadline < last.deadline);
        // A few deadlines need no tree.
        if precedes || self.front.len() < SMALL && self.rest.is_empty() {
            let stamp = self.ledger.start(slot, IN_FRONT);
            self.put_in_front(Entry { deadline, slot, stamp });
        } else {
            let stamp = self.ledger.start(slot, deadline);
            self.put_in_rest(Entry { deadline, slot, stamp });
        }
    }

    /// Forgets a slot's deadline, if it has one.
    #[inline]
    pub(crate) fn forget(&mut self, slot: u32) {
        let Some((home, stamp)) = self.ledger.end(slot) else { return };
        if home == IN_FRONT {
            self.drop_first_dead();
        } else {
            self.unburied.push((home, slot));
            if self.unburied.len() >= BURIED_AT_ONCE {
                self.bury();
            }
        }
        let starts_over = stamp % HALF_OF_STAMPS == 0;
        if starts_over || self.sweep.rounds > 0 {
            self.sweep(starts_over);
        }
    }

    /// Takes one slot whose deadline has passed at `now`: the one that passed first.
    #[inline]
    pub(crate) fn expire(&mut self, now: u64) -> Option<u32> {
        if self.next()? > now {
            return None;
        }
        let slot = self.front.last().expect("the next deadline is in front").slot;
        self.forget(slot);
        Some(slot)
    }

    #[inline]
    fn drop_first_dead(&mut self) {
        while self.front.last().is_some_and(|first| !self.ledger.is_live(first)) {
            self.front.pop();
            self.ledger.touch(1);
        }
    }

    #[inline]
    fn put_in_front(&mut self, entry: Entry) {
        let at = self.front.partition_point(|other| other.deadline > entry.deadline);
        self.ledger.touch(self.front.len() - at);
        self.front.insert(at, entry);
        if self.front.len() > 2 * SMALL {
            self.shorten_front();
        }
    }

    #[cold]
    fn shorten_front(&mut self) {
        self.ledger.drop_dead(&mut self.front);
        let latest = self.front.len().saturating_sub(SMALL);
        for at in 0..latest {
            let entry = self.front[at];
            self.ledger.move_to(&entry, entry.deadline);
            self.put_in_rest(entry);
        }
        self.front.drain(..latest);
    }

    #[inline(always)]
    fn put_in_rest(&mut self, entry: Entry) {
        if self.rest.put(entry, &mut self.ledger) {
            self.relieve(entry.key());
        }
    }

    #[cold]
    fn relieve(&mut self, key: Key) {
        self.bury();
        self.rest.relieve(key, &mut self.ledger);
    }

    #[inline(never)]
    fn bury(&mut self) {
        for key in self.unburied.drain(..) {
            self.rest.bury(key, &mut self.ledger);
        }
    }

    #[inline(never)]
    fn fill_front(&mut self) {
        self.bury();
        if !self.rest.is_empty() {
            self.rest.take_earliest(&mut self.front, &mut self.ledger);
        }
    }

    /// Each time that a slot has borne half of all stamps, the entries that bore the other half are
    /// to be gone before any of those comes back. So every leaf is looked at, one with each that is
    /// forgotten; a round that was under way already does not count.
    #[cold]
    fn sweep(&mut self, starts_over: bool) {
        if starts_over {
            self.sweep.rounds = 2;
        }
        if let Some(from) = self.rest.sweep(self.sweep.from, &mut self.ledger) {
            self.sweep.from = from;
        } else {
            self.ledger.drop_dead(&mut self.front);
            self.sweep.from = Key::default();
            self.sweep.rounds -= 1;
        }
    }
}
