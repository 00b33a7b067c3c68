//! Many calls of a reactor's owner as one, for a host that makes them all at once and then turns: the
//! state is borrowed once, and the host is told of none.

use super::{Caller, Reactor, State, inside_step};
use crate::core::{Kind, Owner, Readiness, Token, WaitSpec};
use crate::error::{Result, Status};

/// A reactor in the middle of its owner's calls. The host turns soon after it.
pub(crate) struct Batch<'a> {
    state: &'a mut State,
}

impl Reactor {
    /// Runs `work`, which makes calls; with the host's clock at `now` where it counts.
    ///
    /// # Errors
    ///
    /// `Thread`, `Stale`, and `Reentrant` inside of a turn.
    #[inline]
    pub(crate) fn batch<R>(&self, now: u64, work: impl FnOnce(&mut Batch<'_>) -> R) -> Result<R> {
        self.check()?;
        self.cell.enter(|state| {
            if state.turning {
                return Err(inside_step("make calls through the bridge"));
            }
            state.cell.set_host_clock(now);
            // As in a turn, the host need not be told of work: it is about to look.
            state.turning = true;
            Ok(work(&mut Batch { state }))
        })
    }

    /// Counts completions that nobody wanted to see.
    pub(crate) fn count_stale(&self, completions: u64) -> Result<()> {
        self.with(|state| state.stats.stale += completions)
    }

    /// Whether it was closed, by whomever.
    pub(crate) fn is_closed(&self) -> Result<bool> {
        self.with(|state| state.core.is_closed())
    }

    /// How many waitables and waits it holds.
    pub(crate) fn holds(&self) -> Result<(u32, u32)> {
        self.with(|state| (state.core.waitable_count(), state.core.waits()))
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.state.turning = false;
    }
}

impl Batch<'_> {
    fn caller(&self) -> Caller {
        Caller::Owner(None)
    }

    /// Sets an event, or reports what a foreign waitable is ready for. What has ended, or tells by
    /// itself, is a report for which nobody waited.
    #[inline]
    pub(crate) fn report(&mut self, waitable: Token, ready: Readiness) -> Result<()> {
        match self.state.notify_here(waitable, ready) {
            Err(error) if matches!(error.status(), Status::Stale | Status::Invalid) => {
                self.state.stats.spurious += 1;
                Ok(())
            }
            done => done,
        }
    }

    /// Starts a wait of the host's; see [`Reactor::wait_start`].
    #[inline]
    pub(crate) fn arm(&mut self, spec: &WaitSpec<'_>) -> Result<Token> {
        self.state.start_wait(spec, Owner::Host)
    }

    /// See [`wait_cancel`](super::wait_cancel).
    pub(crate) fn cancel(&mut self, wait: Token) -> Result<()> {
        let slot = self.state.core.find(wait, Kind::Wait)?;
        self.state.cancel_wait(slot, self.caller())
    }

    /// See [`wait_forget`](super::wait_forget).
    pub(crate) fn forget(&mut self, wait: Token) -> Result<()> {
        let slot = self.state.core.find(wait, Kind::Wait)?;
        self.state.forget_wait(slot, self.caller())
    }

    /// See [`wait_rearm`](super::wait_rearm).
    #[inline]
    pub(crate) fn rearm(&mut self, wait: Token) -> Result<()> {
        let slot = self.state.core.find(wait, Kind::Wait)?;
        self.state.rearm_wait(slot, self.caller())
    }

    /// See [`waitable_close`](super::waitable_close).
    pub(crate) fn close(&mut self, waitable: Token) -> Result<()> {
        let slot = self.state.core.find(waitable, Kind::Waitable)?;
        self.state.close_waitable(slot, self.caller())
    }

    /// See [`Reactor::close`].
    pub(crate) fn shut(&mut self) {
        self.state.shut();
    }
}
