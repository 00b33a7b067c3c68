//! Slot words: the part of every object that any thread may look at.
//!
//! One atomic word a slot holds kind, generation and the bits that other threads have notified;
//! a notify is a compare-and-swap and a push to an intrusive stack. Slots lie in chunks that are
//! never returned, so a token that outlived its object meets a word that does not match, never
//! freed memory. The next reactor of the same number inherits slots and generations.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::readiness::Readiness;
use super::token::{Kind, MAX_GENERATION, MAX_SLOTS, Token};
use crate::error::{Error, Result, Status};

/// The number that names no slot.
pub(crate) const NIL: u32 = u32::MAX;

const FIRST_CHUNK: u32 = 64;
/// Chunks double in size: 64, 128, ... so that this many hold every slot.
const CHUNKS: usize = 19;

// A word: pending readiness in bits 0..16, LINKED, LISTENS, kind in 20..24 (0: free), generation in 32..58.
const PENDING: u64 = 0xffff;
const LINKED: u64 = 1 << 16;
/// Other threads may notify it.
const LISTENS: u64 = 1 << 17;
const KIND_SHIFT: u32 = 20;
const GENERATION_SHIFT: u32 = 32;
const IDENTITY: u64 = !(PENDING | LINKED | LISTENS);

struct Slot {
    word: AtomicU64,
    /// The slot below this one in the inbox.
    next: AtomicU32,
}

/// All slots of one reactor number, and the inbox of those that other threads notified.
pub(crate) struct Slots {
    chunks: [OnceLock<Box<[Slot]>>; CHUNKS],
    len: AtomicU32,
    inbox: AtomicU32,
}

fn identity(kind: Option<Kind>, generation: u32) -> u64 {
    kind.map_or(0, |kind| (kind as u64) << KIND_SHIFT) | u64::from(generation) << GENERATION_SHIFT
}

fn place(slot: u32) -> (usize, usize) {
    let shifted = slot + FIRST_CHUNK;
    let chunk = shifted.ilog2() - FIRST_CHUNK.ilog2();
    (chunk as usize, (shifted - (FIRST_CHUNK << chunk)) as usize)
}

impl Slots {
    pub(crate) const fn new() -> Slots {
        Slots {
            chunks: [const { OnceLock::new() }; CHUNKS],
            len: AtomicU32::new(0),
            inbox: AtomicU32::new(NIL),
        }
    }

    /// How many slots were ever made.
    pub(crate) fn len(&self) -> u32 {
        self.len.load(Ordering::Acquire)
    }

    fn get(&self, slot: u32) -> Option<&Slot> {
        let (chunk, index) = place(slot);
        self.chunks.get(chunk)?.get()?.get(index)
    }

    /// Makes one more slot. Owner only.
    pub(crate) fn grow(&self) -> Option<u32> {
        let slot = self.len.load(Ordering::Relaxed);
        if slot as usize >= MAX_SLOTS {
            return None;
        }
        let (chunk, _) = place(slot);
        self.chunks[chunk].get_or_init(|| {
            (0..FIRST_CHUNK << chunk)
                .map(|_| Slot {
                    word: AtomicU64::new(identity(None, 1)),
                    next: AtomicU32::new(NIL),
                })
                .collect()
        });
        self.len.store(slot + 1, Ordering::Release);
        Some(slot)
    }

    /// Whether the slot holds nothing and has generations left.
    pub(crate) fn is_free(&self, slot: u32) -> bool {
        self.get(slot).is_some_and(|slot| {
            let word = slot.word.load(Ordering::Relaxed);
            word & (0xf << KIND_SHIFT) == 0 && (word >> GENERATION_SHIFT) as u32 <= MAX_GENERATION
        })
    }

    /// Gives a free slot to an object, which other threads may notify if it `listens`; returns the
    /// object's generation. Owner only.
    pub(crate) fn occupy(&self, slot: u32, kind: Kind, listens: bool) -> u32 {
        let word = &self.get(slot).expect("a slot that was made").word;
        // Nobody else changes a free slot: its word matches no token.
        let listens = if listens { LISTENS } else { 0 };
        let before = word.fetch_or(identity(Some(kind), 0) | listens, Ordering::AcqRel);
        debug_assert_eq!(before & (0xf << KIND_SHIFT), 0);
        (before >> GENERATION_SHIFT) as u32
    }

