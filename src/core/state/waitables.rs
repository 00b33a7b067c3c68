//! Waitables, and the lists of those who wait for them.

use super::*;

/// What a readiness met.
struct Met {
    /// The bits that a member who asked has seen.
    seen: Readiness,
    /// Whether somebody who asks saw none of it.
    left: bool,
}

/// The completions of a multishot wait, but for their bits: in the chain from an event to its
/// completion everything else stays the same, and is not looked up again.
#[derive(Clone, Copy)]
pub(crate) struct Direct {
    /// In which epoch of the core it was made; it counts in no other.
    pub(crate) epoch: u64,
    user_data: u64,
    wait: Token,
    /// The bits that the wait sees.
    pub(crate) seen: Readiness,
}

impl Direct {
    pub(crate) const NONE: Direct =
        Direct { epoch: 0, user_data: 0, wait: Token::NONE, seen: Readiness::NONE };

    #[inline]
    pub(crate) fn completion(&self, ready: Readiness, more: bool) -> Completion {
        Completion {
            user_data: self.user_data,
            wait: self.wait,
            outcome: Outcome::Ready,
            more,
            members: 1,
            ready,
            index: 0,
            error: 0,
        }
    }
}

impl Core {
    /// Makes a waitable. Creating one never arms anything. `maker` is the slot of the exchange
    /// with which it ends.
    pub(crate) fn open(&mut self, new: New, maker: Option<u32>) -> Result<Token> {
        if self.closed {
            return Err(closing());
        }
        if self.waitables >= self.limits.waitables {
            return Err(Error::new(
                Status::Limit,
                format!(
                    "the reactor holds {} waitables, its max_waitables: close some or raise it",
                    self.waitables
                ),
            ));
        }
        let (source, listens) = match new {
            New::Descriptor { fd, own } => (Source::Descriptor { fd, own }, Listens::No),
            New::Event { counter: false } => (Source::Event, Listens::Flag),
            New::Event { counter: true } => {
                (Source::Counter(self.counters.insert(0) as u32), Listens::Counter)
            }
            New::Timer { first, period } => {
                (Source::Timer(self.clocks.insert(Timer::new(first, period)) as u32), Listens::No)
            }
            New::Foreign { handle, how } => {
                (Source::Foreign(self.foreign_of(handle, how)), Listens::Flag)
            }
            New::Exchange(slot) => (Source::Exchange(slot), Listens::No),
        };
        let entry = Waitable::new(source, maker.map_or(Short::NONE, Short::new));
        let token = match self.occupy(Kind::Waitable, listens, Entry::Waitable(entry)) {
            Ok(token) => token,
            Err(error) => {
                self.end_source(NIL, source);
                return Err(error);
            }
        };
        self.waitables += 1;
        let slot = token.slot();
        if let Source::Foreign(foreign) = source {
            self.foreign[foreign as usize].add(slot);
        }
        if let Some(maker) = maker {
            let first = std::mem::replace(&mut self.exchange_mut(maker).first_waitable, slot);
            if first != NIL {
                self.waitable_mut(slot).after = Short::new(first);
                self.waitable_mut(first).before = Short::new(slot);
            }
        }
        Ok(token)
    }

    fn end_source(&mut self, slot: u32, source: Source) {
        match source {
            Source::Counter(counter) => drop(self.counters.remove(counter as usize)),
            Source::Timer(clock) => drop(self.clocks.remove(clock as usize)),
            Source::Foreign(foreign) => self.leave_foreign(foreign, slot),
            Source::Descriptor { .. } | Source::Event | Source::Exchange(_) => {}
        }
    }

    /// What stands behind a waitable.
    pub(crate) fn source(&self, slot: u32) -> Source {
        self.waitable(slot).source
    }

    /// The slot of the exchange that made the waitable.
    pub(crate) fn maker(&self, slot: u32) -> Option<u32> {
        let maker = self.waitable(slot).maker.get();
        (maker != NIL).then_some(maker)
    }

    /// What all members who ask a waitable ask for together.
    pub(crate) fn interest(&self, slot: u32) -> Readiness {
        let waitable = self.waitable(slot);
        let always = if waitable.is_asked() { Readiness::ALWAYS } else { Readiness::NONE };
        waitable.wanted() | always
    }

