//! Everything of a reactor that its owner alone reaches: core, sources and exchanges together.

use std::collections::HashMap;
#[cfg(all(feature = "tokio", unix))]
use std::task::Waker;

use super::future::Tasks;
use super::{Mode, ReactorCell, ReactorOptions, Spawn, Stats};
use crate::core::slots::not_an_event;
use crate::core::{
    Core, Deadline, How, Kind, Limits, New, Owner, Readiness, Source, Token, WaitSpec,
};
use crate::error::{Error, Result, Status};
use crate::gateway::Exchanges;
use crate::sources::descriptors::{self, Armed, Descriptors, Loss};
use crate::sources::handle::RawFd;
use crate::sources::selector::{Events, Factory, Selector};
use crate::sources::shell::{Alarm, Shell};
use crate::sources::watcher::{self, Watched};

pub(super) const SIGNAL: usize = usize::MAX;
pub(super) const ALARM: usize = usize::MAX - 1;

/// A number with several waitables, for which a set is armed.
struct Shared {
    interest: Readiness,
    /// What it was found to be ready for, once it is armed.
    found: Option<Readiness>,
}

/// How a host learns of work that its own calls make outside of a turn.
pub(super) enum Telling {
    /// Not at all: it turns before it sleeps.
    Not,
    /// By the signal, as of what other threads do.
    Signal,
    /// Its task is woken.
    #[cfg(all(feature = "tokio", unix))]
    Task(Waker),
}

impl Telling {
    /// What the options say.
    pub(super) fn of(options: &ReactorOptions) -> Telling {
        if options.mode == Mode::Owned || options.host_turns_before_sleep {
            Telling::Not
        } else {
            Telling::Signal
        }
    }
}

/// Everything of a reactor that its owner alone reaches.
pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) exchanges: Exchanges,
    pub(super) tasks: Tasks,
    pub(super) cell: &'static ReactorCell,
    pub(super) options: ReactorOptions,
    /// Makes the selector, and another one when it has to be rebuilt.
    factory: Factory,
    /// In delegated mode there is none before the first descriptor.
    pub(super) selector: Option<Box<dyn Selector>>,
    pub(super) descriptors: Descriptors,
    /// The eventfd by which other threads wake us; delegated mode has a hook in its place, as have
    /// systems without eventfds.
    signal: Option<RawFd>,
    pub(super) shell: Option<Shell>,
    pub(super) alarm: Option<Alarm>,
    /// In delegated mode, the watcher thread's hold on the selector.
    watched: Option<Watched>,
    /// None while they are looked through.
    pub(super) events: Option<Events>,
    /// The last turn's budget ended before the selector's events did.
    pub(super) events_left: bool,
    /// Something was armed since the selector was asked.
    pub(super) armed: bool,
    pub(super) warned_of_ghosts: bool,
    /// A turn is under way.
    pub(super) turning: bool,
    /// The exchange whose code runs.
    pub(super) running: Option<u32>,
    /// The deadline of which the host knows.
    pub(super) reported: Deadline,
    pub(super) telling: Telling,
    /// The host's task was woken, and has not looked since.
    pub(super) called: bool,
    /// Which of the host's completions is delivered next: an exchange's, or a wait's.
    pub(super) exchanges_first: bool,
    /// Whether a rebuild has failed since the last that succeeded: it is said once.
    rebuild_failed: bool,
    pub(super) stats: Stats,
}

impl State {
    pub(super) fn new(
        cell: &'static ReactorCell,
        options: &ReactorOptions,
        factory: Factory,
    ) -> Result<Box<State>> {
        let limits = Limits { waitables: options.max_waitables, waits: options.max_waits };
        let mut state = Box::new(State {
            core: Core::new(&cell.slots, cell.number, limits),
            exchanges: Exchanges::default(),
            tasks: Tasks::default(),
            cell,
            options: options.clone(),
            factory,
            selector: None,
            descriptors: Descriptors::default(),
            signal: None,
            shell: None,
            alarm: None,
            watched: None,
            events: None,
            events_left: false,
            armed: false,
            warned_of_ghosts: false,
            turning: false,
            running: None,
            reported: Deadline::FOREVER,
            telling: Telling::of(options),
            called: false,
            exchanges_first: false,
            rebuild_failed: false,
            stats: Stats::default(),
        });
        if options.mode == Mode::Delegated {
            let wake = options.wake.clone().expect("checked with the options");
            cell.signal.open_hook(wake);
        } else {
            state.open_selector()?;
        }
        // What lies in the inbox since the last reactor of this number would keep its slots from
        // being pushed again, and so from waking anybody. Nothing of it lives any more.
        cell.slots.drain(|_, _, _| ());
        // A host may sleep from the first moment.
        state.may_sleep();
        Ok(state)
    }

