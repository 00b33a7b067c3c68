//! Foreign waitables: the host watches them, and watch changes tell it for what.
//!
//! What the host was last told is kept, and compared at the end of a turn with what those who wait
//! ask for. A change that the host has not fetched is brought up to date, or disappears, so that
//! the host sees at most one for each waitable.

use std::fmt::Write;

use super::*;

/// How the host watches a foreign waitable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It repeats its report while the object is ready, and a change holds until the next. Interest
    /// that nobody has any more is withdrawn late, so that a rhythm of requests and responses needs
    /// no changes at all.
    Level,
    /// It reports once for each change.
    Once,
    /// A descriptor: as `Level`, but interest is withdrawn at once.
    Descriptor { own: bool },
}

/// What the reactor asks of the host for a foreign waitable; an empty interest: stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) waitable: Token,
    pub(crate) handle: u64,
    pub(crate) interest: Readiness,
    pub(crate) how: How,
}

/// A foreign object. Several waitables share one only where it is a descriptor.
pub(super) struct Foreign {
    handle: u64,
    how: How,
    /// Its waitables; the host knows it by the first.
    first: u32,
    others: Vec<u32>,
    /// The waitable with which its descriptor is closed; NIL: none.
    owner: u32,
    /// What the host was last told to watch it for.
    told: Readiness,
    /// A host that reports once has done so since.
    reported: bool,
    /// What it is to watch it for.
    target: Readiness,
    /// What was reported in vain the last time.
    vain: Readiness,
    /// What is to be withdrawn.
    dropped: Readiness,
    /// The host has to be told even what it knows.
    force: bool,
    /// The numbers of its entries in the two queues; 0: none.
    touched: u64,
    plan: u64,
}

/// A change that the host has not fetched.
pub(super) enum Pending {
    Watch { foreign: u32, plan: u64 },
    Stop { change: Change, close: bool },
}

impl Foreign {
    pub(super) fn add(&mut self, slot: u32) {
        if self.first == NIL {
            self.first = slot;
        } else {
            self.others.push(slot);
        }
        if self.how == (How::Descriptor { own: true }) {
            self.owner = slot;
            self.how = How::Descriptor { own: false };
        }
    }

    /// Its waitables, one after the other.
    pub(super) fn slot(&self, index: usize) -> Option<u32> {
        match index {
            0 => (self.first != NIL).then_some(self.first),
            _ => self.others.get(index - 1).copied(),
        }
    }

    pub(super) fn describe(&self, text: &mut String) -> std::fmt::Result {
        match self.how {
            How::Descriptor { .. } => write!(text, ", descriptor {}", self.handle)?,
            How::Level => write!(text, ", foreign {:#x} (level)", self.handle)?,
            How::Once => write!(text, ", foreign {:#x} (once)", self.handle)?,
        }
        write!(text, ", watched by the host for: {:?}", self.watched())
    }

    /// What the host watches it for, if its last report was not late.
    fn watched(&self) -> Readiness {
        if self.reported { Readiness::NONE } else { self.told }
    }
}

/// What is to be withdrawn because these bits are reported in vain again and again.
fn withdrawn(bits: Readiness) -> Readiness {
    if bits.intersects(Readiness::ALWAYS) {
        // They cannot be left out of a watch.
        Readiness::INTERESTS
    } else if bits.intersects(Readiness::READ_CLOSED) {
        // It is reported where READABLE is watched for, too.
        bits | Readiness::READABLE
    } else {
        bits
    }
}

impl Core {
    /// The place of a foreign object; that of a descriptor may be there already.
    pub(super) fn foreign_of(&mut self, handle: u64, how: How) -> u32 {
        let shared = matches!(how, How::Descriptor { .. });
        if shared {
            if let Some(foreign) = self.by_handle.get(&handle) {
                if how == (How::Descriptor { own: true }) {
                    self.foreign[*foreign as usize].how = how;
                }
                return *foreign;
            }
        }
        let foreign = self.foreign.insert(Foreign {
            handle,
            how,
            first: NIL,
            others: Vec::new(),
            owner: NIL,
            told: Readiness::NONE,
            reported: false,
            target: Readiness::NONE,
            vain: Readiness::NONE,
            dropped: Readiness::NONE,
            force: false,
            touched: 0,
            plan: 0,
        }) as u32;
        if shared {
            self.by_handle.insert(handle, foreign);
        }
        foreign
    }

