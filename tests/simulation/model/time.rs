//! The part of the model that knows about time.

use super::*;

/// The first expiration of a timer after `now`.
fn following(first: u64, period: u64, now: u64) -> Option<u64> {
    match (now < first, period) {
        (true, _) => Some(first),
        (_, 0) => None,
        _ => first.checked_add(((now - first) / period + 1).checked_mul(period)?),
    }
    .filter(|instant| *instant != FOREVER)
}

impl Model {
    pub(super) fn expirations(&self, w: &Waitable) -> u64 {
        match w.behind {
            Behind::Timer { first, .. } if self.now < first => 0,
            Behind::Timer { period: 0, .. } => 1 - w.taken,
            Behind::Timer { first, period } => 1 + (self.now - first) / period - w.taken,
            _ => 0,
        }
    }

    /// A timer runs while somebody asks for it.
    pub fn settle(&mut self) {
        for at in 0..self.waitables.len() {
            let Behind::Timer { first, period } = self.waitables[at].behind else { continue };
            if self.interest(self.waitables[at].id) & READABLE == 0 {
                self.waitables[at].instant = None;
            } else if self.waitables[at].instant.is_none() {
                self.waitables[at].instant = following(first, period, self.now);
            }
        }
    }

    /// The earliest instant at which something has to be done.
    pub fn next_deadline(&self) -> u64 {
        let waits = self.waits.iter().filter(|w| w.ended.is_none()).map(|w| w.deadline);
        let timers = self.waitables.iter().filter_map(|w| w.instant);
        waits.chain(timers).min().unwrap_or(FOREVER)
    }

    /// Does what has come, at least `limit` of it: what has come at one instant is done together.
    pub fn expire(&mut self, limit: usize) -> usize {
        let mut done = 0;
        while done < limit && self.next_deadline() <= self.now && self.next_deadline() != FOREVER {
            let instant = self.next_deadline();
            self.place += 1;
            let late = |w: &&Wait| w.ended.is_none() && w.deadline == instant;
            for id in self.waits.iter().filter(late).map(|w| w.id).collect::<Vec<_>>() {
                self.end(id, End::TimedOut, 0);
                done += 1;
            }
            if let Some(w) = self.waitables.iter_mut().find(|w| w.instant == Some(instant)) {
                w.instant = None;
                let (id, behind) = (w.id, w.behind);
                self.histogram.fired(behind);
                self.ready(id, READABLE);
                done += 1;
            } else {
                self.settle();
            }
        }
        done
    }

    pub fn take(&mut self, id: u32) -> u64 {
        let w = self.waitable(id).clone();
        let expirations = self.expirations(&w);
        if matches!(w.behind, Behind::Timer { .. }) && expirations > 1 {
            self.hit(Seen::TimerStalled);
        }
        let w = self.waitable(id);
        w.taken += expirations;
        let notified = std::mem::take(&mut w.notified);
        let times = std::mem::take(&mut w.times);
        match w.behind {
            Behind::Flag => (notified != 0).into(),
            Behind::Counter => times,
            _ => expirations,
        }
    }
}
