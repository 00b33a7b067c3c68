//! Which entries are live, and where they are.

/// A deadline, and the slot that has it: all that have one deadline differ in this.
pub(super) type Key = (u64, u32);

/// What is noted for an entry in front, in place of its deadline. None is as late as this.
pub(super) const IN_FRONT: u64 = u64::MAX;

/// Far more than there are slots, and leaves.
pub(super) const HALF_OF_STAMPS: u32 = 1 << 31;

const CHUNK: usize = 1024;

#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) deadline: u64,
    pub(super) slot: u32,
    pub(super) stamp: u32,
}

impl Entry {
    pub(super) fn key(&self) -> Key {
        (self.deadline, self.slot)
    }
}

/// What is known of a slot. The halves of the deadline lie apart, so that no space is lost.
#[derive(Clone, Copy)]
struct Record {
    home: [u32; 2],
    /// Odd while the slot has a deadline.
    stamp: u32,
}

impl Record {
    const NEW: Record = Record { home: [0; 2], stamp: 0 };

    #[inline]
    fn home(&self) -> u64 {
        u64::from(self.home[0]) | u64::from(self.home[1]) << 32
    }

    #[inline]
    fn set_home(&mut self, home: u64) {
        self.home = [home as u32, (home >> 32) as u32];
    }
}

/// The stamps of all slots, and under which deadline the tree holds those that have one.
#[derive(Default)]
pub(super) struct Ledger {
    /// Slots are never returned, nor are these. They never move, so that one more costs no more
    /// than a chunk.
    records: Vec<Box<[Record; CHUNK]>>,
    #[cfg(test)]
    pub(super) touched: usize,
}

impl Ledger {
    #[inline]
    fn record(&mut self, slot: u32) -> Option<&mut Record> {
        Some(&mut self.records.get_mut(slot as usize / CHUNK)?[slot as usize % CHUNK])
    }

    #[inline]
    fn stamp(&self, slot: u32) -> u32 {
        self.records[slot as usize / CHUNK][slot as usize % CHUNK].stamp
    }

    #[inline]
    pub(super) fn is_live(&self, entry: &Entry) -> bool {
        self.stamp(entry.slot) == entry.stamp
    }

    #[inline]
    pub(super) fn is_started(&self, slot: u32) -> bool {
        (slot as usize) < self.records.len() * CHUNK && self.stamp(slot) % 2 == 1
    }

    /// Notes a new entry and where it is; answers its stamp.
    #[inline]
    pub(super) fn start(&mut self, slot: u32, home: u64) -> u32 {
        if slot as usize / CHUNK >= self.records.len() {
            self.grow(slot);
        }
        debug_assert!(!self.is_started(slot));
        let record = &mut self.records[slot as usize / CHUNK][slot as usize % CHUNK];
        record.set_home(home);
        record.stamp += 1;
        record.stamp
    }

    #[cold]
    fn grow(&mut self, slot: u32) {
        while self.records.len() <= slot as usize / CHUNK {
            self.records.push(Box::new([Record::NEW; CHUNK]));
            self.touch(CHUNK);
        }
    }

    /// The entry of a slot, if it has one, is dead from now on. Where it is, and the slot's stamp.
    #[inline]
    pub(super) fn end(&mut self, slot: u32) -> Option<(u64, u32)> {
        let record = self.record(slot).filter(|record| record.stamp % 2 == 1)?;
        record.stamp = record.stamp.wrapping_add(1);
        Some((record.home(), record.stamp))
    }

    /// Notes where a live entry is from now on.
    #[inline]
    pub(super) fn move_to(&mut self, entry: &Entry, home: u64) {
        debug_assert!(self.is_live(entry));
        let slot = entry.slot as usize;
        self.records[slot / CHUNK][slot % CHUNK].set_home(home);
    }

    pub(super) fn drop_dead(&mut self, entries: &mut Vec<Entry>) {
        self.touch(entries.len());
        let mut kept = 0;
        for at in 0..entries.len() {
            // Without a branch: whether an entry is live cannot be foreseen.
            let entry = entries[at];
            entries[kept] = entry;
            kept += usize::from(self.is_live(&entry));
        }
        entries.truncate(kept);
    }

    /// Tests bound the work that is done by how many entries are looked at or moved.
    #[inline]
    pub(super) fn touch(&mut self, _entries: usize) {
        #[cfg(test)]
        {
            self.touched += _entries;
        }
    }

    #[cfg(test)]
    pub(super) fn set_stamp(&mut self, slot: u32, stamp: u32) {
        self.record(slot).unwrap().stamp = stamp;
    }
}
