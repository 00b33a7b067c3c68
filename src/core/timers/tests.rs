use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::mem;

use super::ledger::Entry;
use super::tree::{FULL, Node, SPARSE, TOLERATED, Tree};
use super::*;

const FAR: u64 = u64::MAX - 1;

/// The same numbers each time, in no order.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % bound
    }

    fn deadline(&mut self, now: u64) -> u64 {
        match self.below(10) {
            0 => 0,
            1 => FAR,
            2 => now,
            3 => now.saturating_sub(self.below(1000)),
            4 => 1 << self.below(64),
            5 => FAR - self.below(100),
            6 => now + 5000,
            _ => now + self.below(10_000),
        }
    }
}

impl Timers {
    /// Entries looked at or moved since the last time.
    fn work(&mut self) -> usize {
        mem::take(&mut self.ledger.touched)
    }

    /// The bytes set aside for entries and nodes.
    fn memory(&mut self) -> usize {
        self.bury();
        self.front.capacity() * size_of::<Entry>() + self.rest.tally(0, self).memory
    }

    /// Checks all that is promised of what is held; answers how many entries are live, and dead.
    fn check(&mut self) -> (usize, usize) {
        self.bury();
        let all = self.rest.tally(0, self);
        let front = self.front.iter().filter(|entry| self.ledger.is_live(entry)).count();
        assert!(self.front.len() <= 2 * SMALL);
        assert!(self.front.last().is_none_or(|first| self.ledger.is_live(first)));
        assert!(self.front.is_sorted_by_key(|entry| Reverse(entry.deadline)));
        assert!(all.dead <= all.live + all.leaves * TOLERATED + TOLERATED);
        assert!(all.leaves <= all.live + 1);
        assert!(all.nodes * SPARSE <= all.live * 17);
        (front + all.live, self.front.len() - front + all.dead)
    }
}

#[derive(Default)]
struct Tally {
    memory: usize,
    live: usize,
    dead: usize,
    leaves: usize,
    nodes: usize,
}

impl Tree {
    fn tally(&self, depth: u32, timers: &Timers) -> Tally {
        assert!(depth <= 17);
        match self {
            Tree::Leaf(leaf) => {
                let live = leaf.entries.iter().filter(|it| timers.ledger.is_live(it));
                let live = live.inspect(|it| {
                    assert!(timers.front.first().is_none_or(|last| last.deadline <= it.deadline));
                });
                let live = live.count();
                assert_eq!(live, leaf.live);
                assert!(leaf.entries.capacity() <= FULL);
                let dead = leaf.entries.len() - live;
                assert!(dead <= live + TOLERATED);
                Tally {
                    memory: leaf.entries.capacity() * size_of::<Entry>(),
                    live,
                    dead,
                    leaves: 1,
                    nodes: 0,
                }
            }
            Tree::Node(node) => {
                let mut all = Tally { memory: size_of::<Node>(), nodes: 1, ..Tally::default() };
                for (at, child) in node.children.iter().enumerate() {
                    if node.occupied >> at & 1 == 0 {
                        assert!(matches!(child, Tree::Leaf(leaf) if leaf.entries.capacity() == 0));
                        continue;
                    }
                    let each = child.tally(depth + 1, timers);
                    assert!(each.live > 0);
                    all.memory += each.memory;
                    all.live += each.live;
                    all.dead += each.dead;
                    all.leaves += each.leaves;
                    all.nodes += each.nodes;
                }
                assert_eq!(all.live, node.live);
                assert!(all.live > SPARSE);
                all
            }
        }
    }
}

