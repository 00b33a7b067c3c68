//! Everything of a reactor that its owner alone reaches: core, sources and exchanges together.

use std::os::fd::RawFd;

use super::{Mode, ReactorCell, ReactorOptions, Spawn};
use crate::core::slots::not_an_event;
use crate::core::{Core, Deadline, Kind, Limits, Owner, Readiness, Source, Token, WaitSpec};
use crate::error::{Error, Result, Status};
use crate::gateway::Exchanges;
use crate::sources::clock;
use crate::sources::descriptors::{self, Armed, Descriptors};
use crate::sources::selector::Selector;
use crate::sources::shell::{Alarm, Shell};

pub(super) const SIGNAL: usize = usize::MAX;
pub(super) const ALARM: usize = usize::MAX - 1;

/// Everything of a reactor that its owner alone reaches.
pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) exchanges: Exchanges,
    pub(super) cell: &'static ReactorCell,
    pub(super) options: ReactorOptions,
    pub(super) selector: Box<dyn Selector>,
    pub(super) descriptors: Descriptors,
    pub(super) shell: Option<Shell>,
    pub(super) alarm: Option<Alarm>,
    pub(super) events: Vec<(usize, Readiness)>,
    /// The last turn's budget ended before the selector's events did.
    pub(super) events_left: bool,
    /// What an arm found ready at once; kept for its capacity.
    pub(super) found: Vec<(u32, Readiness)>,
    /// A turn is under way.
    pub(super) turning: bool,
    /// The exchange whose code runs.
    pub(super) running: Option<u32>,
    /// The deadline of which the host knows.
    pub(super) reported: Deadline,
    /// Which of the host's completions is delivered next: an exchange's, or a wait's.
    pub(super) exchanges_first: bool,
}

impl State {
    pub(super) fn new(
        cell: &'static ReactorCell,
        options: &ReactorOptions,
        mut selector: Box<dyn Selector>,
    ) -> Result<Box<State>> {
        let mut descriptors = Descriptors::default();
        let signal =
            cell.signal.open().map_err(|error| Error::os("making a signal (eventfd)", &error))?;
        let mut register = |fd: RawFd, name: usize, selector: &mut dyn Selector| {
            descriptors.reserve(fd);
            selector
                .register(fd, name, Readiness::READABLE)
                .map_err(|error| Error::os("watching a signal (epoll_ctl)", &error))
        };
        register(signal, SIGNAL, &mut *selector)?;
        let nested = options.mode == Mode::Nested;
        let mut alarm = None;
        if nested && !options.host_honours_deadline {
            let made =
                Alarm::new().map_err(|error| Error::os("making an alarm (timerfd)", &error))?;
            register(made.fd(), ALARM, &mut *selector)?;
            alarm = Some(made);
        }
        let mut shell = None;
        if nested {
            let made = Shell::new(selector.fd()).map_err(|error| {
                Error::os("making the descriptor of nested mode (epoll)", &error)
            })?;
            descriptors.reserve(made.fd());
            shell = Some(made);
        }
        descriptors.reserve(selector.fd());
        // What lies in the inbox since the last reactor of this number would keep its slots from
        // being pushed again, and so from waking anybody. Nothing of it lives any more.
        cell.slots.drain(|_, _| ());
        if nested {
            // The host may sleep from the first moment.
            cell.signal.asleep();
        }
        Ok(Box::new(State {
            core: Core::new(
                &cell.slots,
                cell.number,
                Limits { waitables: options.max_waitables, waits: options.max_waits },
            ),
            exchanges: Exchanges::default(),
            cell,
            options: options.clone(),
            selector,
            descriptors,
            shell,
            alarm,
            events: Vec::new(),
            events_left: false,
            found: Vec::new(),
            turning: false,
            running: None,
            reported: Deadline::FOREVER,
            exchanges_first: false,
        }))
    }

