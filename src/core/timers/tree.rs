//! Entries by deadline, no more in order than they had to be.
//!
//! How much is held at most, for L live entries: a leaf drops its dead when they are more than its
//! living and [`TOLERATED`]. A leaf that has none living is let go, unless it is the only one, so
//! there are no more leaves than live entries, and no more than L + L * TOLERATED dead, and a few
//! that are not buried yet; about L at most where leaves are not nearly empty. A node has more than
//! [`SPARSE`] live entries, or it is made a leaf again. Those of one level have none in common and
//! there are 17 levels, so there are no more than 17 * L / SPARSE nodes.

use std::cmp::Reverse;
use std::mem;

use super::SMALL;
use super::ledger::{Entry, IN_FRONT, Key, Ledger};

/// How many entries a leaf holds at most.
pub(super) const FULL: usize = 64 * SMALL;
/// A leaf of more entries is parted before the earliest of them are picked.
const LARGE: usize = 8 * SMALL;
/// A node of no more entries is made a leaf.
pub(super) const SPARSE: usize = LARGE / 2;

/// How many dead are no reason to look through a leaf, however few are live.
pub(super) const TOLERATED: usize = 16;

/// A node has as many children as a word has bits, so that the first that holds any is found in
/// one step.
const FANOUT: usize = u64::BITS as usize;
const LEVEL_BITS: u32 = FANOUT.ilog2();

pub(super) enum Tree {
    Leaf(Leaf),
    Node(Box<Node>),
}

#[derive(Default)]
pub(super) struct Leaf {
    pub(super) entries: Vec<Entry>,
    /// How many of them are live, or died but were not buried yet.
    pub(super) live: usize,
}

pub(super) struct Node {
    /// The place of the six bits by which the children differ; those above are alike in all.
    shift: u32,
    /// Whether they are bits of the slot, all deadlines being equal.
    by_slot: bool,
    /// Any that belongs here.
    sample: Key,
    /// How many entries are live, or died but were not buried yet.
    pub(super) live: usize,
    /// Which children hold an entry: a bit for each.
    pub(super) occupied: u64,
    pub(super) children: [Tree; FANOUT],
}

impl Default for Tree {
    fn default() -> Tree {
        Tree::Leaf(Leaf::default())
    }
}

impl Tree {
    /// Whether the leaf is full now, so that it has to be relieved.
    // Inlined, for otherwise the entry is written to memory in parts and read as a whole, which
    // stalls.
    #[inline(always)]
    pub(super) fn put(&mut self, entry: Entry, ledger: &mut Ledger) -> bool {
        let mut tree = self;
        loop {
            ledger.touch(1);
            while !tree.has_room(entry.key()) {
                tree.make_room(entry.key(), ledger);
            }
            match tree {
                Tree::Leaf(leaf) => {
                    leaf.entries.push(entry);
                    leaf.live += 1;
                    return leaf.entries.len() >= FULL;
                }
                Tree::Node(node) => {
                    node.live += 1;
                    tree = node.child(entry.key());
                }
            }
        }
    }

    #[inline(always)]
    fn has_room(&self, key: Key) -> bool {
        match self {
            Tree::Leaf(leaf) => leaf.entries.len() < leaf.entries.capacity(),
            Tree::Node(node) => node.covers(key),
        }
    }

    /// Changes a leaf without room, or a node that does not cover a key, so that it is no obstacle.
    #[cold]
    fn make_room(&mut self, key: Key, ledger: &mut Ledger) {
        match self {
            Tree::Leaf(leaf) => {
                let len = leaf.entries.len();
                ledger.touch(len);
                leaf.entries.reserve_exact((len / 4).max(4).min(FULL - len));
            }
            Tree::Node(node) => {
                let (sample, live) = (node.sample, node.live);
                let differing = (sample.0 ^ key.0, sample.1 ^ key.1);
                let mut above = Box::new(Node::new(sample, differing, live));
                *above.child(sample) = mem::take(self);
                *self = Tree::Node(above);
                ledger.touch(FANOUT);
            }
        }
    }

    /// Makes room in a leaf that is full. All the dead must have been buried.
    pub(super) fn relieve(&mut self, key: Key, ledger: &mut Ledger) {
        ledger.touch(1);
        match self {
            Tree::Leaf(leaf) => {
                leaf.drop_dead(ledger);
                if leaf.live > FULL / 2 {
                    self.part(ledger);
                    self.relieve(key, ledger);
                }
            }
            Tree::Node(node) => {
                let place = node.place(key);
                node.children[place].relieve(key, ledger);
            }
        }
    }

