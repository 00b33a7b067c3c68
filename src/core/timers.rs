//! Deadlines: an indexed heap, so that the next deadline is exact and a wait's can be forgotten.

use super::growth::room_for_one;
use super::slots::NIL;

/// Children per node: four lie in one or two cache lines, which makes the heap flatter and the
/// sift faster than a binary one.
const ARITY: usize = 4;

/// The deadlines of waits, each named by the slot of its wait.
#[derive(Default)]
pub(crate) struct Timers {
    heap: Vec<(u64, u32)>,
    /// Where in the heap a slot's deadline lies; NIL if nowhere.
    position: Vec<u32>,
}

impl Timers {
    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<u64> {
        self.heap.first().map(|first| first.0)
    }

    /// Starts a slot's deadline; it must have none.
    pub(crate) fn start(&mut self, slot: u32, deadline: u64) {
        while self.position.len() <= slot as usize {
            room_for_one(&mut self.position);
            self.position.push(NIL);
        }
        debug_assert_eq!(self.position[slot as usize], NIL);
        room_for_one(&mut self.heap);
        self.heap.push((deadline, slot));
        self.sift_up(self.heap.len() - 1);
    }

    /// Whether a slot has a deadline.
    pub(crate) fn is_started(&self, slot: u32) -> bool {
        self.position.get(slot as usize).is_some_and(|at| *at != NIL)
    }

    /// Forgets a slot's deadline, if it has one.
    pub(crate) fn forget(&mut self, slot: u32) {
        let Some(&at) = self.position.get(slot as usize) else { return };
        if at == NIL {
            return;
        }
        let at = at as usize;
        self.position[slot as usize] = NIL;
        let last = self.heap.pop().expect("a slot with a position is in the heap");
        if at < self.heap.len() {
            self.heap[at] = last;
            self.sift_down(at);
            // Came from another branch: it may belong further up instead.
            self.sift_up(self.position[last.1 as usize] as usize);
        }
    }

    /// Takes one slot whose deadline has passed at `now`.
    pub(crate) fn expire(&mut self, now: u64) -> Option<u32> {
        let &(deadline, slot) = self.heap.first()?;
        if deadline > now {
            return None;
        }
        self.forget(slot);
        Some(slot)
    }

    fn sift_up(&mut self, mut at: usize) {
        let item = self.heap[at];
        while at > 0 {
            let parent = (at - 1) / ARITY;
            if self.heap[parent].0 <= item.0 {
                break;
            }
            self.put(at, self.heap[parent]);
            at = parent;
        }
        self.put(at, item);
    }

    fn sift_down(&mut self, mut at: usize) {
        let item = self.heap[at];
        loop {
            let first = at * ARITY + 1;
            let last = (first + ARITY).min(self.heap.len());
            let Some(child) = (first..last).min_by_key(|&child| self.heap[child].0) else { break };
            if self.heap[child].0 >= item.0 {
                break;
            }
            self.put(at, self.heap[child]);
            at = child;
        }
        self.put(at, item);
    }

    fn put(&mut self, at: usize, item: (u64, u32)) {
        self.heap[at] = item;
        self.position[item.1 as usize] = at as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_expire_in_order_and_never_early() {
        let mut timers = Timers::default();
        let mut random = 12345u64;
        let mut model = Vec::new();
        for slot in 0..500 {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let deadline = (random >> 40) % 1000 + 1;
            timers.start(slot, deadline);
            model.push((deadline, slot));
        }
        for slot in (0..500).step_by(3) {
            timers.forget(slot);
            model.retain(|item| item.1 != slot);
        }
        model.sort();
        for now in 0..=1001 {
            let mut expired = Vec::new();
            while let Some(slot) = timers.expire(now) {
                expired.push(slot);
            }
            let mut expected: Vec<u32> =
                model.iter().filter(|item| item.0 == now).map(|item| item.1).collect();
            expired.sort();
            expected.sort();
            assert_eq!(expired, expected, "at {now}");
            assert_eq!(timers.next(), model.iter().map(|item| item.0).find(|d| *d > now));
        }
    }

    #[test]
    fn forgetting_what_has_no_deadline_changes_nothing() {
        let mut timers = Timers::default();
        timers.forget(7);
        timers.start(1, 10);
        timers.forget(7);
        timers.forget(1);
        timers.forget(1);
        assert_eq!(timers.next(), None);
    }
}