    /// Whether a waitable closes the descriptor of this number, which the host watches.
    pub(crate) fn is_given(&self, fd: i32) -> bool {
        let foreign = self.by_handle.get(&(fd as u64));
        foreign.is_some_and(|foreign| self.foreign[*foreign as usize].owner != NIL)
    }

    /// The descriptor behind a waitable that the host watches.
    pub(crate) fn descriptor_of(&self, slot: u32) -> Option<i32> {
        let Source::Foreign(foreign) = self.source(slot) else { return None };
        let entry = &self.foreign[foreign as usize];
        matches!(entry.how, How::Descriptor { .. }).then_some(entry.handle as i32)
    }

    /// A waitable of a foreign object ends; with the last one, the object's place.
    pub(super) fn leave_foreign(&mut self, foreign: u32, slot: u32) {
        let entry = &mut self.foreign[foreign as usize];
        let known = slot != NIL && entry.first == slot;
        let owned = slot != NIL && entry.owner == slot;
        if known {
            entry.first = if entry.others.is_empty() { NIL } else { entry.others.remove(0) };
        } else {
            entry.others.retain(|other| *other != slot);
        }
        let last = entry.first == NIL;
        if known || owned {
            // The host knows it by a token that ends, or its descriptor does.
            let told = std::mem::replace(&mut entry.told, Readiness::NONE);
            entry.target = Readiness::NONE;
            if std::mem::take(&mut entry.plan) != 0 {
                self.live_plans -= 1;
            }
            let entry = &mut self.foreign[foreign as usize];
            let (handle, how) = (entry.handle, entry.how);
            if owned {
                entry.owner = NIL;
                self.closing.push(handle as i32);
            }
            if !told.is_empty() {
                let known_as = if known { slot } else { entry.first };
                let change = Change {
                    waitable: self.token_of(Kind::Waitable, known_as),
                    handle,
                    interest: Readiness::NONE,
                    how,
                };
                self.live_plans += 1;
                self.planned.push_back(Pending::Stop { change, close: owned });
            } else if owned {
                self.closable.push(handle as i32);
            }
        }
        if last {
            let entry = self.foreign.remove(foreign as usize);
            if let How::Descriptor { .. } = entry.how {
                self.by_handle.remove(&entry.handle);
            }
            return;
        }
        if owned {
            let mut index = 0;
            while let Some(other) = self.foreign[foreign as usize].slot(index) {
                self.close_waits(other);
                index += 1;
            }
        }
        self.touch(foreign);
    }

    /// What those who wait ask for may have changed.
    pub(super) fn touch(&mut self, foreign: u32) {
        let entry = &mut self.foreign[foreign as usize];
        if entry.touched == 0 {
            self.plans += 1;
            entry.touched = self.plans;
            self.touched.push_back((foreign, self.plans));
        }
    }

    /// Whether the host reports an object once for each change.
    pub(super) fn is_once(&self, foreign: u32) -> bool {
        self.foreign[foreign as usize].how == How::Once
    }

    /// Somebody armed a wait for a waitable: a host that reports once has to look again.
    pub(super) fn arm_foreign(&mut self, slot: u32) {
        if let Source::Foreign(foreign) = self.source(slot) {
            let entry = &mut self.foreign[foreign as usize];
            if entry.how == How::Once {
                entry.force = true;
                self.touch(foreign);
            }
        }
    }

    /// What a wait asked for is to be withdrawn as soon as nobody else asks for it.
    pub(super) fn drop_interest(&mut self, slot: u32, interest: Readiness) {
        if let Source::Foreign(foreign) = self.source(slot) {
            let entry = &mut self.foreign[foreign as usize];
            if entry.how == How::Level {
                entry.dropped |= interest;
                self.touch(foreign);
            }
        }
    }

    /// The host reports what a foreign object is ready for. Answers whether anybody waited for it.
    pub(super) fn report(&mut self, foreign: u32, bits: Readiness) -> bool {
        let (seen, left) = self.show_foreign(foreign, bits);
        let entry = &mut self.foreign[foreign as usize];
        match entry.how {
            How::Level => {
                let unseen = bits & !seen;
                // In vain for the second time in a row.
                let again = unseen & entry.vain;
                entry.vain = (entry.vain & !bits) | (unseen & !again);
                if !again.is_empty() {
                    entry.dropped |= withdrawn(again);
                    self.touch(foreign);
                }
            }
            How::Once => {
                // What was told stays: a report from another thread may be of an earlier watch.
                entry.reported = true;
                entry.force |= left;
                self.touch(foreign);
            }
            How::Descriptor { .. } => {}
        }
        !seen.is_empty()
    }

