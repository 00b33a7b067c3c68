//! Core, sources and clock together: a reactor, and its turn.

use std::marker::PhantomData;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::core::slots::{Slots, not_an_event, stale};
use crate::core::{
    Completion, Core, Deadline, Kind, Limits, MAX_REACTORS, Owner, Readiness, Source, Token,
    WaitSpec,
};
use crate::error::{Error, Result, Status};
use crate::gateway::Exchanges;
use crate::sources::descriptors::{self, Armed, Descriptors};
use crate::sources::owner::OwnerCell;
use crate::sources::selector::{MioSelector, Selector};
use crate::sources::shell::{Alarm, Shell};
use crate::sources::signal::Signal;
use crate::sources::{clock, fork};

/// How important a line for the log hook is.
pub mod level {
    /// Something failed that somebody must look at.
    pub const ERROR: i32 = 1;
    /// Something is wrong, and was coped with.
    pub const WARN: i32 = 2;
    /// Worth knowing.
    pub const INFO: i32 = 3;
    /// For those who look for a fault.
    pub const DEBUG: i32 = 4;
}

/// Events taken and steps run in a turn, unless the host says otherwise.
const BUDGET: u32 = 1024;

// The selector's names for descriptors of our own; no registration has them.
const SIGNAL: usize = usize::MAX;
const ALARM: usize = usize::MAX - 1;

/// How a host drives its reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `turn` may block, until the deadline it is given.
    Owned,
    /// The host's loop watches [`Reactor::fd`]; `turn` never blocks.
    Nested,
}

/// Takes a line that the library has to say: its level (see [`level`]) and the line. It may be
/// called on any thread, and may call nothing of this library.
pub type Log = Arc<dyn Fn(i32, &str) + Send + Sync>;

/// Starts a thread for the library and runs the function on it; the name is for people who look.
pub type Spawn = Arc<dyn Fn(Box<dyn FnOnce() + Send>, &str) -> Result<()> + Send + Sync>;

/// What a reactor is to be.
#[derive(Clone)]
pub struct ReactorOptions {
    /// How it is driven.
    pub mode: Mode,
    /// Nested: the host sleeps no longer than `next_deadline`, so no timerfd is needed.
    pub host_honours_deadline: bool,
    /// Nested: the host turns before it sleeps, so work made outside of a turn needs no signal.
    pub host_turns_before_sleep: bool,
    /// Waitables at once.
    pub max_waitables: u32,
    /// Waits at once.
    pub max_waits: u32,
    /// Makes the library's threads; `None`: the library does.
    pub spawn: Option<Spawn>,
    /// Takes the library's lines; `None`: they are dropped.
    pub log: Option<Log>,
}

impl Default for ReactorOptions {
    fn default() -> ReactorOptions {
        ReactorOptions {
            mode: Mode::Owned,
            host_honours_deadline: false,
            host_turns_before_sleep: false,
            max_waitables: 1 << 22,
            max_waits: 1 << 22,
            spawn: None,
            log: None,
        }
    }
}

/// What a turn may do.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Owned mode: until when it may block.
    pub deadline: Deadline,
    /// Events taken and steps run; 0 for the default, 1024.
    pub budget: u32,
    /// Completions delivered at most; the rest stays queued.
    pub capacity: usize,
}

impl Default for Turn {
    fn default() -> Turn {
        Turn { deadline: Deadline::NOW, budget: 0, capacity: usize::MAX }
    }
}

/// What a turn did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many completions were delivered.
    pub completions: usize,
    /// When the next turn is due at the latest.
    pub next_deadline: Deadline,
    /// Work is left: turn again before sleeping.
    pub more: bool,
    /// [`Stopper::stop`] was called.
    pub stopped: bool,
    /// The reactor was closed, and nothing is left in it: it can be freed.
    pub closed: bool,
}

/// What a reactor number stands for, for as long as the process lives: tokens reach their slots
/// through it, also after the reactor is gone.
pub(crate) struct ReactorCell {
    number: u16,
    slots: Slots,
    signal: Signal,
    stop: AtomicBool,
    /// A reactor has this number.
    live: AtomicBool,
    forks: AtomicU32,
    state: OwnerCell<Option<Box<State>>>,
}