    /// Ends the object in a slot: every token of it is stale from here on. Answers whether the
    /// slot can be used again. Owner only.
    pub(crate) fn vacate(&self, slot: u32) -> bool {
        let word = &self.get(slot).expect("a slot that was made").word;
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let generation = (seen >> GENERATION_SHIFT) as u32 + 1;
            // LINKED stays: the slot may still lie in the inbox, and must not be pushed twice.
            let next = identity(None, generation) | seen & LINKED;
            match word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return generation <= MAX_GENERATION,
                Err(now) => seen = now,
            }
        }
    }

    /// The token of the object in an occupied slot. Owner only.
    pub(crate) fn token(&self, kind: Kind, reactor: u16, slot: u32) -> Token {
        let word = self.get(slot).expect("a slot that was made").word.load(Ordering::Relaxed);
        Token::new(kind, reactor, (word >> GENERATION_SHIFT) as u32, slot)
    }

    /// Whether the token's object still lives. Any thread.
    pub(crate) fn is_live(&self, token: Token) -> bool {
        self.get(token.slot()).is_some_and(|slot| {
            // Without a kind it would be equal to a free slot's.
            token.kind().is_some()
                && slot.word.load(Ordering::Acquire) & IDENTITY
                    == identity(token.kind(), token.generation())
        })
    }

    /// Adds `bits` to what was notified of the token's object. Answers whether the inbox was
    /// empty of it before, in which case the owner may have to be woken. Any thread.
    pub(crate) fn notify(&self, token: Token, bits: Readiness) -> Result<bool> {
        let slot = self.get(token.slot()).ok_or_else(stale)?;
        let wanted = identity(token.kind(), token.generation());
        let bits = u64::from(bits.bits()) & PENDING;
        let mut seen = slot.word.load(Ordering::Relaxed);
        loop {
            if seen & IDENTITY != wanted || wanted == 0 {
                return Err(stale());
            }
            if seen & LISTENS == 0 {
                return Err(not_an_event());
            }
            let next = seen | bits | LINKED;
            if next == seen {
                // The same bits, still to be drained: the drain's swap sees what was written
                // before this, since the word has to be read again with Acquire.
                match slot.word.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                    Ok(_) => return Ok(false),
                    Err(now) => seen = now,
                }
                continue;
            }
            match slot.word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if seen & LINKED != 0 => return Ok(false),
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        let mut head = self.inbox.load(Ordering::Relaxed);
        loop {
            slot.next.store(head, Ordering::Relaxed);
            // Push only, and taken whole: the stack has no ABA problem. SeqCst orders the push
            // before the look at whether the owner sleeps.
            match self.inbox.compare_exchange_weak(
                head,
                token.slot(),
                Ordering::SeqCst,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(true),
                Err(now) => head = now,
            }
        }
    }

    /// Whether other threads have notified anything that was not drained. Owner only.
    pub(crate) fn has_notices(&self) -> bool {
        self.inbox.load(Ordering::SeqCst) != NIL
    }

    /// Takes everything notified, oldest first. Owner only.
    pub(crate) fn drain(&self, mut each: impl FnMut(u32, Readiness)) {
        let mut newest = self.inbox.swap(NIL, Ordering::SeqCst);
        if newest == NIL {
            return;
        }
        // The stack is newest first; turn it round in place.
        let mut oldest = NIL;
        while newest != NIL {
            let slot = self.get(newest).expect("a linked slot");
            let below = slot.next.load(Ordering::Relaxed);
            slot.next.store(oldest, Ordering::Relaxed);
            oldest = newest;
            newest = below;
        }
        while oldest != NIL {
            let slot = self.get(oldest).expect("a linked slot");
            // Read before LINKED is cleared: from then on another thread may push it again.
            let after = slot.next.load(Ordering::Relaxed);
            let word = slot.word.fetch_and(!(PENDING | LINKED), Ordering::AcqRel);
            let bits = Readiness::from_bits_truncate((word & PENDING) as u32);
            if !bits.is_empty() && word & (0xf << KIND_SHIFT) != 0 {
                each(oldest, bits);
            }
            oldest = after;
        }
    }
}

/// The answer to a notify of what tells by itself.
pub(crate) fn not_an_event() -> Error {
    Error::new(
        Status::Invalid,
        "only an event can be notified: what stands behind this waitable tells by itself",
    )
}