    /// Completes the waits on a waitable as closed; the waitable stays.
    pub(crate) fn close_waits(&mut self, slot: u32) {
        self.end_waits(slot, Outcome::Closed, 0);
    }

    /// Completes the waits on a waitable as failed; the waitable stays.
    pub(crate) fn fail_waits(&mut self, slot: u32, errno: i32) {
        self.end_waits(slot, Outcome::Failed, errno);
    }

    fn end_waits(&mut self, slot: u32, outcome: Outcome, errno: i32) {
        let mut at = self.waitable(slot).first;
        while !at.is_none() {
            let after = self.node(at).after;
            let wait = self.wait_mut(at.wait());
            if wait.outcome.is_none() && !wait.flags.has(Flags::QUEUED) {
                wait.error = errno;
            }
            self.end_wait(at.wait(), outcome);
            at = after;
        }
    }

    /// Ends a waitable; its waits complete as closed. Answers what stood behind it.
    pub(crate) fn close(&mut self, slot: u32) -> Source {
        loop {
            let at = self.waitable(slot).first;
            if at.is_none() {
                break;
            }
            self.end_wait(at.wait(), Outcome::Closed);
            self.unlink(at);
        }
        self.labels.remove(&slot);
        let Waitable { source, maker, before, after, .. } = *self.waitable(slot);
        self.end_source(slot, source);
        self.vacate(slot);
        self.waitables -= 1;
        if maker != Short::NONE {
            if before == Short::NONE {
                self.exchange_mut(maker.get()).first_waitable = after.get();
            } else {
                self.waitable_mut(before.get()).after = after;
            }
            if after != Short::NONE {
                self.waitable_mut(after.get()).before = before;
            }
        }
        source
    }

    /// Sets an event, adds to a counter, or takes a report of the host's about a foreign waitable;
    /// answers whether anybody waited for it. What tells by itself is left as it is.
    pub(crate) fn notify(&mut self, slot: u32, bits: Readiness, times: u64) -> bool {
        let Some(Entry::Waitable(waitable)) = self.entries.get_mut(slot as usize) else {
            return false;
        };
        match waitable.source {
            Source::Event => waitable.notified = Bits::of(waitable.notified.get() | bits),
            Source::Counter(counter) => {
                waitable.notified = Bits::of(waitable.notified.get() | bits);
                let count = &mut self.counters[counter as usize];
                *count = count.saturating_add(times);
            }
            Source::Foreign(foreign) => return self.report(foreign, bits),
            Source::Descriptor { .. } | Source::Timer(_) | Source::Exchange(_) => return false,
        }
        self.ready(slot, bits)
    }

    /// What an event, a counter or a timer holds; clears it.
    ///
    /// # Errors
    ///
    /// `Unsupported` for what holds nothing.
    pub(crate) fn take(&mut self, slot: u32, now: u64) -> Result<u64> {
        self.at(now);
        let now = self.now;
        let waitable = self.waitable_mut(slot);
        let notified = std::mem::replace(&mut waitable.notified, Bits::NONE);
        match waitable.source {
            Source::Event => Ok(u64::from(!notified.is_empty())),
            Source::Counter(counter) => Ok(std::mem::take(&mut self.counters[counter as usize])),
            Source::Timer(clock) => Ok(self.clocks[clock as usize].take(now)),
            Source::Descriptor { .. } | Source::Foreign(_) | Source::Exchange(_) => {
                Err(Error::new(
                    Status::Unsupported,
                    "only events, counters and timers hold something to take: read what stands \
                     behind the others itself",
                ))
            }
        }
    }

    /// A waitable became, or is, ready: every member that asks for it sees it. Answers whether
    /// there was one.
    pub(crate) fn ready(&mut self, slot: u32, bits: Readiness) -> bool {
        !self.show(slot, bits).seen.is_empty()
    }

    /// Shows a readiness to all members on a waitable's list.
    fn show(&mut self, slot: u32, bits: Readiness) -> Met {
        let first = self.waitable(slot).first;
        if let Some(met) = self.show_only(first, bits) {
            return met;
        }
        let mut met = Met { seen: Readiness::NONE, left: false };
        let mut at = first;
        while !at.is_none() {
            let node = self.node(at);
            let after = node.after;
            if bits.seen_by(node.interest()).is_empty() {
                // A multishot wait that is queued asks again when it is delivered.
                met.left |= node.asks() && !self.wait(at.wait()).flags.has(Flags::QUEUED);
            } else {
                met.seen |= self.see(at, bits);
            }
            at = after;
        }
        met
    }

