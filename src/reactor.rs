//! Core, sources and clock together: a reactor, and its turn.

#[cfg(feature = "jni")]
mod batch;
mod cell;
#[cfg(all(feature = "tokio", unix))]
mod driven;
mod future;
mod state;
mod tokens;
mod turn;

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

#[cfg(feature = "jni")]
pub(crate) use batch::Batch;
pub(crate) use cell::ReactorCell;
#[cfg(all(feature = "tokio", unix))]
pub(crate) use driven::Call;
pub use future::Waiting;
pub(crate) use state::State;
pub use tokens::{
    completion_members, notify, wait_cancel, wait_forget, wait_rearm, waitable_close,
    waitable_describe, waitable_label, waitable_take,
};

use crate::core::slots::{prepare_answers, stale};
use crate::core::{Completion, Deadline, How, New, Owner, Readiness, Token, WaitSpec};
use crate::error::{Error, Result, Status};
use crate::sources::handle::{self, OsHandle};
use crate::sources::selector::{Factory, MioSelector};
use crate::sources::{fork, shell};

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

/// How a host drives its reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `turn` may block, until the deadline it is given.
    Owned,
    /// The host's loop watches [`Reactor::fd`]; `turn` never blocks.
    Nested,
    /// The host can watch no descriptor for us: a wake hook tells it to turn, and it sleeps no
    /// longer than `next_deadline`; `turn` never blocks.
    Delegated,
}

/// How a host watches a foreign waitable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watching {
    /// It repeats its report while the object is ready.
    Level,
    /// It reports once for each change: at once if the object is ready, else when it becomes so.
    Once,
    /// The object is a descriptor, whose number is the handle; its report is repeated while it is
    /// ready.
    Descriptor,
}

/// What the reactor asks of a host for a foreign waitable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchChange {
    /// What to notify when the object is ready.
    pub waitable: Token,
    /// The host's own name for the object.
    pub handle: u64,
    /// What to watch it for, in place of what was said before; nothing: stop.
    pub interest: Readiness,
    /// How to watch it.
    pub how: Watching,
}

/// What a reactor has done since it was made, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Turns.
    pub turns: u64,
    /// Events of the selector that were taken, and deadlines and expirations that came.
    pub events: u64,
    /// Completions delivered: to the host, to exchanges, to futures.
    pub completions: u64,
    /// Completions that nobody saw, because their waits were forgotten first.
    pub stale: u64,
    /// Events and reports for which nobody waited.
    pub spurious: u64,
    /// Events of files that live on although their descriptors were closed before their waitables.
    pub ghosts: u64,
    /// How often the selector was rebuilt to be rid of them.
    pub rebuilds: u64,
    /// Watch changes handed to the host.
    pub changes: u64,
    /// Signals to a sleeping owner, or calls of the wake hook.
    pub signals: u64,
    /// Waits now: those that were not delivered.
    pub waits: u64,
    /// Waitables now.
    pub waitables: u64,
}

/// Takes a line that the library has to say: its level (see [`level`]) and the line. It may be
/// called on any thread, and may call nothing of this library.
pub type Log = Arc<dyn Fn(i32, &str) + Send + Sync>;

/// Tells the host to turn soon. It may be called on any thread, at most once between the starts of
/// two turns, and may call nothing of this library.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Starts a thread for the library and runs the function on it; the name is for people who look.
pub type Spawn = Arc<dyn Fn(Box<dyn FnOnce() + Send>, &str) -> Result<()> + Send + Sync>;

