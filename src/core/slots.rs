//! Slot words: the part of every object that any thread may look at.
//!
//! One atomic word a slot holds kind, generation and what other threads have notified: bits, and
//! for counters how often. A notify is a compare-and-swap and a push to an intrusive stack. Slots
//! lie in chunks that are never returned, so a token that outlived its object meets a word that
//! does not match, never freed memory. The next reactor of the same number inherits slots and
//! generations.
//!
//! Other threads change a word only by a compare-and-swap from a value that has LISTENS and their
//! token's kind and generation. A generation never comes back, so a word that was free or did not
//! listen when its owner looked stays so until the owner itself changes it: no locked instruction
//! is needed to occupy a slot, nor to vacate one that does not listen.

use std::sync::OnceLock;

use super::readiness::Readiness;
use super::sync::{AtomicU32, AtomicU64, Ordering};
use super::token::{Kind, MAX_GENERATION, MAX_SLOTS, Token};
use crate::error::{Error, Fixed, Result, Status};

/// The number that names no slot.
pub(crate) const NIL: u32 = u32::MAX;

/// Few in a model, which makes them anew for each order that it tries.
const FIRST_CHUNK: u32 = if cfg!(loom) { 2 } else { 64 };
/// One for each bit that may be the highest of a slot's number plus 64; the first six stay empty.
const CHUNKS: usize = 32;

// A word, from the lowest bit: pending readiness (6), LINKED, LISTENS, COUNTS, kind (4, none: the
// slot is free), count (25), generation (26, 0: none is left).
const PENDING: u64 = (1 << 6) - 1;
/// In the inbox, or about to be pushed.
const LINKED: u64 = 1 << 6;
/// Other threads may notify it.
const LISTENS: u64 = 1 << 7;
/// Each notify of it counts.
const COUNTS: u64 = 1 << 8;
const KIND_SHIFT: u32 = 9;
const KIND: u64 = 0xf << KIND_SHIFT;
const ONCE: u64 = 1 << 13;
const COUNT: u64 = (MAX_COUNT as u64) * ONCE;
const GENERATION_SHIFT: u32 = 38;
const IDENTITY: u64 = KIND | (MAX_GENERATION as u64) << GENERATION_SHIFT;

/// How many notifies of a counter may lie in the inbox.
pub(crate) const MAX_COUNT: u32 = (1 << 25) - 1;

/// What of an object other threads may notify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listens {
    /// Nothing.
    No,
    /// That it happened, however often.
    Flag,
    /// How often.
    Counter,
}

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
    /// What was taken from the inbox, oldest first, and not drained yet. Owner only.
    turned: AtomicU32,
}

fn identity(kind: Option<Kind>, generation: u32) -> u64 {
    kind.map_or(0, |kind| (kind as u64) << KIND_SHIFT) | u64::from(generation) << GENERATION_SHIFT
}

/// The word of a free slot.
fn free(generation: u32) -> u64 {
    identity(None, generation)
}

fn generation(word: u64) -> u32 {
    (word >> GENERATION_SHIFT) as u32
}

/// A slot's chunk, and its place there. Chunks double in size, 64, 128, 256, ..., so that the highest
/// bit of the number plus 64 names the chunk, and the bits below it the place.
#[inline]
fn place(slot: u32) -> (usize, usize) {
    let shifted = slot.wrapping_add(FIRST_CHUNK);
    // The lowest bit decides nothing, and spares the case of zero.
    let highest = (shifted | 1).ilog2();
    (highest as usize, (shifted ^ 1 << highest) as usize)
}

impl Slots {
    pub(crate) fn new() -> Slots {
        Slots {
            chunks: [const { OnceLock::new() }; CHUNKS],
            len: AtomicU32::new(0),
            inbox: AtomicU32::new(NIL),
            turned: AtomicU32::new(NIL),
        }
    }

    /// How many slots were ever made.
    pub(crate) fn len(&self) -> u32 {
        self.len.load(Ordering::Acquire)
    }

    #[inline]
    fn get(&self, slot: u32) -> Option<&Slot> {
        let (chunk, index) = place(slot);
        self.chunks.get(chunk)?.get()?.get(index)
    }

    /// The word of a slot that was made.
    #[inline]
    fn word(&self, slot: u32) -> &AtomicU64 {
        &self.get(slot).expect("a slot that was made").word
    }

