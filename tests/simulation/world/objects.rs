//! Objects come and go.

use super::*;

impl<S: Subject> World<S> {
    /// Answers whether it was refused.
    pub(super) fn open(&mut self, behind: u32, first: u32, period: u32, maker: u32) -> bool {
        let maker = maker.checked_sub(1).and_then(|number| at(&self.exchanges, number));
        let handle = u64::from(period) % 2;
        let behind = match behind % 9 {
            0 => Behind::Descriptor,
            1 => match maker {
                Some(at) => Behind::Exchange(self.exchanges[at].id),
                None => Behind::Descriptor,
            },
            2 => Behind::Flag,
            3 => Behind::Counter,
            kind @ (4 | 5) => {
                let taken = |offset: u64| {
                    let on = |w: &&Watched| match w.behind {
                        Behind::Timer { first, .. } => first % GRID == offset,
                        _ => false,
                    };
                    self.waitables.iter().any(|w| on(&w))
                };
                let Some(offset) = (2..GRID).step_by(2).find(|offset| !taken(*offset)) else {
                    return false;
                };
                // Some have come before.
                let first = (self.model.now / GRID + u64::from(first)).saturating_sub(4) * GRID;
                let period = match (kind, period) {
                    (4, _) => 0,
                    (_, 4) => (u64::MAX / 2 / GRID) * GRID,
                    _ => (u64::from(period) + 1) * GRID,
                };
                Behind::Timer { first: first + offset, period }
            }
            6 => Behind::Level,
            7 => Behind::Once,
            _ => {
                let owned = self
                    .model
                    .foreign
                    .iter()
                    .any(|f| f.handle() == Some(handle) && f.owner.is_some());
                Behind::Watched { handle, own: first % 2 == 0 && !owned }
            }
        };
        let handle = match behind {
            Behind::Watched { handle, .. } => handle,
            _ => 1 << 40 | u64::from(self.model.ids()),
        };
        let token = maker.map(|at| self.exchanges[at].token);
        let mut expected = Vec::new();
        if self.model.closed {
            expected.push(Refusal::Closed);
        }
        if self.waitables.len() as u32 >= self.limits.waitables {
            expected.push(Refusal::Limit);
        }
        match self.subject.open(behind, handle, token) {
            Ok(token) => {
                assert!(expected.is_empty(), "opening was to be refused: {expected:?}");
                self.tokens.given(token, Named::Waitable, self.step);
                let maker = maker.map(|at| self.exchanges[at].id);
                let id = self.model.open(behind, maker);
                self.waitables.push(Watched {
                    id,
                    token,
                    handle,
                    behind,
                    level: 0,
                    registered: 0,
                    pending: false,
                });
                false
            }
            Err(refusal) => {
                assert!(expected.contains(&refusal), "opening was refused: {refusal:?}");
                self.refused(refusal, Seen::RefusedLimitOfWaitables);
                true
            }
        }
    }

    pub(super) fn refused(&mut self, refusal: Refusal, limit: Seen) {
        self.hit(match refusal {
            Refusal::Limit => limit,
            Refusal::Closed => Seen::RefusedClosed,
            Refusal::Stale => Seen::StaleMember,
            _ => Seen::RefusedInvalid,
        });
    }

    pub(super) fn open_exchange(&mut self, key: u32) {
        if self.exchanges.len() >= 4 {
            return;
        }
        match self.subject.open_exchange(key) {
            Ok(token) => {
                assert!(!self.model.closed, "an exchange was opened after the end");
                self.tokens.given(token, Named::Exchange, self.step);
                self.ids += 1;
                self.exchanges.push(Exchange { id: self.ids, token, key });
                self.hit(Seen::ExchangeOpened);
            }
            Err(refusal) => {
                assert!(self.model.closed && refusal == Refusal::Closed, "refused: {refusal:?}");
            }
        }
    }

    pub(super) fn end_exchange(&mut self, number: u32) {
        let Some(at) = at(&self.exchanges, number) else { return };
        let Exchange { id, token, .. } = self.exchanges.remove(at);
        let closed = self.subject.end_exchange(token);
        let its = self.model.waits.iter().filter(|w| w.owner == Owner::Exchange(id));
        for wait in its.map(|w| w.id).collect::<Vec<_>>() {
            self.forgot(wait);
        }
        let mut made: Vec<u64> = Vec::new();
        for w in &self.model.waitables {
            if w.maker == Some(id) {
                made.extend(self.waitables.iter().find(|x| x.id == w.id).map(|x| x.token));
            }
        }
        let mut sorted = closed.clone();
        sorted.sort_unstable();
        made.sort_unstable();
        assert_eq!(sorted, made, "the waitables of exchange {id}");
        for token in closed {
            let at = self.waitables.iter().position(|w| w.token == token).expect("it lived");
            self.closed(at);
        }
        self.told.retain(|told| told.exchange != Some(id));
        self.tokens.released(Held::Step(id), self.step);
        self.tokens.ended(token, None, self.step);
        self.hit(Seen::ExchangeEnded);
    }

    pub(super) fn close(&mut self, number: u32) {
        let Some(at) = at(&self.waitables, number) else { return };
        assert_eq!(self.subject.close(self.waitables[at].token), Ok(()), "close");
        self.closed(at);
    }

    pub(super) fn closed(&mut self, at: usize) {
        let Watched { id, token, .. } = self.waitables.remove(at);
        self.model.close(id);
        if self.model.stops.iter().any(|stop| stop.waitable == id) {
            self.stopped.push((id, token));
        }
        self.tokens.ended(token, None, self.step);
        self.hit(Seen::WaitableClosed);
    }
}