static CELLS: [OnceLock<ReactorCell>; MAX_REACTORS] = [const { OnceLock::new() }; MAX_REACTORS];

/// Reactor numbers that nobody uses, oldest first, and the first that nobody ever used.
static FREE: Mutex<(Vec<u16>, u16)> = Mutex::new((Vec::new(), 0));

/// Everything of a reactor that its owner alone reaches.
pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) exchanges: Exchanges,
    cell: &'static ReactorCell,
    options: ReactorOptions,
    selector: Box<dyn Selector>,
    descriptors: Descriptors,
    shell: Option<Shell>,
    alarm: Option<Alarm>,
    events: Vec<(usize, Readiness)>,
    /// The last turn's budget ended before the selector's events did.
    events_left: bool,
    /// What an arm found ready at once; kept for its capacity.
    found: Vec<(u32, Readiness)>,
    /// A turn is under way.
    turning: bool,
    /// The exchange whose code runs.
    running: Option<u32>,
    /// The deadline of which the host knows.
    reported: Deadline,
    /// Which of the host's completions is delivered next: an exchange's, or a wait's.
    exchanges_first: bool,
}

impl ReactorCell {
    /// The cell of a token's reactor.
    pub(crate) fn of(token: Token) -> Result<&'static ReactorCell> {
        CELLS[token.reactor() as usize].get().ok_or_else(stale)
    }

    /// The cell at an address, if it is one of ours and holds a reactor; nothing is read through
    /// the address.
    #[cfg(feature = "ffi")]
    pub(crate) fn at(address: *const u8) -> Option<&'static ReactorCell> {
        let offset = (address as usize).checked_sub(CELLS.as_ptr() as usize)?;
        let cell = CELLS.get(offset / size_of::<OnceLock<ReactorCell>>())?.get()?;
        let ours = std::ptr::eq(std::ptr::from_ref(cell).cast(), address);
        (ours && cell.live.load(Ordering::Acquire)).then_some(cell)
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    pub(crate) fn is_owner(&self) -> bool {
        self.state.is_owner()
    }

    /// Whether the token's object lives; answers the same on any thread.
    pub(crate) fn check(&self, token: Token) -> Result<()> {
        if self.slots.is_live(token) { Ok(()) } else { Err(stale()) }
    }

    /// Refuses a forked child: signals and descriptors of the reactor are its parent's.
    pub(crate) fn check_not_forked(&self) -> Result<()> {
        if self.forks.load(Ordering::Relaxed) != fork::forks_seen() {
            return Err(Error::new(
                Status::Forked,
                "the process was forked after this reactor was made: make a new one in the child, \
                 or call exec",
            ));
        }
        Ok(())
    }

    /// Runs `f` on the owner's state.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> Result<R> {
        self.check_not_forked()?;
        self.state.with(|state| match state {
            Some(state) => Ok(f(state)),
            None => Err(stale()),
        })?
    }

    /// A pool thread tells the owner to look at its exchange.
    pub(crate) fn poke(&self, exchange: Token) {
        // Stale cannot happen: an exchange outlives its run.
        let _ = self.notify(exchange, crate::gateway::POKE);
    }

    fn notify(&self, token: Token, bits: Readiness) -> Result<()> {
        if self.slots.notify(token, bits)? {
            self.signal.raise();
        }
        Ok(())
    }
}

/// A readiness core: one instance, one owner thread. A copy that outlived it answers `Stale`.
///
/// It lives until [`close`](Reactor::close) and [`free`](Reactor::free); dropping the handle does
/// not end it.
#[derive(Clone)]
pub struct Reactor {
    cell: &'static ReactorCell,
    /// Bound to the thread on which it was made or adopted.
    thread: PhantomData<*const ()>,
}

/// A reactor between two owners.
pub struct Released {
    cell: &'static ReactorCell,
}

impl Released {
    /// One that C holds by its pointer; it may have been freed meanwhile.
    #[cfg(feature = "ffi")]
    pub(crate) fn of(cell: &'static ReactorCell) -> Result<Released> {
        if cell.live.load(Ordering::Acquire) { Ok(Released { cell }) } else { Err(stale()) }
    }

