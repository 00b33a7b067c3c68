//! What the core promises, said as naively as it can be: vectors, linear scans, plain integers.
//! Nothing here is shared with the core.

mod changes;
mod time;
pub mod words;

use crate::histogram::{Histogram, Seen};
use words::*;

#[derive(Clone, Default)]
pub struct Model {
    pub now: u64,
    pub closed: bool,
    pub waitables: Vec<Waitable>,
    pub waits: Vec<Wait>,
    pub foreign: Vec<Foreign>,
    pub stops: Vec<Stop>,
    /// Descriptors to close: once the host has applied what it fetched, and now.
    pub stopping: Vec<u64>,
    pub closable: Vec<u64>,
    pub histogram: Histogram,
    ids: u32,
    pub(crate) place: u64,
}

/// What of a report somebody sees who asks so.
pub fn seen(bits: u32, asks: u32) -> u32 {
    bits & (asks | HANGUP | ERROR | if asks & READABLE != 0 { READ_CLOSED } else { 0 })
}

impl Wait {
    pub fn asks(&self, member: &Member) -> bool {
        self.ended.is_none() && (self.multishot || member.ready == 0)
    }

    /// What it asks of a waitable.
    pub fn interest(&self, waitable: u32) -> u32 {
        let asking = |m: &&Member| m.waitable == waitable && self.asks(m);
        self.set.iter().filter(asking).fold(0, |all, m| all | m.asks)
    }

    fn is_pending(&self) -> bool {
        self.multishot && self.set[0].ready != 0
    }
}

impl Model {
    pub fn open(&mut self, behind: Behind, maker: Option<u32>) -> u32 {
        self.ids += 1;
        self.waitables.push(Waitable {
            id: self.ids,
            behind,
            maker,
            notified: 0,
            times: 0,
            taken: 0,
            instant: None,
        });
        self.open_foreign(self.ids, behind);
        self.ids
    }

    pub fn waitable(&mut self, id: u32) -> &mut Waitable {
        self.waitables.iter_mut().find(|w| w.id == id).expect("a living waitable")
    }

    pub fn wait(&mut self, id: u32) -> &mut Wait {
        self.waits.iter_mut().find(|w| w.id == id).expect("a living wait")
    }

    pub fn at(now: u64) -> Model {
        Model { now, ..Model::default() }
    }

    /// The last name that was given.
    pub fn ids(&self) -> u32 {
        self.ids
    }

    /// Another takes its place, at the same time.
    pub fn restart(&mut self) {
        let histogram = std::mem::take(&mut self.histogram);
        *self = Model { now: self.now, ids: self.ids, histogram, ..Model::default() };
    }

    fn hit(&mut self, what: Seen) {
        self.histogram.hit(what);
    }

    /// What all who wait for a waitable ask of it.
    pub fn interest(&self, id: u32) -> u32 {
        self.waits.iter().fold(0, |all, wait| all | wait.interest(id))
    }

    /// What a waitable is at this moment, as far as the core can know it.
    fn level(&mut self, id: u32) -> u32 {
        let w = self.waitable(id).clone();
        if self.expirations(&w) == 0 {
            return w.notified;
        }
        self.hit(Seen::TimerReadyAtArm);
        READABLE
    }

    // ---- waits ------------------------------------------------------------------------------

    /// `found` is what a selector answered for each member when it was armed.
    pub fn arm(&mut self, mut wait: Wait, found: &[u32]) -> u32 {
        self.ids += 1;
        wait.id = self.ids;
        let (id, set) = (wait.id, wait.set.clone());
        self.waits.push(wait);
        self.place += 1;
        for (member, found) in set.iter().zip(found) {
            let level = found | self.level(member.waitable);
            self.armed(member.waitable);
            self.sees(id, member.waitable, level);
        }
        if self.wait(id).queued.is_some() {
            self.hit(Seen::ReadyAtArm);
        }
        if set.is_empty() {
            self.hit(Seen::Slept);
        }
        self.settle();
        id
    }

    /// A wait is told of a report. Answers what of it the wait saw while it asked.
    pub fn sees(&mut self, id: u32, waitable: u32, bits: u32) -> u32 {
        let place = self.place;
        let wait = self.wait(id);
        let Some(at) = wait.set.iter().position(|m| m.waitable == waitable) else { return 0 };
        let bits = seen(bits, wait.set[at].asks);
        if bits == 0 || !matches!(wait.ended, None | Some(End::Ready)) {
            return 0;
        }
        let asked = wait.asks(&wait.set[at]);
        let (ended, queued) = (wait.ended, wait.queued);
        wait.set[at].ready |= bits;
        if wait.multishot && ended.is_none() {
            wait.queued.get_or_insert(place);
            let merged = queued.is_some();
            self.hit(if merged { Seen::MultishotMerged } else { Seen::MultishotReady });
        } else if ended.is_some() {
            self.hit(Seen::MergedIntoEnded);
        } else if wait.set.iter().filter(|m| m.ready != 0).count() >= wait.need {
            let several = wait.need > 1;
            self.end(id, End::Ready, 0);
            self.hit(if several { Seen::SeveralReady } else { Seen::ArmedReady });
        } else {
            self.hit(Seen::SeveralPartly);
        }
        if asked { bits } else { 0 }
    }

