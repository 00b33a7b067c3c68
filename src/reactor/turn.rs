//! The turn: take what happened, then, when the steps have run, hand over what completed.

use std::io;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use super::state::{ALARM, SIGNAL, State, Telling};
use super::{Mode, Report, Turn, WatchChange, Watching};
use crate::core::{Completion, Deadline, How, Readiness};
use crate::error::{Error, Result};
use crate::sources::clock;
use crate::sources::handle::RawFd;
use crate::sources::selector::{BATCH, Events, HAS_GHOSTS};

/// The selector was not asked.
fn not_asked(error: &io::Error) -> Error {
    let what = match error.raw_os_error() {
        Some(libc::EBADF | libc::EINVAL) => {
            "asking the selector (epoll_wait): somebody has closed a descriptor of the reactor's, \
             which has to be closed and made anew"
        }
        _ => "asking the selector (epoll_wait, ppoll)",
    };
    Error::os(what, error)
}

/// What a turn found.
pub(super) struct Harvest {
    /// How many steps may run.
    pub(super) steps: usize,
    /// The tasks whose futures are complete, to be woken while nothing of ours is borrowed.
    pub(super) wakers: Vec<Waker>,
    /// How many completions were handed over already.
    pub(super) completions: usize,
}

/// Whether an event is of the signal or the alarm.
fn is_own(name: usize) -> bool {
    name == SIGNAL || name == ALARM
}

impl State {
    /// Takes what happened.
    pub(super) fn harvest(
        &mut self,
        turn: &Turn,
        budget: u32,
        sink: &mut impl FnMut(Completion),
    ) -> Result<Harvest> {
        self.cell.set_host_clock(turn.now);
        self.core.begin_turn();
        self.close_closable();
        let (taken, completions) = self.ask_selector(turn, budget, sink)?;
        // Half of the budget at least for each kind, or a flood of one could starve the others.
        let left = budget.saturating_sub(taken).max(budget.div_ceil(2)) as usize;
        let poked = self.drain_inbox(left);
        let now = self.now();
        let expired = self.core.expire(now, left);
        self.stats.events += expired as u64;
        // After what has expired, or a wait that a pool thread starts for a moment would end before
        // the selector was asked once.
        self.answer_poked(poked);
        self.expire_drains(now);
        for _ in 0..left {
            let Some((key, completion)) = self.core.next_exchange_completion() else { break };
            self.stats.completions += 1;
            self.resume(key, completion);
        }
        let mut wakers = Vec::new();
        for _ in 0..left {
            let Some((key, completion)) = self.core.next_task_completion() else { break };
            self.stats.completions += 1;
            let members = self.core.members(&completion).unwrap_or_default();
            wakers.extend(self.tasks.complete(key, completion, members));
        }
        Ok(Harvest { steps: self.exchanges.runnable().min(left), wakers, completions })
    }

    /// Takes what the selector knows. Answers how many events there were, and how many of them were
    /// handed over as completions at once.
    fn ask_selector(
        &mut self,
        turn: &Turn,
        budget: u32,
        sink: &mut impl FnMut(Completion),
    ) -> Result<(u32, usize)> {
        if self.options.mode != Mode::Owned {
            // A host that may sleep is awake now: what comes from here on it finds in this turn, or
            // is told at its end that there is more.
            self.cell.signal.awake();
            // Before the selector is asked: what is marked after this is for the next turn.
            let marked = self.cell.signal.take_mark();
            let delegated = self.options.mode == Mode::Delegated;
            let asked = !delegated || marked || self.armed || self.events_left;
            if self.selector.is_none() || !asked {
                return Ok((0, 0));
            }
        }
        let timeout = self.timeout(turn);
        let selector = self.selector.as_mut().expect("only a delegated reactor has none");
        let limit = (budget as usize).min(BATCH);
        let mut events = match self.events.take() {
            Some(events) if events.room() == limit => events,
            _ => Events::with_room(limit),
        };
        let mut waited = selector.wait(timeout, &mut events);
        // Our own signals alone are no work. As such they would fill a small budget, leave work, and
        // so signal again, for ever.
        while waited.is_ok() && events.len() == limit && events.names().all(is_own) {
            waited = selector.wait(Some(Duration::ZERO), &mut events);
        }
        // Before the inbox is drained.
        self.cell.signal.awake();
        self.armed = false;
        if let Err(error) = waited {
            self.events = Some(events);
            self.armed = true;
            if self.core.is_closed() {
                // Nobody waits for an event any more, and it has to come to an end.
                self.events_left = false;
                return Ok((0, 0));
            }
            return Err(not_asked(&error));
        }
        // Nothing that comes after this can fail but the alarm: what was handed over is not lost.
        let capacity = match self.alarm {
            None if !self.has_announcement() => turn.capacity,
            _ => 0,
        };
        let mut room = capacity;
        for (name, readiness) in events.iter() {
            if room > 0 {
                if let Some(direct) = self.descriptors.direct(name, self.core.epoch()) {
                    let ready = readiness & direct.seen;
                    if !ready.is_empty() {
                        sink(direct.completion(ready, true));
                        room -= 1;
                        continue;
                    }
                } else if let Some(completion) = self.at_once(name, readiness) {
                    sink(completion);
                    room -= 1;
                    continue;
                }
            }
            if !is_own(name) {
                self.report(name, readiness);
            }
        }
        let count = events.len();
        self.events_left = count == limit;
        self.stats.events += count as u64;
        self.events = Some(events);
        self.warn_of_ghosts();
        if HAS_GHOSTS && self.descriptors.is_haunted() {
            self.rebuild();
        }
        Ok((count as u32, capacity - room))
    }