/// What a reactor is to be.
#[derive(Clone)]
pub struct ReactorOptions {
    /// How it is driven.
    pub mode: Mode,
    /// Nested: the host sleeps no longer than `next_deadline`, so no timerfd is needed.
    pub host_honours_deadline: bool,
    /// Nested, delegated: the host turns before it sleeps, so work made outside of a turn needs no
    /// signal.
    pub host_turns_before_sleep: bool,
    /// Delegated: descriptors come as watch changes, because the host can watch them; otherwise a
    /// thread of the library's watches them.
    pub host_watches_descriptors: bool,
    /// Nested with `host_honours_deadline`, or delegated: [`Turn::now`] is the clock.
    pub host_gives_clock: bool,
    /// Delegated: wakes the host.
    pub wake: Option<Wake>,
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
            host_watches_descriptors: false,
            host_gives_clock: false,
            wake: None,
            max_waitables: 1 << 22,
            max_waits: 1 << 22,
            spawn: None,
            log: None,
        }
    }
}

impl ReactorOptions {
    /// Refuses what cannot be together.
    fn check(&self) -> Result<()> {
        let invalid = |sentence: &'static str| Err(Error::new(Status::Invalid, sentence));
        let delegated = self.mode == Mode::Delegated;
        if delegated && self.wake.is_none() {
            return invalid("a delegated reactor needs a wake hook, or nobody would turn it");
        }
        if !delegated && self.wake.is_some() {
            return invalid("a wake hook is for delegated mode: leave it out, or choose that mode");
        }
        if !delegated && self.host_watches_descriptors {
            return invalid(
                "only a delegated reactor gives its descriptors to the host: leave \
                 HOST_WATCHES_DESCRIPTORS out, or choose delegated mode",
            );
        }
        if self.host_gives_clock && (self.mode == Mode::Owned || !self.host_honours_deadline) {
            return invalid(
                "a host that gives the clock does the sleeping, too: nested or delegated mode, and \
                 HOST_HONOURS_DEADLINE",
            );
        }
        if self.mode == Mode::Nested {
            shell::check_nested(self.host_honours_deadline)?;
        }
        Ok(())
    }
}

/// What a turn may do.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Owned mode: until when it may block.
    pub deadline: Deadline,
    /// The time, in nanoseconds, where the host gives the clock.
    pub now: u64,
    /// Events taken and steps run at most; 0 for the default, 1,024, which is the most events that a
    /// turn takes.
    pub budget: u32,
    /// Completions delivered at most; the rest stays queued.
    pub capacity: usize,
    /// Watch changes delivered at most; the rest stays queued.
    pub changes: usize,
}

impl Default for Turn {
    fn default() -> Turn {
        Turn {
            deadline: Deadline::NOW,
            now: 0,
            budget: 0,
            capacity: usize::MAX,
            changes: usize::MAX,
        }
    }
}

/// What a turn did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many completions were delivered.
    pub completions: usize,
    /// How many watch changes were delivered.
    pub changes: usize,
    /// When the next turn is due at the latest.
    pub next_deadline: Deadline,
    /// Work is left: turn again before sleeping.
    pub more: bool,
    /// [`Stopper::stop`] was called.
    pub stopped: bool,
    /// The reactor was closed, and nothing is left in it: it can be freed.
    pub closed: bool,
}

/// A readiness core: one instance, one owner thread. A copy that outlived it answers `Stale`.
///
/// It lives until [`close`](Reactor::close) and [`free`](Reactor::free); dropping the handle does
/// not end it.
#[derive(Clone)]
pub struct Reactor {
    cell: &'static ReactorCell,
    /// Which reactor of its number it is.
    life: u32,
    /// Bound to the thread on which it was made or adopted.
    thread: PhantomData<*const ()>,
}

/// For whom the owner's state is used.
#[derive(Clone, Copy)]
enum Caller {
    /// The owner's thread, and the exchange whose step runs there, by its slot.
    Owner(Option<u32>),
    /// The pool thread of an exchange, by its slot.
    Pool(u32),
}

impl Caller {
    /// The exchange whose code calls: what it makes ends with it.
    fn exchange(self) -> Option<u32> {
        match self {
            Caller::Owner(running) => running,
            Caller::Pool(exchange) => Some(exchange),
        }
    }

