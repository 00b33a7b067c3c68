//! A reactor in a tokio runtime: any waitable is a future there.
//!
//! [`reactor`] makes a reactor and its [`Driver`], a future that turns it. Spawn the driver on the
//! reactor's thread, and whatever runs beside it may await [`Reactor::wait`], next to tokio's own
//! sockets, channels and timers. The driver is a host in nested mode: it watches the reactor's
//! descriptor, sleeps no longer than the next deadline, and turns before it sleeps.
//!
//! A reactor belongs to one thread, and so does its driver. It runs in a `current_thread` runtime or
//! on a [`LocalSet`](tokio::task::LocalSet), also on one in a runtime with several threads, or as a
//! part of the future that `block_on` is given. Other threads [`notify`](crate::notify).
//!
//! # Example
//!
//! Waits for an event that another thread notifies:
//!
//! ```
//! use awsgi::{Outcome, Readiness, ReactorOptions, WaitSpec, Watch, notify};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! tokio::task::LocalSet::new().block_on(&runtime, async {
//!     let (reactor, driver) = awsgi::tokio::reactor(&ReactorOptions::default())?;
//!     let driver = tokio::task::spawn_local(driver);
//!
//!     let event = reactor.event()?;
//!     let other = std::thread::spawn(move || notify(event, Readiness::READABLE));
//!     let set = [Watch { waitable: event, interest: Readiness::READABLE }];
//!     assert_eq!(reactor.wait(&WaitSpec::any(&set)).await?.outcome, Outcome::Ready);
//!     other.join().unwrap()?;
//!
//!     // The end takes two steps: what is open completes as closed, the driver with it.
//!     reactor.close()?;
//!     driver.await??;
//!     reactor.free()?;
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # Time
//!
//! Deadlines are those of the reactor's clock, which never stands still. tokio's timers, by which the
//! driver sleeps, count milliseconds: a deadline may come up to one late, and never early. A reactor
//! in nested mode that was made without
//! [`host_honours_deadline`](ReactorOptions::host_honours_deadline) has an alarm of its own (on
//! Linux), which is exact, and costs a system call for each earlier deadline.
//!
//! In a test with tokio's clock paused, have tokio's clock be the reactor's, too:
//! [`host_gives_clock`](ReactorOptions::host_gives_clock). Deadlines then come as soon as the runtime
//! has nothing else to do, in their order with tokio's own timers. Take them from
//! [`Driver::clock`], since [`Reactor::now`] is the time of the last turn. Without that option they
//! come in real time, and the driver polls until then.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep};

use crate::core::{Completion, Deadline};
use crate::error::{Error, Result, Status};
use crate::reactor::{Call, Mode, Reactor, ReactorOptions, Report, Turn, WatchChange};
use crate::sources::async_fd;

/// Makes a reactor in nested mode, and its driver. Of the options, mode and the promises of a nested
/// host are the driver's to choose; the others are kept.
///
/// # Errors
///
/// `State` outside of a runtime; else those of [`Reactor::new`] and [`Driver::new`].
///
/// # Panics
///
/// As [`Driver::new`].
pub fn reactor(options: &ReactorOptions) -> Result<(Reactor, Driver)> {
    check_runtime()?;
    let reactor = Reactor::new(&ReactorOptions {
        mode: Mode::Nested,
        host_honours_deadline: true,
        host_turns_before_sleep: true,
        ..options.clone()
    })?;
    match Driver::new(&reactor) {
        Ok(driver) => Ok((reactor, driver)),
        Err(error) => {
            reactor.close()?;
            while !reactor.turn(&Turn::default(), |_| ())?.closed {}
            reactor.free()?;
            Err(error)
        }
    }
}

fn check_runtime() -> Result<()> {
    match Handle::try_current() {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::new(
            Status::State,
            "there is no tokio runtime here: make the driver in a task, or in the future that \
             block_on is given",
        )),
    }
}