    /// The selector of owned and nested mode, with what wakes it.
    fn open_selector(&mut self) -> Result<()> {
        let selector = self.make_selector()?;
        let fd = selector.fd();
        self.descriptors.reserve(fd);
        let signal = self
            .cell
            .signal
            .open_with(&*selector, SIGNAL)
            .map_err(|error| Error::os("making a signal (eventfd)", &error))?;
        if let Some(fd) = signal {
            self.descriptors.reserve(fd);
        }
        self.signal = signal;
        let nested = self.options.mode == Mode::Nested;
        if nested && !self.options.host_honours_deadline {
            let alarm = Alarm::new()
                .map_err(|error| Error::os("making an alarm (timerfd_create)", &error))?;
            self.descriptors.reserve(alarm.fd());
            self.alarm = Some(alarm);
        }
        if nested {
            let shell = Shell::new(fd).map_err(|error| {
                Error::os("making the descriptor of nested mode (epoll_create1, epoll_ctl)", &error)
            })?;
            self.descriptors.reserve(shell.fd() as RawFd);
            self.shell = Some(shell);
        }
        self.selector = Some(self.with_our_own(selector)?);
        Ok(())
    }

    fn make_selector(&mut self) -> Result<Box<dyn Selector>> {
        (self.factory)().map_err(|error| Error::os("making a selector (epoll_create1)", &error))
    }

    /// Registers the signal and the alarm with a selector.
    fn with_our_own(&self, mut selector: Box<dyn Selector>) -> Result<Box<dyn Selector>> {
        let alarm = self.alarm.as_ref().map(Alarm::fd);
        for (fd, name) in [(self.signal, SIGNAL), (alarm, ALARM)] {
            if let Some(fd) = fd {
                selector
                    .register(fd, name, Readiness::READABLE)
                    .map_err(|error| Error::os("watching a signal (epoll_ctl)", &error))?;
            }
        }
        Ok(selector)
    }

    /// The selector that descriptors need; in delegated mode the first of them makes it, and has
    /// the watcher look at it.
    #[cold]
    fn open_selector_late(&mut self) -> Result<()> {
        let selector = self.make_selector()?;
        let watched =
            watcher::watch(&self.cell.signal, selector.fd(), self.options.spawn.as_ref())?;
        self.descriptors.reserve(selector.fd());
        self.watched = Some(watched);
        self.selector = Some(selector);
        Ok(())
    }

    /// Makes the selector anew, without the files that live on under numbers that we do not know.
    pub(super) fn rebuild(&mut self) {
        match self.try_rebuild() {
            Ok(()) => {
                self.stats.rebuilds += 1;
                self.rebuild_failed = false;
            }
            // It goes on with what it has; the next try is after as many ghosts again.
            Err(error) if !std::mem::replace(&mut self.rebuild_failed, true) => self.log(
                super::level::WARN,
                &format!("descriptors were closed too early, and: {}", error.message()),
            ),
            Err(_) => {}
        }
        self.end_lost();
    }

