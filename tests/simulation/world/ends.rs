//! Misuse, and the end.

use super::*;

impl<S: Subject> World<S> {
    pub(super) fn stale(&mut self, number: u32, call: u32) {
        let now = self.model.now;
        if call % 9 == 8 {
            // Living, but of another kind.
            if let Some(token) = self.waitables.first().map(|w| w.token) {
                assert_eq!(
                    self.subject.cancel(token),
                    Err(Refusal::Invalid),
                    "cancel of a waitable"
                );
                self.hit(Seen::StaleKind);
            }
            if let Some((_, token)) = self.waits.first() {
                assert_eq!(self.subject.close(*token), Err(Refusal::Invalid), "close of a wait");
            }
            return;
        }
        let Some(number) = at(&self.tokens.dead, number) else { return };
        let token = self.tokens.dead[number];
        let (answer, what) = match call % 9 {
            0 => (self.subject.cancel(token), Seen::StaleCancel),
            1 => (self.subject.forget(token), Seen::StaleForget),
            2 => (self.subject.rearm(token, now).map(drop), Seen::StaleRearm),
            3 => (self.subject.close(token), Seen::StaleClose),
            4 => (self.subject.notify(token, READABLE, 1).map(drop), Seen::StaleNotify),
            5 => (self.subject.notify_elsewhere(token, READABLE).map(drop), Seen::StaleElsewhere),
            6 => (self.subject.take(token, now).map(drop), Seen::StaleTake),
            _ => {
                assert!(!self.subject.is_live(token), "{token:#x} lives");
                return;
            }
        };
        assert_eq!(answer, Err(Refusal::Stale), "{what:?} of {token:#x}");
        self.hit(what);
    }

    pub(super) fn close_all(&mut self) {
        let in_use = !self.waits.is_empty() && !self.waitables.is_empty();
        self.subject.close_all();
        self.model.close_all();
        self.hit(if in_use { Seen::ClosedAllInUse } else { Seen::ClosedAll });
    }

    pub(super) fn restart(&mut self) {
        self.hit(if self.waits.is_empty() { Seen::Restarted } else { Seen::RestartedInUse });
        self.subject.restart();
        for token in self.all_tokens() {
            self.tokens.ended(token, None, self.step);
        }
        for (id, _) in &self.waits {
            self.promises[*id as usize] = None;
        }
        self.tokens.all_ended(self.step);
        self.model.restart();
        self.waitables.clear();
        self.waits.clear();
        self.exchanges.clear();
        self.told.clear();
        self.stopped.clear();
        self.late = None;
    }

    pub(super) fn all_tokens(&self) -> Vec<u64> {
        let waitables = self.waitables.iter().map(|w| w.token);
        let waits = self.waits.iter().map(|w| w.1);
        waitables.chain(waits).chain(self.exchanges.iter().map(|e| e.token)).collect()
    }

    /// At the end of a life: everything completes that was to complete, and the host watches
    /// nothing any more.
    pub(super) fn end(&mut self) {
        self.step += 1;
        self.close_all();
        self.turn(u32::MAX, u32::MAX, u32::MAX);
        self.compare();
        self.compare_everything();
        assert_eq!(self.waits, [], "waits that never completed");
        let open = self.promises.iter().position(|promise| promise.is_some_and(|p| !p.over));
        assert_eq!(open, None, "a wait that never completed");
        let watched = self.model.foreign.iter().find(|f| f.told != 0);
        assert!(watched.is_none(), "the host was not told to stop: {watched:?}");
    }
}