    /// A pool thread may end what its own exchange has made, and nothing else.
    fn may_end(self, of: Option<u32>) -> Result<()> {
        match self {
            Caller::Pool(exchange) if of != Some(exchange) => Err(Error::new(
                Status::Thread,
                "a pool thread may end what its own exchange made: end the rest on the reactor's \
                 thread",
            )),
            Caller::Pool(_) | Caller::Owner(_) => Ok(()),
        }
    }
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
    /// `Invalid` for options that exclude each other; `Unsupported` for a nested reactor on Windows,
    /// and elsewhere than on Linux for one whose host does not honour deadlines; `Os` if the kernel gives no selector; `Limit`
    /// if the process has 1,024 reactors.
    pub fn new(options: &ReactorOptions) -> Result<Reactor> {
        Reactor::with_selectors(options, Box::new(|| Ok(Box::new(MioSelector::new()?))))
    }

    fn with_selectors(options: &ReactorOptions, selectors: Factory) -> Result<Reactor> {
        options.check()?;
        let forks = fork::forks();
        prepare_answers();
        let cell = ReactorCell::unused()?;
        let made = cell.state.adopt().and_then(|()| {
            cell.forks.store(forks, Ordering::Relaxed);
            cell.stop.store(false, Ordering::Relaxed);
            cell.choose_clock(options.host_gives_clock);
            let state = State::new(cell, options, selectors)?;
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
                cell.give_back();
                Err(error)
            }
        }
    }

    pub(crate) fn from_cell(cell: &'static ReactorCell) -> Reactor {
        Reactor { cell, life: cell.life.load(Ordering::Relaxed), thread: PhantomData }
    }