    /// Makes the calling thread the owner.
    ///
    /// # Errors
    ///
    /// `Busy` if another thread adopted it first; `Forked` in a child.
    pub fn adopt(self) -> Result<Reactor> {
        self.cell.check_not_forked()?;
        self.cell.state.adopt()?;
        Ok(Reactor::from_cell(self.cell))
    }
}

impl Reactor {
    /// Makes a reactor; the calling thread owns it.
    ///
    /// # Errors
    ///
    /// `Os` if the kernel gives no selector; `Limit` if the process has 1,024 reactors.
    pub fn new(options: &ReactorOptions) -> Result<Reactor> {
        let selector = MioSelector::new()
            .map_err(|error| Error::os("making a selector (epoll_create1)", &error))?;
        Reactor::with_selector(options, Box::new(selector))
    }

    fn with_selector(options: &ReactorOptions, selector: Box<dyn Selector>) -> Result<Reactor> {
        let forks = fork::forks();
        let number = {
            let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
            if free.0.is_empty() {
                if usize::from(free.1) == MAX_REACTORS {
                    return Err(Error::new(
                        Status::Limit,
                        "a process holds at most 1,024 reactors: free some",
                    ));
                }
                free.1 += 1;
                free.1 - 1
            } else {
                free.0.remove(0)
            }
        };
        let cell = CELLS[usize::from(number)].get_or_init(|| ReactorCell {
            number,
            slots: Slots::new(),
            signal: Signal::new(),
            stop: AtomicBool::new(false),
            live: AtomicBool::new(false),
            forks: AtomicU32::new(0),
            state: OwnerCell::new(None),
        });
        let made = cell.state.adopt().and_then(|()| {
            cell.forks.store(forks, Ordering::Relaxed);
            cell.stop.store(false, Ordering::Relaxed);
            let state = State::new(cell, options, selector)?;
            cell.state.with(|slot| *slot = Some(state))
        });
        match made {
            Ok(()) => {
                cell.live.store(true, Ordering::Release);
                Ok(Reactor::from_cell(cell))
            }
            Err(error) => {
                cell.signal.close();
                let _ = cell.state.release();
                give_back(number);
                Err(error)
            }
        }
    }

    pub(crate) fn from_cell(cell: &'static ReactorCell) -> Reactor {
        Reactor { cell, thread: PhantomData }
    }

    #[cfg(feature = "ffi")]
    pub(crate) fn cell(&self) -> &'static ReactorCell {
        self.cell
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> Result<R> {
        self.cell.with(f)
    }

    /// Refuses what a step may not do to the reactor that runs it.
    pub(crate) fn outside_step(&self, what: &str) -> Result<()> {
        if self.with(|state| state.turning)? {
            return Err(Error::new(
                Status::Reentrant,
                format!("a step may not {what}: the turn that runs it is not over"),
            ));
        }
        Ok(())
    }

    /// Lets the reactor go, so that another thread can adopt it.
    ///
    /// # Errors
    ///
    /// `Reentrant` inside a turn; `Thread` elsewhere than on the owner's thread.
    pub fn release(self) -> Result<Released> {
        self.outside_step("release it")?;
        self.cell.state.release()?;
        Ok(Released { cell: self.cell })
    }

    /// Nested mode: the descriptor that is readable whenever a turn has work. It stays the
    /// reactor's: watch it, level- or edge-triggered, and do nothing else with it.
    ///
    /// # Errors
    ///
    /// `State` in another mode.
    pub fn fd(&self) -> Result<RawFd> {
        self.with(|state| match &state.shell {
            Some(shell) => Ok(shell.fd()),
            None => Err(Error::new(
                Status::State,
                "only a nested reactor has a descriptor to watch: make it in nested mode",
            )),
        })?
    }