    /// Counts that an entry died.
    #[inline(always)]
    pub(super) fn bury(&mut self, key: Key, ledger: &mut Ledger) {
        let mut tree = self;
        loop {
            ledger.touch(1);
            let node = match tree {
                Tree::Leaf(leaf) => {
                    leaf.live -= 1;
                    if leaf.is_wasteful() {
                        leaf.drop_dead(ledger);
                    }
                    return;
                }
                Tree::Node(node) => node,
            };
            node.live -= 1;
            let place = node.place(key);
            let is_last = matches!(&node.children[place], Tree::Leaf(leaf) if leaf.live == 1);
            if node.live <= SPARSE || is_last {
                return tree.prune(place, ledger);
            }
            let Tree::Node(node) = tree else { unreachable!("a node") };
            tree = &mut node.children[place];
        }
    }

    /// Undoes a node that has few entries left, or lets go of a child that has none.
    #[cold]
    fn prune(&mut self, place: usize, ledger: &mut Ledger) {
        let Tree::Node(node) = self else { unreachable!("a node") };
        if node.live <= SPARSE {
            let live = node.live;
            let mut entries = Vec::with_capacity(live);
            mem::take(self).gather(&mut entries, ledger);
            *self = Tree::Leaf(Leaf { entries, live });
            return;
        }
        if let Tree::Leaf(leaf) = &mut node.children[place] {
            ledger.touch(leaf.entries.len());
            *leaf = Leaf::default();
        }
        node.occupied &= !(1 << place);
        // A node in place of the only one that is below it.
        if node.occupied.is_power_of_two() {
            let only = &mut node.children[node.occupied.trailing_zeros() as usize];
            if matches!(only, Tree::Node(_)) {
                *self = mem::take(only);
            }
        }
    }

    /// Moves all live entries elsewhere.
    fn gather(self, to: &mut Vec<Entry>, ledger: &mut Ledger) {
        match self {
            Tree::Leaf(leaf) => {
                ledger.touch(1 + leaf.entries.len());
                to.extend(leaf.entries.iter().filter(|entry| ledger.is_live(entry)));
            }
            Tree::Node(node) => node.children.into_iter().for_each(|it| it.gather(to, ledger)),
        }
    }

    /// Moves the earliest entries to the front, which must be empty; some are there afterwards,
    /// all of them live, if any live entry is here. Answers how many. All the dead must have been
    /// buried.
    pub(super) fn take_earliest(&mut self, front: &mut Vec<Entry>, ledger: &mut Ledger) -> usize {
        ledger.touch(1);
        if let Tree::Leaf(leaf) = self {
            leaf.drop_dead(ledger);
            if leaf.live <= LARGE {
                leaf.take_earliest(front, ledger);
                return front.len();
            }
            self.part(ledger);
        }
        let Tree::Node(node) = self else { unreachable!("a leaf that was parted") };
        let first = node.occupied.trailing_zeros() as usize;
        let child = &mut node.children[first];
        let taken = child.take_earliest(front, ledger);
        node.live -= taken;
        if node.live <= SPARSE || child.is_empty() {
            self.prune(first, ledger);
        }
        taken
    }

    /// Makes a node of a leaf that has none dead.
    fn part(&mut self, ledger: &mut Ledger) {
        let Tree::Leaf(Leaf { entries, .. }) = mem::take(self) else { unreachable!("a leaf") };
        ledger.touch(entries.len() + FANOUT);
        let sample = entries[0].key();
        let differing = entries.iter().fold((0, 0), |bits, entry| {
            (bits.0 | (entry.deadline ^ sample.0), bits.1 | (entry.slot ^ sample.1))
        });
        let mut node = Box::new(Node::new(sample, differing, entries.len()));
        // Counted first, so that the leaves are made no larger than need be, and do not grow.
        let mut counts = [0; FANOUT];
        for entry in &entries {
            counts[node.place(entry.key())] += 1;
        }
        for (child, count) in node.children.iter_mut().zip(counts) {
            *child = Tree::Leaf(Leaf { entries: Vec::with_capacity(count), live: count });
        }
        for entry in entries {
            if let Tree::Leaf(leaf) = node.child(entry.key()) {
                leaf.entries.push(entry);
            }
        }
        *self = Tree::Node(node);
    }

