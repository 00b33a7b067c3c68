//! Which of the reactor's waits each of Java's is. Java names them by slot and generation; the
//! reactor's own tokens never cross.

use crate::core::{Completion, Token};
use crate::error::{Error, Result, Status};

/// Java's slots lie below this.
const SLOTS: usize = 1 << 24;

/// In the bits of a token that none has set: its last completion was delivered.
const DELIVERED: u64 = 1 << 63;

/// A wait's two names. Without one it is all zeros.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Names {
    user_data: u64,
    /// The token's bits, and perhaps DELIVERED.
    wait: u64,
}

impl Names {
    fn lives(self) -> bool {
        self.wait != 0 && self.wait & DELIVERED == 0
    }

    fn token(self) -> Token {
        Token::from_bits(self.wait & !DELIVERED)
    }
}

/// The waits that Java has armed, by its slots.
#[derive(Default)]
pub(super) struct Waits {
    names: Vec<Names>,
    /// Those that were delivered in the last turn and have lost their slots since.
    before: Vec<Names>,
}

/// The slot is in the lower half of Java's name.
fn slot(user_data: u64) -> usize {
    user_data as u32 as usize
}

impl Waits {
    fn get(&self, user_data: u64) -> Option<Names> {
        let names = *self.names.get(slot(user_data))?;
        (names.user_data == user_data && names.wait != 0).then_some(names)
    }

    /// Sees to it that a wait can be put under this name.
    ///
    /// # Errors
    ///
    /// `Limit` for a slot that is too high; `Busy` for one whose wait has not completed.
    #[inline]
    pub(super) fn check_free(&mut self, user_data: u64) -> Result<()> {
        match self.names.get(slot(user_data)) {
            Some(names) if !names.lives() => Ok(()),
            Some(_) => Err(taken(user_data)),
            None => self.grow(user_data),
        }
    }

    #[cold]
    fn grow(&mut self, user_data: u64) -> Result<()> {
        let slot = slot(user_data);
        if slot >= SLOTS {
            return Err(Error::new(
                Status::Limit,
                format!("slot {slot} is too high for a wait: Java's slots lie below {SLOTS}"),
            ));
        }
        let more = slot + 1 - self.names.len();
        self.names.try_reserve(more).map_err(|_| {
            Error::new(Status::Limit, format!("no memory for {slot} waits: have fewer at once"))
        })?;
        self.names.resize(slot + 1, Names::default());
        Ok(())
    }

    /// Puts a wait under a name that [`check_free`](Waits::check_free) has seen.
    #[inline]
    pub(super) fn put(&mut self, user_data: u64, wait: Token) {
        if let Some(names) = self.names.get_mut(slot(user_data)) {
            *names = Names { user_data, wait: wait.to_bits() };
        }
    }

    /// Keeps for [`delivered_as`](Waits::delivered_as) what may lose its slot before the next turn.
    pub(super) fn keep(&mut self, user_data: u64) {
        if let Some(names) = self.names.get(slot(user_data)).copied() {
            if names.wait & DELIVERED != 0 {
                self.before.push(names);
            }
        }
    }

    /// The wait of this name, if its last completion was not delivered.
    #[inline]
    pub(super) fn living(&self, user_data: u64) -> Option<Token> {
        self.get(user_data).filter(|names| names.lives()).map(Names::token)
    }

    /// Takes the wait of this name away.
    pub(super) fn remove(&mut self, user_data: u64) -> Option<Token> {
        let wait = self.living(user_data)?;
        self.put(user_data, Token::NONE);
        Some(wait)
    }

    /// A completion is about to be delivered. Answers whether it is of one of Java's waits.
    #[inline]
    pub(super) fn deliver(&mut self, completion: &Completion) -> bool {
        match self.names.get_mut(slot(completion.user_data)) {
            Some(names)
                if names.user_data == completion.user_data
                    && names.wait == completion.wait.to_bits() =>
            {
                if !completion.more {
                    names.wait |= DELIVERED;
                }
                true
            }
            _ => false,
        }
    }

    /// Whose completions of the last turn were can be forgotten.
    #[inline]
    pub(super) fn begin_turn(&mut self) {
        self.before.clear();
    }

    /// The wait of which a completion was delivered in the last turn.
    pub(super) fn delivered_as(&self, user_data: u64) -> Option<Token> {
        let known = self.before.iter().copied().find(|names| names.user_data == user_data);
        known.or_else(|| self.get(user_data)).map(Names::token)
    }
}

#[cold]
fn taken(user_data: u64) -> Error {
    Error::new(
        Status::Busy,
        format!(
            "slot {} has a wait that has not completed: take another one for the new wait",
            slot(user_data)
        ),
    )
}