    /// The reactor's clock: CLOCK_MONOTONIC in nanoseconds.
    ///
    /// # Errors
    ///
    /// `Thread` elsewhere than where the reactor's functions may be called.
    pub fn now(&self) -> Result<u64> {
        if !self.cell.is_owner() && crate::gateway::runs_here(self.cell.number) {
            return Ok(clock::now());
        }
        self.with(|state| state.now())
    }

    /// Does something for the caller: here for the owner, through the owner for a pool thread of
    /// this reactor's. The maker is the exchange that runs.
    fn act(
        &self,
        work: impl FnOnce(&mut State, Option<u32>) -> Result<u64> + Send + 'static,
    ) -> Result<u64> {
        if !self.cell.is_owner() && crate::gateway::runs_here(self.cell.number) {
            let work = Box::new(move |state: &mut State, slot| work(state, Some(slot)));
            return crate::gateway::through_owner(self.cell, work).unwrap_or_else(|| Err(stale()));
        }
        self.with(|state| {
            let maker = state.running;
            work(state, maker)
        })?
    }

    /// Makes a waitable of a descriptor. Nothing is armed, and nothing about the descriptor is
    /// changed. With `own` the descriptor is closed with its waitable.
    ///
    /// # Errors
    ///
    /// `Os` with EBADF if it is not open; `Nesting` for the reactor's own; `State` if another
    /// waitable owns it; `Limit`.
    pub fn descriptor(&self, fd: RawFd, own: bool) -> Result<Token> {
        self.act(move |state, maker| {
            state.descriptors.check(fd)?;
            if own {
                state.check_not_given(fd)?;
            }
            let waitable = state.core.open(Source::Descriptor { fd, own }, maker)?;
            state.descriptors.add(fd, waitable.slot());
            Ok(waitable.to_bits())
        })
        .map(Token::from_bits)
    }

    /// Makes an event: a flag that [`notify`] sets from any thread.
    ///
    /// # Errors
    ///
    /// `Limit`.
    pub fn event(&self) -> Result<Token> {
        self.act(|state, maker| state.core.open(Source::Event, maker).map(Token::to_bits))
            .map(Token::from_bits)
    }

    /// Starts a wait of the host's.
    ///
    /// # Errors
    ///
    /// `Invalid` for a question without an end or with an interest that does not exist; `Stale`
    /// for a waitable that ended; `Limit`; `Os` with the errno of the descriptor; `Closed`.
    pub fn wait_start(&self, spec: &WaitSpec<'_>) -> Result<Token> {
        self.with(|state| state.start_wait(spec, Owner::Host))?
    }

    /// One bounded step: takes what happened, runs what is due, and hands completions to `sink`.
    ///
    /// # Errors
    ///
    /// `Reentrant` inside a turn, `Thread` elsewhere than on the owner's thread; `Os` if the
    /// selector cannot be asked.
    pub fn turn(&self, turn: &Turn, mut sink: impl FnMut(Completion)) -> Result<Report> {
        self.outside_step("turn")?;
        let budget = if turn.budget == 0 { BUDGET } else { turn.budget };
        self.with(|state| state.turning = true)?;
        let _turning = Turning(self);
        let steps = self.with(|state| state.harvest(turn, budget))??;
        self.run_steps(steps)?;
        self.with(|state| state.deliver(turn.capacity, &mut sink))?
    }

    /// Runs at most `steps` pieces of application code; what they start completes later.
    fn run_steps(&self, steps: usize) -> Result<()> {
        for _ in 0..steps {
            let job = self.with(|state| {
                let job = state.next_job();
                state.running = job.as_ref().map(crate::gateway::Job::slot);
                job
            })?;
            if let Some(job) = job {
                job.run(self.cell)?;
            }
        }
        self.with(|state| state.running = None)
    }

    /// Has the blocking turn return, or the next one, and say so. Any thread may do so through a
    /// [`Stopper`].
    pub fn stopper(&self) -> Stopper {
        Stopper { cell: self.cell }
    }

    /// Completes every wait as closed and ends every exchange; nothing new is taken. Turn until
    /// [`Report::closed`].
    ///
    /// # Errors
    ///
    /// `Thread` elsewhere than on the owner's thread.
    pub fn close(&self) -> Result<()> {
        self.with(|state| {
            state.core.close_all();
            state.cut_all();
            state.work_outside();
        })
    }

