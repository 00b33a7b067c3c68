//! When which connection has to be looked at.
//!
//! A connection moves its deadline with every byte, and almost none is ever reached. So an entry
//! stays where it is while the deadline moves away from it; when its time comes, the connection
//! is asked for the real one. A busy connection costs one look for each time limit that passes,
//! no timer of its own, and nothing per request.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Names a connection of a worker. The serial tells it from an earlier one in the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) index: u32,
    pub(super) serial: u32,
}

/// Points in time, in nanoseconds of the reactor's clock, and whom they concern.
#[derive(Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(u64, Key)>>,
}

impl Deadlines {
    pub(super) fn push(&mut self, at: u64, key: Key) {
        self.heap.push(Reverse((at, key)));
    }

    /// The earliest; `u64::MAX` if there is none.
    pub(super) fn next(&self) -> u64 {
        self.heap.peek().map_or(u64::MAX, |Reverse((at, _))| *at)
    }

    /// Takes one that is due.
    pub(super) fn pop(&mut self, now: u64) -> Option<(u64, Key)> {
        if self.next() > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_earliest_first_and_nothing_else_comes() {
        let key = |index| Key { index, serial: 1 };
        let mut deadlines = Deadlines::default();
        assert_eq!(deadlines.next(), u64::MAX);
        for (at, index) in [(30, 3), (10, 1), (20, 2)] {
            deadlines.push(at, key(index));
        }
        assert_eq!(deadlines.pop(9), None);
        assert_eq!(deadlines.pop(20), Some((10, key(1))));
        assert_eq!(deadlines.pop(20), Some((20, key(2))));
        assert_eq!(deadlines.pop(20), None);
        assert_eq!(deadlines.next(), 30);
    }
}
