//! Waits: asked, refused, ended, armed again.

use super::*;

impl<S: Subject> World<S> {
    /// Answers whether it was refused, or dropped.
    pub(super) fn arm(
        &mut self,
        owner: u32,
        set: &[u32],
        at_least: u32,
        flags: u32,
        deadline: u32,
        bad: u32,
    ) -> bool {
        let (whose, owner) = match (owner % 3, at(&self.exchanges, owner / 3)) {
            (1, Some(at)) => {
                (Whose::Exchange(self.exchanges[at].token), Owner::Exchange(self.exchanges[at].id))
            }
            (2, _) => (Whose::Task(owner / 3), Owner::Task(owner / 3)),
            _ => (Whose::Host, Owner::Host),
        };
        let mut members: Vec<Member> = Vec::new();
        let mut ask = Ask {
            set: Vec::new(),
            at_least,
            multishot: flags & 1 != 0 && !matches!(owner, Owner::Task(_)),
            off_loop: flags & 2 != 0,
            deadline: match deadline {
                0 => FOREVER,
                1 => 0,
                2 => FOREVER - 2,
                // Odd, so that none falls together with a timer; and coarse, so that many fall
                // together with each other.
                _ => ((self.model.now / 32 + u64::from(deadline) - 3) * 32) | 1,
            },
            user_data: u64::from(self.model.ids()) + 1,
            whose,
            found: Vec::new(),
            straight: flags & 16 != 0,
        };
        for member in set {
            let Some(at) = at(&self.waitables, member / 64) else { continue };
            let Watched { id, token, behind, level, .. } = self.waitables[at];
            if members.iter().any(|m| m.waitable == id) {
                continue;
            }
            let asks = (member % 64).max(1);
            if flags & 8 != 0 && behind == Behind::Descriptor && level != 0 {
                ask.found.push((members.len(), level));
            }
            members.push(Member { waitable: id, asks, ready: 0 });
            ask.set.push((token, asks));
        }
        if bad == 0 {
            // What is left of a list that was made shorter, or made without objects, is to be good.
            ask.at_least = ask.at_least.min(members.len().max(1) as u32);
            ask.multishot &= members.len() == 1;
            if members.is_empty() && ask.deadline == FOREVER {
                ask.deadline = self.model.now | 1;
            }
        } else {
            self.spoil(&mut ask, bad);
        }
        let expected = self.refusals(&ask);
        let drop_plan = flags & 4 != 0;
        let (token, arms) = match self.subject.arm(&ask, self.model.now, drop_plan) {
            Ok(made) => made,
            Err(refusal) => {
                assert!(expected.contains(&refusal), "{ask:?} was refused: {refusal:?}");
                self.refused(refusal, Seen::RefusedLimitOfWaits);
                return true;
            }
        };
        assert!(expected.is_empty(), "{ask:?} was to be refused: {expected:?}");
        assert_eq!(arms, ask.set, "what is to be armed");
        if drop_plan {
            self.hit(Seen::PlanDropped);
            return true;
        }
        self.tokens.given(token, Named::Wait, self.step);
        let mut found = vec![0; members.len()];
        for (at, bits) in &ask.found {
            found[*at] = *bits;
        }
        let need = ask.at_least.max(1) as usize;
        let armed: Vec<u32> = members.iter().map(|m| m.waitable).collect();
        let wait = Wait {
            id: 0,
            owner,
            set: members,
            need,
            multishot: ask.multishot,
            off_loop: ask.off_loop,
            deadline: ask.deadline,
            ended: None,
            error: 0,
            queued: None,
        };
        let id = self.model.arm(wait, &found);
        assert_eq!(u64::from(id), ask.user_data);
        self.waits.push((id, token));
        self.promises.resize(id as usize + 1, None);
        self.promises[id as usize] = Some(Promise {
            deadline: ask.deadline,
            need: need as u16,
            multishot: ask.multishot,
            over: false,
        });
        for id in armed {
            let at = self.waitables.iter().position(|w| w.id == id).expect("a member");
            self.register(at);
        }
        false
    }

    /// Makes a question wrong.
    pub(super) fn spoil(&mut self, ask: &mut Ask, bad: u32) {
        let first = ask.set.first().copied();
        match (bad, first) {
            (1, _) => ask.set.extend(self.tokens.dead.last().map(|token| (*token, READABLE))),
            (2, Some(first)) => ask.set.push(first),
            (3, Some(_)) => ask.set[0].1 = 0,
            (4, Some(_)) => ask.set[0].1 |= 1 << (6 + self.step % 26),
            (5, _) => ask.at_least = ask.set.len() as u32 + 2,
            (6, Some(_)) => {
                ask.multishot = true;
                if ask.set.len() == 1 {
                    ask.set.clear();
                }
            }
            (7, _) => (ask.multishot, ask.whose) = (true, Whose::Task(1)),
            (8, _) => {
                let exchanges = self.exchanges.iter().map(|e| e.token);
                let others = self.waits.iter().map(|w| w.1).chain(exchanges);
                ask.set.extend(others.last().map(|token| (token, READABLE)));
            }
            (9, _) => {
                ask.set.clear();
                ask.deadline = FOREVER;
            }
            _ => ask.set.push((self.step.wrapping_mul(0x9e37_79b9_7f4a_7c15), READABLE)),
        }
        ask.found.clear();
    }

