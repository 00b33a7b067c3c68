//! What the library has to say, kept until Java asks for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::reactor::level;

/// Lines kept at most: the first say more about what went wrong than the last.
const MOST: usize = 64;

/// The lines of one reactor, with their levels.
#[derive(Default)]
pub(super) struct Lines {
    waiting: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<(i32, String)>,
    dropped: usize,
}

impl Lines {
    /// Keeps a line. Any thread.
    pub(super) fn add(&self, level: i32, line: &str) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.lines.len() < MOST {
            queue.lines.push_back((level, line.to_owned()));
        } else {
            queue.dropped += 1;
        }
        self.waiting.store(true, Ordering::Relaxed);
    }

    /// Whether there are any.
    #[inline]
    pub(super) fn wait(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The oldest.
    pub(super) fn take(&self) -> Option<(i32, String)> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = queue.lines.pop_front() {
            return Some(line);
        }
        let dropped = std::mem::take(&mut queue.dropped);
        if dropped > 0 {
            return Some((level::WARN, format!("{dropped} lines more, for which was no room")));
        }
        self.waiting.store(false, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_in_their_order_and_those_without_room_are_counted() {
        let lines = Lines::default();
        assert!(!lines.wait());
        for line in 0..MOST + 3 {
            lines.add(level::INFO, &line.to_string());
        }
        assert!(lines.wait());
        for line in 0..MOST {
            assert_eq!(lines.take(), Some((level::INFO, line.to_string())));
        }
        let (level, rest) = lines.take().unwrap();
        assert_eq!((level, rest.starts_with("3 lines")), (level::WARN, true));
        assert_eq!(lines.take(), None);
        assert!(!lines.wait());
    }
}
