//! The part of the model that says what a host is to watch.

use super::*;

impl Foreign {
    pub fn handle(&self) -> Option<u64> {
        match self.behind {
            Behind::Watched { handle, .. } => Some(handle),
            _ => None,
        }
    }
}

impl Model {
    pub fn open_foreign(&mut self, id: u32, behind: Behind) {
        let shared = match behind {
            Behind::Level | Behind::Once => None,
            Behind::Watched { handle, .. } => {
                self.foreign.iter().position(|f| f.handle() == Some(handle))
            }
            _ => return,
        };
        let at = shared.unwrap_or(self.foreign.len());
        if shared.is_none() {
            self.foreign.push(Foreign {
                behind,
                waitables: Vec::new(),
                owner: None,
                told: 0,
                reported: false,
                dropped: 0,
                unseen: 0,
                forced: false,
                planned: None,
            });
        }
        self.foreign[at].waitables.push(id);
        if let Behind::Watched { own: true, .. } = behind {
            self.foreign[at].owner = Some(id);
        }
    }

    pub fn foreign(&mut self, id: u32) -> Option<&mut Foreign> {
        self.foreign.iter_mut().find(|f| f.waitables.contains(&id))
    }

    /// A waitable ends, all of whose waits have.
    pub fn close_foreign(&mut self, id: u32) {
        let place = self.place;
        let Some(f) = self.foreign(id) else { return };
        let (known, owned) = (f.waitables[0] == id, f.owner == Some(id));
        f.waitables.retain(|other| *other != id);
        let others = f.waitables.clone();
        if known || owned {
            // The host knows it by a token that ends, or its descriptor does.
            let told = std::mem::take(&mut f.told);
            (f.planned, f.owner) = (None, f.owner.filter(|_| !owned));
            let (handle, waitable) = (f.handle(), if known { id } else { others[0] });
            if told != 0 {
                self.stops.push(Stop { waitable, handle, place, close: owned });
                self.histogram.hit(Seen::StoppedByClose);
            } else if owned {
                self.closable.extend(handle);
            }
        }
        self.foreign.retain(|f| !f.waitables.is_empty());
        for other in others.iter().filter(|_| owned) {
            self.end_waits(*other, End::Closed, 0);
        }
        if !others.is_empty() {
            self.histogram.hit(if owned { Seen::OwnerClosed } else { Seen::SharerClosed });
        }
    }

    /// Somebody waits anew: a host that reports once has to look again.
    pub fn armed(&mut self, id: u32) {
        if let Some(f) = self.foreign(id) {
            f.forced = true;
        }
    }

    /// What a wait asked for that is seldom asked for need not be watched any longer.
    pub fn leave(&mut self, id: u32) {
        for member in self.wait(id).set.clone() {
            if let Some(f) = self.foreign(member.waitable) {
                f.dropped |= member.asks;
                self.histogram.hit(Seen::OffLoopLeft);
            }
        }
    }

    /// The host reports what it watches.
    pub fn report(&mut self, id: u32, bits: u32) -> bool {
        let Some(f) = self.foreign(id) else { return false };
        let (behind, waitables) = (f.behind, f.waitables.clone());
        let seen = waitables.iter().fold(0, |seen, id| seen | self.ready(*id, bits));
        // A multishot wait that is queued asks again when it is delivered.
        let idle = |w: &&Wait| !(w.multishot && w.queued.is_some());
        let left = self.waits.iter().filter(idle).any(|w| w.interest(id) != 0);
        let f = self.foreign(id).expect("what was reported");
        match behind {
            Behind::Once => {
                f.reported = true;
                f.forced |= left;
                self.histogram.hit(Seen::OnceReported);
            }
            Behind::Level => {
                let again = bits & !seen & f.unseen;
                f.unseen = (f.unseen & !bits) | (bits & !seen & !again);
                f.dropped |= again
                    | if again & READ_CLOSED != 0 { READABLE } else { 0 }
                    | if again & (HANGUP | ERROR) != 0 { !0 } else { 0 };
            }
            _ => {}
        }
        seen != 0
    }

    /// What all who wait for a foreign object ask the host to watch.
    pub fn wanted(&self, f: &Foreign) -> u32 {
        let asked = f.waitables.iter().fold(0, |all, id| all | self.interest(*id));
        let plain = asked & !(HANGUP | ERROR);
        if asked != 0 && plain == 0 { HANGUP } else { plain }
    }

    /// At the end of a turn: what the host is to be told.
    pub fn plan_changes(&mut self) {
        self.place += 1;
        for at in 0..self.foreign.len() {
            let wanted = self.wanted(&self.foreign[at]);
            let f = &mut self.foreign[at];
            f.dropped &= !wanted;
            f.forced &= wanted != 0;
            // A report may be a late one, of an earlier watch: at the end that does not count.
            let told = if f.reported && !self.closed { 0 } else { f.told };
            let target = match f.behind {
                Behind::Level => Some((f.told & !f.dropped) | wanted).filter(|t| *t != f.told),
                Behind::Once if wanted != 0 => Some(wanted).filter(|_| f.forced),
                _ => Some(wanted).filter(|t| *t != told),
            };
            let before = f.planned;
            f.planned = target.map(|t| (t, before.map_or(self.place, |(_, since)| since)));
            match (before, target) {
                (None, Some(then)) => self.histogram.changed(f.behind, told, then),
                (Some((earlier, _)), Some(then)) if earlier != then => {
                    self.histogram.hit(Seen::ChangeUpdated);
                }
                (Some(_), None) => self.histogram.hit(Seen::ChangeNeedless),
                _ => {}
            }
        }
    }

    /// Whether the host has something to fetch.
    pub fn has_changes(&self) -> bool {
        !self.stops.is_empty() || self.foreign.iter().any(|f| f.planned.is_some())
    }

    /// The host was told this of a waitable; answers what is wrong with it.
    pub fn told(&mut self, id: u32, interest: u32) -> Result<(), String> {
        let stop = self.stops.iter().position(|stop| stop.waitable == id && interest == 0);
        if let Some(at) = stop {
            let stop = self.stops.remove(at);
            let planned = self.foreign.iter().filter_map(|f| f.planned);
            if at > 0 || planned.into_iter().any(|(_, since)| since < stop.place) {
                return Err(format!("another was to be told before {stop:?}"));
            }
            self.stopping.extend(stop.handle.filter(|_| stop.close));
            return Ok(());
        }
        let first = self.foreign.iter().filter_map(|f| f.planned).map(|(_, since)| since).min();
        let stopped = self.stops.first().map(|stop| stop.place);
        let Some(f) = self.foreign.iter_mut().find(|f| f.waitables[0] == id) else {
            return Err("the host knows nothing of it".to_owned());
        };
        let Some((target, since)) = f.planned else {
            return Err(format!("nothing was to be told of {f:?}"));
        };
        if target != interest {
            return Err(format!("it was to be {target}: {f:?}"));
        }
        if Some(since) != first || stopped.is_some_and(|stopped| stopped < since) {
            return Err("another was to be told before".to_owned());
        }
        (f.told, f.dropped, f.forced, f.planned) = (interest, 0, false, None);
        f.reported = false;
        Ok(())
    }

    /// The next turn begins: the host has applied what it fetched.
    pub fn applied(&mut self) {
        let stopped = std::mem::take(&mut self.stopping);
        self.closable.extend(stopped);
    }
}