/// Turns a reactor whenever there is something to do.
///
/// As a future it turns until the reactor is closed and empty, and takes what completes for the host,
/// and what the host should watch, for nobody's: it is for waits that are futures, and for exchanges.
/// Whoever starts waits of the host's ([`Reactor::wait_start`]), or has foreign waitables, writes the
/// task with [`turn`](Driver::turn) or [`turn_and_watch`](Driver::turn_and_watch), as in the example
/// there.
///
/// Calls on the reactor's thread that make work wake the driver's task, without a system call. It runs
/// after the tasks that are ready by then, so that one turn takes up what all of them did, and lets
/// them run again after each turn, also when work is left.
///
/// Dropped, it leaves the reactor as it is, for another driver or other means of turning it.
#[must_use = "nothing happens in a reactor that nobody turns: spawn or await its driver"]
pub struct Driver {
    reactor: Reactor,
    descriptor: AsyncFd<OwnedFd>,
    clock: Clock,
    /// The reactor's time is tokio's.
    gives_clock: bool,
    /// None where the reactor's own alarm makes the descriptor readable.
    sleep: Option<Pin<Box<Sleep>>>,
    /// What `sleep` is set to; `u64::MAX` if it is not.
    asleep_until: u64,
    /// What the reactor wakes.
    waker: Waker,
    /// A turn is due whatever the descriptor says.
    due: bool,
    /// It has turned since its task last let others run.
    turned: bool,
}

impl Driver {
    /// A driver for a reactor in nested mode; it has one at a time.
    ///
    /// # Errors
    ///
    /// `State` outside of a runtime, for a reactor in another mode, and for one that has a driver;
    /// `Os` if there is no descriptor left, or the runtime cannot watch it.
    ///
    /// # Panics
    ///
    /// In a runtime that was built without I/O or without time: `enable_all` gives it both.
    pub fn new(reactor: &Reactor) -> Result<Driver> {
        check_runtime()?;
        let descriptor = async_fd::watch(reactor.fd_to_own()?)
            .map_err(|error| Error::os("having tokio watch the reactor", &error))?;
        let clock = Clock::of(reactor)?;
        let (sleeps, gives_clock) = reactor.host_keeps_time()?;
        let sleep = sleeps.then(|| Box::pin(tokio::time::sleep_until(clock.instant)));
        // Last: from here on there is a driver, which says at its end that there is none.
        reactor.drive()?;
        Ok(Driver {
            reactor: reactor.clone(),
            descriptor,
            clock,
            gives_clock,
            sleep,
            asleep_until: u64::MAX,
            waker: Waker::noop().clone(),
            due: true,
            turned: false,
        })
    }

    /// The reactor.
    pub fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// Translates between tokio's clock and the reactor's.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Sleeps until there is something to do, and turns once. What it is given is as for
    /// [`Reactor::turn`], but that [`Turn::now`] is seen to. Cancelled (in a `select!`), it has done
    /// nothing.
    ///
    /// Called again and again it lets other tasks run between the turns. When the report says that the
    /// reactor is [closed](Report::closed), nothing more comes.
    ///
    /// # Errors
    ///
    /// Those of [`Reactor::turn`]; `Os` if the runtime ends.
    ///
    /// # Example
    ///
    /// Deals with completions after each turn, where the reactor can be called again:
    ///
    /// ```
    /// use awsgi::{Deadline, ReactorOptions, Turn, WaitSpec};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> awsgi::Result<()> {
    /// let (reactor, mut driver) = awsgi::tokio::reactor(&ReactorOptions::default())?;
    /// let until = Deadline::at(reactor.now()? + 1_000_000);
    /// reactor.wait_start(&WaitSpec::sleep(until).user_data(7))?;
    ///
    /// let mut done = Vec::new();
    /// loop {
    ///     let report = driver.turn(&Turn::default(), |completion| done.push(completion)).await?;
    ///     for completion in done.drain(..) {
    ///         assert_eq!(completion.user_data, 7);
    ///         reactor.close()?;
    ///     }
    ///     if report.closed {
    ///         break;
    ///     }
    /// }
    /// drop(driver);
    /// reactor.free()
    /// # }
    /// ```
    pub async fn turn(&mut self, turn: &Turn, sink: impl FnMut(Completion)) -> Result<Report> {
        self.turn_and_watch(&Turn { changes: 0, ..*turn }, sink, |_| ()).await
    }

    /// The same, for a host with foreign waitables, as [`Reactor::turn_and_watch`].
    ///
    /// # Errors
    ///
    /// As for [`Driver::turn`].
    pub async fn turn_and_watch(
        &mut self,
        turn: &Turn,
        mut sink: impl FnMut(Completion),
        mut watch: impl FnMut(WatchChange),
    ) -> Result<Report> {
        std::future::poll_fn(|cx| self.poll_turn(cx, turn, &mut sink, &mut watch)).await
    }

