//! Waits: wake me when any of these is ready, or at this deadline.

use super::guard::{array, flags, guard, out_if_wanted, sized};
use super::reactor::{awsgi_reactor, reactor};
use super::status::awsgi_status;
use super::token::{awsgi_wait, awsgi_waitable};
use crate::core::{Deadline, Readiness, Token, WaitSpec, Watch};
use crate::error::{Error, Result, Status};
use crate::reactor::{wait_cancel, wait_forget, wait_rearm};

/// A member of a set.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct awsgi_watch {
    /// The waitable.
    pub waitable: awsgi_waitable,
    /// What is waited for: AWSGI_READABLE, ...
    pub interest: u32,
    /// Unused; 0.
    pub pad: u32,
}

/// A flag of a wait: it completes at each readiness of its one waitable, each time but the last with
/// AWSGI_MORE. After each completion drain the descriptor, or call awsgi_wait_rearm.
pub const AWSGI_MULTISHOT: u32 = 1;
/// A flag of a wait: what it waits for is dealt with on another thread, so the host is to stop
/// watching a foreign waitable for it as soon as it has ended.
pub const AWSGI_OFF_LOOP: u32 = 2;

/// A question. Begin with AWSGI_WAIT_SPEC_INIT, which sets the deadline to AWSGI_FOREVER.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct awsgi_wait_spec {
    /// The size of this structure in bytes, set by AWSGI_WAIT_SPEC_INIT.
    pub size: usize,
    /// The waitables, each once. (NULL, 0) with a finite deadline is a sleep.
    pub set: *const awsgi_watch,
    /// How many waitables; 65,535 at most.
    pub count: usize,
    /// How many of them have to be ready: 0 or 1 for any, count for all. One counts from the first
    /// time it was ready.
    pub at_least: u32,
    /// AWSGI_MULTISHOT, with a set of one; AWSGI_OFF_LOOP; or 0.
    pub flags: u32,
    /// When it ends as AWSGI_TIMED_OUT, in nanoseconds of the reactor's clock; AWSGI_NOW asks once.
    /// A multishot wait ends then, too.
    pub deadline: u64,
    /// Comes back in the completion.
    pub user_data: u64,
}

/// Runs `f` with a question of C's.
///
/// # Safety
///
/// `spec` and its set are what the header says.
pub(super) unsafe fn with_spec<R>(
    spec: *const awsgi_wait_spec,
    f: impl FnOnce(&WaitSpec<'_>) -> Result<R>,
) -> Result<R> {
    // SAFETY: as the caller vouches; the structure is integers and pointers.
    let spec = unsafe { sized(spec, size_of::<awsgi_wait_spec>(), "spec")? };
    flags(spec.flags, AWSGI_MULTISHOT | AWSGI_OFF_LOOP, "awsgi_wait_spec")?;
    // SAFETY: as the caller vouches.
    let set = unsafe { array(spec.set, spec.count, "spec.set")? };
    match set {
        [] => f(&question(&spec, &[])),
        [one] => f(&question(&spec, &[watch(one)?])),
        many => {
            if many.len() > u16::MAX as usize {
                return Err(Error::new(
                    Status::Invalid,
                    "a set holds at most 65,535 waitables: split it into several waits",
                ));
            }
            let many: Vec<Watch> = many.iter().map(watch).collect::<Result<_>>()?;
            f(&question(&spec, &many))
        }
    }
}

fn watch(given: &awsgi_watch) -> Result<Watch> {
    let interest = Readiness::from_bits(given.interest).ok_or_else(|| {
        Error::new(
            Status::Invalid,
            format!("{:#x} is no interest: give AWSGI_READABLE, ...", given.interest),
        )
    })?;
    Ok(Watch { waitable: Token::from_bits(given.waitable), interest })
}

fn question<'a>(spec: &awsgi_wait_spec, set: &'a [Watch]) -> WaitSpec<'a> {
    WaitSpec {
        set,
        at_least: spec.at_least,
        multishot: spec.flags & AWSGI_MULTISHOT != 0,
        off_loop: spec.flags & AWSGI_OFF_LOOP != 0,
        deadline: Deadline::at(spec.deadline),
        user_data: spec.user_data,
    }
}

/// Starts a wait of the host's: it completes in a turn's array, exactly once, or with
/// AWSGI_MULTISHOT at each readiness and once more when it ends. When this returns AWSGI_OK the
/// kernel already watches.
///
/// spec: the question; it and its set are copied.
/// wait: the wait's token; may be NULL.
///
/// Returns: AWSGI_OK; AWSGI_E_INVALID for an empty set without a deadline, an interest that does
///   not exist, or a waitable named twice; AWSGI_E_STALE for a waitable that is gone; AWSGI_E_OS
///   with the errno of a descriptor that cannot be watched; AWSGI_E_NESTING; AWSGI_E_LIMIT;
///   AWSGI_E_UNSUPPORTED; AWSGI_E_CLOSED while the reactor closes; AWSGI_E_THREAD; AWSGI_E_NULL.
///   After an error nothing has changed.
/// Ownership: the token is void once its completion was delivered.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_wait_start(
    reactor: *mut awsgi_reactor,
    spec: *const awsgi_wait_spec,
    wait: *mut awsgi_wait,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointers.
        let wait = unsafe { out_if_wanted(wait) };
        let reactor = self::reactor(reactor)?;
        // SAFETY: as above.
        let started = unsafe { with_spec(spec, |spec| reactor.wait_start(spec))? };
        if let Some(wait) = wait {
            *wait = started.to_bits();
        }
        Ok(())
    })
}

/// Asks a wait to end. It still completes, with what happened first.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE once its completion was delivered; AWSGI_E_THREAD.
/// Ownership: nothing is kept.
/// Threads: owner, exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_wait_cancel(wait: awsgi_wait) -> awsgi_status {
    guard(|| wait_cancel(Token::from_bits(wait)))
}

/// Removes a wait: nothing more comes of it, nor what is queued.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE once its completion was delivered; AWSGI_E_THREAD.
/// Ownership: the token is void.
/// Threads: owner, exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_wait_forget(wait: awsgi_wait) -> awsgi_status {
    guard(|| wait_forget(Token::from_bits(wait)))
}

/// Has a multishot wait report again if its waitable is still ready, for who has not drained it. One
/// that has ended, but was not delivered, is left as it is.
///
/// Returns: AWSGI_OK; AWSGI_E_STATE for a wait without AWSGI_MULTISHOT; AWSGI_E_STALE once its last
///   completion was delivered; AWSGI_E_OS with the errno of a descriptor that cannot be watched any
///   more; AWSGI_E_THREAD.
/// Ownership: nothing is kept.
/// Threads: owner, exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_wait_rearm(wait: awsgi_wait) -> awsgi_status {
    guard(|| wait_rearm(Token::from_bits(wait)))
}