/// Does as told, and the same to an ordered set.
fn agrees_with_a_set(slots: u32, steps: u32, seed: u64, mut ask: impl FnMut(u32) -> bool) {
    let mut timers = Timers::default();
    let mut set = BTreeSet::new();
    let mut deadlines = vec![None; slots as usize];
    let mut random = Random(seed);
    let mut now = 1 << 40;
    for step in 0..steps {
        let slot = random.below(slots.into()) as u32;
        let old = &mut deadlines[slot as usize];
        assert_eq!(timers.is_started(slot), old.is_some());
        if let Some(old) = old.take() {
            timers.forget(slot);
            set.remove(&(old, slot));
        } else {
            let deadline = random.deadline(now);
            timers.start(slot, deadline);
            *old = Some(deadline);
            set.insert((deadline, slot));
        }
        if step % 2_000 == 0 {
            assert_eq!(timers.check().0, set.len());
        }
        if !ask(step) {
            continue;
        }
        assert_eq!(timers.next(), set.first().map(|first| first.0));
        if random.below(4) > 0 {
            continue;
        }
        now += random.below(300);
        for _ in 0..random.below(20) {
            let due = set.first().copied().filter(|first| first.0 <= now);
            let slot = timers.expire(now);
            assert_eq!(slot.is_some(), due.is_some());
            if let (Some(slot), Some((deadline, _))) = (slot, due) {
                assert!(set.remove(&(deadline, slot)), "{slot} is not due first");
                deadlines[slot as usize] = None;
            }
        }
    }
    while let Some((deadline, _)) = set.first().copied() {
        assert_eq!(timers.next(), Some(deadline));
        let slot = timers.expire(FAR).unwrap();
        assert!(set.remove(&(deadline, slot)), "{slot} is not due first");
    }
    assert_eq!(timers.next(), None);
    assert_eq!((timers.check().0, timers.expire(FAR)), (0, None));
}

#[test]
fn few_deadlines_agree_with_an_ordered_set() {
    for seed in 0..20 {
        agrees_with_a_set(40, 5_000, seed, |_| true);
    }
}

