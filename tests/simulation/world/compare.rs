//! What is compared after a step.

use super::*;

impl<S: Subject> World<S> {
    /// What is cheap to compare, after every step.
    pub(super) fn compare(&mut self) {
        assert_eq!(self.subject.next_deadline(), self.model.next_deadline(), "next_deadline()");
        assert_eq!(self.subject.waits(), self.model.waits.len() as u32, "waits()");
        assert_eq!(self.subject.waitables(), self.model.waitables.len() as u32, "waitables()");
        assert_eq!(self.subject.is_closed(), self.model.closed, "is_closed()");
        assert_eq!(self.subject.has_changes(), self.model.has_changes(), "has_changes()");
        for wait in &self.model.waits {
            // What was forgotten may be looked for in vain.
            if wait.queued.is_some() {
                assert!(self.subject.has_completion(class(wait.owner)), "has_completion()");
            }
        }
        let mut closable: Vec<u64> = std::iter::from_fn(|| self.subject.next_closable()).collect();
        closable.sort_unstable();
        self.model.closable.sort_unstable();
        assert_eq!(closable, self.model.closable, "descriptors to close");
        self.model.closable.clear();
    }

    pub(super) fn compare_everything(&mut self) {
        let mut interests = vec![0; self.waitables.len()];
        for wait in &self.model.waits {
            for member in wait.set.iter().filter(|member| wait.asks(member)) {
                // Older ones have lower numbers.
                let at = self.waitables.binary_search_by_key(&member.waitable, |w| w.id);
                interests[at.expect("it lives")] |= member.asks | HANGUP | ERROR;
            }
        }
        for (w, asked) in self.waitables.iter().zip(interests) {
            assert_eq!(self.subject.interest(w.token), asked, "interest of {}", w.id);
            if matches!(w.behind, Behind::Descriptor | Behind::Exchange(_)) {
                assert_eq!(
                    asked & !(w.registered | HANGUP | ERROR),
                    0,
                    "nobody looks after {}",
                    w.id
                );
            }
        }
        for token in self.all_tokens() {
            assert!(self.subject.is_live(token), "{token:#x} is live");
        }
        for Exchange { id, token, .. } in &self.exchanges {
            let its = self.model.waits.iter().filter(|w| w.owner == Owner::Exchange(*id)).count();
            assert_eq!(self.subject.exchange_waits(*token), its as u32, "waits of exchange {id}");
        }
        // One of them, because there are many pairs.
        if let Some(at) = at(&self.waitables, self.step as u32) {
            let w = &self.waitables[at];
            for Exchange { id, token, .. } in &self.exchanges {
                let names = |wait: &Wait| wait.set.iter().any(|m| m.waitable == w.id);
                let its = |wait: &Wait| wait.owner == Owner::Exchange(*id) && names(wait);
                let watched = self.model.waits.iter().any(its);
                assert_eq!(self.subject.is_watched_by(w.token, *token), watched, "is_watched_by()");
            }
        }
        for at in 0..self.tokens.dead.len().min(8) {
            let at = (self.step as usize + at * 31) % self.tokens.dead.len();
            let token = self.tokens.dead[at];
            assert!(!self.subject.is_live(token), "{token:#x} is dead");
        }
    }
}