    /// Ends the reactor; every token of it is stale from here on.
    ///
    /// # Errors
    ///
    /// `Busy` before it is closed and empty, and while gateways are bound to it.
    pub fn free(&self) -> Result<()> {
        self.outside_step("free it")?;
        self.with(|state| state.check_free())??;
        let state = self.cell.state.with(|state| state.take())?;
        if let Some(mut state) = state {
            self.cell.live.store(false, Ordering::Release);
            state.end();
        }
        self.cell.signal.close();
        self.cell.state.release()?;
        give_back(self.cell.number);
        Ok(())
    }
}

/// The turn is over, however it ends.
struct Turning<'a>(&'a Reactor);

impl Drop for Turning<'_> {
    fn drop(&mut self) {
        // Fails only in a forked child, where no turn goes on.
        let _ = self.0.with(|state| {
            state.turning = false;
            state.running = None;
        });
    }
}

/// Numbers are reused oldest first, so that a stale token meets a fresh generation late.
fn give_back(number: u16) {
    FREE.lock().unwrap_or_else(PoisonError::into_inner).0.push(number);
}

/// Stops a reactor's turn from any thread.
#[derive(Clone, Copy)]
pub struct Stopper {
    cell: &'static ReactorCell,
}

impl Stopper {
    /// The blocking turn returns, or the next one does, and says that it was stopped. In a forked
    /// child it does nothing.
    pub fn stop(&self) {
        if self.cell.check_not_forked().is_err() {
            return;
        }
        self.cell.stop.store(true, Ordering::SeqCst);
        self.cell.signal.raise();
    }
}

// ---- functions on tokens ----------------------------------------------------------------------

/// Sets an event, from any thread, also after its reactor is gone.
///
/// # Errors
///
/// `Stale` for an event that ended; `Invalid` for bits that are no readiness, or for a waitable
/// that is not an event.
pub fn notify(waitable: Token, ready: Readiness) -> Result<()> {
    let cell = ReactorCell::of(waitable)?;
    cell.check(waitable)?;
    if waitable.kind() != Some(Kind::Waitable) {
        return Err(Error::new(Status::Invalid, format!("{waitable:?} is not a waitable")));
    }
    if ready.is_empty() || !Readiness::INTERESTS.contains(ready) {
        return Err(Error::new(
            Status::Invalid,
            "an event is notified of READABLE, WRITABLE, PRIORITY, READ_CLOSED, HANGUP or ERROR: \
             give at least one of them, and no other bits",
        ));
    }
    if cell.is_owner() {
        return cell.with(|state| state.notify_here(waitable, ready))?;
    }
    cell.check_not_forked()?;
    cell.notify(waitable, ready)
}

fn on_token(
    token: Token,
    kind: Kind,
    work: impl FnOnce(&mut State, u32, Option<u32>) -> Result<u64> + Send + 'static,
) -> Result<u64> {
    let cell = ReactorCell::of(token)?;
    cell.check(token)?;
    Reactor::from_cell(cell).act(move |state, maker| {
        let slot = state.core.find(token, kind)?;
        work(state, slot, maker)
    })
}

/// Ends a waitable; its waits complete as closed. A descriptor that was given to us is closed.
///
/// # Errors
///
/// `Stale`; `Thread`; `State` for the waitable that an exchange is.
pub fn waitable_close(waitable: Token) -> Result<()> {
    on_token(waitable, Kind::Waitable, |state, slot, maker| {
        if let Source::Exchange(_) = state.core.source(slot) {
            return Err(Error::new(
                Status::State,
                "an exchange's own waitable ends with the exchange: leave it",
            ));
        }
        state.check_pool_may(slot, maker)?;
        state.close_waitable_in(slot);
        state.work_outside();
        Ok(0)
    })
    .map(drop)
}