    #[cfg(feature = "ffi")]
    pub(crate) fn cell(&self) -> &'static ReactorCell {
        self.cell
    }

    /// The number of its cell, which no other reactor has while it lives.
    #[cfg(feature = "jni")]
    pub(crate) fn number(&self) -> u16 {
        self.cell.number
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> Result<R> {
        self.check()?;
        self.cell.with(f)
    }

    /// Refuses a handle that outlived its reactor, also where another has the number now.
    #[inline]
    fn check(&self) -> Result<()> {
        if self.cell.life.load(Ordering::Relaxed) == self.life { Ok(()) } else { Err(stale()) }
    }

    /// Refuses what a step may not do to the reactor that runs it.
    pub(crate) fn outside_step(&self, what: &str) -> Result<()> {
        if self.with(|state| state.turning)? { Err(inside_step(what)) } else { Ok(()) }
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
    #[inline]
    pub fn fd(&self) -> Result<OsHandle> {
        self.with(|state| match &state.shell {
            Some(shell) => Ok(shell.fd()),
            None => Err(Error::new(
                Status::State,
                "only a nested reactor has a descriptor to watch: make it in nested mode",
            )),
        })?
    }

    /// The reactor's clock in nanoseconds: CLOCK_MONOTONIC, or what the host gave last.
    ///
    /// # Errors
    ///
    /// `Thread` elsewhere than where the reactor's functions may be called.
    pub fn now(&self) -> Result<u64> {
        self.check()?;
        if !self.cell.is_owner() && crate::gateway::runs_here(self.cell.number) {
            return Ok(self.cell.now());
        }
        self.with(|state| state.now())
    }

    /// Does something for the caller: here for the owner, through the owner for a pool thread of
    /// this reactor's.
    #[inline]
    fn act(
        &self,
        work: impl FnOnce(&mut State, Caller) -> Result<u64> + Send + 'static,
    ) -> Result<u64> {
        self.check()?;
        act_on(self.cell, work)
    }

    /// Makes a waitable of a descriptor. Nothing is armed, and nothing about the descriptor is
    /// changed. With `own` the descriptor is closed with its waitable.
    ///
    /// # Errors
    ///
    /// `Os` with EBADF if it is not open; `Nesting` for the reactor's own; `State` if another
    /// waitable owns it; `Limit`; `Unsupported` on Windows.
    pub fn descriptor(&self, fd: OsHandle, own: bool) -> Result<Token> {
        let fd = handle::descriptor(fd)?;
        self.act(move |state, caller| {
            state.open_descriptor(fd, own, caller.exchange()).map(Token::to_bits)
        })
        .map(Token::from_bits)
    }

    fn open(&self, new: New) -> Result<Token> {
        self.act(move |state, caller| state.core.open(new, caller.exchange()).map(Token::to_bits))
            .map(Token::from_bits)
    }

    /// Makes an event: a flag that [`notify`] sets from any thread, until it is taken.
    ///
    /// # Errors
    ///
    /// `Limit`.
    pub fn event(&self) -> Result<Token> {
        self.open(New::Event { counter: false })
    }

    /// Makes a counter: an event that counts how often it is notified.
    ///
    /// # Errors
    ///
    /// `Limit`.
    pub fn counter(&self) -> Result<Token> {
        self.open(New::Event { counter: true })
    }

    /// Makes a timer. It is READABLE from its `first` expiration on, in nanoseconds of the
    /// reactor's clock, until that is taken, and again after each `period`, unless that is 0. It
    /// neither drifts nor catches up: after a delay it counts what was missed.
    ///
    /// # Errors
    ///
    /// `Invalid` if it would never expire; `Limit`.
    ///
    /// # Example
    ///
    /// ```
    /// use awsgi::{Deadline, Reactor, ReactorOptions, Readiness, Turn, WaitSpec, Watch, waitable_take};
    ///
    /// # fn main() -> awsgi::Result<()> {
    /// let reactor = Reactor::new(&ReactorOptions::default())?;
    /// let timer = reactor.timer(Deadline::at(reactor.now()? + 1_000_000), 1_000_000)?;
    /// let set = [Watch { waitable: timer, interest: Readiness::READABLE }];
    /// reactor.wait_start(&WaitSpec::any(&set).multishot())?;
    /// let mut expired = 0;
    /// while expired < 3 {
    ///     reactor.turn(&Turn { deadline: Deadline::FOREVER, ..Turn::default() }, |_| ())?;
    ///     expired += waitable_take(timer)?;
    /// }
    /// # reactor.close()?;
    /// # while !reactor.turn_and_watch(&Turn::default(), |_| (), |_| ())?.closed {}
    /// # reactor.free()
    /// # }
    /// ```
    pub fn timer(&self, first: Deadline, period: u64) -> Result<Token> {
        if first == Deadline::FOREVER {
            return Err(Error::new(
                Status::Invalid,
                "a timer that first expires never would be waited for in vain: give it a time",
            ));
        }
        self.open(New::Timer { first: first.nanoseconds(), period })
    }

    /// Makes a waitable of something that only the host can watch, by the host's own name for it.
    /// The host is told by watch changes when to watch it, and reports with [`notify`].
    ///
    /// # Errors
    ///
    /// `Invalid` for [`Watching::Descriptor`], which is what [`Reactor::descriptor`] makes;
    /// `Limit`.
    ///
    /// # Example
    ///
    /// ```
    /// use awsgi::{Reactor, ReactorOptions, Readiness, Turn, WaitSpec, Watch, Watching, notify};
    ///
    /// # fn main() -> awsgi::Result<()> {
    /// let reactor = Reactor::new(&ReactorOptions::default())?;
    /// let channel = reactor.foreign(42, Watching::Level)?;
    /// let set = [Watch { waitable: channel, interest: Readiness::READABLE }];
    /// reactor.wait_start(&WaitSpec::any(&set))?;
    ///
    /// // The turn asks the host to watch its object 42 ...
    /// let mut changes = Vec::new();
    /// reactor.turn_and_watch(&Turn::default(), |_| (), |change| changes.push(change))?;
    /// assert_eq!((changes[0].handle, changes[0].interest), (42, Readiness::READABLE));
    ///
    /// // ... and the host reports it.
    /// notify(changes[0].waitable, Readiness::READABLE)?;
    /// assert_eq!(reactor.turn(&Turn::default(), |_| ())?.completions, 1);
    /// # reactor.close()?;
    /// # while !reactor.turn_and_watch(&Turn::default(), |_| (), |_| ())?.closed {}
    /// # reactor.free()
    /// # }
    /// ```
    pub fn foreign(&self, handle: u64, how: Watching) -> Result<Token> {
        let how = match how {
            Watching::Level => How::Level,
            Watching::Once => How::Once,
            Watching::Descriptor => {
                return Err(Error::new(
                    Status::Invalid,
                    "a descriptor is no foreign waitable: make one of it with descriptor",
                ));
            }
        };
        self.open(New::Foreign { handle, how })
    }

    /// Starts a wait of the host's.
    ///
    /// # Errors
    ///
    /// `Invalid` for a question without an end or with an interest that does not exist; `Stale`
    /// for a waitable that ended; `Limit`; `Os` with the errno of the descriptor; `Closed`.
    ///
    /// # Example
    ///
    /// ```
    /// use awsgi::{
    ///     Outcome, Reactor, ReactorOptions, Readiness, Turn, WaitSpec, Watch, completion_members, notify,
    /// };
    ///
    /// # fn main() -> awsgi::Result<()> {
    /// let reactor = Reactor::new(&ReactorOptions::default())?;
    /// let (one, two) = (reactor.event()?, reactor.event()?);
    /// let set = [one, two].map(|waitable| Watch { waitable, interest: Readiness::READABLE });
    /// reactor.wait_start(&WaitSpec::all(&set))?;
    /// notify(one, Readiness::READABLE)?;
    /// assert_eq!(reactor.turn(&Turn::default(), |_| ())?.completions, 0);
    ///
    /// notify(two, Readiness::READABLE)?;
    /// let mut done = None;
    /// reactor.turn(&Turn::default(), |completion| done = Some(completion))?;
    /// let done = done.expect("both are ready");
    /// assert_eq!((done.outcome, done.members), (Outcome::Ready, 2));
    /// // Until the next turn.
    /// assert_eq!(completion_members(&done)?[1].waitable, two);
    /// # reactor.close()?;
    /// # while !reactor.turn_and_watch(&Turn::default(), |_| (), |_| ())?.closed {}
    /// # reactor.free()
    /// # }
    /// ```
    pub fn wait_start(&self, spec: &WaitSpec<'_>) -> Result<Token> {
        self.check()?;
        self.cell.enter(|state| state.start_wait(spec, Owner::Host))
    }

    /// One bounded step: takes what happened, runs what is due, and hands completions to `sink`.
    ///
    /// In `sink` the reactor is in the middle of the turn: it may [`notify`], and whatever else it
    /// asks of this reactor is answered with `Reentrant`. Collect the completions, and deal with
    /// them after the turn.
    ///
    /// A host with foreign waitables, or one that watches descriptors, calls
    /// [`turn_and_watch`](Reactor::turn_and_watch): without, [`Report::more`] is said for ever, and
    /// [`Report::closed`] never.
    ///
    /// # Errors
    ///
    /// `Reentrant` inside a turn, `Thread` elsewhere than on the owner's thread; `Os` if the
    /// selector cannot be asked.
    pub fn turn(&self, turn: &Turn, sink: impl FnMut(Completion)) -> Result<Report> {
        self.turn_and_watch(&Turn { changes: 0, ..*turn }, sink, |_| ())
    }

    /// The same, for a host with foreign waitables, or one that watches descriptors: what it has to
    /// watch goes to `watch`, for which holds what holds for `sink`.
    ///
    /// # Errors
    ///
    /// As for [`Reactor::turn`].
    pub fn turn_and_watch(
        &self,
        turn: &Turn,
        mut sink: impl FnMut(Completion),
        mut watch: impl FnMut(WatchChange),
    ) -> Result<Report> {
        self.outside_step("turn")?;
        let budget = if turn.budget == 0 { BUDGET } else { turn.budget };
        self.end_dropped()?;
        self.with(|state| state.turning = true)?;
        let mut turning = Turning { reactor: self, over: false };
        let report = self
            .with(|state| state.harvest(turn, budget, &mut sink))?
            .and_then(|harvest| {
                wake(harvest.wakers);
                self.run_steps(harvest.steps)?;
                Ok(harvest.completions)
            })
            .and_then(|done| {
                self.with(|state| state.deliver(turn, done, &mut sink, &mut watch))?
            });
        turning.over = report.is_ok();
        report
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
        Stopper { cell: self.cell, life: self.life }
    }

    /// What it has done so far.
    ///
    /// # Errors
    ///
    /// `Thread` elsewhere than on the owner's thread.
    pub fn stats(&self) -> Result<Stats> {
        self.with(|state| state.stats())
    }

    /// Completes every wait as closed and ends every exchange; nothing new is taken. Turn until
    /// [`Report::closed`].
    ///
    /// # Errors
    ///
    /// `Thread` elsewhere than on the owner's thread.
    pub fn close(&self) -> Result<()> {
        self.with(State::shut)
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
            self.cell.life.fetch_add(1, Ordering::Relaxed);
            state.end();
        }
        self.cell.signal.close();
        self.cell.state.release()?;
        self.cell.give_back();
        Ok(())
    }
}

