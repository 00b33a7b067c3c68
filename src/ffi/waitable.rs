//! Waitables: anything that can become ready.

use std::ffi::c_char;

use super::guard::{array, flags, guard, null, out, out_if_wanted};
use super::reactor::{awsgi_reactor, reactor};
use super::status::awsgi_status;
use super::token::{awsgi_os_handle, awsgi_waitable};
use crate::core::{Deadline, Readiness, Token};
use crate::error::{Error, Result, Status};
use crate::reactor::{
    Watching, notify, waitable_close, waitable_describe, waitable_label, waitable_take,
};

/// A flag of awsgi_waitable_descriptor: the descriptor is closed with its waitable.
pub const AWSGI_OWN: u32 = 1;

/// A flag of awsgi_waitable_event: it counts how often it is notified.
pub const AWSGI_COUNTER: u32 = 1;

/// A flag of awsgi_waitable_foreign: the host repeats its report while the object is ready, and a
/// watch change holds until the next.
pub const AWSGI_LEVEL: u32 = 0;
/// A flag of awsgi_waitable_foreign: the host reports once for each watch change: at once if the
/// object is ready, else when it becomes so.
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
///   AWSGI_E_UNSUPPORTED on Windows; AWSGI_E_THREAD; AWSGI_E_NULL. On error a descriptor given with
///   AWSGI_OWN stays the caller's.
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

/// Makes a waitable of something that only the host can watch: a channel, a stream, a source. A
/// turn's watch changes say when to watch it; the host reports with awsgi_notify. What is neither
/// AWSGI_LEVEL nor AWSGI_ONCE, such as a queue that other threads push to, is an event.
///
/// handle: the host's own name for it, which comes back in the watch changes.
/// flags: AWSGI_LEVEL or AWSGI_ONCE.
/// waitable: the waitable.
///
/// Returns: AWSGI_OK; AWSGI_E_LIMIT; AWSGI_E_INVALID for a flag that does not exist;
///   AWSGI_E_CLOSED while the reactor closes; AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: the object stays the host's; the waitable as for awsgi_waitable_descriptor. After
///   awsgi_waitable_close a last watch change, with an interest of 0, has the host stop, if it was
///   watched.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_waitable_foreign(
    reactor: *mut awsgi_reactor,
    handle: u64,
    flags: u32,
    waitable: *mut awsgi_waitable,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        let waitable = unsafe { out(waitable, "waitable")? };
        let reactor = self::reactor(reactor)?;
        self::flags(flags, AWSGI_ONCE, "awsgi_waitable_foreign")?;
        let how = if flags & AWSGI_ONCE != 0 { Watching::Once } else { Watching::Level };
        *waitable = reactor.foreign(handle, how)?.to_bits();
        Ok(())
    })
}

/// Makes an event: a flag, or with AWSGI_COUNTER a counter, that awsgi_notify sets from any thread,
/// and that stays set until it is taken.
///
/// flags: 0, or AWSGI_COUNTER.
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
        let reactor = self::reactor(reactor)?;
        self::flags(flags, AWSGI_COUNTER, "awsgi_waitable_event")?;
        let made = if flags & AWSGI_COUNTER != 0 { reactor.counter()? } else { reactor.event()? };
        *waitable = made.to_bits();
        Ok(())
    })
}

/// Makes a timer. It is AWSGI_READABLE from its first expiration on, until that is taken, and again
/// after each period. It neither drifts nor catches up: after a delay it counts what was missed. A
/// timer for which nobody waits costs nothing.
///
/// first: when it first expires, in nanoseconds of the reactor's clock; AWSGI_NOW: it has already.
/// period: nanoseconds between further expirations; 0: there are none.
/// waitable: the waitable.
///
/// Returns: AWSGI_OK; AWSGI_E_INVALID for AWSGI_FOREVER; AWSGI_E_LIMIT; AWSGI_E_CLOSED while the
///   reactor closes; AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: as for awsgi_waitable_descriptor.
/// Threads: owner, exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_waitable_timer(
    reactor: *mut awsgi_reactor,
    first: u64,
    period: u64,
    waitable: *mut awsgi_waitable,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        let waitable = unsafe { out(waitable, "waitable")? };
        *waitable = self::reactor(reactor)?.timer(Deadline::at(first), period)?.to_bits();
        Ok(())
    })
}