    fn try_rebuild(&mut self) -> Result<()> {
        self.descriptors.lay_ghosts();
        let selector = self.make_selector()?;
        let mut selector = self.with_our_own(selector)?;
        let old = self.selector.as_mut().expect("ghosts come from a selector");
        let core = &self.core;
        // Before the old one is given up: it goes on if any of this fails.
        let copies = self
            .descriptors
            .copy(&mut **old, &mut *selector, |slot| core.interest(slot))
            .map_err(|error| {
                Error::os("watching in another selector what is waited for (epoll_ctl)", &error)
            })?;
        let (old, new) = (old.fd(), selector.fd());
        if let Some(shell) = &self.shell {
            shell
                .replace(old, new)
                .map_err(|error| Error::os("replacing the selector (epoll_ctl)", &error))?;
        }
        if let Some(watched) = &mut self.watched {
            watched.rewatch(new)?;
        }
        self.descriptors.unreserve(old);
        self.descriptors.reserve(new);
        self.descriptors.moved(copies);
        self.selector = Some(selector);
        self.armed = true;
        Ok(())
    }

    /// Ends the waits for files of which nothing can be heard any more.
    pub(super) fn end_lost(&mut self) {
        let mut told = false;
        while let Some((fd, loss)) = self.descriptors.next_lost() {
            for index in 0.. {
                let Some(waitable) = self.descriptors.waitable(fd, index) else { break };
                match loss {
                    Loss::Replaced => self.core.close_waits(waitable),
                    Loss::Failed(errno) => self.core.fail_waits(waitable, errno),
                }
            }
            told = true;
        }
        if told {
            self.work_outside();
        }
    }

