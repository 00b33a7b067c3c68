//! Functions on tokens: they take no reactor, since the token names it.

use super::{Caller, Reactor, ReactorCell, State};
use crate::core::{Kind, Owner, Readiness, Source, Token};
use crate::error::{Error, Result, Status};

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
    cell.check_not_forked()?;
    if cell.is_owner() {
        match cell.with(|state| state.notify_here(waitable, ready)) {
            // From a hook or a signal handler: as from any other thread.
            Err(error) if error.status() == Status::Reentrant => {}
            done => return done?,
        }
    }
    cell.notify(waitable, ready)
}

fn on_token(
    token: Token,
    kind: Kind,
    work: impl FnOnce(&mut State, u32, Caller) -> Result<u64> + Send + 'static,
) -> Result<u64> {
    let cell = ReactorCell::of(token)?;
    cell.check(token)?;
    Reactor::from_cell(cell).act(move |state, caller| {
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
        if let Source::Exchange(_) = state.core.source(slot) {
            return Err(Error::new(
                Status::State,
                "an exchange's own waitable ends with the exchange: leave it",
            ));
        }
        caller.may_end(state.core.maker(slot))?;
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
    on_token(wait, Kind::Wait, |state, slot, caller| {
        caller.may_end(state.core.wait_exchange(slot))?;
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
    on_token(wait, Kind::Wait, |state, slot, caller| {
        caller.may_end(state.core.wait_exchange(slot))?;
        if let Owner::Exchange(exchange) = state.core.forget(slot) {
            state.wait_was_forgotten(exchange);
        }
        state.work_outside();
        Ok(0)
    })
    .map(drop)
}