    pub(crate) fn cell(&self) -> &'static ReactorCell {
        self.cell
    }

    pub(crate) fn now(&self) -> u64 {
        clock::now()
    }

    pub(crate) fn spawn(&self) -> Option<Spawn> {
        self.options.spawn.clone()
    }

    pub(crate) fn log(&self, level: i32, line: &str) {
        if let Some(log) = &self.options.log {
            log(level, line);
        }
    }

    /// Starts a wait: plans, arms, commits. A refusal changes nothing.
    pub(crate) fn start_wait(&mut self, spec: &WaitSpec<'_>, owner: Owner) -> Result<Token> {
        let plan = self.core.prepare(spec, owner)?;
        self.found.clear();
        for (slot, interest) in plan.arms() {
            match self.core.source(slot) {
                Source::Event => {
                    let notified = self.core.notified(slot);
                    self.found.push((slot, notified));
                }
                Source::Exchange(exchange) => {
                    let ready = self.exchange_readiness(exchange, interest);
                    self.found.push((slot, ready));
                }
                Source::Descriptor { fd, .. } => {
                    // With what the rest of the set asks of the same number.
                    let others = self.descriptors.waitables(fd);
                    let mut merged = others
                        .iter()
                        .fold(interest, |merged, other| merged | self.core.interest(*other));
                    if others.len() > 1 {
                        merged = plan
                            .arms()
                            .filter(|(other, _)| others.contains(other))
                            .fold(merged, |merged, (_, interest)| merged | interest);
                    }
                    match self.descriptors.arm(&mut *self.selector, fd, merged)? {
                        Armed::Watched => {}
                        Armed::AlwaysReady => {
                            self.found.push((slot, Readiness::READABLE | Readiness::WRITABLE));
                        }
                        Armed::Replaced => {
                            for other in self.descriptors.waitables(fd) {
                                self.core.close_waits(*other);
                            }
                        }
                    }
                }
            }
        }
        let token = self.core.commit(plan)?;
        let found = std::mem::take(&mut self.found);
        for (slot, ready) in &found {
            if !ready.is_empty() {
                self.core.ready(*slot, *ready);
            }
        }
        self.found = found;
        self.work_outside();
        Ok(token)
    }

    /// A number closed twice could be somebody else's file the second time.
    pub(super) fn check_not_given(&self, fd: RawFd) -> Result<()> {
        let given =
            |slot: &u32| matches!(self.core.source(*slot), Source::Descriptor { own: true, .. });
        if self.descriptors.waitables(fd).iter().any(given) {
            return Err(Error::new(
                Status::State,
                format!(
                    "descriptor {fd} belongs to another waitable, which closes it: use that one, \
                     or make this one without AWSGI_OWN"
                ),
            ));
        }
        Ok(())
    }

    /// Ends a waitable and what stands behind it.
    pub(crate) fn close_waitable_in(&mut self, slot: u32) {
        let Source::Descriptor { fd, own } = self.core.close(slot) else { return };
        let others = self.descriptors.remove(&mut *self.selector, fd, slot);
        if own {
            for other in others {
                self.core.close_waits(*other);
            }
            descriptors::close(fd);
        }
    }

    pub(super) fn notify_here(&mut self, waitable: Token, ready: Readiness) -> Result<()> {
        let slot = self.core.find(waitable, Kind::Waitable)?;
        match self.core.source(slot) {
            Source::Event => {
                self.core.notify(slot, ready);
                self.work_outside();
                Ok(())
            }
            Source::Descriptor { .. } | Source::Exchange(_) => Err(not_an_event()),
        }
    }

    /// Takes what other threads notified.
    pub(super) fn drain_inbox(&mut self) {
        let slots = &self.cell.slots;
        let mut poked = Vec::new();
        slots.drain(|slot, bits| match self.core.exchange_key(slot) {
            Some(_) => poked.push(slot),
            None => self.core.notified_elsewhere(slot, bits),
        });
        for slot in poked {
            // What one asks for may drain the inbox again, and end another that lies here still.
            if let Some(key) = self.core.exchange_key(slot) {
                self.poked(key);
            }
        }
    }

    /// Something to do came up outside of a turn: a nested host that may be asleep is told.
    pub(crate) fn work_outside(&mut self) {
        if self.turning || self.shell.is_none() || self.options.host_turns_before_sleep {
            return;
        }
        // That a closed reactor is empty is news too, which the host waits for before it frees.
        if self.has_work() || self.next_deadline() < self.reported || self.is_drained() {
            self.cell.signal.raise();
        }
    }

    pub(super) fn has_work(&self) -> bool {
        self.core.has_host_completion()
            || self.core.has_exchange_completion()
            || self.exchanges.has_work()
    }

    pub(super) fn next_deadline(&mut self) -> Deadline {
        self.core.next_deadline().min(Deadline::at(self.exchanges.next_deadline()))
    }

    // ---- the end ----------------------------------------------------------------------------

    pub(super) fn check_free(&self) -> Result<()> {
        if !self.is_drained() || self.has_announcement() {
            return Err(Error::new(
                Status::Busy,
                "the reactor is not closed and empty: call awsgi_reactor_close, then turn until \
                 AWSGI_TURN_CLOSED",
            ));
        }
        if !self.exchanges.is_empty() {
            return Err(Error::new(
                Status::Busy,
                "gateways are bound to the reactor: free them first",
            ));
        }
        Ok(())
    }

    pub(super) fn end(&mut self) {
        let waitables: Vec<u32> = self.core.waitables().collect();
        for slot in waitables {
            self.close_waitable_in(slot);
        }
        self.core.end();
    }
}