    /// The same where the list is one multishot wait, which is how most readiness is met.
    #[inline(always)]
    fn show_only(&mut self, at: NodeRef, bits: Readiness) -> Option<Met> {
        let Some(Entry::Wait(wait)) = self.entries.get_mut(at.wait() as usize) else { return None };
        if !wait.flags.has(Flags::MULTISHOT) || !wait.node.after.is_none() || !wait.node.asks() {
            return None;
        }
        let seen = bits.seen_by(wait.node.interest());
        let queued = wait.flags.has(Flags::QUEUED);
        let met = Met { seen, left: seen.is_empty() && !queued };
        if !seen.is_empty() {
            wait.node.ready = Bits::of(wait.node.ready.get() | seen);
            if !queued {
                wait.flags = wait.flags.with(Flags::QUEUED);
                self.queue(at.wait());
            }
        }
        Some(met)
    }

    /// The same for a waitable that one wait of the host's watches and nobody else, where nothing is
    /// queued: its completion is delivered at once. Anything else answers `None`, and nothing is
    /// done.
    #[inline]
    pub(crate) fn ready_at_once(&mut self, slot: u32, bits: Readiness) -> Option<Completion> {
        let (at, wait) = self.only_wait(slot)?;
        let ready = bits.seen_by(wait.node.interest());
        if ready.is_empty() {
            return None;
        }
        let more = wait.flags.has(Flags::MULTISHOT);
        let direct = Direct {
            epoch: 0,
            user_data: wait.user_data,
            wait: Token::new(Kind::Wait, self.number, wait.generation, at),
            seen: Readiness::NONE,
        };
        if !more {
            self.end_at_once(slot, at, ready);
        }
        Some(direct.completion(ready, more))
    }

    /// The completions that a waitable's readiness makes from now on, until anything changes: if one
    /// multishot wait of the host's watches it and nobody else, and nothing is queued.
    pub(crate) fn direct(&self, slot: u32) -> Option<Direct> {
        let (at, wait) = self.only_wait(slot)?;
        wait.flags.has(Flags::MULTISHOT).then(|| Direct {
            epoch: self.epoch,
            user_data: wait.user_data,
            wait: Token::new(Kind::Wait, self.number, wait.generation, at),
            seen: Readiness::INTERESTS.seen_by(wait.node.interest()),
        })
    }

    /// What a [`Direct`] has to have been made in to count.
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    #[inline]
    fn only_wait(&self, slot: u32) -> Option<(u32, &Wait)> {
        if !self.host_done.is_empty() {
            return None;
        }
        let Some(Entry::Waitable(waitable)) = self.entries.get(slot as usize) else { return None };
        let at = waitable.first.wait();
        let Some(Entry::Wait(wait)) = self.entries.get(at as usize) else { return None };
        let only = wait.flags.is_plain()
            && wait.owner == NIL
            && wait.node.after.is_none()
            && wait.node.asks();
        only.then_some((at, wait))
    }

    /// Ends and retires the only wait on a waitable.
    #[inline]
    fn end_at_once(&mut self, waitable: u32, slot: u32, ready: Readiness) {
        self.epoch += 1;
        let generation = self.token_of(Kind::Waitable, waitable).generation();
        let wait = self.wait_mut(slot);
        let timed = wait.flags.has(Flags::TIMED);
        wait.outcome = Some(Outcome::Ready);
        wait.flags = wait.flags.with(Flags::SPENT);
        wait.node.ready = Bits::of(ready);
        wait.node.set_asks(false);
        wait.node.retire(generation);
        let interest = wait.node.interest();
        let entry = self.waitable_mut(waitable);
        entry.first = NodeRef::NONE;
        entry.count(interest, -1);
        if timed {
            self.timers.forget(slot);
        }
        self.waits -= 1;
        self.slots.vacate(slot);
        self.spent.push(slot);
    }

