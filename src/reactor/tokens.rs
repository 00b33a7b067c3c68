//! Functions on tokens: they take no reactor, since the token names it.

use std::sync::atomic::Ordering;
use std::sync::mpsc;

use super::{Caller, ReactorCell, State, act_on};
use crate::core::slots::stale;
use crate::core::{Completion, Kind, Member, Owner, Readiness, Source, Token};
use crate::error::{Error, Result, Status};

/// Sets an event, adds one to a counter, or reports what a foreign waitable is ready for. From any
/// thread, also after its reactor is gone.
///
/// # Errors
///
/// `Stale` for a waitable that ended; `Invalid` for bits that are no readiness, or for a waitable
/// that tells by itself; `Limit` for a counter that is full until its reactor turns; `Forked`.
pub fn notify(waitable: Token, ready: Readiness) -> Result<()> {
    if ready.is_empty() || !Readiness::INTERESTS.contains(ready) {
        // That it is gone is the better news.
        ReactorCell::of(waitable)?.check(waitable)?;
        return Err(no_readiness());
    }
    let cell = ReactorCell::of(waitable)?;
    if cell.is_owner() {
        match cell.enter(|state| state.notify_here(waitable, ready)) {
            // From a hook or a signal handler: as from any other thread.
            Err(error) if error.status() == Status::Reentrant => {}
            done => return done,
        }
    }
    cell.check(waitable)?;
    if waitable.kind() != Some(Kind::Waitable) {
        return Err(Error::new(Status::Invalid, format!("{waitable:?} is not a waitable")));
    }
    cell.check_not_forked()?;
    cell.notify(waitable, ready)
}

#[cold]
fn no_readiness() -> Error {
    Error::new(
        Status::Invalid,
        "a waitable is notified of READABLE, WRITABLE, PRIORITY, READ_CLOSED, HANGUP or ERROR: give \
         at least one of them, and no other bits",
    )
}

/// What is asked of the state to which a token led.
impl State {
    #[inline]
    pub(super) fn close_waitable(&mut self, slot: u32, caller: Caller) -> Result<()> {
        if let Source::Exchange(_) = self.core.source(slot) {
            return Err(Error::new(
                Status::State,
                "an exchange's own waitable ends with the exchange: leave it",
            ));
        }
        caller.may_end(self.core.maker(slot))?;
        self.close_waitable_in(slot);
        self.work_outside();
        Ok(())
    }

    #[inline]
    pub(super) fn cancel_wait(&mut self, slot: u32, caller: Caller) -> Result<()> {
        caller.may_end(self.core.wait_exchange(slot))?;
        self.core.cancel(slot);
        self.work_outside();
        Ok(())
    }

    #[inline]
    pub(super) fn forget_wait(&mut self, slot: u32, caller: Caller) -> Result<()> {
        caller.may_end(self.core.wait_exchange(slot))?;
        if let Owner::Exchange(exchange) = self.core.forget(slot) {
            self.wait_was_forgotten(exchange);
        }
        self.work_outside();
        Ok(())
    }

    #[inline]
    pub(super) fn rearm_wait(&mut self, slot: u32, caller: Caller) -> Result<()> {
        caller.may_end(self.core.wait_exchange(slot))?;
        self.rearm(slot)
    }
}

#[inline]
fn on_token(
    token: Token,
    kind: Kind,
    work: impl FnOnce(&mut State, u32, Caller) -> Result<u64> + Send + 'static,
) -> Result<u64> {
    let cell = ReactorCell::of(token)?;
    if !cell.is_owner() {
        // Stale on any thread.
        cell.check(token)?;
    }
    act_on(cell, move |state, caller| {
        let slot = state.core.find(token, kind)?;
        work(state, slot, caller)
    })
}

/// Ends a waitable; its waits complete as closed. A descriptor that was given to us is closed.
///
/// # Errors
///
/// `Stale`; `Thread`; `State` for the waitable that an exchange is.
pub fn waitable_close(waitable: Token) -> Result<()> {
    on_token(waitable, Kind::Waitable, |state, slot, caller| {
        state.close_waitable(slot, caller).map(|()| 0)
    })
    .map(drop)
}