    /// Says once that somebody closes descriptors too early.
    fn warn_of_ghosts(&mut self) {
        if self.stats.ghosts > 0 && !std::mem::replace(&mut self.warned_of_ghosts, true) {
            self.log(
                super::level::WARN,
                "a descriptor was closed before its waitable, and its file lives on under another \
                 number: close waitables first",
            );
        }
    }

    /// The completion of a report that comes to one and nothing else.
    fn at_once(&mut self, name: usize, readiness: Readiness) -> Option<Completion> {
        let waitable = self.descriptors.only_waitable(name)?;
        let completion = self.core.ready_at_once(waitable, readiness)?;
        self.descriptors.useful(name as u32 as RawFd);
        if completion.more {
            if let Some(direct) = self.core.direct(waitable) {
                self.descriptors.remember(name, direct);
            }
        }
        Some(completion)
    }

    /// How long the selector may sleep: in owned mode, with nothing to do, until the turn's
    /// deadline or the next of our own.
    fn timeout(&mut self, turn: &Turn) -> Option<Duration> {
        self.core.plan_changes();
        if self.options.mode != Mode::Owned
            || self.has_work()
            || self.cell.stop.load(Ordering::SeqCst)
        {
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
    fn report(&mut self, name: usize, readiness: Readiness) {
        let Some(fd) = self.descriptors.reported(name) else {
            self.stats.ghosts += 1;
            return;
        };
        let mut woke = false;
        let mut index = 0;
        while let Some(slot) = self.descriptors.waitable(fd, index) {
            woke |= self.core.ready(slot, readiness);
            index += 1;
        }
        if woke {
            self.descriptors.useful(fd);
            return;
        }
        self.stats.spurious += 1;
        let core = &self.core;
        let wanted = |sum, slot| sum | core.interest(slot);
        let wanted = self.descriptors.waitables(fd).fold(Readiness::NONE, wanted);
        if let Some(selector) = &mut self.selector {
            self.descriptors.in_vain(&mut **selector, fd, wanted);
        }
        self.end_lost();
    }

    /// Hands completions and watch changes over, and prepares for the host's sleep.
    pub(super) fn deliver(
        &mut self,
        turn: &Turn,
        mut completions: usize,
        sink: &mut impl FnMut(Completion),
        watch: &mut impl FnMut(WatchChange),
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
        while completions < turn.capacity {
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
        // After the completions: a wait that was delivered may ask for nothing any more, or again.
        self.core.plan_changes();
        let mut changes = 0;
        while changes < turn.changes {
            let Some(change) = self.core.next_change() else { break };
            changes += 1;
            watch(WatchChange {
                waitable: change.waitable,
                handle: change.handle,
                interest: change.interest,
                how: match change.how {
                    How::Level => Watching::Level,
                    How::Once => Watching::Once,
                    How::Descriptor { .. } => Watching::Descriptor,
                },
            });
        }
        self.stats.turns += 1;
        self.stats.completions += completions as u64;
        self.stats.changes += changes as u64;
        self.reported = next_deadline;
        let late = next_deadline != Deadline::FOREVER && next_deadline.nanoseconds() <= self.now();
        let mut more = self.has_work() || self.events_left || late;
        self.may_sleep();
        // Looked at after `asleep`: what comes later signals.
        let stopped = self.cell.stop.swap(false, Ordering::SeqCst);
        more |= self.cell.slots.has_notices() || self.cell.signal.is_marked();
        // Notices for which nobody waits may go on for ever: they do not keep it from its end.
        let closed = self.is_drained() && !self.has_announcement();
        more &= !closed;
        if more && matches!(self.telling, Telling::Signal) {
            // For a host that does not look at MORE, or watches for edges.
            self.cell.signal.raise();
        }
        Ok(Report { completions, changes, next_deadline, more, stopped, closed })
    }

    /// A turn has failed and left work behind, of which no further event may tell: as after a turn
    /// that stopped early, the host is signalled.
    pub(super) fn turn_again(&self) {
        self.may_sleep();
        if matches!(self.telling, Telling::Signal) {
            self.cell.signal.raise();
        }
    }

    /// From here on a host may be asleep: what comes has to signal.
    pub(super) fn may_sleep(&self) {
        if self.options.mode != Mode::Owned {
            self.cell.signal.asleep();
        }
    }

    pub(super) fn is_drained(&self) -> bool {
        self.core.is_closed()
            && self.core.waits() == 0
            && !self.core.has_changes()
            && !self.exchanges.has_exchanges()
    }
}
