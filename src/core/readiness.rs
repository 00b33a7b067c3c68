//! What one waits for, and what has happened: the same bits.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Not};

/// A set of conditions of a waitable. As an *interest* it says what is waited for, as a
/// *readiness* what has happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Readiness(u32);

impl Readiness {
    /// Nothing.
    pub const NONE: Readiness = Readiness(0);
    /// Data, a connection or the end of the stream can be read without waiting.
    pub const READABLE: Readiness = Readiness(1);
    /// Something can be written without waiting.
    pub const WRITABLE: Readiness = Readiness(2);
    /// Urgent data.
    pub const PRIORITY: Readiness = Readiness(4);
    /// The peer will send no more. Reported where READABLE or READ_CLOSED is asked.
    pub const READ_CLOSED: Readiness = Readiness(8);
    /// Both directions are closed. Completes every wait.
    pub const HANGUP: Readiness = Readiness(16);
    /// An error is pending. Completes every wait.
    pub const ERROR: Readiness = Readiness(32);

    // The host's half of an exchange.
    /// The head of the response is known.
    pub const HEAD: Readiness = Readiness(1 << 8);
    /// Output can be taken.
    pub const BODY: Readiness = Readiness(1 << 9);
    /// Input is wanted.
    pub const ROOM: Readiness = Readiness(1 << 10);
    /// The response is complete.
    pub const END: Readiness = Readiness(1 << 11);
    /// The response cannot be completed: close the connection.
    pub const ABORT: Readiness = Readiness(1 << 12);

    /// What may be asked for.
    pub const INTERESTS: Readiness = Readiness(63);
    /// What completes every wait, asked or not.
    pub const ALWAYS: Readiness = Readiness(16 | 32);

    /// The set with these bits; `None` if one of them is unknown.
    pub const fn from_bits(bits: u32) -> Option<Readiness> {
        if bits & !(63 | 31 << 8) == 0 { Some(Readiness(bits)) } else { None }
    }

    /// The bits, as C and Java hold them.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether it holds nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` is in it.
    pub const fn contains(self, other: Readiness) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in it.
    pub const fn intersects(self, other: Readiness) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn from_bits_truncate(bits: u32) -> Readiness {
        Readiness(bits & (63 | 31 << 8))
    }

    /// What of this readiness a wait with `interest` is told. READ_CLOSED comes where READABLE is
    /// asked, HANGUP and ERROR always.
    pub(crate) fn seen_by(self, interest: Readiness) -> Readiness {
        let mut mask = interest | Readiness::ALWAYS;
        if interest.intersects(Readiness::READABLE) {
            mask |= Readiness::READ_CLOSED;
        }
        self & mask
    }
}

impl BitOr for Readiness {
    type Output = Readiness;
    fn bitor(self, other: Readiness) -> Readiness {
        Readiness(self.0 | other.0)
    }
}

impl BitOrAssign for Readiness {
    fn bitor_assign(&mut self, other: Readiness) {
        self.0 |= other.0;
    }
}

impl BitAnd for Readiness {
    type Output = Readiness;
    fn bitand(self, other: Readiness) -> Readiness {
        Readiness(self.0 & other.0)
    }
}

impl Not for Readiness {
    type Output = Readiness;
    fn not(self) -> Readiness {
        Readiness(!self.0 & (63 | 31 << 8))
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(u32, &str); 11] = [
            (1, "READABLE"),
            (2, "WRITABLE"),
            (4, "PRIORITY"),
            (8, "READ_CLOSED"),
            (16, "HANGUP"),
            (32, "ERROR"),
            (1 << 8, "HEAD"),
            (1 << 9, "BODY"),
            (1 << 10, "ROOM"),
            (1 << 11, "END"),
            (1 << 12, "ABORT"),
        ];
        let mut first = true;
        for (bit, name) in NAMES {
            if self.0 & bit != 0 {
                if !first {
                    f.write_str("|")?;
                }
                f.write_str(name)?;
                first = false;
            }
        }
        if first { f.write_str("NONE") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hangup_and_error_are_seen_by_every_interest() {
        let happened = Readiness::HANGUP | Readiness::ERROR;
        assert_eq!(happened.seen_by(Readiness::WRITABLE), happened);
    }

    #[test]
    fn a_closed_peer_is_seen_where_readable_is_asked_and_nowhere_else() {
        assert_eq!(Readiness::READ_CLOSED.seen_by(Readiness::READABLE), Readiness::READ_CLOSED);
        assert_eq!(Readiness::READ_CLOSED.seen_by(Readiness::READ_CLOSED), Readiness::READ_CLOSED);
        assert_eq!(Readiness::READ_CLOSED.seen_by(Readiness::WRITABLE), Readiness::NONE);
    }

    #[test]
    fn data_does_not_complete_a_wait_for_the_end() {
        assert_eq!(Readiness::READABLE.seen_by(Readiness::READ_CLOSED), Readiness::NONE);
    }

    #[test]
    fn unknown_bits_are_refused() {
        assert_eq!(Readiness::from_bits(64), None);
        assert_eq!(Readiness::from_bits(1 << 13), None);
        assert_eq!(Readiness::from_bits(63), Some(Readiness::INTERESTS));
    }
}
