//! The 64-bit name of whatever can end: kind, reactor, generation, slot.

use std::fmt;

/// What a token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Anything that can become ready.
    Waitable = 1,
    /// A question that completes.
    Wait = 2,
    /// One request with its response.
    Exchange = 3,
}

/// Names an object of one reactor, and nothing else for as long as the process lives.
///
/// Laid out from the highest bit: kind (4), reactor (10), generation (26), slot (24). A slot's
/// generation advances whenever its object ends, so that a token which outlived its object is
/// recognised; a slot whose generations are used up rests. 0 is no token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Token(u64);

const SLOT_BITS: u32 = 24;
const GENERATION_BITS: u32 = 26;
const REACTOR_BITS: u32 = 10;

/// How many reactors may live at once in a process.
pub const MAX_REACTORS: usize = 1 << REACTOR_BITS;
/// How many objects of all kinds one reactor may hold: the highest number means none.
pub const MAX_SLOTS: usize = (1 << SLOT_BITS) - 1;
/// The last generation of a slot.
pub const MAX_GENERATION: u32 = (1 << GENERATION_BITS) - 1;

impl Token {
    /// No object.
    pub const NONE: Token = Token(0);

    pub(crate) fn new(kind: Kind, reactor: u16, generation: u32, slot: u32) -> Token {
        debug_assert!((reactor as usize) < MAX_REACTORS);
        debug_assert!(generation <= MAX_GENERATION && (slot as usize) < MAX_SLOTS);
        Token(
            (kind as u64) << (SLOT_BITS + GENERATION_BITS + REACTOR_BITS)
                | u64::from(reactor) << (SLOT_BITS + GENERATION_BITS)
                | u64::from(generation) << SLOT_BITS
                | u64::from(slot),
        )
    }

    /// The token with these bits, as C and Java hold it. Any value may be given: what it names is
    /// checked where it is used.
    pub const fn from_bits(bits: u64) -> Token {
        Token(bits)
    }

    /// The bits, as C and Java hold them.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// What it names; `None` if the bits name nothing.
    pub fn kind(self) -> Option<Kind> {
        match self.0 >> (SLOT_BITS + GENERATION_BITS + REACTOR_BITS) {
            1 => Some(Kind::Waitable),
            2 => Some(Kind::Wait),
            3 => Some(Kind::Exchange),
            _ => None,
        }
    }

    /// Whether it names one of these.
    #[inline]
    pub(crate) fn is_of(self, kind: Kind) -> bool {
        self.0 >> (SLOT_BITS + GENERATION_BITS + REACTOR_BITS) == kind as u64
    }

    pub(crate) fn reactor(self) -> u16 {
        (self.0 >> (SLOT_BITS + GENERATION_BITS)) as u16 & (MAX_REACTORS as u16 - 1)
    }

    pub(crate) fn generation(self) -> u32 {
        (self.0 >> SLOT_BITS) as u32 & MAX_GENERATION
    }

    pub(crate) fn slot(self) -> u32 {
        self.0 as u32 & ((1 << SLOT_BITS) - 1)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            Some(kind) => write!(
                f,
                "{kind:?}({}:{} generation {})",
                self.reactor(),
                self.slot(),
                self.generation()
            ),
            None => write!(f, "Token({:#x})", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_gives_back_what_it_was_made_of() {
        for kind in [Kind::Waitable, Kind::Wait, Kind::Exchange] {
            for (reactor, generation, slot) in
                [(0, 1, 0), (1023, MAX_GENERATION, (MAX_SLOTS - 1) as u32), (7, 4711, 1234)]
            {
                let token = Token::new(kind, reactor, generation, slot);
                assert_eq!(token.kind(), Some(kind));
                assert_eq!(token.reactor(), reactor);
                assert_eq!(token.generation(), generation);
                assert_eq!(token.slot(), slot);
                assert_eq!(Token::from_bits(token.to_bits()), token);
            }
        }
    }

    #[test]
    fn wild_bits_are_no_kind() {
        for bits in [0, 1, u64::MAX, 4 << 60, 15 << 60] {
            assert_eq!(Token::from_bits(bits).kind(), None);
        }
    }
}