/// Takes what an event holds: 1 if it was notified since the last take, else 0. Consumes it.
///
/// # Errors
///
/// `Stale`; `Thread`; `Unsupported` for what is not an event.
pub fn waitable_take(waitable: Token) -> Result<u64> {
    on_token(waitable, Kind::Waitable, |state, slot, _| match state.core.source(slot) {
        Source::Event => {
            // What other threads notified meanwhile counts, or it would be lost.
            state.drain_inbox();
            Ok(u64::from(!state.core.take(slot).is_empty()))
        }
        Source::Descriptor { .. } | Source::Exchange(_) => Err(Error::new(
            Status::Unsupported,
            "only events hold something to take: read the descriptor or the exchange itself",
        )),
    })
}

/// Asks a wait to end; it completes with what happened first.
///
/// # Errors
///
/// `Stale` once its completion was delivered; `Thread`.
pub fn wait_cancel(wait: Token) -> Result<()> {
    on_token(wait, Kind::Wait, |state, slot, _| {
        state.core.cancel(slot);
        state.work_outside();
        Ok(0)
    })
    .map(drop)
}

/// Removes a wait: nothing more comes of it, nor what is queued.
///
/// # Errors
///
/// `Stale` once its completion was delivered; `Thread`.
pub fn wait_forget(wait: Token) -> Result<()> {
    on_token(wait, Kind::Wait, |state, slot, _| {
        if let Owner::Exchange(exchange) = state.core.forget(slot) {
            state.wait_was_forgotten(exchange);
        }
        state.work_outside();
        Ok(0)
    })
    .map(drop)
}

impl State {
    fn new(
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
        if nested {
            // The host may sleep from the first moment.
            cell.signal.asleep();
            // What lies in the inbox since the last reactor of this number would keep its slots
            // from being pushed again, and so from waking anybody.
            if cell.slots.has_notices() {
                cell.signal.raise();
            }
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
    fn check_not_given(&self, fd: RawFd) -> Result<()> {
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

    /// A pool thread may end what its exchange made, and nothing else.
    fn check_pool_may(&self, slot: u32, maker: Option<u32>) -> Result<()> {
        match maker {
            Some(exchange) if self.running.is_none() && self.core.maker(slot) != Some(exchange) => {
                Err(Error::new(
                    Status::Thread,
                    "a pool thread may close what its own exchange made: close the rest on the \
                     reactor's thread",
                ))
            }
            _ => Ok(()),
        }
    }

    fn notify_here(&mut self, waitable: Token, ready: Readiness) -> Result<()> {
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
    fn drain_inbox(&mut self) {
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

    fn has_work(&self) -> bool {
        self.core.has_host_completion()
            || self.core.has_exchange_completion()
            || self.exchanges.has_work()
    }

    fn next_deadline(&self) -> Deadline {
        self.core.next_deadline().min(Deadline::at(self.exchanges.next_deadline()))
    }

    // ---- the turn ---------------------------------------------------------------------------

    /// Takes what happened. Answers how many steps may run.
    fn harvest(&mut self, turn: &Turn, budget: u32) -> Result<usize> {
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
    fn timeout(&mut self, turn: &Turn) -> Option<Duration> {
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
    fn report(&mut self, name: usize, readiness: Readiness) {
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
    fn deliver(&mut self, capacity: usize, sink: &mut impl FnMut(Completion)) -> Result<Report> {
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
        if self.shell.is_some() {
            self.cell.signal.asleep();
        }
        // Looked at after `asleep`: what comes later signals.
        let stopped = self.cell.stop.swap(false, Ordering::SeqCst);
        more |= self.cell.slots.has_notices();
        if self.shell.is_some() && more && !self.options.host_turns_before_sleep {
            // For a host that does not look at MORE, or watches for edges.
            self.cell.signal.raise();
        }
        Ok(Report { completions, next_deadline, more, stopped, closed: self.is_drained() && !more })
    }

    fn is_drained(&self) -> bool {
        self.core.is_closed() && self.core.waits() == 0 && !self.exchanges.has_exchanges()
    }

    // ---- the end ----------------------------------------------------------------------------

    fn check_free(&self) -> Result<()> {
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

    fn end(&mut self) {
        let waitables: Vec<u32> = self.core.waitables().collect();
        for slot in waitables {
            self.close_waitable_in(slot);
        }
        self.core.end();
    }
}