    /// Makes one more slot. Owner only.
    pub(crate) fn grow(&self) -> Option<u32> {
        let slot = self.len.load(Ordering::Relaxed);
        if slot as usize >= MAX_SLOTS {
            return None;
        }
        let (chunk, _) = place(slot);
        self.chunks[chunk].get_or_init(|| {
            (0..1u32 << chunk)
                .map(|_| Slot { word: AtomicU64::new(free(1)), next: AtomicU32::new(NIL) })
                .collect()
        });
        self.len.store(slot + 1, Ordering::Release);
        Some(slot)
    }

    /// Whether the slot holds nothing and has generations left.
    pub(crate) fn is_free(&self, slot: u32) -> bool {
        self.get(slot).is_some_and(|slot| {
            let word = slot.word.load(Ordering::Relaxed);
            word & KIND == 0 && generation(word) != 0
        })
    }

    /// Gives a free slot to an object; returns the object's generation. Owner only.
    pub(crate) fn occupy(&self, slot: u32, kind: Kind, listens: Listens) -> u32 {
        let word = self.word(slot);
        let before = word.load(Ordering::Relaxed);
        debug_assert!(before & KIND == 0 && generation(before) != 0, "a free slot");
        let listens = match listens {
            Listens::No => 0,
            Listens::Flag => LISTENS,
            Listens::Counter => LISTENS | COUNTS,
        };
        // LINKED may be set: the slot lies in the inbox since its last object.
        word.store(before | identity(Some(kind), 0) | listens, Ordering::Release);
        generation(before)
    }

    /// Ends the object in a slot: every token of it is stale from here on. Answers whether the
    /// slot can be used again. Owner only.
    pub(crate) fn vacate(&self, slot: u32) -> bool {
        let word = self.word(slot);
        let mut seen = word.load(Ordering::Relaxed);
        // The last one is followed by 0, with which a slot is never used again.
        let generation = (generation(seen) + 1) & MAX_GENERATION;
        // LINKED stays: the slot may still lie in the inbox, and must not be pushed twice.
        if seen & LISTENS == 0 {
            word.store(free(generation) | seen & LINKED, Ordering::Release);
        } else {
            while let Err(now) = word.compare_exchange_weak(
                seen,
                free(generation) | seen & LINKED,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                seen = now;
            }
        }
        generation != 0
    }