    /// The first decision stands.
    pub fn end(&mut self, id: u32, end: End, error: i32) {
        let place = self.place;
        let wait = self.wait(id);
        if let Some(first) = wait.ended {
            self.histogram.decided_again(first, end);
            return;
        }
        let pending = wait.is_pending();
        let partly = !wait.multishot && wait.need > 1 && wait.set.iter().any(|m| m.ready != 0);
        let multishot = wait.multishot;
        wait.ended = Some(if pending { End::Ready } else { end });
        wait.error = if pending { 0 } else { error };
        wait.queued.get_or_insert(place);
        let off_loop = wait.off_loop;
        self.histogram.ended(multishot, pending, partly, end);
        if off_loop {
            self.leave(id);
        }
    }

    pub fn cancel(&mut self, id: u32) {
        self.place += 1;
        self.end(id, End::Cancelled, 0);
        self.settle();
    }

    pub fn forget(&mut self, id: u32) {
        let wait = self.wait(id).clone();
        if wait.off_loop && wait.ended.is_none() {
            self.leave(id);
        }
        self.histogram.forgotten(wait.multishot, wait.queued.is_some());
        self.waits.retain(|w| w.id != id);
        self.settle();
    }

    /// Asks again at a multishot wait: what it is to be armed for, where a selector has to be asked.
    pub fn rearm(&mut self, id: u32) -> Option<(u32, u32)> {
        let wait = self.wait(id).clone();
        if wait.ended.is_some() {
            self.hit(Seen::RearmedEnded);
            return None;
        }
        self.place += 1;
        let waitable = wait.set[0].waitable;
        let level = self.level(waitable);
        self.sees(id, waitable, level);
        self.armed(waitable);
        self.hit(Seen::Rearmed);
        match self.waitable(waitable).behind {
            Behind::Descriptor | Behind::Exchange(_) => Some((waitable, self.interest(waitable))),
            _ => None,
        }
    }

    /// The next completion of `owner`'s kind is that of wait `id`.
    pub fn deliver(&mut self, id: u32) -> Done {
        let wait = self.wait(id);
        let more = wait.ended.is_none();
        let outcome = wait.ended.unwrap_or(End::Ready);
        let ready = wait.set.iter().enumerate().filter(|(_, m)| m.ready != 0);
        let members = ready.map(|(at, m)| (at as u32, m.waitable, m.ready)).collect();
        let done = Done { wait: id, outcome, more, error: wait.error, members };
        if more {
            wait.queued = None;
            wait.set[0].ready = 0;
            let waitable = wait.set[0].waitable;
            self.armed(waitable);
            self.hit(Seen::MultishotMore);
        } else {
            self.waits.retain(|w| w.id != id);
        }
        done
    }

    /// Those whose completions may come next.
    pub fn next(&self, of: impl Fn(Owner) -> bool) -> Vec<u32> {
        let queued = || self.waits.iter().filter(|w| w.queued.is_some() && of(w.owner));
        let first = queued().map(|w| w.queued).min();
        queued().filter(|w| Some(w.queued) == first).map(|w| w.id).collect()
    }

    // ---- waitables --------------------------------------------------------------------------

    /// The waits for a waitable.
    pub fn waiting(&self, id: u32) -> Vec<u32> {
        let names = |w: &&Wait| w.set.iter().any(|m| m.waitable == id);
        self.waits.iter().filter(names).map(|w| w.id).collect()
    }

    /// Ends all waits for a waitable.
    pub fn end_waits(&mut self, waitable: u32, end: End, error: i32) {
        self.place += 1;
        for id in self.waiting(waitable) {
            self.end(id, end, error);
        }
        self.settle();
    }

    pub fn close(&mut self, id: u32) {
        self.end_waits(id, End::Closed, 0);
        self.close_foreign(id);
        self.waitables.retain(|w| w.id != id);
    }

    pub fn close_all(&mut self) {
        self.closed = true;
        self.place += 1;
        for id in self.waits.iter().map(|w| w.id).collect::<Vec<_>>() {
            self.end(id, End::Closed, 0);
        }
        self.foreign.iter_mut().for_each(|f| f.dropped = !0);
        self.settle();
    }

    /// A waitable is reported ready. Answers whether anybody saw it who asked.
    pub fn ready(&mut self, id: u32, bits: u32) -> u32 {
        self.place += 1;
        let seen =
            self.waiting(id).into_iter().fold(0, |seen, wait| seen | self.sees(wait, id, bits));
        self.settle();
        seen
    }

    /// Events, and reports of what the host watches. Answers whether anybody saw it who asked.
    pub fn notify(&mut self, id: u32, bits: u32, times: u64) -> bool {
        match self.waitable(id).behind {
            Behind::Flag | Behind::Counter => {
                let w = self.waitable(id);
                w.notified |= bits;
                w.times += times;
                self.ready(id, bits) != 0
            }
            _ => self.report(id, bits),
        }
    }
}