/// The answer to every token that outlived its object.
pub(crate) fn stale() -> Error {
    Error::new(
        Status::Stale,
        "the token names nothing that lives: its object ended, or it never was one; drop it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occupied(slots: &Slots, kind: Kind) -> Token {
        let slot = slots.grow().unwrap();
        Token::new(kind, 0, slots.occupy(slot, kind, true), slot)
    }

    #[test]
    fn every_slot_has_a_place_of_its_own() {
        let mut expected = (0, 0);
        for slot in 0..10_000 {
            let (chunk, index) = place(slot);
            assert_eq!((chunk, index), expected);
            expected = if index + 1 == (FIRST_CHUNK << chunk) as usize {
                (chunk + 1, 0)
            } else {
                (chunk, index + 1)
            };
        }
        assert!(place(MAX_SLOTS as u32 - 1).0 < CHUNKS);
    }

    #[test]
    fn a_token_is_stale_once_its_object_ended() {
        let slots = Slots::new();
        let token = occupied(&slots, Kind::Waitable);
        assert!(slots.is_live(token));
        assert!(slots.vacate(token.slot()));
        assert!(!slots.is_live(token));
        assert_eq!(slots.notify(token, Readiness::READABLE).unwrap_err().status(), Status::Stale);
        let generation = slots.occupy(token.slot(), Kind::Waitable, true);
        assert_eq!(generation, token.generation() + 1);
        assert!(!slots.is_live(token));
    }

    #[test]
    fn a_token_of_another_kind_is_stale() {
        let slots = Slots::new();
        let token = occupied(&slots, Kind::Waitable);
        let forged = Token::new(Kind::Wait, 0, token.generation(), token.slot());
        assert!(!slots.is_live(forged));
    }

    #[test]
    fn notices_are_merged_and_drained_in_order() {
        let slots = Slots::new();
        let a = occupied(&slots, Kind::Waitable);
        let b = occupied(&slots, Kind::Waitable);
        assert!(slots.notify(b, Readiness::READABLE).unwrap());
        assert!(slots.notify(a, Readiness::WRITABLE).unwrap());
        assert!(!slots.notify(b, Readiness::PRIORITY).unwrap());
        assert!(!slots.notify(b, Readiness::PRIORITY).unwrap());
        let mut seen = Vec::new();
        slots.drain(|slot, bits| seen.push((slot, bits)));
        assert_eq!(
            seen,
            [
                (b.slot(), Readiness::READABLE | Readiness::PRIORITY),
                (a.slot(), Readiness::WRITABLE)
            ]
        );
        assert!(!slots.has_notices());
    }

    #[test]
    fn what_was_notified_of_an_ended_object_does_not_reach_the_next_one() {
        let slots = Slots::new();
        let old = occupied(&slots, Kind::Waitable);
        slots.notify(old, Readiness::READABLE).unwrap();
        slots.vacate(old.slot());
        let new = Token::new(
            Kind::Waitable,
            0,
            slots.occupy(old.slot(), Kind::Waitable, true),
            old.slot(),
        );
        // Still linked: the new object's notice travels with the old link.
        assert!(!slots.notify(new, Readiness::WRITABLE).unwrap());
        let mut seen = Vec::new();
        slots.drain(|slot, bits| seen.push((slot, bits)));
        assert_eq!(seen, [(new.slot(), Readiness::WRITABLE)]);
    }

    #[test]
    fn no_notice_is_lost_between_threads() {
        const ROUNDS: u32 = 20_000;
        let slots = Slots::new();
        let tokens: Vec<Token> = (0..8).map(|_| occupied(&slots, Kind::Waitable)).collect();
        let left = AtomicU32::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..ROUNDS {
                        let token = tokens[round as usize % tokens.len()];
                        slots.notify(token, Readiness::READABLE).unwrap();
                    }
                    left.fetch_sub(1, Ordering::Release);
                });
            }
            let mut last = vec![false; tokens.len()];
            loop {
                let finished = left.load(Ordering::Acquire) == 0;
                slots.drain(|slot, _| last[slot as usize] = true);
                if finished {
                    break;
                }
                std::thread::yield_now();
            }
            assert!(last.iter().all(|seen| *seen));
            assert!(!slots.has_notices());
        });
    }
}
