//! Deadlines: the next one is exact, and one that is forgotten is never put in order.
//!
//! Most deadlines are forgotten long before they pass, so entries lie unsorted in a leaf until the
//! order is asked for. When the next deadline is asked for and the earliest leaf is large, it is
//! parted into 64, by the highest six bits in which its deadlines differ. Of those only the
//! earliest is parted again, until it is small enough that the earliest few can be picked: sorted,
//! they are the front, from which deadlines are taken. Levels lie at multiples of six bits, so an
//! entry goes down eleven times at most, whatever the deadlines; most go down once or twice. Time
//! that passes moves nothing.
//!
//! A slot has a stamp, odd while it has a deadline, and an entry bears the stamp of its start. To
//! forget is to advance the stamp. That leaves a dead entry behind, which is dropped where it is
//! met; when the dead outnumber the living, all of them are dropped.
//!
//! So a start, a forget and an expiry cost the same on average however many there are, but a single
//! one, or the question after it, may look at every entry.
//!
//! The idea is that of the ladder queue (Tang, Goh, Thng 2005), which sorts only what is due next,
//! with the buckets of a radix heap, which are not chosen by how deadlines happen to be spread. A
//! hashed or hierarchical timing wheel (Varghese, Lauck 1987) starts and forgets as fast, but it
//! rounds deadlines to ticks, has to search for the next one, and moves entries down as time
//! passes, asked or not.

use std::cmp::Reverse;
use std::mem;

use super::growth::room_for_one;

/// How many entries move to the front at a time.
const SMALL: usize = 64;
/// A leaf of more entries is parted before the earliest of them are picked.
const LARGE: usize = 8 * SMALL;

/// A node has as many children as a word has bits, so that the first that holds any is found in
/// one step.
const FANOUT: usize = u64::BITS as usize;
const LEVEL_BITS: u32 = FANOUT.ilog2();

/// How much waste is no reason to compact, however few are live.
const TOLERATED: usize = 1024;

/// The deadlines of waits, each named by the slot of its wait.
#[derive(Default)]
pub(crate) struct Timers {
    /// The earliest entries, the earliest last. Never more than twice SMALL.
    front: Vec<Entry>,
    /// All others, none earlier than any of the front.
    rest: Tree,
    ledger: Ledger,
}

impl Timers {
    /// The earliest deadline.
    pub(crate) fn next(&mut self) -> Option<u64> {
        if self.ledger.live == 0 {
            return None;
        }
        loop {
            while let Some(first) = self.front.last() {
                if self.ledger.is_live(first) {
                    return Some(first.deadline);
                }
                self.front.pop();
                self.ledger.dead -= 1;
            }
            self.rest.take_earliest(false, &mut self.front, &mut self.ledger);
        }
    }

    /// Whether a slot has a deadline.
    pub(crate) fn is_started(&self, slot: u32) -> bool {
        self.ledger.is_started(slot)
    }

    /// Starts a slot's deadline; it must have none.
    pub(crate) fn start(&mut self, slot: u32, deadline: u64) {
        let entry = Entry { deadline, slot, stamp: self.ledger.start(slot) };
        let precedes = self.front.first().is_some_and(|last| deadline < last.deadline);
        // A few deadlines need no tree.
        if precedes || self.rest.is_empty() && self.front.len() < SMALL {
            self.put_in_front(entry);
        } else {
            self.rest.put(entry, &mut self.ledger);
        }
    }

    /// Forgets a slot's deadline, if it has one.
    pub(crate) fn forget(&mut self, slot: u32) {
        if self.is_started(slot) {
            self.end(slot);
        }
    }

    /// Takes one slot whose deadline has passed at `now`: the one that passed first.
    pub(crate) fn expire(&mut self, now: u64) -> Option<u32> {
        if self.next()? > now {
            return None;
        }
        let slot = self.front.last().expect("the next deadline is in front").slot;
        self.end(slot);
        Some(slot)
    }

    fn end(&mut self, slot: u32) {
        // A stamp that starts over could be taken for that of an entry long dead.
        let starts_over = self.ledger.end(slot);
        if self.ledger.live == 0 && self.rest.is_empty() {
            self.front.clear();
            self.ledger.dead = 0;
        } else if starts_over || self.ledger.is_wasteful() {
            self.compact();
        }
    }

    fn put_in_front(&mut self, entry: Entry) {
        let at = self.front.partition_point(|other| other.deadline > entry.deadline);
        self.ledger.touch(self.front.len() - at);
        self.front.insert(at, entry);
        if self.front.len() > 2 * SMALL {
            self.ledger.drop_dead(&mut self.front);
            let latest = self.front.len().saturating_sub(SMALL);
            for entry in self.front.drain(..latest) {
                self.rest.put(entry, &mut self.ledger);
            }
        }
    }

    /// Drops the dead and returns their memory; that of nodes too, if they are many for what is
    /// left.
    fn compact(&mut self) {
        self.ledger.drop_dead(&mut self.front);
        self.rest.drop_dead(&mut self.ledger);
        if self.ledger.nodes * FANOUT > (self.ledger.live + TOLERATED) / 2 {
            self.ledger.touch(self.ledger.live);
            let mut all = Vec::with_capacity(self.ledger.live - self.front.len());
            self.rest.move_all(&mut all);
            self.rest = Tree::Leaf(all);
            self.ledger.nodes = 0;
        }
    }
}