    /// The same for all waitables of a foreign object.
    pub(super) fn show_foreign(&mut self, foreign: u32, bits: Readiness) -> (Readiness, bool) {
        let (mut seen, mut left) = (Readiness::NONE, false);
        let mut index = 0;
        while let Some(slot) = self.foreign[foreign as usize].slot(index) {
            let met = self.show(slot, bits);
            seen |= met.seen;
            left |= met.left;
            index += 1;
        }
        (seen, left)
    }

    /// One member sees a readiness. Answers which bits, if it asked.
    pub(super) fn see(&mut self, at: NodeRef, bits: Readiness) -> Readiness {
        let slot = at.wait();
        let Entry::Wait(wait) = &mut self.entries[slot as usize] else {
            unreachable!("slot {slot} is a wait")
        };
        if wait.outcome.is_some_and(|outcome| outcome != Outcome::Ready) {
            return Readiness::NONE;
        }
        let (node, need, have) = if wait.flags.has(Flags::ONE) {
            (&mut wait.node, 1, &mut 0)
        } else {
            let set = &mut self.sets[wait.node.set()];
            (&mut set.nodes[at.member()], set.need, &mut set.have)
        };
        let seen = bits.seen_by(node.interest());
        if seen.is_empty() {
            return seen;
        }
        node.ready = Bits::of(node.ready.get() | seen);
        if !node.asks() {
            return Readiness::NONE;
        }
        if wait.flags.has(Flags::MULTISHOT) {
            if !wait.flags.has(Flags::QUEUED) {
                wait.flags = wait.flags.with(Flags::QUEUED);
                self.queue(slot);
            }
            return seen;
        }
        node.set_asks(false);
        *have += 1;
        let (complete, waitable, interest) = (*have >= need, node.slot(), node.interest());
        self.count(waitable, interest, -1);
        if complete {
            self.end_wait(slot, Outcome::Ready);
        }
        seen
    }

    /// Whether an exchange waits for a waitable.
    pub(crate) fn is_watched_by(&self, slot: u32, exchange: u32) -> bool {
        let mut at = self.waitable(slot).first;
        while !at.is_none() {
            if self.wait(at.wait()).owner() == Owner::Exchange(exchange) {
                return true;
            }
            at = self.node(at).after;
        }
        false
    }

    // ---- waiter lists -----------------------------------------------------------------------

    pub(super) fn node(&self, at: NodeRef) -> &Node {
        let wait = self.wait(at.wait());
        if wait.flags.has(Flags::MANY) {
            &self.sets[wait.node.set()].nodes[at.member()]
        } else {
            &wait.node
        }
    }

    #[inline]
    pub(super) fn node_mut(&mut self, at: NodeRef) -> &mut Node {
        let Entry::Wait(wait) = &mut self.entries[at.wait() as usize] else {
            unreachable!("slot {} is a wait", at.wait())
        };
        if wait.flags.has(Flags::MANY) {
            &mut self.sets[wait.node.set()].nodes[at.member()]
        } else {
            &mut wait.node
        }
    }

    /// A member begins or ceases to ask.
    #[inline]
    pub(super) fn count(&mut self, slot: u32, interest: Readiness, by: i32) {
        let waitable = self.waitable_mut(slot);
        waitable.count(interest, by);
        match waitable.source {
            Source::Timer(_) => self.watch_timer(slot),
            Source::Foreign(foreign) => self.touch(foreign),
            _ => {}
        }
    }

    #[inline(always)]
    pub(super) fn link(&mut self, at: NodeRef) {
        self.epoch += 1;
        let node = self.node_mut(at);
        node.begin();
        let (slot, interest) = (node.slot(), node.interest());
        let first = std::mem::replace(&mut self.waitable_mut(slot).first, at);
        if !first.is_none() {
            self.node_mut(at).after = first;
            self.node_mut(first).before = at;
        }
        self.count(slot, interest, 1);
    }

    pub(super) fn unlink(&mut self, at: NodeRef) {
        self.epoch += 1;
        let node = self.node_mut(at);
        if !node.is_linked() {
            return;
        }
        debug_assert!(!node.asks());
        let (slot, before, after) = (node.slot(), node.before, node.after);
        let generation = self.token_of(Kind::Waitable, slot).generation();
        self.node_mut(at).retire(generation);
        if before.is_none() {
            self.waitable_mut(slot).first = after;
        } else {
            self.node_mut(before).after = after;
        }
        if !after.is_none() {
            self.node_mut(after).before = before;
        }
    }
}