    fn wanted_of(&self, foreign: u32) -> Readiness {
        let entry = &self.foreign[foreign as usize];
        let mut wanted = Readiness::NONE;
        let mut asked = false;
        let mut index = 0;
        while let Some(slot) = entry.slot(index) {
            wanted |= self.waitable(slot).wanted();
            asked |= self.waitable(slot).is_asked();
            index += 1;
        }
        if asked && wanted.is_empty() { Readiness::HANGUP } else { wanted }
    }

    /// Compares what the host watches for with what is asked for. At the end of a turn.
    pub(crate) fn plan_changes(&mut self) {
        while let Some((foreign, number)) = self.touched.pop_front() {
            if self.foreign.get(foreign as usize).is_none_or(|entry| entry.touched != number) {
                continue;
            }
            let wanted = self.wanted_of(foreign);
            let entry = &mut self.foreign[foreign as usize];
            entry.touched = 0;
            let needed = match entry.how {
                How::Level => {
                    // What the host did not fetch and nobody wants any more never was.
                    entry.dropped = entry.dropped & !wanted;
                    entry.target = (entry.told & !entry.dropped) | wanted;
                    entry.target != entry.told
                }
                How::Descriptor { .. } => {
                    entry.target = wanted;
                    entry.target != entry.told
                }
                How::Once if wanted.is_empty() => {
                    entry.force = false;
                    entry.target = wanted;
                    // A watch that is left here goes no further than to its report. At the end
                    // nothing may be left.
                    let watched = if self.closed { entry.told } else { entry.watched() };
                    !watched.is_empty()
                }
                How::Once => {
                    let needed = entry.force || entry.plan != 0;
                    entry.target = if needed { wanted } else { entry.told };
                    needed
                }
            };
            if needed && entry.plan == 0 {
                entry.plan = number;
                self.live_plans += 1;
                self.planned.push_back(Pending::Watch { foreign, plan: number });
            } else if !needed && entry.plan != 0 {
                entry.plan = 0;
                self.live_plans -= 1;
            }
        }
        if self.live_plans == 0 {
            // A host that fetches nothing would have the needless ones pile up.
            self.planned.clear();
        }
    }

    /// Whether the host has changes to fetch.
    pub(crate) fn has_changes(&self) -> bool {
        self.live_plans > 0
    }

    /// The next thing that the host has to do for a foreign waitable.
    pub(crate) fn next_change(&mut self) -> Option<Change> {
        loop {
            match self.planned.pop_front()? {
                Pending::Stop { change, close } => {
                    self.live_plans -= 1;
                    if close {
                        self.stopping.push(change.handle as i32);
                    }
                    return Some(change);
                }
                Pending::Watch { foreign, plan } => {
                    let Some(entry) = self.foreign.get_mut(foreign as usize) else { continue };
                    if entry.plan != plan {
                        continue;
                    }
                    entry.plan = 0;
                    entry.told = entry.target;
                    entry.reported = false;
                    entry.dropped = Readiness::NONE;
                    entry.force = false;
                    let (first, handle, interest, how) =
                        (entry.first, entry.handle, entry.told, entry.how);
                    self.live_plans -= 1;
                    let waitable = self.token_of(Kind::Waitable, first);
                    return Some(Change { waitable, handle, interest, how });
                }
            }
        }
    }

    /// A descriptor that the host has stopped watching, or never watched, to be closed now.
    pub(crate) fn next_closable(&mut self) -> Option<i32> {
        let fd = self.closable.pop()?;
        self.closing.retain(|other| *other != fd);
        Some(fd)
    }

    /// Whether a descriptor is open only until the host has stopped watching it.
    pub(crate) fn is_closing(&self, fd: i32) -> bool {
        self.closing.contains(&fd)
    }

    /// The host has applied what it fetched.
    pub(super) fn changes_were_applied(&mut self) {
        self.closable.append(&mut self.stopping);
    }

    /// Has the host stop watching everything.
    pub(super) fn stop_watching(&mut self) {
        let all: Vec<u32> = self.foreign.iter().map(|(foreign, _)| foreign as u32).collect();
        for foreign in all {
            self.foreign[foreign as usize].dropped = Readiness::INTERESTS;
            self.touch(foreign);
        }
    }

    /// Gives up what the host did not fetch; it has to stop watching by itself.
    pub(super) fn end_changes(&mut self) {
        self.changes_were_applied();
        for pending in std::mem::take(&mut self.planned) {
            if let Pending::Stop { change, close: true } = pending {
                self.closable.push(change.handle as i32);
            }
        }
        self.live_plans = 0;
    }
}