#[derive(Clone, Copy)]
struct Entry {
    deadline: u64,
    slot: u32,
    stamp: u32,
}

/// Which entries are live, and how many there are.
#[derive(Default)]
struct Ledger {
    /// A slot's stamp is odd while it has a deadline. Slots are never returned, nor are these.
    stamps: Vec<u32>,
    live: usize,
    /// Entries held still that are dead.
    dead: usize,
    nodes: usize,
    #[cfg(test)]
    touched: usize,
}

impl Ledger {
    fn is_live(&self, entry: &Entry) -> bool {
        self.stamps[entry.slot as usize] == entry.stamp
    }

    fn is_started(&self, slot: u32) -> bool {
        self.stamps.get(slot as usize).is_some_and(|stamp| stamp % 2 == 1)
    }

    /// Counts a new entry; answers its stamp.
    fn start(&mut self, slot: u32) -> u32 {
        while self.stamps.len() <= slot as usize {
            room_for_one(&mut self.stamps);
            self.stamps.push(0);
        }
        debug_assert!(!self.is_started(slot));
        self.live += 1;
        let stamp = &mut self.stamps[slot as usize];
        *stamp += 1;
        *stamp
    }

    /// The entry of a slot is dead from now on. Whether the slot's stamps start over.
    fn end(&mut self, slot: u32) -> bool {
        self.live -= 1;
        self.dead += 1;
        let stamp = &mut self.stamps[slot as usize];
        *stamp = stamp.wrapping_add(1);
        *stamp == 0
    }

    /// Whether so much is held for nothing that to compact pays: every entry that died since the
    /// last time pays for two, and every node that was made was paid for by those it parted.
    fn is_wasteful(&self) -> bool {
        self.dead + self.nodes * FANOUT > self.live + TOLERATED
    }

    fn drop_dead(&mut self, entries: &mut Vec<Entry>) {
        self.touch(entries.len());
        let mut kept = 0;
        for at in 0..entries.len() {
            // Without a branch: whether an entry is live cannot be foreseen.
            let entry = entries[at];
            entries[kept] = entry;
            kept += usize::from(self.is_live(&entry));
        }
        self.dead -= entries.len() - kept;
        entries.truncate(kept);
    }

    /// Tests bound the work that is done by how many entries are looked at or moved.
    fn touch(&mut self, _entries: usize) {
        #[cfg(test)]
        {
            self.touched += _entries;
        }
    }
}

/// Entries by deadline, no more in order than they had to be.
enum Tree {
    Leaf(Vec<Entry>),
    Node(Box<Node>),
}

struct Node {
    /// The place of the six bits by which the children differ; those above are alike in all.
    shift: u32,
    /// Any deadline that belongs here.
    sample: u64,
    /// Which children hold an entry: a bit for each.
    occupied: u64,
    children: [Tree; FANOUT],
}

impl Default for Tree {
    fn default() -> Tree {
        Tree::Leaf(Vec::new())
    }
}

impl Tree {
    // Inlined, for otherwise the entry is written to memory in parts and read as a whole, which
    // stalls.
    #[inline(always)]
    fn put(&mut self, entry: Entry, ledger: &mut Ledger) {
        ledger.touch(1);
        let mut tree = self;
        loop {
            tree.widen(entry.deadline, ledger);
            match tree {
                Tree::Leaf(entries) => {
                    if entries.len() == entries.capacity() {
                        entries.reserve_exact((entries.len() / 4).max(4));
                    }
                    entries.push(entry);
                    return;
                }
                Tree::Node(node) => tree = node.child(entry.deadline),
            }
        }
    }

    /// Puts a node that does not cover a deadline under one that does.
    fn widen(&mut self, deadline: u64, ledger: &mut Ledger) {
        let Tree::Node(node) = self else { return };
        if node.covers(deadline) {
            return;
        }
        let sample = node.sample;
        let mut above = Box::new(Node::new(sample, sample ^ deadline));
        *above.child(sample) = mem::take(self);
        *self = Tree::Node(above);
        ledger.nodes += 1;
        ledger.touch(FANOUT);
    }

    /// Moves the earliest entries to the front, which must be empty. `alike` says that all here
    /// have the same deadline, so that there is nothing to sort.
    fn take_earliest(&mut self, alike: bool, front: &mut Vec<Entry>, ledger: &mut Ledger) {
        ledger.touch(1);
        if !alike {
            self.part(ledger);
        }
        match self {
            Tree::Leaf(entries) => {
                let later = entries.len().saturating_sub(SMALL);
                if later > 0 && !alike {
                    ledger.touch(entries.len());
                    entries.select_nth_unstable_by_key(later, |entry| Reverse(entry.deadline));
                }
                front.extend(entries.drain(later..));
                if entries.is_empty() {
                    entries.shrink_to(2 * SMALL);
                }
                front.sort_unstable_by_key(|entry| Reverse(entry.deadline));
                ledger.touch(front.len());
            }
            Tree::Node(node) => {
                let first = node.occupied.trailing_zeros();
                let child = &mut node.children[first as usize];
                child.take_earliest(node.shift == 0, front, ledger);
                if child.is_empty() {
                    *child = Tree::default();
                    node.occupied &= !(1 << first);
                }
                if node.occupied == 0 {
                    *self = Tree::default();
                    ledger.nodes -= 1;
                }
            }
        }
    }