    /// The same, for whoever writes a future by hand.
    ///
    /// # Errors
    ///
    /// As for [`Driver::turn`].
    pub fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        turn: &Turn,
        sink: impl FnMut(Completion),
        watch: impl FnMut(WatchChange),
    ) -> Poll<Result<Report>> {
        if !self.is_called(cx)? {
            self.turned = false;
            return Poll::Pending;
        }
        // Until the turn has come to its end.
        self.due = true;
        if std::mem::replace(&mut self.turned, false) {
            // Others first, and what the runtime itself watches. It wakes us after that.
            let _ = pin!(tokio::task::yield_now()).poll(cx);
            return Poll::Pending;
        }
        self.turned = true;
        let now = if self.gives_clock { self.clock.nanoseconds(Instant::now()) } else { turn.now };
        let report = self.reactor.turn_and_watch(&Turn { now, ..*turn }, sink, watch)?;
        self.due = report.more;
        self.sleep_until(report.next_deadline);
        Poll::Ready(Ok(report))
    }

    /// Whether a turn is called for: by the descriptor, by calls on this thread, by the time, or
    /// because the last one left work. If not, each of them wakes the task.
    fn is_called(&mut self, cx: &mut Context<'_>) -> Result<bool> {
        if !self.waker.will_wake(cx.waker()) {
            self.reactor.driven_by(cx.waker())?;
            self.waker.clone_from(cx.waker());
        }
        let mut called = self.due;
        // Asked until it has nothing, because only then it wakes us; before the turn, which takes all
        // that made it readable until then.
        while let Poll::Ready(ready) = self.descriptor.poll_read_ready(cx) {
            let mut ready =
                ready.map_err(|error| Error::os("having tokio watch the reactor", &error))?;
            ready.clear_ready();
            called = true;
        }
        match self.reactor.take_call()? {
            Call::Not => {}
            Call::Turn => called = true,
            Call::Sleep(until) => self.sleep_until(until),
        }
        if let (Some(sleep), false) = (&mut self.sleep, called || self.asleep_until == u64::MAX) {
            if sleep.as_mut().poll(cx).is_ready() {
                self.asleep_until = u64::MAX;
                called = true;
            }
        }
        Ok(called)
    }

    /// Sleeps no longer than this. A later deadline leaves the timer alone: it comes early once and is
    /// set anew. Moving it with every wait would cost more.
    fn sleep_until(&mut self, deadline: Deadline) {
        let Some(sleep) = &mut self.sleep else { return };
        let until = deadline.nanoseconds();
        if until >= self.asleep_until {
            return;
        }
        // None is further away than the clock reaches.
        if let Some(at) = self.clock.instant(deadline) {
            sleep.as_mut().reset(at);
            self.asleep_until = until;
        }
    }
}

impl Future for Driver {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            match self.poll_turn(cx, &Turn::default(), |_| (), |_| ()) {
                Poll::Ready(Ok(report)) if !report.closed => {}
                Poll::Ready(ended) => return Poll::Ready(ended.map(drop)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Fails where nobody is left to be told: the reactor is gone, or another thread's.
        let _ = self.reactor.not_driven();
    }
}

/// One moment on tokio's clock and on a reactor's, and so any other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    instant: Instant,
    nanoseconds: u64,
}

impl Clock {
    fn of(reactor: &Reactor) -> Result<Clock> {
        // A thread may lose its processor between the two looks: the closest of some counts.
        let mut best: Option<(u64, Clock)> = None;
        for _ in 0..4 {
            let nanoseconds = reactor.now()?;
            let instant = Instant::now();
            let between = reactor.now()? - nanoseconds;
            if best.is_none_or(|(least, _)| between < least) {
                best = Some((between, Clock { instant, nanoseconds }));
            }
        }
        Ok(best.expect("looked at four times").1)
    }

    fn nanoseconds(&self, at: Instant) -> u64 {
        let count = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        match at.checked_duration_since(self.instant) {
            Some(after) => self.nanoseconds.saturating_add(count(after)),
            None => self.nanoseconds.saturating_sub(count(self.instant - at)),
        }
    }

    /// The deadline at this point in time.
    pub fn deadline(&self, at: Instant) -> Deadline {
        Deadline::at(self.nanoseconds(at))
    }

    /// The deadline after so much time.
    pub fn after(&self, time: Duration) -> Deadline {
        match Instant::now().checked_add(time) {
            Some(at) => self.deadline(at),
            None => Deadline::FOREVER,
        }
    }

    /// The point in time of a deadline; none if it is further away than tokio's clock reaches.
    pub fn instant(&self, deadline: Deadline) -> Option<Instant> {
        if deadline == Deadline::FOREVER {
            return None;
        }
        let nanoseconds = deadline.nanoseconds();
        if nanoseconds < self.nanoseconds {
            return self.instant.checked_sub(Duration::from_nanos(self.nanoseconds - nanoseconds));
        }
        self.instant.checked_add(Duration::from_nanos(nanoseconds - self.nanoseconds))
    }
}
