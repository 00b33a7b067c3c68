//! What happens outside: events, reports, time.

use super::*;

impl<S: Subject> World<S> {
    pub(super) fn notify(&mut self, number: u32, bits: u32, times: u32) {
        let Some(at) = at(&self.waitables, number) else { return };
        let (bits, times) = ((bits & 63).max(1), u64::from(times.max(1)));
        let seen = self.model.notify(self.waitables[at].id, bits, times);
        let answer = self.subject.notify(self.waitables[at].token, bits, times);
        assert_eq!(answer, Ok(seen), "whether anybody waited for what was notified");
    }

    pub(super) fn notify_elsewhere(&mut self, number: u32, bits: u32) {
        let tokens = self.waitables.iter().map(|w| w.token);
        let all: Vec<u64> = tokens.chain(self.exchanges.iter().map(|e| e.token)).collect();
        let Some(number) = at(&all, number) else { return };
        let (token, bits) = (all[number], (bits & 63).max(1));
        let answer = self.subject.notify_elsewhere(token, bits);
        let behind = self.waitables.get(number).map(|w| w.behind);
        if matches!(behind, Some(Behind::Descriptor | Behind::Exchange(_) | Behind::Timer { .. })) {
            assert_eq!(answer, Err(Refusal::Invalid), "what tells by itself is not notified");
            self.hit(Seen::ElsewhereRefused);
            return;
        }
        let held = self.inbox.iter().position(|notice| notice.slot == slot(token));
        assert_eq!(answer, Ok(held.is_none()), "whether the owner is to be woken");
        let at = held.unwrap_or(self.inbox.len());
        if held.is_none() {
            self.inbox.push(Notice { slot: slot(token), token, bits: 0, times: 0 });
        }
        let notice = &mut self.inbox[at];
        if notice.token != token {
            (notice.token, notice.bits, notice.times) = (token, 0, 0);
        }
        let again = notice.times > 0;
        notice.bits |= bits;
        notice.times += 1;
        self.hit(if again { Seen::NotedElsewhereAgain } else { Seen::NotedElsewhere });
    }

    pub(super) fn drain(&mut self) {
        self.subject.drain();
        for notice in std::mem::take(&mut self.inbox) {
            match self.waitables.iter().find(|w| w.token == notice.token).map(|w| w.id) {
                Some(id) => {
                    self.model.notify(id, notice.bits, notice.times);
                }
                None => self.hit(Seen::NoticeOfClosed),
            }
        }
    }

    /// A descriptor or an exchange.
    pub(super) fn selected(&self, number: u32) -> Option<usize> {
        let is = |w: &Watched| matches!(w.behind, Behind::Descriptor | Behind::Exchange(_));
        let all: Vec<usize> =
            (0..self.waitables.len()).filter(|at| is(&self.waitables[*at])).collect();
        at(&all, number).map(|at| all[at])
    }

    pub(super) fn level(&mut self, number: u32, bits: u32) {
        let Some(at) = self.selected(number) else { return };
        let w = &mut self.waitables[at];
        let rising = bits & 63 & !w.level;
        w.level = bits & 63;
        if rising != 0 {
            w.pending = true;
            self.hit(Seen::EdgeReported);
        }
    }

    pub(super) fn harvest(&mut self, at_once: bool) {
        for at in 0..self.waitables.len() {
            let w = &mut self.waitables[at];
            if !std::mem::take(&mut w.pending) {
                continue;
            }
            let closed = if w.registered & READABLE != 0 { READ_CLOSED } else { 0 };
            let bits = w.level & (w.registered | HANGUP | ERROR | closed);
            if bits != 0 {
                self.report(at, bits, at_once);
                self.hit(Seen::LevelReported);
            }
        }
        // Nothing that is ready is waited for, except by those who are told of changes only.
        for w in &self.waitables {
            let one_shot = self.model.waits.iter().filter(|wait| !wait.multishot);
            let asked = one_shot.fold(0, |all, wait| all | wait.interest(w.id));
            assert_eq!(w.level & asked, 0, "a wake-up was lost");
        }
    }

    /// `at_once`: the array of the host has room, so a completion needs no queue.
    pub(super) fn report(&mut self, at: usize, bits: u32, at_once: bool) {
        let bits = (bits & 63).max(1);
        if at_once {
            if let Some(completion) = self.subject.ready_at_once(self.waitables[at].token, bits) {
                self.model.ready(self.waitables[at].id, bits);
                let id = completion.user_data as u32;
                let next = self.model.next(|owner| owner == Owner::Host);
                assert_eq!(next, [id], "what completes at once");
                self.delivered(Class::Host, id, completion);
                self.hit(Seen::CompletedAtOnce);
                return;
            }
        }
        let seen = self.model.ready(self.waitables[at].id, bits) != 0;
        let woke = self.subject.ready(self.waitables[at].token, bits);
        assert_eq!(woke, seen, "whether a report woke anybody");
        if !seen {
            self.hit(Seen::ReportUnseen);
        }
    }

    pub(super) fn take(&mut self, number: u32) {
        let Some(at) = at(&self.waitables, number) else { return };
        let Watched { id, token, behind, .. } = self.waitables[at];
        let answer = self.subject.take(token, self.model.now);
        let what = match behind {
            Behind::Flag if self.model.waitable(id).notified == 0 => Seen::FlagTakenUnset,
            Behind::Flag => Seen::FlagTaken,
            Behind::Counter => Seen::CounterTaken,
            Behind::Timer { .. } => Seen::TimerTaken,
            _ => {
                assert!(matches!(answer, Err(Refusal::Other(_))), "nothing to take: {answer:?}");
                return;
            }
        };
        self.hit(what);
        assert_eq!(answer, Ok(self.model.take(id)), "what was taken");
    }

    pub(super) fn advance(&mut self, by: u32) {
        let now = self.model.now;
        let next = self.model.next_deadline();
        let near = next > now && next - now < 1 << 40;
        self.model.now = match by {
            0 if near => next,
            1 if near => next - 1,
            _ => now + u64::from(by.max(2)) - 2,
        };
    }

    pub(super) fn expire(&mut self, limit: u32) {
        // What has come at one instant comes in any order: the model does all of it, or nothing.
        let before = self.model.next_deadline();
        let done = self.model.expire(limit as usize);
        if done > limit as usize {
            self.hit(Seen::EndedTogether);
        }
        if self.model.next_deadline() <= self.model.now && done > 0 {
            self.hit(Seen::ExpiryLimited);
        }
        let limit = if done < limit as usize { limit as usize } else { done };
        assert_eq!(self.subject.expire(self.model.now, limit), done, "of what came at {before}");
    }
}