    /// Why a question has to be refused: for any of these.
    pub(super) fn refusals(&self, ask: &Ask) -> Vec<Refusal> {
        let mut all = Vec::new();
        let mut refuse = |reason: bool, refusal: Refusal| {
            if reason && !all.contains(&refusal) {
                all.push(refusal);
            }
        };
        let count = ask.set.len();
        refuse(self.model.closed, Refusal::Closed);
        refuse(self.waits.len() as u32 >= self.limits.waits, Refusal::Limit);
        refuse(count == 0 && ask.deadline == FOREVER, Refusal::Invalid);
        refuse(ask.at_least as usize > count.max(1), Refusal::Invalid);
        refuse(ask.multishot && count != 1, Refusal::Invalid);
        refuse(ask.multishot && matches!(ask.whose, Whose::Task(_)), Refusal::Invalid);
        for (at, (token, asks)) in ask.set.iter().enumerate() {
            refuse(*asks == 0 || *asks > 63, Refusal::Invalid);
            refuse(ask.set[..at].iter().any(|other| other.0 == *token), Refusal::Invalid);
            if !self.waitables.iter().any(|w| w.token == *token) {
                let lives = self.waits.iter().any(|w| w.1 == *token)
                    || self.exchanges.iter().any(|e| e.token == *token);
                refuse(true, if lives { Refusal::Invalid } else { Refusal::Stale });
            }
        }
        all
    }

    /// The selector is asked to report what is asked of a descriptor.
    pub(super) fn register(&mut self, at: usize) {
        let w = &mut self.waitables[at];
        if matches!(w.behind, Behind::Descriptor | Behind::Exchange(_)) {
            w.registered = self.subject.interest(w.token);
            w.pending = true;
        }
    }

    pub(super) fn cancel(&mut self, number: u32) {
        let Some(at) = at(&self.waits, number) else { return };
        let (id, token) = self.waits[at];
        assert_eq!(self.subject.cancel(token), Ok(()), "cancel before delivery");
        self.model.cancel(id);
    }

    pub(super) fn forget(&mut self, number: u32) {
        let Some(at) = at(&self.waits, number) else { return };
        let (id, token) = self.waits[at];
        assert_eq!(self.subject.forget(token), Ok(()), "forget before delivery");
        self.forgot(id);
    }

    pub(super) fn forgot(&mut self, id: u32) {
        let at = self.waits.iter().position(|w| w.0 == id).expect("it lived");
        let (_, token) = self.waits.remove(at);
        let Wait { owner, queued, .. } = *self.model.wait(id);
        self.model.forget(id);
        let held = queued.map(|_| Held::Queue(class(owner)));
        self.tokens.ended(token, held, self.step);
        self.promises[id as usize].as_mut().expect("it was promised").over = true;
        for told in &mut self.told {
            told.forgotten |= told.completion.wait == token;
        }
    }

    pub(super) fn rearm(&mut self, number: u32) {
        let Some(at) = at(&self.waits, number) else { return };
        let (id, token) = self.waits[at];
        let answer = self.subject.rearm(token, self.model.now);
        if !self.model.wait(id).multishot {
            assert_eq!(answer, Err(Refusal::State), "rearm of a one-shot wait");
            self.hit(Seen::RearmedOneShot);
            return;
        }
        let expected = self.model.rearm(id);
        let at = expected
            .map(|(id, _)| self.waitables.iter().position(|w| w.id == id).expect("it lives"));
        let named = at.map(|at| self.waitables[at].token);
        let answer = answer.expect("a multishot wait is armed again");
        assert_eq!(answer.map(|(token, _)| token), named, "what is to be armed again");
        if let (Some(at), Some((_, merged)), Some((_, asked))) = (at, expected, answer) {
            let missing = merged & (READABLE | WRITABLE | PRIORITY | READ_CLOSED) & !asked;
            let covered = self.subject.interest(self.waitables[at].token);
            assert_eq!(missing & !covered, 0, "a multishot wait would miss it");
            self.register(at);
            self.hit(Seen::SelectorRearmed);
        }
    }
}
