//! The turn: take what happened, then, when the steps have run, hand over what completed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::state::{ALARM, SIGNAL, State};
use super::{Report, Turn};
use crate::core::{Completion, Deadline, Readiness};
use crate::error::{Error, Result};
use crate::sources::clock;

impl State {
    /// Takes what happened. Answers how many steps may run.
    pub(super) fn harvest(&mut self, turn: &Turn, budget: u32) -> Result<usize> {
        let timeout = self.timeout(turn);
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        let waited = self.selector.wait(timeout, budget as usize, &mut events);
        self.cell.signal.awake();
        self.events_left = match waited {
            Ok(more) => more,
            Err(error) => {
                self.events = events;
                return Err(Error::os("asking the selector (epoll_wait)", &error));
            }
        };
        for (name, readiness) in &events {
            if *name != SIGNAL && *name != ALARM {
                self.report(*name, *readiness);
            }
        }
        let taken = events.len() as u32;
        self.events = events;
        self.drain_inbox();
        let now = self.now();
        self.core.expire(now);
        self.expire_drains(now);
        while let Some((key, completion)) = self.core.next_exchange_completion() {
            self.resume(key, completion);
        }
        // Half of the budget at least, or a flood of events could starve the steps.
        let left = budget.saturating_sub(taken).max(budget.div_ceil(2));
        Ok(self.exchanges.runnable().min(left as usize))
    }

    /// How long the selector may sleep: in owned mode, with nothing to do, until the turn's
    /// deadline or the next of our own.
    pub(super) fn timeout(&mut self, turn: &Turn) -> Option<Duration> {
        if self.shell.is_some() || self.has_work() || self.cell.stop.load(Ordering::SeqCst) {
            return Some(Duration::ZERO);
        }
        let until = turn.deadline.min(self.next_deadline());
        if until == Deadline::NOW || self.is_drained() {
            return Some(Duration::ZERO);
        }
        // From here on a notify signals; what came before it is looked for once more.
        self.cell.signal.asleep();
        if self.cell.slots.has_notices() || self.cell.stop.load(Ordering::SeqCst) {
            return Some(Duration::ZERO);
        }
        if until == Deadline::FOREVER {
            return None;
        }
        Some(Duration::from_nanos(until.nanoseconds().saturating_sub(self.now())))
    }

    /// The selector reports a descriptor.
    pub(super) fn report(&mut self, name: usize, readiness: Readiness) {
        let Some(fd) = self.descriptors.reported(name) else { return };
        let mut owned = false;
        for slot in self.descriptors.waitables(fd) {
            self.core.ready(*slot, readiness);
            owned |= self.core.has_waiters(*slot);
        }
        if owned {
            self.descriptors.owned(fd);
        } else {
            self.descriptors.ownerless(&mut *self.selector, fd);
        }
    }

    /// Hands completions over, and prepares for the host's sleep.
    pub(super) fn deliver(
        &mut self,
        capacity: usize,
        sink: &mut impl FnMut(Completion),
    ) -> Result<Report> {
        let next_deadline = self.next_deadline();
        if let Some(alarm) = &mut self.alarm {
            if next_deadline != Deadline::FOREVER {
                // Before anything is handed over: a failure loses nothing.
                alarm
                    .program(clock::now(), next_deadline.nanoseconds())
                    .map_err(|error| Error::os("setting the alarm (timerfd_settime)", &error))?;
            }
        }
        let mut completions = 0;
        while completions < capacity {
            // By turns, or one kind could keep the other out of a small array for ever.
            let next = if self.exchanges_first {
                self.next_announcement().or_else(|| self.core.next_host_completion())
            } else {
                self.core.next_host_completion().or_else(|| self.next_announcement())
            };
            let Some(completion) = next else { break };
            self.exchanges_first = !self.exchanges_first;
            completions += 1;
            sink(completion);
        }
        self.reported = next_deadline;
        let mut more = self.has_work() || self.events_left;
        self.may_sleep();
        // Looked at after `asleep`: what comes later signals.
        let stopped = self.cell.stop.swap(false, Ordering::SeqCst);
        more |= self.cell.slots.has_notices();
        if self.shell.is_some() && more && !self.options.host_turns_before_sleep {
            // For a host that does not look at MORE, or watches for edges.
            self.cell.signal.raise();
        }
        Ok(Report { completions, next_deadline, more, stopped, closed: self.is_drained() && !more })
    }

    /// From here on a nested host may be asleep: what comes has to signal.
    pub(super) fn may_sleep(&self) {
        if self.shell.is_some() {
            self.cell.signal.asleep();
        }
    }

    pub(super) fn is_drained(&self) -> bool {
        self.core.is_closed() && self.core.waits() == 0 && !self.exchanges.has_exchanges()
    }
}