/// Takes what a waitable holds, and clears it: of an event 1 if it was notified since the last
/// take, else 0; of a counter how often it was notified; of a timer how often it has expired.
///
/// # Errors
///
/// `Stale`; `Thread`; `Unsupported` for what holds nothing.
pub fn waitable_take(waitable: Token) -> Result<u64> {
    on_token(waitable, Kind::Waitable, |state, slot, _| {
        if let Source::Event | Source::Counter(_) = state.core.source(slot) {
            // What other threads notified meanwhile counts, or it would be lost.
            let poked = state.drain_inbox(usize::MAX);
            state.answer_poked(poked);
        }
        let now = state.now();
        state.core.take(slot, now)
    })
}

/// Names a waitable, for people who look; an empty name takes the old one away.
///
/// # Errors
///
/// `Stale`; `Thread`.
pub fn waitable_label(waitable: Token, label: &str) -> Result<()> {
    let label = label.to_owned();
    on_token(waitable, Kind::Waitable, move |state, slot, _| {
        state.core.label(slot, &label);
        Ok(0)
    })
    .map(drop)
}

/// A waitable in words: what it is, its label, and what is waited for.
///
/// # Errors
///
/// `Stale`; `Thread`.
pub fn waitable_describe(waitable: Token) -> Result<String> {
    let (sender, receiver) = mpsc::channel();
    on_token(waitable, Kind::Waitable, move |state, slot, _| {
        // The receiver lives until the call has ended.
        let _ = sender.send(state.core.describe(slot));
        Ok(0)
    })?;
    receiver.recv().map_err(|_| stale())
}

/// Asks a wait to end; it completes with what happened first.
///
/// # Errors
///
/// `Stale` once its completion was delivered; `Thread`.
pub fn wait_cancel(wait: Token) -> Result<()> {
    on_token(wait, Kind::Wait, |state, slot, caller| state.cancel_wait(slot, caller).map(|()| 0))
        .map(drop)
}

/// Removes a wait: nothing more comes of it, nor what is queued.
///
/// # Errors
///
/// `Stale` once its completion was delivered; `Thread`.
pub fn wait_forget(wait: Token) -> Result<()> {
    on_token(wait, Kind::Wait, |state, slot, caller| state.forget_wait(slot, caller).map(|()| 0))
        .map(drop)
}

/// Has a multishot wait report again if its waitable is still ready, as it would a new wait.
///
/// # Errors
///
/// `State` for another wait; `Stale` once its last completion was delivered; `Thread`; `Os` and
/// `Nesting` as for [`Reactor::wait_start`](crate::Reactor::wait_start).
pub fn wait_rearm(wait: Token) -> Result<()> {
    on_token(wait, Kind::Wait, |state, slot, caller| state.rearm_wait(slot, caller).map(|()| 0))
        .map(drop)
}

/// The ready members of a completion, in the order of their set: for the host until its next turn,
/// for a step until it returns, for a pool thread until it waits again. Those of a completion with
/// `more` can be asked for as long as its wait lives.
///
/// # Errors
///
/// `Stale` later, and for what is not a completion of a wait; `Thread`; `Reentrant` in the sink of
/// a turn.
pub fn completion_members(completion: &Completion) -> Result<Vec<Member>> {
    let cell = ReactorCell::of(completion.wait)?;
    if !cell.live.load(Ordering::Acquire) {
        // Nobody owns it any more, so nobody's thread would be the right one.
        return Err(stale());
    }
    let (sender, receiver) = mpsc::channel();
    let completion = *completion;
    act_on(cell, move |state, _| {
        let members = state.core.members(&completion)?;
        // The receiver lives until the call has ended.
        let _ = sender.send(members);
        Ok(0)
    })?;
    receiver.recv().map_err(|_| stale())
}
