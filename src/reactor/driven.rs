//! A reactor that a task of an executor drives: its own thread's calls wake that task, where another
//! host's descriptor would be signalled.

use std::os::fd::OwnedFd;
use std::task::Waker;

use super::Reactor;
use super::state::{State, Telling};
use crate::core::Deadline;
use crate::error::{Error, Result, Status};
use crate::sources::async_fd;

/// Why the driving task was woken by calls outside of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// It was not.
    Not,
    /// Something has to be turned for.
    Turn,
    /// There is nothing to do before this, which is earlier than the task knows.
    Sleep(Deadline),
}

impl State {
    fn drive(&mut self) -> Result<()> {
        if let Telling::Task(_) = self.telling {
            return Err(Error::new(
                Status::State,
                "the reactor has a driver already: await that one, or drop it first",
            ));
        }
        self.telling = Telling::Task(Waker::noop().clone());
        Ok(())
    }

    fn take_call(&mut self) -> Call {
        if !std::mem::take(&mut self.called) {
            return Call::Not;
        }
        self.core.plan_changes();
        let next = self.next_deadline();
        if self.has_work() || self.is_drained() || next <= Deadline::at(self.now()) {
            return Call::Turn;
        }
        self.reported = next;
        Call::Sleep(next)
    }
}

impl Reactor {
    /// From now on it is driven by a task, which turns it before anything else.
    ///
    /// # Errors
    ///
    /// `State` if it is driven already.
    pub(crate) fn drive(&self) -> Result<()> {
        self.with(State::drive)?
    }

    /// Has this waker wake the driving task.
    pub(crate) fn driven_by(&self, waker: &Waker) -> Result<()> {
        let waker = waker.clone();
        let before =
            self.with(|state| std::mem::replace(&mut state.telling, Telling::Task(waker)))?;
        // With nothing borrowed.
        drop(before);
        Ok(())
    }

    /// Nobody drives it any more: its options say how its host is told.
    pub(crate) fn not_driven(&self) -> Result<()> {
        let before = self.with(|state| {
            state.called = false;
            let telling = Telling::of(&state.options);
            std::mem::replace(&mut state.telling, telling)
        })?;
        drop(before);
        Ok(())
    }

    /// What the driving task was woken for, and if for nothing but the time, when to turn.
    #[inline]
    pub(crate) fn take_call(&self) -> Result<Call> {
        self.with(State::take_call)
    }

    /// Whether the host does the sleeping, and whether it gives the clock.
    pub(crate) fn host_keeps_time(&self) -> Result<(bool, bool)> {
        self.with(|state| (state.options.host_honours_deadline, state.options.host_gives_clock))
    }

    /// A descriptor of the caller's that is readable when that of nested mode is.
    pub(crate) fn fd_to_own(&self) -> Result<OwnedFd> {
        async_fd::duplicate(self.fd()?)
            .map_err(|error| Error::os("duplicating the reactor's descriptor (fcntl)", &error))
    }
}