    pub(crate) fn cell(&self) -> &'static ReactorCell {
        self.cell
    }

    pub(crate) fn now(&self) -> u64 {
        self.cell.now()
    }

    pub(crate) fn spawn(&self) -> Option<Spawn> {
        self.options.spawn.clone()
    }

    pub(crate) fn log(&self, level: i32, line: &str) {
        if let Some(log) = &self.options.log {
            log(level, line);
        }
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            signals: self.cell.signal.sent(),
            stale: self.core.stale() + self.stats.stale,
            waits: self.core.waits().into(),
            waitables: self.core.waitable_count().into(),
            ..self.stats
        }
    }

    /// Makes a waitable of a descriptor.
    pub(super) fn open_descriptor(
        &mut self,
        fd: RawFd,
        own: bool,
        maker: Option<u32>,
    ) -> Result<Token> {
        self.descriptors.check(fd)?;
        self.check_not_closing(fd)?;
        if own {
            self.check_not_given(fd)?;
        }
        if self.options.host_watches_descriptors {
            let how = How::Descriptor { own };
            return self.core.open(New::Foreign { handle: fd as u64, how }, maker);
        }
        let waitable = self.core.open(New::Descriptor { fd, own }, maker)?;
        self.descriptors.add(fd, waitable.slot());
        Ok(waitable)
    }

    /// Starts a wait: plans, arms, commits. A refusal changes nothing.
    #[inline]
    pub(crate) fn start_wait(&mut self, spec: &WaitSpec<'_>, owner: Owner) -> Result<Token> {
        let token = match spec.set {
            [] => self.core.sleep(spec, owner),
            [watch] => {
                let (mut node, flags) = self.core.prepare_one(spec, watch, owner)?;
                let slot = node.slot();
                let mut now = 0;
                match self.core.source(slot) {
                    // Whether it has expired is a question of the time.
                    Source::Timer(_) => now = self.now(),
                    Source::Event | Source::Counter(_) => {}
                    source => {
                        let found = self.arm_member(source, slot, watch.interest)?;
                        node.found(found);
                    }
                }
                self.core.start_one(node, owner, flags, spec.user_data, spec.deadline, now)
            }
            _ => self.start_set(spec, owner),
        }?;
        self.work_outside();
        Ok(token)
    }

    fn start_set(&mut self, spec: &WaitSpec<'_>, owner: Owner) -> Result<Token> {
        let mut plan = self.core.prepare(spec, owner)?;
        // Numbers with several waitables, which may all be in the set: each is armed once.
        let mut shared = HashMap::new();
        for member in 0..plan.len() {
            let (slot, interest) = plan.arm(member);
            if let Some(fd) = self.shared_number(slot) {
                let asked = || Shared { interest: self.merged(fd), found: None };
                shared.entry(fd).or_insert_with(asked).interest |= interest;
            }
        }
        for member in 0..plan.len() {
            let (slot, interest) = plan.arm(member);
            let number = self.shared_number(slot);
            let found = match number.and_then(|fd| Some((fd, shared.get_mut(&fd)?))) {
                Some((_, Shared { found: Some(found), .. })) => *found,
                Some((fd, shared)) => *shared.found.insert(self.arm(fd, shared.interest)?),
                None => self.arm_member(self.core.source(slot), slot, interest)?,
            };
            plan.found(member, found);
        }
        let now = self.now();
        self.core.commit(plan, now)
    }

    /// The descriptor of a waitable that is not the only one on its number.
    fn shared_number(&self, slot: u32) -> Option<RawFd> {
        match self.core.source(slot) {
            Source::Descriptor { fd, .. } if !self.descriptors.is_only(fd) => Some(fd),
            _ => None,
        }
    }

    /// What all waits on a number ask for together.
    fn merged(&self, fd: RawFd) -> Readiness {
        let interests = self.descriptors.waitables(fd).map(|slot| self.core.interest(slot));
        interests.fold(Readiness::NONE, |sum, interest| sum | interest)
    }

    /// Has a member of a set watched. Answers what it is ready for, as far as the core does not know
    /// it and the selector or the host does not tell it.
    #[inline]
    fn arm_member(&mut self, source: Source, slot: u32, interest: Readiness) -> Result<Readiness> {
        match source {
            Source::Descriptor { fd, .. } if self.descriptors.is_only(fd) => {
                self.arm(fd, interest | self.core.interest(slot))
            }
            Source::Descriptor { fd, .. } => self.arm(fd, interest | self.merged(fd)),
            Source::Foreign(_) if self.options.host_watches_descriptors => self.always_ready(slot),
            Source::Exchange(exchange) => Ok(self.exchange_readiness(exchange, interest)),
            Source::Event | Source::Counter(_) | Source::Timer(_) | Source::Foreign(_) => {
                Ok(Readiness::NONE)
            }
        }
    }

    /// Has the selector watch a descriptor. Answers what it is ready for without being watched.
    fn arm(&mut self, fd: RawFd, interest: Readiness) -> Result<Readiness> {
        if self.selector.is_none() {
            self.open_selector_late()?;
        }
        let selector = self.selector.as_mut().expect("made above");
        self.armed = true;
        let armed = self.descriptors.arm(&mut **selector, fd, interest);
        self.end_lost();
        Ok(match armed? {
            Armed::Watched => Readiness::NONE,
            Armed::AlwaysReady => Readiness::READABLE | Readiness::WRITABLE,
        })
    }

    /// What a descriptor is ready for that a host could not watch.
    fn always_ready(&self, slot: u32) -> Result<Readiness> {
        match self.core.descriptor_of(slot) {
            Some(fd) => {
                self.check_not_closing(fd)?;
                descriptors::always_ready(fd)
            }
            None => Ok(Readiness::NONE),
        }
    }

    /// A number that is still open, but only until the host has stopped watching it, is as good as
    /// closed: who waited for it would wait for ever, who got it could close another's file.
    fn check_not_closing(&self, fd: RawFd) -> Result<()> {
        if self.core.is_closing(fd) { Err(descriptors::closing(fd)) } else { Ok(()) }
    }

    /// Has a multishot wait report again what is still ready.
    pub(super) fn rearm(&mut self, slot: u32) -> Result<()> {
        let now = self.now();
        if let Some((waitable, interest)) = self.core.rearm(slot, now)? {
            let ready = match self.core.source(waitable) {
                Source::Descriptor { fd, .. } => self.arm(fd, interest | self.merged(fd))?,
                Source::Exchange(exchange) => self.exchange_readiness(exchange, interest),
                _ => Readiness::NONE,
            };
            self.core.ready(waitable, ready);
        }
        self.work_outside();
        Ok(())
    }

    /// A number closed twice could be somebody else's file the second time.
    fn check_not_given(&self, fd: RawFd) -> Result<()> {
        let given =
            |slot: u32| matches!(self.core.source(slot), Source::Descriptor { own: true, .. });
        if self.core.is_given(fd) || self.descriptors.waitables(fd).any(given) {
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
        if let Source::Descriptor { fd, own } = self.core.close(slot) {
            // Without a selector nothing was ever armed.
            let selector = self.selector.as_mut().map(|selector| &mut **selector as _);
            self.descriptors.remove(selector, fd, slot);
            if own {
                if let Some(selector) = &mut self.selector {
                    // Or it goes on reporting a file that is open elsewhere, too.
                    self.descriptors.disarm(&mut **selector, fd);
                }
                for index in 0.. {
                    let Some(other) = self.descriptors.waitable(fd, index) else { break };
                    self.core.close_waits(other);
                }
                descriptors::close(fd);
            }
        }
        self.close_closable();
    }

    /// Closes descriptors that the host does not watch any more.
    pub(super) fn close_closable(&mut self) {
        while let Some(fd) = self.core.next_closable() {
            descriptors::close(fd);
        }
    }

    pub(super) fn notify_here(&mut self, waitable: Token, ready: Readiness) -> Result<()> {
        let slot = self.core.find(waitable, Kind::Waitable)?;
        match self.core.source(slot) {
            Source::Event | Source::Counter(_) | Source::Foreign(_) => {
                if !self.core.notify(slot, ready, 1) {
                    self.stats.spurious += 1;
                }
                self.work_outside();
                Ok(())
            }
            Source::Descriptor { .. } | Source::Timer(_) | Source::Exchange(_) => {
                Err(not_an_event())
            }
        }
    }

    /// Takes what other threads notified of at most `limit` objects. Answers the slots of exchanges
    /// whose pool threads want something.
    #[must_use = "pool threads wait for an answer"]
    pub(super) fn drain_inbox(&mut self, limit: usize) -> Vec<u32> {
        let mut poked = Vec::new();
        if !self.cell.slots.has_notices() {
            return poked;
        }
        let slots = &self.cell.slots;
        slots.drain_some(limit, |slot, bits, times| match self.core.exchange_key(slot) {
            Some(_) => poked.push(slot),
            None => {
                if !self.core.notify(slot, bits, times) {
                    self.stats.spurious += 1;
                }
            }
        });
        poked
    }

    /// Does what pool threads ask, in these slots.
    pub(super) fn answer_poked(&mut self, poked: Vec<u32>) {
        for slot in poked {
            // What one asks for may drain the inbox again, and end another that lies here still.
            if let Some(key) = self.core.exchange_key(slot) {
                self.poked(key);
            }
        }
    }

    /// Something to do came up outside of a turn: a host that may be asleep is told.
    #[inline]
    pub(crate) fn work_outside(&mut self) {
        if self.turning || matches!(self.telling, Telling::Not) {
            return;
        }
        self.tell_host();
    }

    fn tell_host(&mut self) {
        if self.called {
            return;
        }
        self.core.plan_changes();
        // That a closed reactor is empty is news too, which the host waits for before it frees.
        if self.has_work() || self.next_deadline() < self.reported || self.is_drained() {
            self.tell();
        }
    }

    fn tell(&mut self) {
        match &self.telling {
            Telling::Not => {}
            Telling::Signal => {
                self.cell.signal.raise();
            }
            #[cfg(all(feature = "tokio", unix))]
            Telling::Task(waker) => {
                self.called = true;
                waker.wake_by_ref();
            }
        }
    }

    pub(super) fn has_work(&self) -> bool {
        self.core.has_host_completion()
            || self.core.has_exchange_completion()
            || self.core.has_task_completion()
            || self.core.has_changes()
            || self.exchanges.has_work()
    }

    pub(super) fn next_deadline(&mut self) -> Deadline {
        self.core.next_deadline().min(Deadline::at(self.exchanges.next_deadline()))
    }

    // ---- the end ----------------------------------------------------------------------------

    /// Completes every wait as closed, ends every exchange, takes nothing new.
    pub(super) fn shut(&mut self) {
        self.core.close_all();
        self.cut_all();
        self.work_outside();
    }

    pub(super) fn check_free(&mut self) -> Result<()> {
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
        // No wake for what ends here.
        self.watched = None;
        if let (Some(shell), Some(selector)) = (self.shell.take(), &self.selector) {
            shell.end(selector.fd());
        }
        self.core.end();
        self.close_closable();
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(unsafe_code)] // The tests close descriptors behind the reactor's back.
mod tests;