#[cold]
fn inside_step(what: &str) -> Error {
    Error::new(
        Status::Reentrant,
        format!("a step may not {what}: the turn that runs it is not over"),
    )
}

/// Does something for the caller, by a reactor's cell; see [`Reactor::act`].
#[inline]
fn act_on(
    cell: &'static ReactorCell,
    work: impl FnOnce(&mut State, Caller) -> Result<u64> + Send + 'static,
) -> Result<u64> {
    if !cell.is_owner() && crate::gateway::runs_here(cell.number) {
        let work = Box::new(move |state: &mut State, slot| work(state, Caller::Pool(slot)));
        return crate::gateway::through_owner(cell, work).unwrap_or_else(|| Err(stale()));
    }
    cell.enter(|state| {
        let caller = Caller::Owner(state.running);
        work(state, caller)
    })
}

/// Wakes tasks; one whose waker panics does not keep the others asleep.
fn wake(wakers: Vec<Waker>) {
    let mut panicked = None;
    for waker in wakers {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            panicked.get_or_insert(panic);
        }
    }
    if let Some(panic) = panicked {
        resume_unwind(panic);
    }
}

/// A turn that is under way, however it ends.
struct Turning<'a> {
    reactor: &'a Reactor,
    /// It came to its end.
    over: bool,
}

impl Drop for Turning<'_> {
    fn drop(&mut self) {
        // Fails only in a forked child, where no turn goes on.
        let _ = self.reactor.with(|state| {
            state.turning = false;
            state.running = None;
            if !self.over {
                // The host may sleep after this turn as after any other.
                state.turn_again();
            }
        });
    }
}

/// Stops a reactor's turn from any thread.
#[derive(Clone, Copy)]
pub struct Stopper {
    cell: &'static ReactorCell,
    /// Which reactor of its number it stops.
    life: u32,
}

impl Stopper {
    /// The blocking turn returns, or the next one does, and says that it was stopped. In a forked
    /// child, and after the reactor is gone, it does nothing.
    pub fn stop(&self) {
        let gone = self.cell.life.load(Ordering::Relaxed) != self.life;
        if gone || self.cell.check_not_forked().is_err() {
            return;
        }
        self.cell.stop.store(true, Ordering::SeqCst);
        // On the owner's thread as part of a call of its own: a wake hook that calls back, or frees
        // the reactor under its own feet, is refused as in any other.
        if !self.cell.is_owner() || self.cell.with(|_| self.cell.signal.raise()).is_err() {
            self.cell.signal.raise();
        }
    }
}
