//! Waits as futures, on any executor of the reactor's thread.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use slab::Slab;

use super::Reactor;
use crate::core::{Completion, Kind, Member, Owner, Question, Token, WaitSpec};
use crate::error::{Result, Status};

/// Futures that wait, by the key that their waits carry.
#[derive(Default)]
pub(super) struct Tasks(Slab<Task>);

enum Task {
    Waiting(Waker),
    Done(Completion, Vec<Member>),
}

impl Tasks {
    /// Keeps the answer. Answers whom to wake.
    pub(super) fn complete(
        &mut self,
        key: u32,
        completion: Completion,
        members: Vec<Member>,
    ) -> Option<Waker> {
        let task = self.0.get_mut(key as usize)?;
        match std::mem::replace(task, Task::Done(completion, members)) {
            Task::Waiting(waker) => Some(waker),
            Task::Done(..) => None,
        }
    }
}

/// A wait as a future: made by [`Reactor::wait`].
///
/// The wait starts when it is first polled, completes in a turn of its reactor, which wakes the
/// task, and is forgotten when the future is dropped before.
#[must_use = "a future waits when it is polled"]
pub struct Waiting {
    reactor: Reactor,
    question: Question,
    /// Its key and its wait, once it has started.
    started: Option<(u32, Token)>,
    members: Vec<Member>,
}

impl Reactor {
    /// Waits, as a future. It answers how the wait ended; that it timed out or was closed is an
    /// answer, too.
    ///
    /// # Errors
    ///
    /// The future answers what [`Reactor::wait_start`] would, when it is first polled; `Invalid`
    /// also for a multishot wait, since a future completes once.
    pub fn wait(&self, spec: &WaitSpec<'_>) -> Waiting {
        Waiting {
            reactor: self.clone(),
            question: Question::of(spec),
            started: None,
            members: Vec::new(),
        }
    }
}

impl Waiting {
    /// The ready members of the set, in their order, once it has completed.
    pub fn members(&self) -> &[Member] {
        &self.members
    }
}

impl Future for Waiting {
    type Output = Result<Completion>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Completion>> {
        let this = &mut *self;
        // Wakers are made and dropped with nothing borrowed: the last one of a task drops it, and
        // with it other futures that wait here.
        let task = Task::Waiting(context.waker().clone());
        let Some((key, _)) = this.started else {
            let spec = this.question.spec();
            let (started, _refused) = this.reactor.with(|state| {
                let key = state.tasks.0.insert(task);
                match state.start_wait(&spec, Owner::Task(key as u32)) {
                    Ok(wait) => (Ok((key as u32, wait)), None),
                    Err(error) => (Err(error), Some(state.tasks.0.remove(key))),
                }
            })?;
            this.started = Some(started?);
            return Poll::Pending;
        };
        let before = this.reactor.with(|state| match &mut state.tasks.0[key as usize] {
            waiting @ Task::Waiting(_) => std::mem::replace(waiting, task),
            Task::Done(..) => state.tasks.0.remove(key as usize),
        })?;
        let Task::Done(completion, members) = before else { return Poll::Pending };
        this.started = None;
        this.members = members;
        Poll::Ready(Ok(completion))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some((key, wait)) = self.started else { return };
        match self.reactor.end_future(key, wait) {
            // Inside of a call of the reactor's, or where it was released: its next turn does it.
            Err(error) if matches!(error.status(), Status::Reentrant | Status::Thread) => {
                self.reactor.cell.dropped.add(self.reactor.life, key, wait);
            }
            // Fails otherwise if the reactor is gone: nothing is left to be forgotten there.
            _ => {}
        }
    }
}

impl Reactor {
    fn end_future(&self, key: u32, wait: Token) -> Result<()> {
        let ended = self.with(|state| {
            if let Ok(slot) = state.core.find(wait, Kind::Wait) {
                state.core.forget(slot);
                state.work_outside();
            }
            state.tasks.0.try_remove(key as usize)
        })?;
        // Its waker, with nothing borrowed.
        drop(ended);
        Ok(())
    }

    /// Ends the futures that were dropped where they could not be ended.
    #[inline]
    pub(super) fn end_dropped(&self) -> Result<()> {
        if !self.cell.dropped.any.load(Ordering::Acquire) {
            return Ok(());
        }
        for (life, key, wait) in self.cell.dropped.take() {
            if life == self.life {
                self.end_future(key, wait)?;
            }
        }
        Ok(())
    }
}

/// Futures that were dropped and not ended: of which reactor of the number, their key and wait.
#[derive(Default)]
pub(super) struct Dropped {
    any: AtomicBool,
    list: Mutex<Vec<(u32, u32, Token)>>,
}

impl Dropped {
    fn lock(&self) -> MutexGuard<'_, Vec<(u32, u32, Token)>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn add(&self, life: u32, key: u32, wait: Token) {
        let mut list = self.lock();
        list.push((life, key, wait));
        self.any.store(true, Ordering::Release);
    }

    #[cold]
    fn take(&self) -> Vec<(u32, u32, Token)> {
        let mut list = self.lock();
        self.any.store(false, Ordering::Release);
        std::mem::take(&mut list)
    }
}
