//! The one task of a worker that turns its reactor.
//!
//! It is a host in nested mode: it watches the reactor's descriptor, sleeps no longer than the
//! next deadline, and turns before it sleeps. Work made by the connections' tasks wakes it behind
//! all of those that are ready, so that one turn serves many exchanges.

use std::future::Future;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, Sleep};

use super::hub::Hub;
use crate::error::{Error, Result};
use crate::reactor::Turn;

/// How many completions a turn returns; the rest come in the next, after other tasks.
const COMPLETIONS: usize = 1024;

/// The reactor's descriptor, which is the reactor's to close.
struct Borrowed(RawFd);

impl AsRawFd for Borrowed {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

/// Ends only when the reactor fails.
pub(super) struct Driver {
    hub: Rc<Hub>,
    descriptor: AsyncFd<Borrowed>,
    sleep: Pin<Box<Sleep>>,
    /// What `sleep` is set to; `u64::MAX` if it is not.
    asleep_until: u64,
    /// One moment on both clocks.
    base: (Instant, u64),
}

impl Driver {
    pub(super) fn new(hub: &Rc<Hub>) -> Result<Driver> {
        // tokio would have it `unsafe` because a closed descriptor could be given. This one is
        // open for as long as the hub holds the reactor, which is longer than the driver lives.
        #[allow(deprecated)]
        let descriptor = AsyncFd::with_interest(Borrowed(hub.reactor.fd()?), Interest::READABLE)
            .map_err(|error| Error::os("watch the reactor", &error))?;
        let now = Instant::now();
        Ok(Driver {
            hub: Rc::clone(hub),
            descriptor,
            sleep: Box::pin(tokio::time::sleep_until(now)),
            asleep_until: u64::MAX,
            base: (now, hub.reactor.now()?),
        })
    }

    /// Whether the reactor's descriptor or its deadline calls for a turn.
    fn poll_called(&mut self, cx: &mut Context<'_>) -> Result<bool> {
        let mut called = false;
        // Asked until it has nothing, because only then it wakes us.
        while let Poll::Ready(ready) = self.descriptor.poll_read_ready(cx) {
            ready.map_err(|error| Error::os("watch the reactor", &error))?.clear_ready();
            called = true;
        }
        if self.asleep_until != u64::MAX && self.sleep.as_mut().poll(cx).is_ready() {
            self.asleep_until = u64::MAX;
            called = true;
        }
        Ok(called)
    }

    /// One turn; answers whether another has to follow before sleeping.
    fn turn(&mut self) -> Result<bool> {
        let hub = &self.hub;
        let turn = Turn { capacity: COMPLETIONS, ..Turn::default() };
        let report = hub.reactor.turn(&turn, |completion| hub.deliver(completion))?;
        hub.settle_finished();
        hub.expire(hub.reactor.now()?);
        let next = hub.sleep_until(report.next_deadline.nanoseconds());
        // A later deadline leaves the timer alone: it comes early once and is set anew. Moving it
        // with every request would cost more.
        if next < self.asleep_until {
            let (instant, now) = self.base;
            match instant.checked_add(Duration::from_nanos(next.saturating_sub(now))) {
                Some(at) if next != u64::MAX => {
                    self.sleep.as_mut().reset(at);
                    self.asleep_until = next;
                }
                // Further away than the clock reaches.
                _ => {}
            }
        }
        Ok(report.more)
    }
}

impl Future for Driver {
    type Output = Error;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Error> {
        let this = self.get_mut();
        this.hub.set_driver(cx.waker());
        let called = match this.poll_called(cx) {
            Ok(called) => called,
            Err(error) => return Poll::Ready(error),
        };
        if !this.hub.take_dirty() && !called {
            return Poll::Pending;
        }
        match this.turn() {
            Ok(false) => {}
            Ok(true) => this.hub.touch(),
            Err(error) => return Poll::Ready(error),
        }
        if this.asleep_until != u64::MAX {
            // Has the timer wake us, at once if its time has passed in the meantime.
            ready!(this.sleep.as_mut().poll(cx));
            this.asleep_until = u64::MAX;
            this.hub.touch();
        }
        Poll::Pending
    }
}