    /// Makes a node of a leaf, if it is large.
    fn part(&mut self, ledger: &mut Ledger) {
        if !self.is_large() {
            return;
        }
        self.drop_dead(ledger);
        if !self.is_large() {
            return;
        }
        let Tree::Leaf(entries) = mem::take(self) else { unreachable!("a leaf") };
        ledger.touch(entries.len() + FANOUT);
        let sample = entries[0].deadline;
        let differing = entries.iter().fold(0, |bits, entry| bits | (entry.deadline ^ sample));
        let mut node = Box::new(Node::new(sample, differing));
        // Counted first, so that the leaves are made no larger than need be, and do not grow.
        let mut counts = [0; FANOUT];
        for entry in &entries {
            counts[node.place(entry.deadline)] += 1;
        }
        for (child, count) in node.children.iter_mut().zip(counts) {
            *child = Tree::Leaf(Vec::with_capacity(count));
        }
        for entry in entries {
            if let Tree::Leaf(leaf) = node.child(entry.deadline) {
                leaf.push(entry);
            }
        }
        *self = Tree::Node(node);
        ledger.nodes += 1;
    }

    fn drop_dead(&mut self, ledger: &mut Ledger) {
        match self {
            Tree::Leaf(entries) => {
                ledger.drop_dead(entries);
                entries.shrink_to(2 * entries.len() + SMALL);
            }
            Tree::Node(node) => {
                ledger.touch(FANOUT);
                node.children.iter_mut().for_each(|child| child.drop_dead(ledger));
            }
        }
    }

    fn move_all(&mut self, to: &mut Vec<Entry>) {
        match self {
            Tree::Leaf(entries) => to.append(&mut mem::take(entries)),
            Tree::Node(node) => node.children.iter_mut().for_each(|child| child.move_all(to)),
        }
    }

    fn is_large(&self) -> bool {
        matches!(self, Tree::Leaf(entries) if entries.len() > LARGE)
    }

    fn is_empty(&self) -> bool {
        matches!(self, Tree::Leaf(entries) if entries.is_empty())
    }
}

impl Node {
    /// A node for deadlines such as this one that differ from each other in these bits.
    fn new(sample: u64, differing: u64) -> Node {
        // Levels lie at multiples of six bits in every node, so that one fits into a child of
        // another whole, and there are no more than eleven.
        let level = differing.checked_ilog2().unwrap_or(0) / LEVEL_BITS;
        let children = [const { Tree::Leaf(Vec::new()) }; FANOUT];
        Node { shift: level * LEVEL_BITS, sample, occupied: 0, children }
    }

    fn covers(&self, deadline: u64) -> bool {
        (deadline ^ self.sample) >> self.shift < FANOUT as u64
    }

    fn place(&self, deadline: u64) -> usize {
        (deadline >> self.shift) as usize % FANOUT
    }

    /// The child that is to hold an entry with this deadline.
    fn child(&mut self, deadline: u64) -> &mut Tree {
        let place = self.place(deadline);
        self.occupied |= 1 << place;
        &mut self.children[place]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
        fn memory(&self) -> usize {
            self.front.capacity() * size_of::<Entry>() + self.rest.memory()
        }
    }

    impl Tree {
        fn memory(&self) -> usize {
            match self {
                Tree::Leaf(entries) => entries.capacity() * size_of::<Entry>(),
                Tree::Node(node) => {
                    size_of::<Node>() + node.children.iter().map(Tree::memory).sum::<usize>()
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
        assert_eq!((timers.ledger.live, timers.expire(FAR)), (0, None));
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
        assert_eq!(timers.ledger.live, 2_000);
        assert!(timers.memory() < 500_000, "{} bytes for two thousand", timers.memory());
        assert_fair(&mut timers, 2 * slot, "clusters");
    }

    #[test]
    fn a_stamp_that_starts_over_revives_nothing() {
        let mut timers = Timers::default();
        timers.start(0, 1);
        timers.start(3, 1000);
        timers.ledger.stamps[3] = u32::MAX;
        timers.front.iter_mut().find(|entry| entry.slot == 3).unwrap().stamp = u32::MAX;
        // As if it had been left over by the slot's very first start.
        timers.front.insert(0, Entry { deadline: 2000, slot: 3, stamp: 1 });
        timers.ledger.dead += 1;
        timers.forget(3);
        timers.start(3, 3000);
        assert_eq!(timers.ledger.stamps[3], 1);
        assert_eq!((timers.expire(FAR), timers.next()), (Some(0), Some(3000)));
    }
}