    /// The token of the object in an occupied slot. Owner only.
    pub(crate) fn token(&self, kind: Kind, reactor: u16, slot: u32) -> Token {
        Token::new(kind, reactor, generation(self.word(slot).load(Ordering::Relaxed)), slot)
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

    /// Adds `bits` to what was notified of the token's object, and counts if it is a counter.
    /// Answers whether the inbox was empty of it before, in which case the owner may have to be
    /// woken. Any thread.
    pub(crate) fn notify(&self, token: Token, bits: Readiness) -> Result<bool> {
        let slot = self.get(token.slot()).ok_or_else(stale)?;
        let wanted = identity(token.kind(), token.generation());
        let set = u64::from(bits.bits()) & PENDING | LINKED;
        let mut seen = slot.word.load(Ordering::Relaxed);
        loop {
            // Without a kind it would be equal to a free slot's.
            if seen & IDENTITY != wanted || wanted & KIND == 0 {
                return Err(stale());
            }
            if seen & LISTENS == 0 {
                return Err(not_an_event());
            }
            let mut next = seen | set;
            if seen & COUNTS != 0 {
                if seen & COUNT == COUNT {
                    return Err(FULL.error());
                }
                next += ONCE;
            }
            // Also where nothing changes: the drain that takes these bits must see what the
            // caller wrote before.
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
        self.inbox.load(Ordering::SeqCst) != NIL || self.turned.load(Ordering::Relaxed) != NIL
    }

    /// Takes everything notified, oldest first, and how often: 1 for what does not count. Owner
    /// only.
    pub(crate) fn drain(&self, each: impl FnMut(u32, Readiness, u64)) {
        self.drain_some(usize::MAX, each);
    }

    /// The same for at most `limit` objects; the rest comes first the next time. Answers how many
    /// there were.
    pub(crate) fn drain_some(
        &self,
        limit: usize,
        mut each: impl FnMut(u32, Readiness, u64),
    ) -> usize {
        let mut done = 0;
        let mut oldest = self.turned.load(Ordering::Relaxed);
        let mut looked = false;
        while done < limit {
            if oldest == NIL {
                // Once: those who never cease to notify would otherwise keep the owner here.
                if std::mem::replace(&mut looked, true) {
                    break;
                }
                oldest = self.turn_round();
                continue;
            }
            done += 1;
            let slot = self.get(oldest).expect("a linked slot");
            // Read before LINKED is cleared: from then on another thread may push it again.
            let after = slot.next.load(Ordering::Relaxed);
            let word = slot.word.fetch_and(!(PENDING | LINKED | COUNT), Ordering::AcqRel);
            let bits = Readiness::from_bits_truncate((word & PENDING) as u32);
            // Nothing is pending where the object that was notified ended.
            if !bits.is_empty() {
                let times = if word & COUNTS != 0 { (word & COUNT) / ONCE } else { 1 };
                each(oldest, bits, times);
            }
            oldest = after;
        }
        self.turned.store(oldest, Ordering::Relaxed);
        done
    }

    /// Takes the inbox, whose newest is on top, and turns it round in place.
    fn turn_round(&self) -> u32 {
        let mut newest = self.inbox.swap(NIL, Ordering::SeqCst);
        let mut oldest = NIL;
        while newest != NIL {
            let slot = self.get(newest).expect("a linked slot");
            let below = slot.next.load(Ordering::Relaxed);
            slot.next.store(oldest, Ordering::Relaxed);
            oldest = newest;
            newest = below;
        }
        oldest
    }
}

// Made once: a notify allocates nothing, whatever it answers.
static FULL: Fixed = Fixed::new(
    Status::Limit,
    "the counter was notified 33,554,431 times since its reactor last turned: have the reactor turn, \
     then notify again",
);
static NOT_AN_EVENT: Fixed = Fixed::new(
    Status::Invalid,
    "events, counters and foreign waitables are notified: what stands behind this one tells by \
     itself",
);
static STALE: Fixed = Fixed::new(
    Status::Stale,
    "the token names nothing that lives: its object ended, or it never was one; drop it",
);

/// Makes the answers that a notify may have to give.
pub(crate) fn prepare_answers() {
    for answer in [&FULL, &NOT_AN_EVENT, &STALE] {
        answer.error();
    }
}

/// The answer to a notify of what tells by itself.
pub(crate) fn not_an_event() -> Error {
    NOT_AN_EVENT.error()
}

/// The answer to every token that outlived its object.
pub(crate) fn stale() -> Error {
    STALE.error()
}

#[cfg(all(test, loom))]
mod loom_models;

#[cfg(test)]
mod tests {
    use super::*;

    fn occupied(slots: &Slots, listens: Listens) -> Token {
        let slot = slots.grow().unwrap();
        Token::new(Kind::Waitable, 0, slots.occupy(slot, Kind::Waitable, listens), slot)
    }

    fn drained(slots: &Slots) -> Vec<(u32, Readiness, u64)> {
        let mut seen = Vec::new();
        slots.drain(|slot, bits, times| seen.push((slot, bits, times)));
        seen
    }

    #[test]
    fn every_slot_has_a_place_of_its_own() {
        let mut expected = (FIRST_CHUNK.ilog2() as usize, 0);
        for slot in 0..10_000 {
            let (chunk, index) = place(slot);
            assert_eq!((chunk, index), expected);
            expected = if index + 1 == 1 << chunk { (chunk + 1, 0) } else { (chunk, index + 1) };
        }
        assert!(place(MAX_SLOTS as u32 - 1).0 < CHUNKS);
    }

    #[test]
    fn a_token_is_stale_once_its_object_ended() {
        let slots = Slots::new();
        let token = occupied(&slots, Listens::Flag);
        assert!(slots.is_live(token));
        assert!(slots.vacate(token.slot()));
        assert!(!slots.is_live(token));
        assert_eq!(slots.notify(token, Readiness::READABLE).unwrap_err().status(), Status::Stale);
        let generation = slots.occupy(token.slot(), Kind::Waitable, Listens::Flag);
        assert_eq!(generation, token.generation() + 1);
        assert!(!slots.is_live(token));
    }

    #[test]
    fn a_token_of_another_kind_is_stale() {
        let slots = Slots::new();
        let token = occupied(&slots, Listens::Flag);
        let forged = Token::new(Kind::Wait, 0, token.generation(), token.slot());
        assert!(!slots.is_live(forged));
    }

    #[test]
    fn notices_are_merged_and_drained_in_order() {
        let slots = Slots::new();
        let a = occupied(&slots, Listens::Flag);
        let b = occupied(&slots, Listens::Flag);
        assert!(slots.notify(b, Readiness::READABLE).unwrap());
        assert!(slots.notify(a, Readiness::WRITABLE).unwrap());
        assert!(!slots.notify(b, Readiness::PRIORITY).unwrap());
        assert!(!slots.notify(b, Readiness::PRIORITY).unwrap());
        assert_eq!(
            drained(&slots),
            [
                (b.slot(), Readiness::READABLE | Readiness::PRIORITY, 1),
                (a.slot(), Readiness::WRITABLE, 1)
            ]
        );
        assert!(!slots.has_notices());
    }

    #[test]
    fn what_was_notified_of_an_ended_object_does_not_reach_the_next_one() {
        let slots = Slots::new();
        let old = occupied(&slots, Listens::Flag);
        slots.notify(old, Readiness::READABLE).unwrap();
        slots.vacate(old.slot());
        let new = Token::new(
            Kind::Waitable,
            0,
            slots.occupy(old.slot(), Kind::Waitable, Listens::Flag),
            old.slot(),
        );
        // Still linked: the new object's notice travels with the old link.
        assert!(!slots.notify(new, Readiness::WRITABLE).unwrap());
        assert_eq!(drained(&slots), [(new.slot(), Readiness::WRITABLE, 1)]);
    }

    #[test]
    fn a_counter_tells_how_often_it_was_notified() {
        let slots = Slots::new();
        let counter = occupied(&slots, Listens::Counter);
        assert!(slots.notify(counter, Readiness::READABLE).unwrap());
        assert!(!slots.notify(counter, Readiness::READABLE).unwrap());
        assert!(!slots.notify(counter, Readiness::WRITABLE).unwrap());
        let both = Readiness::READABLE | Readiness::WRITABLE;
        assert_eq!(drained(&slots), [(counter.slot(), both, 3)]);
        assert!(slots.notify(counter, Readiness::READABLE).unwrap());
        assert_eq!(drained(&slots), [(counter.slot(), Readiness::READABLE, 1)]);
    }

    #[test]
    fn the_count_of_an_ended_counter_does_not_reach_the_next_one() {
        let slots = Slots::new();
        let old = occupied(&slots, Listens::Counter);
        slots.notify(old, Readiness::READABLE).unwrap();
        slots.notify(old, Readiness::READABLE).unwrap();
        slots.vacate(old.slot());
        let generation = slots.occupy(old.slot(), Kind::Waitable, Listens::Counter);
        let new = Token::new(Kind::Waitable, 0, generation, old.slot());
        slots.notify(new, Readiness::WRITABLE).unwrap();
        assert_eq!(drained(&slots), [(new.slot(), Readiness::WRITABLE, 1)]);
    }

    #[test]
    fn a_counter_that_is_full_refuses_and_stays_as_it_was() {
        let slots = Slots::new();
        let counter = occupied(&slots, Listens::Counter);
        slots.notify(counter, Readiness::READABLE).unwrap();
        let word = slots.word(counter.slot());
        word.fetch_add(u64::from(MAX_COUNT - 2) * ONCE, Ordering::Relaxed);
        slots.notify(counter, Readiness::READABLE).unwrap();
        let error = slots.notify(counter, Readiness::WRITABLE).unwrap_err();
        assert_eq!(error.status(), Status::Limit);
        assert!(error.message().replace(',', "").contains(&MAX_COUNT.to_string()));
        assert!(slots.is_live(counter));
        assert_eq!(drained(&slots), [(counter.slot(), Readiness::READABLE, u64::from(MAX_COUNT))]);
        slots.notify(counter, Readiness::WRITABLE).unwrap();
        assert_eq!(drained(&slots), [(counter.slot(), Readiness::WRITABLE, 1)]);
    }

    #[test]
    fn what_does_not_listen_is_not_notified() {
        let slots = Slots::new();
        let wait = occupied(&slots, Listens::No);
        let error = slots.notify(wait, Readiness::READABLE).unwrap_err();
        assert_eq!(error.status(), Status::Invalid);
        assert!(!slots.has_notices());
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_rests() {
        let slots = Slots::new();
        let slot = slots.grow().unwrap();
        slots.word(slot).store(free(MAX_GENERATION), Ordering::Relaxed);
        assert!(slots.is_free(slot));
        let generation = slots.occupy(slot, Kind::Waitable, Listens::Flag);
        assert_eq!(generation, MAX_GENERATION);
        assert!(!slots.vacate(slot));
        assert!(!slots.is_free(slot));
        assert!(!slots.is_live(Token::new(Kind::Waitable, 0, MAX_GENERATION, slot)));
    }

    #[test]
    fn no_notice_is_lost_between_threads() {
        const ROUNDS: u32 = 20_000;
        let slots = Slots::new();
        let tokens: Vec<Token> = (0..8).map(|_| occupied(&slots, Listens::Flag)).collect();
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
                slots.drain(|slot, _, _| last[slot as usize] = true);
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
