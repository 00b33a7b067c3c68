//! Waitables: anything that can become ready.

use std::ffi::c_char;

use super::guard::{array, flags, guard, out, out_if_wanted, unsupported};
use super::reactor::{awsgi_reactor, reactor};
use super::status::awsgi_status;
use super::token::{awsgi_os_handle, awsgi_waitable};
use crate::core::{Readiness, Token};
use crate::error::{Error, Result, Status};
use crate::reactor::{notify, waitable_close, waitable_take};

/// A flag of awsgi_waitable_descriptor: the descriptor is closed with its waitable.
pub const AWSGI_OWN: u32 = 1;

/// A flag of awsgi_waitable_foreign: the host repeats its report while the object is ready.
pub const AWSGI_LEVEL: u32 = 0;
/// A flag of awsgi_waitable_foreign: the host reports once for each watch change.
pub const AWSGI_ONCE: u32 = 1;

/// A report about a waitable.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct awsgi_notice {
    /// The waitable.
    pub waitable: awsgi_waitable,
    /// What happened.
    pub ready: u32,
    /// Unused; 0.
    pub pad: u32,
}

/// Makes a waitable of a descriptor: a socket, pipe, terminal, eventfd, timerfd, pidfd, inotify or
/// epoll descriptor, or a file, which is always ready. Nothing is armed, and nothing about the
/// descriptor is read or changed. Several waitables may be made of one descriptor.
///
/// fd: the descriptor. Close the waitable before you close it.
/// flags: 0, or AWSGI_OWN.
/// waitable: the waitable.
///
/// Returns: AWSGI_OK; AWSGI_E_OS with EBADF if it is not open; AWSGI_E_NESTING for a descriptor of
///   the reactor's own; AWSGI_E_STATE with AWSGI_OWN if another waitable owns it; AWSGI_E_LIMIT;
///   AWSGI_E_INVALID for a flag that does not exist; AWSGI_E_CLOSED while the reactor closes;
///   AWSGI_E_THREAD; AWSGI_E_NULL. On error a descriptor given with AWSGI_OWN stays the caller's.
/// Ownership: the descriptor stays the caller's, unless AWSGI_OWN. A waitable made by an exchange's
///   code ends after that exchange's close; others end with awsgi_waitable_close.
/// Threads: owner, exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_waitable_descriptor(
    reactor: *mut awsgi_reactor,
    fd: awsgi_os_handle,
    flags: u32,
    waitable: *mut awsgi_waitable,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        let waitable = unsafe { out(waitable, "waitable")? };
        self::flags(flags, AWSGI_OWN, "awsgi_waitable_descriptor")?;
        let made = self::reactor(reactor)?.descriptor(fd, flags & AWSGI_OWN != 0)?;
        *waitable = made.to_bits();
        Ok(())
    })
}

/// Makes a waitable of something that only the host can watch: a channel, a stream, a source.
///
/// handle: the host's own name for it.
/// flags: AWSGI_LEVEL or AWSGI_ONCE.
/// waitable: the waitable.
///
/// Returns: AWSGI_E_UNSUPPORTED in this release; use an event.
/// Ownership: the object stays the host's.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_waitable_foreign(
    reactor: *mut awsgi_reactor,
    handle: u64,
    flags: u32,
    waitable: *mut awsgi_waitable,
) -> awsgi_status {
    let _ = handle;
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        unsafe { out(waitable, "waitable")? };
        self::reactor(reactor)?;
        self::flags(flags, AWSGI_ONCE, "awsgi_waitable_foreign")?;
        Err(unsupported("awsgi_waitable_foreign"))
    })
}

/// Makes an event: a flag that awsgi_notify sets from any thread, and that stays set until it is
/// taken.
///
/// flags: 0.
/// waitable: the waitable.
///
/// Returns: AWSGI_OK; AWSGI_E_LIMIT; AWSGI_E_INVALID for a flag that does not exist;
///   AWSGI_E_CLOSED while the reactor closes; AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: as for awsgi_waitable_descriptor.
/// Threads: owner, exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_waitable_event(
    reactor: *mut awsgi_reactor,
    flags: u32,
    waitable: *mut awsgi_waitable,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        let waitable = unsafe { out(waitable, "waitable")? };
        self::flags(flags, 0, "awsgi_waitable_event")?;
        *waitable = self::reactor(reactor)?.event()?.to_bits();
        Ok(())
    })
}