    /// Drops the dead of one leaf, the first that holds keys from this one on. Answers from where
    /// on to go on; nowhere, if all is done.
    pub(super) fn sweep(&mut self, from: Key, ledger: &mut Ledger) -> Option<Key> {
        ledger.touch(1);
        match self {
            Tree::Leaf(leaf) => {
                leaf.drop_dead(ledger);
                None
            }
            Tree::Node(node) => {
                let ahead = if node.covers(from) {
                    node.occupied & u64::MAX << node.place(from)
                } else if from < node.sample {
                    node.occupied
                } else {
                    0
                };
                let child = node.children.get_mut(ahead.trailing_zeros() as usize)?;
                let later = ahead & (ahead - 1);
                child
                    .sweep(from, ledger)
                    .or_else(|| (later != 0).then(|| node.begin(later.trailing_zeros())))
            }
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Tree::Leaf(leaf) if leaf.live == 0)
    }
}

impl Leaf {
    #[inline]
    fn is_wasteful(&self) -> bool {
        self.entries.len() > 2 * self.live + TOLERATED
    }

    #[inline(never)]
    fn drop_dead(&mut self, ledger: &mut Ledger) {
        if self.entries.len() > self.live {
            ledger.drop_dead(&mut self.entries);
            self.return_memory(ledger);
        }
    }

    /// Room that was of use a moment ago may be again.
    fn return_memory(&mut self, ledger: &mut Ledger) {
        let len = self.entries.len();
        if self.entries.capacity() > 4 * len + SMALL {
            ledger.touch(len);
            self.entries.shrink_to(2 * len + SMALL / 4);
        }
    }

    fn take_earliest(&mut self, front: &mut Vec<Entry>, ledger: &mut Ledger) {
        let entries = &mut self.entries;
        let later = entries.len().saturating_sub(SMALL);
        if later > 0 {
            ledger.touch(entries.len());
            entries.select_nth_unstable_by_key(later, |entry| Reverse(entry.deadline));
        }
        front.extend(entries.drain(later..));
        self.live -= front.len();
        front.sort_unstable_by_key(|entry| Reverse(entry.deadline));
        front.iter().for_each(|entry| ledger.move_to(entry, IN_FRONT));
        ledger.touch(front.len());
        self.return_memory(ledger);
    }
}

impl Node {
    /// A node for keys such as this one that differ from each other in these bits.
    fn new(sample: Key, differing: Key, live: usize) -> Node {
        let by_slot = differing.0 == 0;
        let differing = if by_slot { u64::from(differing.1) } else { differing.0 };
        // Levels lie at multiples of six bits in every node, so that one fits into a child of
        // another whole, and there are no more than eleven, and six for the slot.
        let shift = differing.checked_ilog2().unwrap_or(0) / LEVEL_BITS * LEVEL_BITS;
        let children = [const { Tree::Leaf(Leaf { entries: Vec::new(), live: 0 }) }; FANOUT];
        Node { shift, by_slot, sample, live, occupied: 0, children }
    }

    #[inline]
    fn covers(&self, key: Key) -> bool {
        let mut differing = key.0 ^ self.sample.0;
        if self.by_slot {
            if differing != 0 {
                return false;
            }
            differing = (key.1 ^ self.sample.1).into();
        }
        differing >> self.shift < FANOUT as u64
    }

    #[inline]
    fn place(&self, key: Key) -> usize {
        let bits = if self.by_slot { key.1.into() } else { key.0 };
        (bits >> self.shift) as usize % FANOUT
    }

    /// The child that is to hold an entry with this key.
    #[inline]
    fn child(&mut self, key: Key) -> &mut Tree {
        let place = self.place(key);
        self.occupied |= 1 << place;
        &mut self.children[place]
    }

    /// The first key that a child may hold.
    fn begin(&self, place: u32) -> Key {
        let begin = |bits: u64| {
            (bits >> self.shift & !(FANOUT as u64 - 1) | u64::from(place)) << self.shift
        };
        if self.by_slot {
            (self.sample.0, begin(self.sample.1.into()) as u32)
        } else {
            (begin(self.sample.0), 0)
        }
    }
}
