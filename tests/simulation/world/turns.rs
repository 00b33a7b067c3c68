//! Turns: what is delivered, and what the host is told.

use super::*;

impl<S: Subject> World<S> {
    pub(super) fn begin_turn(&mut self) {
        self.subject.begin_turn();
        self.model.applied();
        self.tokens.released(Held::Turn, self.step);
        self.late = self.told.iter().rfind(|t| t.exchange.is_none()).map(|t| t.completion);
        self.told.retain(|told| told.exchange.is_some());
    }

    pub(super) fn end_step(&mut self, at: usize) {
        let Exchange { id, token, .. } = self.exchanges[at];
        self.subject.end_step(token);
        self.tokens.released(Held::Step(id), self.step);
        self.told.retain(|told| told.exchange != Some(id));
    }

    pub(super) fn turn(&mut self, expire: u32, deliver: u32, changes: u32) {
        self.begin_turn();
        for at in 0..self.exchanges.len() {
            self.end_step(at);
        }
        self.harvest(deliver > 0);
        self.drain();
        self.expire(expire);
        let full = self.deliver(Class::Host, deliver);
        for class in [Class::Exchange, Class::Task] {
            let held = self.deliver(class, u32::MAX);
            assert!(!held, "{class:?} is never held back");
        }
        if full {
            self.hit(Seen::FullArrayHeldBack);
        }
        self.changes(changes);
    }

    /// Answers whether some were held back.
    pub(super) fn deliver(&mut self, of: Class, limit: u32) -> bool {
        for _ in 0..limit {
            let next = self.model.next(|owner| class(owner) == of);
            let Some(completion) = self.subject.next_completion(of) else {
                assert_eq!(next, [], "completions of {of:?} that did not come");
                assert!(!self.subject.has_completion(of), "a completion of {of:?} that is none");
                self.tokens.released(Held::Queue(of), self.step);
                return false;
            };
            let id = completion.user_data as u32;
            assert!(next.contains(&id), "{completion:?} came before one of {next:?}");
            self.delivered(of, id, completion);
        }
        !self.model.next(|owner| class(owner) == of).is_empty()
    }

    pub(super) fn delivered(&mut self, of: Class, id: u32, completion: Delivered) {
        let at = self.waits.iter().position(|w| w.0 == id).expect("it lived");
        let token = self.waits[at].1;
        let owner = self.model.wait(id).owner;
        let done = self.model.deliver(id);
        let (index, _, ready) = done.members.first().copied().unwrap_or((0, 0, 0));
        let exchange = match owner {
            Owner::Exchange(id) => self.exchanges.iter().find(|e| e.id == id),
            _ => None,
        };
        let expected = Delivered {
            key: match owner {
                Owner::Task(key) => key,
                _ => exchange.map_or(0, |e| e.key),
            },
            user_data: u64::from(id),
            wait: token,
            outcome: done.outcome,
            more: done.more,
            members: done.members.len() as u16,
            ready,
            index,
            error: done.error,
        };
        let exchange = exchange.map(|e| e.id);
        assert_eq!(completion, expected, "a completion of {of:?}");

        // The promises, without the model.
        let promise = self.promises[id as usize].as_mut().expect("it was promised");
        assert!(!promise.over, "a completion after the last one of wait {id}");
        assert!(!completion.more || promise.multishot, "more of a one-shot wait");
        assert!(
            completion.outcome != End::TimedOut || promise.deadline <= self.model.now,
            "wait {id} ended before its deadline"
        );
        assert!(
            completion.outcome != End::Ready || completion.members >= promise.need,
            "wait {id} ended before enough were ready"
        );
        promise.over = !completion.more;

        if !done.more {
            self.waits.remove(at);
            let held = exchange.map_or(Held::Turn, Held::Step);
            self.tokens.ended(token, Some(held), self.step);
        }
        let answer = self.subject.members(&completion);
        let members = done.members;
        self.told.push(Told { completion, exchange, members, forgotten: false });
        self.compare_members(self.told.len() - 1, answer);
        self.hit(match of {
            Class::Host => Seen::HostDelivered,
            Class::Exchange => Seen::ExchangeDelivered,
            Class::Task => Seen::TaskDelivered,
        });
        if of != Class::Host && !self.model.next(|owner| owner == Owner::Host).is_empty() {
            self.hit(Seen::DeliveredWhileFull);
        }
    }

    pub(super) fn members(&mut self, number: u32) {
        if let Some(at) = at(&self.told, number) {
            let answer = self.subject.members(&self.told[at].completion);
            self.compare_members(at, answer);
            self.hit(Seen::MembersTold);
        }
        if let Some(late) = self.late.filter(|late| !late.more) {
            let answer = self.subject.members(&late);
            assert_eq!(answer, Err(Refusal::Stale), "members after the next turn began");
            self.hit(Seen::MembersTooLate);
        }
    }

    pub(super) fn compare_members(&mut self, at: usize, answer: Answer<Vec<(u64, u32, u32)>>) {
        let told = &self.told[at];
        if told.forgotten && answer == Err(Refusal::Stale) {
            return;
        }
        let lives = |id: u32| self.waitables.iter().find(|w| w.id == id).map_or(0, |w| w.token);
        let expected: Vec<_> =
            told.members.iter().map(|(at, id, bits)| (lives(*id), *at, *bits)).collect();
        let closed = expected.iter().any(|member| member.0 == 0);
        assert_eq!(answer, Ok(expected), "members of {:?}", told.completion);
        if closed {
            self.hit(Seen::MembersOfClosed);
        }
    }

    pub(super) fn changes(&mut self, limit: u32) {
        self.subject.plan_changes();
        self.model.plan_changes();
        for _ in 0..limit {
            let Some(told) = self.subject.next_change() else {
                assert!(!self.model.has_changes(), "changes that did not come");
                return self.all_watched();
            };
            let Some(id) = self.told_of(&told) else {
                panic!("{told:?} is of nothing that the host knows");
            };
            if let Err(wrong) = self.model.told(id, told.interest) {
                panic!("{told:?} (waitable {id}): {wrong}");
            }
        }
        if self.model.has_changes() {
            self.hit(Seen::ChangeHeldBack);
        }
    }

    /// A host that knows all changes watches all that is waited for.
    pub(super) fn all_watched(&self) {
        for f in &self.model.foreign {
            let its = |wait: &Wait| f.waitables.iter().fold(0, |all, id| all | wait.interest(*id));
            // A host that reports once is asked again when a multishot wait is delivered.
            let idle = |w: &&Wait| f.behind != Behind::Once || !(w.multishot && w.queued.is_some());
            let asked = self.model.waits.iter().filter(idle).fold(0, |all, w| all | its(w));
            let watched = if f.reported { 0 } else { f.told };
            let unwatched = asked & !(watched | HANGUP | ERROR);
            assert!(unwatched == 0 && (asked == 0 || watched != 0), "nobody watches {f:?}");
        }
    }

    /// The waitable of a change, which lives or was closed.
    pub(super) fn told_of(&mut self, told: &Change) -> Option<u32> {
        if let Some(w) = self.waitables.iter().find(|w| w.token == told.waitable) {
            let how = match w.behind {
                Behind::Level => How::Level,
                Behind::Once => How::Once,
                _ => How::Descriptor,
            };
            assert_eq!((told.how, told.handle), (how, w.handle), "what the host is told of it");
            return Some(w.id);
        }
        let closed = self.stopped.iter().position(|(_, token)| *token == told.waitable)?;
        Some(self.stopped.remove(closed).0)
    }
}