/// Makes a timer.
///
/// first: when it first expires, in nanoseconds of the reactor's clock.
/// period: nanoseconds between further expirations; 0: none.
/// waitable: the waitable.
///
/// Returns: AWSGI_E_UNSUPPORTED in this release; a wait on an empty set with a deadline is a sleep.
/// Ownership: as for awsgi_waitable_descriptor.
/// Threads: owner, exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_waitable_timer(
    reactor: *mut awsgi_reactor,
    first: u64,
    period: u64,
    waitable: *mut awsgi_waitable,
) -> awsgi_status {
    let _ = (first, period);
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        unsafe { out(waitable, "waitable")? };
        self::reactor(reactor)?;
        Err(unsupported("awsgi_waitable_timer"))
    })
}

/// Takes what an event holds, and clears it.
///
/// value: 1 if it was notified since it was last taken, else 0.
///
/// Returns: AWSGI_OK; AWSGI_E_UNSUPPORTED for what is not an event; AWSGI_E_STALE; AWSGI_E_THREAD;
///   AWSGI_E_NULL.
/// Ownership: nothing is kept.
/// Threads: owner, exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_waitable_take(
    waitable: awsgi_waitable,
    value: *mut u64,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        let value = unsafe { out(value, "value")? };
        *value = waitable_take(Token::from_bits(waitable))?;
        Ok(())
    })
}

/// Names a waitable for people who look.
///
/// label, len: the name in UTF-8, in bytes.
///
/// Returns: AWSGI_E_UNSUPPORTED in this release.
/// Ownership: the name is copied.
/// Threads: owner, exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_waitable_label(
    waitable: awsgi_waitable,
    label: *const c_char,
    len: usize,
) -> awsgi_status {
    let _ = waitable;
    guard(|| {
        // SAFETY: the caller vouches for the array.
        unsafe { array(label, len, "label")? };
        Err(unsupported("awsgi_waitable_label"))
    })
}

/// Ends a waitable. The waits on it complete as AWSGI_CLOSED. Close it before its descriptor.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_STATE for an exchange's own waitable, which ends with
///   the exchange; AWSGI_E_THREAD, also for a pool thread and a waitable that its exchange did not
///   make.
/// Ownership: the token is void; a descriptor given with AWSGI_OWN is closed.
/// Threads: owner, exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_waitable_close(waitable: awsgi_waitable) -> awsgi_status {
    guard(|| waitable_close(Token::from_bits(waitable)))
}

fn notify_bits(waitable: awsgi_waitable, ready: u32) -> Result<()> {
    let bits = Readiness::from_bits(ready).ok_or_else(|| {
        Error::new(Status::Invalid, format!("{ready:#x} is no readiness: give AWSGI_READABLE, ..."))
    })?;
    notify(Token::from_bits(waitable), bits)
}

/// Sets an event. Safe on any thread, also after the event or its reactor is gone.
///
/// ready: what happened: AWSGI_READABLE, ... ; it completes the waits that ask for it.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_INVALID for other bits, or for what is not a waitable.
/// Ownership: nothing is kept.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_notify(waitable: awsgi_waitable, ready: u32) -> awsgi_status {
    guard(|| notify_bits(waitable, ready))
}

/// Sets many events.
///
/// notices, count: what happened to which.
/// stale: how many of them named an event that is gone; may be NULL. The others were set.
///
/// Returns: AWSGI_OK; AWSGI_E_INVALID, with nothing set, if one has bits that are no readiness, and
///   with the others set, if one names a waitable that is no event; AWSGI_E_NULL.
/// Ownership: the array stays the caller's.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_notify_many(
    notices: *const awsgi_notice,
    count: usize,
    stale: *mut usize,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        let gone = unsafe { out_if_wanted(stale) };
        // SAFETY: the caller vouches for the array.
        let notices = unsafe { array(notices, count, "notices")? };
        let known = Readiness::INTERESTS.bits();
        if notices.iter().any(|notice| notice.ready == 0 || notice.ready & !known != 0) {
            return Err(Error::new(
                Status::Invalid,
                "a notice has bits that are no readiness: nothing was set; give AWSGI_READABLE, ...",
            ));
        }
        let mut missing = 0;
        let mut refused = Ok(());
        for notice in notices {
            match notify_bits(notice.waitable, notice.ready) {
                Ok(()) => {}
                Err(error) if error.status() == Status::Stale => missing += 1,
                // The others must not miss what happened to them.
                Err(error) => refused = refused.and(Err(error)),
            }
        }
        refused?;
        if let Some(gone) = gone {
            *gone = missing;
        }
        Ok(())
    })
}