#[test]
fn many_deadlines_agree_with_an_ordered_set() {
    agrees_with_a_set(5_000, 100_000, 1, |_| true);
    agrees_with_a_set(5_000, 100_000, 2, |step| step % 100 == 0);
    agrees_with_a_set(20_000, 200_000, 3, |step| step % 10_000 < 200);
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

#[test]
fn nothing_is_done_while_nothing_is_due() {
    let mut timers = Timers::default();
    for slot in 0..10_000 {
        timers.start(slot, 1_000_000 + u64::from(slot % 777));
    }
    assert_eq!(timers.next(), Some(1_000_000));
    timers.work();
    for now in 0..1_000_000 {
        assert_eq!(timers.expire(now), None);
    }
    assert_eq!(timers.work(), 0);
}

/// A name, and the deadline of each of many.
type Case = (&'static str, fn(u64) -> u64);

/// The deadlines that a structure of this kind could find hard.
fn hard_cases() -> Vec<Case> {
    vec![
        ("equal", |_| 1 << 40),
        ("zero", |_| 0),
        ("the last", |_| FAR),
        ("ascending", |i| i),
        ("descending", |i| FAR - i),
        ("descending far apart", |i| FAR - (i << 40)),
        ("near and far by turns", |i| if i % 2 == 0 { (1 << 40) - i } else { FAR - i }),
        ("zero and the last by turns", |i| if i % 2 == 0 { 0 } else { FAR }),
        ("equal but for one in a hundred", |i| if i % 100 == 0 { i } else { 1 << 40 }),
        ("powers of two", |i| 1 << (i % 64)),
        ("clusters, each before the last", |i| FAR - ((i / 65) << 30) - (1 << 20) + i % 65),
        ("just too many for the front", |i| i * 62),
        ("just too many to be picked from", |i| i * 63 / 8),
        ("bits reversed", |i| (i.reverse_bits() >> 20) + 1),
    ]
}

const MANY: u32 = 100_000;
/// Entries that may be looked at for one operation, on average.
const FAIR: usize = 48;

#[track_caller]
fn assert_fair(timers: &mut Timers, operations: u32, case: &str) {
    let each = timers.work() as f64 / f64::from(operations);
    assert!(each <= FAIR as f64, "{case}: {each} entries an operation");
}

#[test]
fn no_deadlines_are_hard_to_start_and_take_in_order() {
    for (case, deadline) in hard_cases() {
        let mut timers = Timers::default();
        let mut least = u64::MAX;
        for slot in 0..MANY {
            let deadline = deadline(slot.into());
            least = least.min(deadline);
            timers.start(slot, deadline);
            assert_eq!(timers.next(), Some(least));
        }
        assert_fair(&mut timers, MANY, case);
        let mut last = 0;
        while let Some(next) = timers.next() {
            assert!(last <= next);
            last = next;
            timers.expire(FAR).unwrap();
        }
        assert_fair(&mut timers, MANY, case);
    }
}

#[test]
fn forgetting_the_earliest_again_and_again_is_not_hard() {
    for (case, deadline) in hard_cases() {
        let mut timers = Timers::default();
        let mut order: Vec<_> = (0..MANY).map(|slot| (deadline(slot.into()), slot)).collect();
        for (deadline, slot) in &order {
            timers.start(*slot, *deadline);
        }
        order.sort();
        for (deadline, slot) in order {
            assert_eq!(timers.next(), Some(deadline));
            timers.forget(slot);
        }
        assert_eq!(timers.next(), None);
        assert_fair(&mut timers, 2 * MANY, case);
    }
}

#[test]
fn starting_and_forgetting_before_all_others_is_not_hard() {
    for others in [0, 1, 1000, MANY] {
        for (case, deadline) in hard_cases() {
            let mut timers = Timers::default();
            for slot in 0..others {
                timers.start(slot, 1 << 63 | u64::from(slot) << 20);
            }
            let least = timers.next().unwrap_or(u64::MAX);
            timers.work();
            for i in 0..MANY {
                let deadline = deadline(i.into());
                timers.start(others, deadline);
                assert_eq!(timers.next(), Some(least.min(deadline)));
                timers.forget(others);
                assert_eq!(timers.next(), (others > 0).then_some(least));
            }
            assert_fair(&mut timers, 2 * MANY, case);
        }
    }
}

#[test]
fn memory_is_returned_when_all_are_forgotten() {
    for asked in [false, true] {
        let mut timers = Timers::default();
        let mut random = Random(7);
        for slot in 0..1_000_000 {
            timers.start(slot, random.below(1 << 42));
        }
        if asked {
            timers.next();
        }
        assert!(timers.memory() < 24_000_000, "{} bytes for a million", timers.memory());
        for slot in 0..1_000_000 {
            timers.forget(slot);
        }
        assert!(timers.memory() < 100_000, "{} bytes for none", timers.memory());
        assert_fair(&mut timers, 2_000_000, "all forgotten");
    }
}

#[test]
fn memory_is_in_proportion_to_what_is_outstanding() {
    let mut timers = Timers::default();
    let mut random = Random(8);
    for step in 0..2_000_000 {
        let slot = random.below(10_000) as u32;
        timers.forget(slot);
        timers.start(slot, step + random.below(1 << 20));
        timers.next();
        if step % 1000 == 0 {
            assert!(timers.memory() < 1_000_000, "{} bytes for ten thousand", timers.memory());
        }
    }
    assert_fair(&mut timers, 4_000_000, "renewed at random");
}

#[test]
fn nodes_that_hold_little_are_undone() {
    let mut timers = Timers::default();
    let mut slot = 0;
    for cluster in 0..2_000 {
        let begin = FAR - ((cluster + 1) << 30);
        let first = slot;
        for i in 0..200 {
            timers.start(slot, begin + (i << 10));
            slot += 1;
        }
        // All but the last are forgotten, each when it is the earliest.
        for i in first..slot - 1 {
            timers.next();
            timers.forget(i);
        }
    }
    assert_eq!(timers.check().0, 2_000);
    assert!(timers.memory() < 500_000, "{} bytes for two thousand", timers.memory());
    assert_fair(&mut timers, 2 * slot, "clusters");
}

/// Entries that a single call may look at or move.
const BOUND: usize = 12 * FULL;

impl Timers {
    #[track_caller]
    fn assert_bounded(&mut self, what: &str) {
        let work = self.work();
        assert!(work <= BOUND, "{what}: {work} entries in one call");
    }
}

#[test]
fn no_single_call_is_hard() {
    let mut cases = hard_cases();
    cases.push(("all over", |i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1));
    cases.push(("within an hour", |i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 22));
    cases.push(("two in one, and those in one of ever fewer", |i| 1 << (i.trailing_zeros() % 64)));
    for (case, deadline) in cases {
        for asked in [false, true] {
            let mut timers = Timers::default();
            let mut order: Vec<_> = (0..MANY).map(|slot| (deadline(slot.into()), slot)).collect();
            for (deadline, slot) in &order {
                timers.start(*slot, *deadline);
                timers.assert_bounded(case);
                if asked {
                    timers.next();
                    timers.assert_bounded(case);
                }
            }
            timers.check();
            order.sort();
            // Most of the earliest are forgotten before anybody asks.
            let (forgotten, others) = order.split_at(order.len() / 2);
            for (_, slot) in forgotten {
                timers.forget(*slot);
                timers.assert_bounded(case);
            }
            assert_eq!(timers.check().0, others.len());
            assert_eq!(timers.next(), Some(others[0].0));
            timers.assert_bounded(case);
            for (_, slot) in forgotten {
                timers.start(*slot, deadline((*slot).into()));
                timers.assert_bounded(case);
            }
            while timers.expire(FAR).is_some() {
                timers.assert_bounded(case);
            }
            timers.assert_bounded(case);
            assert_eq!(timers.check().0, 0);
        }
    }
}

#[test]
fn no_single_call_is_hard_while_a_million_are_renewed() {
    let mut timers = Timers::default();
    let mut random = Random(9);
    let mut now = 1 << 40;
    for slot in 0..1_000_000 {
        timers.start(slot, now + random.below(1 << 31));
        timers.assert_bounded("started");
    }
    for step in 0..1_500_000 {
        let slot = random.below(1_000_000) as u32;
        timers.forget(slot);
        timers.assert_bounded("forgotten");
        timers.start(slot, if step % 3 == 0 { random.deadline(now) } else { now + (1 << 31) });
        timers.assert_bounded("started again");
        if random.below(4) == 0 {
            now += random.below(1 << 12);
            while let Some(slot) = timers.expire(now) {
                timers.assert_bounded("expired");
                timers.start(slot, now + 1 + random.below(1 << 31));
                timers.assert_bounded("started once more");
            }
        }
        if step % 300_000 == 0 {
            let (live, dead) = timers.check();
            assert!(dead < live + live / 4, "{dead} dead of {live}");
            timers.work();
        }
    }
    while timers.expire(FAR).is_some() {
        timers.assert_bounded("expired at last");
    }
    assert!(timers.memory() < 100_000, "{} bytes for none", timers.memory());
}

impl Tree {
    fn holds(&self, slot: u32, stamp: u32) -> bool {
        match self {
            Tree::Leaf(leaf) => leaf.entries.iter().any(|it| (it.slot, it.stamp) == (slot, stamp)),
            Tree::Node(node) => node.children.iter().any(|child| child.holds(slot, stamp)),
        }
    }
}

#[test]
fn a_stamp_that_starts_over_revives_nothing() {
    for (first, at_half) in [(0, HALF_OF_STAMPS), (HALF_OF_STAMPS, 0)] {
        let mut timers = Timers::default();
        for slot in 0..MANY {
            timers.start(slot, u64::from(slot) << 20);
        }
        timers.next();
        let slot = MANY / 2;
        timers.forget(slot);
        timers.ledger.set_stamp(slot, first);
        timers.start(slot, 60_000 << 20);
        timers.forget(slot);
        // As if it had been started somewhere else ever since.
        timers.ledger.set_stamp(slot, u32::wrapping_sub(at_half, 2));
        assert!(timers.rest.holds(slot, first + 1));
        timers.work();
        for _ in 0..10_000 {
            timers.start(slot, 70_000 << 20);
            timers.forget(slot);
            timers.assert_bounded("half of all stamps");
        }
        assert_eq!(timers.sweep.rounds, 0);
        assert!(!timers.rest.holds(slot, first + 1));
        timers.ledger.set_stamp(slot, first);
        timers.start(slot, 60_000 << 20);
        assert_eq!(timers.check().0, MANY as usize);
    }
}
