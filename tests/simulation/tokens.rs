//! What tokens promise: a name is never given twice, and slots are reused oldest first.

use crate::subject::Class;

/// What a token names, from its highest four bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Waitable = 1,
    Wait = 2,
    Exchange = 3,
}

/// The slot of a token.
pub fn slot(token: u64) -> usize {
    (token & 0x00ff_ffff) as usize
}

fn generation(token: u64) -> u32 {
    (token >> 24) as u32 & 0x03ff_ffff
}

struct Slot {
    generation: u32,
    lives: bool,
    /// When its object ended, and since when it is surely free.
    ended: u64,
    freed: Option<u64>,
    held: Option<Held>,
}

/// For what a slot is kept although its object ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The members of a completion may be asked for until the next turn,
    Turn,
    /// or until the code of this exchange returns.
    Step(u32),
    /// The wait was forgotten, but lies in a queue of completions.
    Queue(Class),
}

/// Every slot, and every token that named something once.
#[derive(Default)]
pub struct Tokens {
    slots: Vec<Slot>,
    pub dead: Vec<u64>,
    ended: u64,
    /// How often a slot was used again.
    pub reused: u64,
}

/// How many dead tokens are kept, of every age.
const KEPT: usize = 256;

impl Tokens {
    /// A new object was given this token.
    pub fn given(&mut self, token: u64, kind: Named, step: u64) {
        assert_eq!(token >> 60, kind as u64, "the kind in token {token:#x}");
        let at = slot(token);
        assert!(at <= self.slots.len(), "slot {at} was taken before {}", self.slots.len());
        if at == self.slots.len() {
            let free = self.slots.iter().position(|slot| slot.freed.is_some());
            assert_eq!(free, None, "a slot that is free, while slot {at} was made");
            self.slots.push(Slot {
                generation: 0,
                lives: false,
                ended: 0,
                freed: None,
                held: None,
            });
        } else {
            let ended = self.slots[at].ended;
            let older = self.slots.iter().position(|slot| slot.freed.is_some_and(|at| at < ended));
            assert_eq!(older, None, "a slot that was free before {at} was, which was reused");
            self.reused += 1;
        }
        let slot = &mut self.slots[at];
        assert!(!slot.lives, "slot {at} was given twice");
        assert!(
            generation(token) > slot.generation,
            "generation {} of slot {at} was given before",
            generation(token)
        );
        *slot = Slot {
            generation: generation(token),
            lives: true,
            ended: step,
            freed: None,
            held: None,
        };
    }

    fn bury(&mut self, token: u64, step: u64) -> &mut Slot {
        self.ended += 1;
        if self.dead.len() < KEPT {
            self.dead.push(token);
        } else {
            // The youngest are many; of the older ones ever fewer are left.
            let at = (self.ended.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize;
            self.dead[at % KEPT] = token;
        }
        let slot = &mut self.slots[slot(token)];
        (slot.lives, slot.ended) = (false, step);
        slot
    }

    /// An object ended, and its slot is free, or held for a while.
    pub fn ended(&mut self, token: u64, held: Option<Held>, step: u64) {
        let slot = self.bury(token, step);
        slot.held = held;
        slot.freed = held.is_none().then_some(step);
    }

    /// What slots were held for is over.
    pub fn released(&mut self, held: Held, step: u64) {
        for slot in &mut self.slots {
            if slot.held == Some(held) {
                (slot.held, slot.freed) = (None, Some(step));
            }
        }
    }

    /// Everything ended at once.
    pub fn all_ended(&mut self, step: u64) {
        for slot in &mut self.slots {
            slot.lives = false;
            (slot.ended, slot.freed, slot.held) = (step, Some(step), None);
        }
    }
}