/// Takes what a waitable holds, and clears it.
///
/// value: of an event 1 if it was notified since it was last taken, else 0; of a counter how often it
///   was notified; of a timer how often it has expired.
///
/// Returns: AWSGI_OK; AWSGI_E_UNSUPPORTED for what holds nothing; AWSGI_E_STALE; AWSGI_E_THREAD;
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

/// Names a waitable, for people who look; see awsgi_waitable_describe.
///
/// label, len: the name in UTF-8, in bytes; an empty one takes the old one away.
///
/// Returns: AWSGI_OK; AWSGI_E_INVALID if it is not UTF-8; AWSGI_E_STALE; AWSGI_E_THREAD;
///   AWSGI_E_NULL.
/// Ownership: the name is copied.
/// Threads: owner, exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_waitable_label(
    waitable: awsgi_waitable,
    label: *const c_char,
    len: usize,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the array.
        let label = unsafe { array(label.cast::<u8>(), len, "label")? };
        let label = std::str::from_utf8(label).map_err(|_| {
            Error::new(Status::Invalid, "label is not UTF-8: give the name in UTF-8")
        })?;
        waitable_label(Token::from_bits(waitable), label)
    })
}

/// Says in words what a waitable is, its label, and what is waited for, for people who look.
///
/// text, capacity: where to write it, in bytes; as much as fits, ended by a NUL. (NULL, 0) asks for
///   the length alone.
/// len: how many bytes it has without the NUL; may be NULL.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: nothing is kept.
/// Threads: owner, exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_waitable_describe(
    waitable: awsgi_waitable,
    text: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        let len = unsafe { out_if_wanted(len) };
        if text.is_null() && capacity > 0 {
            return Err(null("text"));
        }
        if capacity > 0 {
            // SAFETY: not NULL, and the caller vouches for its capacity.
            unsafe { text.write(0) };
        }
        let words = waitable_describe(Token::from_bits(waitable))?;
        if let Some(len) = len {
            *len = words.len();
        }
        if capacity > 0 {
            let fits = words.len().min(capacity - 1);
            // SAFETY: as above; `fits` bytes and the NUL are at most `capacity`.
            unsafe {
                text.cast::<u8>().copy_from_nonoverlapping(words.as_ptr(), fits);
                text.add(fits).write(0);
            }
        }
        Ok(())
    })
}

/// Ends a waitable. The waits on it complete as AWSGI_CLOSED. Close it before its descriptor.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_STATE for an exchange's own waitable, which ends with
///   the exchange; AWSGI_E_THREAD, also for a pool thread and a waitable that its exchange did not
///   make.
/// Ownership: the token is void; a descriptor given with AWSGI_OWN is closed, where the host watches
///   it in the turn after the one that has the host stop.
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

/// Sets an event, adds one to a counter, or reports what a foreign waitable is ready for. Takes no
/// lock, and on other threads than the owner's allocates nothing. Safe on any thread, also after the
/// waitable or its reactor is gone.
///
/// ready: what happened: AWSGI_READABLE, ... ; it completes the waits that ask for it.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_INVALID for other bits, or for what is not a waitable
///   or tells by itself; AWSGI_E_LIMIT, with nothing done, for a counter that other threads have
///   notified 33 million times since its reactor's last turn; AWSGI_E_FORKED.
/// Ownership: nothing is kept.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_notify(waitable: awsgi_waitable, ready: u32) -> awsgi_status {
    guard(|| notify_bits(waitable, ready))
}

/// The same for many waitables.
///
/// notices, count: what happened to which, in elements.
/// stale: how many of them named a waitable that is gone; may be NULL. The others were notified.
///
/// Returns: AWSGI_OK; AWSGI_E_INVALID, with nothing done, if one has bits that are no readiness, and
///   with the others notified, if one names a waitable that tells by itself; AWSGI_E_NULL; otherwise
///   as for awsgi_notify, with the others notified.
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
