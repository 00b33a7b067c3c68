//! The reactor: making it, turning it, ending it.

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::Arc;

use super::completion::awsgi_completion;
use super::guard::{array, fill, flags, guard, null, out, size, sized};
use super::status::awsgi_status;
use super::token::{awsgi_os_handle, awsgi_slice, awsgi_waitable};
use super::waitable::{AWSGI_LEVEL, AWSGI_ONCE};
use crate::core::Deadline;
use crate::error::{Error, Result, Status};
use crate::reactor::{
    Mode, Reactor, ReactorCell, ReactorOptions, Released, Turn, WatchChange, Watching,
};

/// A readiness core: one instance, one owner thread.
pub struct awsgi_reactor {
    _private: [u8; 0],
}

/// A mode: awsgi_reactor_turn may block, until the deadline it is given. For programs without a
/// loop.
pub const AWSGI_OWNED: u32 = 1;
/// A mode: the host's loop watches awsgi_reactor_fd for reading; awsgi_reactor_turn never blocks.
pub const AWSGI_NESTED: u32 = 2;
/// A mode: the host can watch no descriptor for us; a wake hook tells it to turn, and it sleeps no
/// longer than next_deadline. awsgi_reactor_turn never blocks.
pub const AWSGI_DELEGATED: u32 = 3;

/// A reactor flag: the host sleeps no longer than next_deadline, so deadlines need not make the
/// descriptor readable.
pub const AWSGI_HOST_HONOURS_DEADLINE: u32 = 1;
/// A reactor flag: the host turns before it sleeps, so work made outside of a turn needs no signal.
pub const AWSGI_HOST_TURNS_BEFORE_SLEEP: u32 = 2;
/// A reactor flag, delegated mode: descriptors come as watch changes, since the host can watch them;
/// without it one thread of the library watches them for all reactors.
pub const AWSGI_HOST_WATCHES_DESCRIPTORS: u32 = 4;
/// A reactor flag, with AWSGI_HOST_HONOURS_DEADLINE, not in owned mode: turn.now is the clock.
pub const AWSGI_HOST_GIVES_CLOCK: u32 = 8;

/// A level of the log hook: something failed that somebody must look at.
pub const AWSGI_LOG_ERROR: i32 = 1;
/// A level of the log hook: something is wrong, and was coped with.
pub const AWSGI_LOG_WARN: i32 = 2;
/// A level of the log hook: worth knowing.
pub const AWSGI_LOG_INFO: i32 = 3;
/// A level of the log hook: for those who look for a fault.
pub const AWSGI_LOG_DEBUG: i32 = 4;

/// What a reactor is to be. Begin with AWSGI_REACTOR_OPTIONS_INIT; zero means the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct awsgi_reactor_options {
    /// The size of this structure in bytes, set by AWSGI_REACTOR_OPTIONS_INIT.
    pub size: usize,
    /// AWSGI_OWNED (the default), AWSGI_NESTED or AWSGI_DELEGATED.
    pub mode: u32,
    /// AWSGI_HOST_*, or 0.
    pub flags: u32,
    /// Waitables at once; 0: 4,194,304.
    pub max_waitables: u32,
    /// Waits at once; 0: 4,194,304.
    pub max_waits: u32,
    /// Delegated mode: "turn soon". Any thread; at most once between the starts of two turns; may
    /// call nothing of this library.
    pub wake: Option<unsafe extern "C" fn(data: *mut c_void)>,
    /// Makes a thread of the host's that calls run(arg) once; 0 if it did. NULL: the library makes
    /// its threads, with every signal blocked.
    pub spawn: Option<
        unsafe extern "C" fn(
            run: Option<unsafe extern "C" fn(arg: *mut c_void)>,
            arg: *mut c_void,
            name: *const c_char,
            data: *mut c_void,
        ) -> c_int,
    >,
    /// Takes what the library has to say: AWSGI_LOG_* and a line. Any thread; may call nothing of
    /// this library. NULL: nothing is said.
    pub log: Option<unsafe extern "C" fn(level: i32, line: awsgi_slice, data: *mut c_void)>,
    /// Given to the hooks.
    pub data: *mut c_void,
}

/// What the reactor asks of a host for a foreign waitable: watch it for this interest, or stop.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct awsgi_watch_change {
    /// The waitable to report with awsgi_notify.
    pub waitable: awsgi_waitable,
    /// The host's own name for what stands behind it.
    pub handle: u64,
    /// What to watch it for; 0: stop.
    pub interest: u32,
    /// How to watch it: AWSGI_LEVEL, AWSGI_ONCE, or AWSGI_WATCH_DESCRIPTOR.
    pub kind: u32,
}

/// A kind of watch change: the handle is a descriptor, to be reported again and again while it is
/// ready. Comes with AWSGI_HOST_WATCHES_DESCRIPTORS only.
pub const AWSGI_WATCH_DESCRIPTOR: u32 = 2;

impl awsgi_watch_change {
    fn of(change: &WatchChange) -> awsgi_watch_change {
        awsgi_watch_change {
            waitable: change.waitable.to_bits(),
            handle: change.handle,
            interest: change.interest.bits(),
            kind: match change.how {
                Watching::Level => AWSGI_LEVEL,
                Watching::Once => AWSGI_ONCE,
                Watching::Descriptor => AWSGI_WATCH_DESCRIPTOR,
            },
        }
    }
}

/// A flag of a turn: work is left; turn again before sleeping.
pub const AWSGI_TURN_MORE: u32 = 1;
/// A flag of a turn: awsgi_reactor_stop was called.
pub const AWSGI_TURN_STOPPED: u32 = 2;
/// A flag of a turn: the reactor was closed, and nothing is left in it.
pub const AWSGI_TURN_CLOSED: u32 = 4;

/// One bounded step of a reactor. Begin with AWSGI_TURN_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct awsgi_turn {
    /// The size of this structure in bytes, set by AWSGI_TURN_INIT.
    pub size: usize,
    /// In: owned mode: until when it may block, in nanoseconds of the reactor's clock. AWSGI_NOW
    /// does not block; AWSGI_TURN_INIT sets AWSGI_FOREVER.
    pub deadline: u64,
    /// In: the time, with AWSGI_HOST_GIVES_CLOCK.
    pub now: u64,
    /// In: events taken and steps run at most; 0: 1,024, which is the most events that are taken.
    pub budget: u32,
    /// Unused; 0.
    pub reserved: u32,
    /// In: where completions go.
    pub done: *mut awsgi_completion,
    /// In: how many fit. What does not fit comes with the next turn.
    pub done_cap: usize,
    /// In: where watch changes go.
    pub changes: *mut awsgi_watch_change,
    /// In: how many fit. What does not fit comes with the next turn.
    pub changes_cap: usize,
    /// Out: how many completions were written.
    pub done_n: usize,
    /// Out: how many watch changes were written.
    pub changes_n: usize,
    /// Out: when the next turn is due at the latest, in nanoseconds of the reactor's clock, or
    /// AWSGI_FOREVER.
    pub next_deadline: u64,
    /// Out: AWSGI_TURN_*.
    pub flags: u32,
    /// Unused; 0.
    pub reserved_out: u32,
}

/// The reactor behind a pointer of C's.
pub(super) fn reactor(pointer: *const awsgi_reactor) -> Result<Reactor> {
    if pointer.is_null() {
        return Err(null("reactor"));
    }
    ReactorCell::at(pointer.cast()).map(Reactor::from_cell).ok_or_else(|| {
        Error::new(Status::Stale, "reactor is no reactor of this library: drop the pointer")
    })
}

/// The pointer that C holds.
pub(crate) fn pointer(reactor: &Reactor) -> *mut awsgi_reactor {
    std::ptr::from_ref(reactor.cell()).cast_mut().cast()
}

/// The hooks' data, which the host vouches for on any thread.
#[derive(Clone, Copy)]
struct Data(*mut c_void);

// SAFETY: the library only hands it back; that the hooks may be called on any thread is what the
// header says of them.
unsafe impl Send for Data {}
// SAFETY: as above.
unsafe impl Sync for Data {}

unsafe extern "C" fn run_boxed(arg: *mut c_void) {
    // SAFETY: `arg` was made by Box::into_raw in `options` and is given to one thread, once.
    let body = unsafe { Box::from_raw(arg.cast::<Box<dyn FnOnce() + Send>>()) };
    // A pool thread catches the panics of its jobs; this is for what is left of it.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(*body));
}

fn options(given: &awsgi_reactor_options) -> Result<ReactorOptions> {
    let defaults = ReactorOptions::default();
    let known = AWSGI_HOST_HONOURS_DEADLINE
        | AWSGI_HOST_TURNS_BEFORE_SLEEP
        | AWSGI_HOST_WATCHES_DESCRIPTORS
        | AWSGI_HOST_GIVES_CLOCK;
    flags(given.flags, known, "awsgi_reactor_options")?;
    let mode = match given.mode {
        0 | AWSGI_OWNED => Mode::Owned,
        AWSGI_NESTED => Mode::Nested,
        AWSGI_DELEGATED => Mode::Delegated,
        mode => {
            return Err(Error::new(
                Status::Invalid,
                format!("{mode} is no mode: give AWSGI_OWNED, AWSGI_NESTED or AWSGI_DELEGATED"),
            ));
        }
    };
    let or_default = |value, default| if value == 0 { default } else { value };
    let data = Data(given.data);
    let mut options = ReactorOptions {
        mode,
        host_honours_deadline: given.flags & AWSGI_HOST_HONOURS_DEADLINE != 0,
        host_turns_before_sleep: given.flags & AWSGI_HOST_TURNS_BEFORE_SLEEP != 0,
        host_watches_descriptors: given.flags & AWSGI_HOST_WATCHES_DESCRIPTORS != 0,
        host_gives_clock: given.flags & AWSGI_HOST_GIVES_CLOCK != 0,
        wake: None,
        max_waitables: or_default(given.max_waitables, defaults.max_waitables),
        max_waits: or_default(given.max_waits, defaults.max_waits),
        spawn: None,
        log: None,
    };
    if let Some(wake) = given.wake {
        options.wake = Some(Arc::new(move || {
            let data = data;
            // SAFETY: the host gave hook and data for any thread.
            unsafe { wake(data.0) };
        }));
    }
    if let Some(log) = given.log {
        options.log = Some(Arc::new(move |level, line: &str| {
            let data = data;
            // SAFETY: the host gave hook and data for any thread.
            unsafe { log(level, awsgi_slice::of(line.as_bytes()), data.0) };
        }));
    }
    if let Some(spawn) = given.spawn {
        options.spawn = Some(Arc::new(move |body, name: &str| {
            let data = data;
            let name = CString::new(name).unwrap_or_default();
            let arg = Box::into_raw(Box::new(body)).cast::<c_void>();
            // SAFETY: the host gave hook and data; `run_boxed` takes `arg` back on the new thread.
            let status = unsafe { spawn(Some(run_boxed), arg, name.as_ptr(), data.0) };
            if status != 0 {
                // SAFETY: the host made no thread, so `arg` is still ours.
                drop(unsafe { Box::from_raw(arg.cast::<Box<dyn FnOnce() + Send>>()) });
                return Err(crate::gateway::no_thread(status));
            }
            Ok(())
        }));
    }
    Ok(options)
}

/// Makes a reactor. The calling thread owns it.
///
/// options: what it is to be; NULL for the defaults.
/// reactor: the reactor.
///
/// Returns: AWSGI_OK; AWSGI_E_INVALID for a mode or flag that does not exist, and for what excludes
///   each other: delegated mode without a wake hook, a wake hook or
///   AWSGI_HOST_WATCHES_DESCRIPTORS without it, AWSGI_HOST_GIVES_CLOCK in owned mode or without
///   AWSGI_HOST_HONOURS_DEADLINE; AWSGI_E_OS if the kernel has no descriptor or memory for it;
///   AWSGI_E_LIMIT beyond 1,024 reactors in a process; AWSGI_E_NULL; AWSGI_E_UNSUPPORTED if the
///   structure asks for what this release does not know, in nested mode on Windows,
///   and on macOS and BSD without AWSGI_HOST_HONOURS_DEADLINE.
/// Ownership: the caller's, to be ended with awsgi_reactor_close and awsgi_reactor_free.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_reactor_new(
    options: *const awsgi_reactor_options,
    reactor: *mut *mut awsgi_reactor,
) -> awsgi_status {
    guard(|| {
        if reactor.is_null() {
            return Err(null("reactor"));
        }
        // SAFETY: not NULL; the caller vouches for the rest.
        unsafe { reactor.write(std::ptr::null_mut()) };
        let options = if options.is_null() {
            ReactorOptions::default()
        } else {
            // SAFETY: the caller vouches for the pointer; the structure is integers and pointers.
            self::options(&unsafe {
                sized(options, size_of::<awsgi_reactor_options>(), "options")?
            })?
        };
        let made = Reactor::new(&options)?;
        // SAFETY: as above.
        unsafe { reactor.write(pointer(&made)) };
        Ok(())
    })
}

/// Lets a reactor go, so that another thread can adopt it.
///
/// Returns: AWSGI_OK; AWSGI_E_THREAD elsewhere than on the owner's thread; AWSGI_E_REENTRANT in a
///   step; AWSGI_E_NULL; AWSGI_E_STALE for one that was freed.
/// Ownership: nobody's until it is adopted.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_reactor_release(reactor: *mut awsgi_reactor) -> awsgi_status {
    guard(|| self::reactor(reactor)?.release().map(drop))
}

/// Makes the calling thread the owner of a reactor that was released.
///
/// Returns: AWSGI_OK; AWSGI_E_BUSY while a thread owns it, be it the caller, or one that ended
///   without releasing it; AWSGI_E_REENTRANT in a step; AWSGI_E_NULL; AWSGI_E_STALE for one that
///   was freed.
/// Ownership: the calling thread's.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_reactor_adopt(reactor: *mut awsgi_reactor) -> awsgi_status {
    guard(|| {
        let reactor = self::reactor(reactor)?;
        if reactor.cell().is_owner() {
            reactor.outside_step("adopt it")?;
        }
        Released::of(reactor.cell())?.adopt().map(drop)
    })
}

/// Nested mode: the descriptor that is readable whenever a turn has work. It never changes.
///
/// fd: the descriptor. Watch it for reading, level- or edge-triggered, and do nothing else with it.
///
/// Returns: AWSGI_OK; AWSGI_E_STATE in another mode; AWSGI_E_THREAD; AWSGI_E_NULL;
///   AWSGI_E_STALE for a reactor that was freed.
/// Ownership: the reactor's, until it is freed.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_reactor_fd(
    reactor: *mut awsgi_reactor,
    fd: *mut awsgi_os_handle,
) -> awsgi_status {
    guard(|| {
        if fd.is_null() {
            return Err(null("fd"));
        }
        // SAFETY: not NULL; the caller vouches for the rest. 0 would be a valid descriptor.
        unsafe { fd.write(-1) };
        let found = self::reactor(reactor)?.fd()?;
        // SAFETY: as above.
        unsafe { fd.write(found) };
        Ok(())
    })
}

/// The reactor's clock.
///
/// ns: the time in nanoseconds: CLOCK_MONOTONIC (on Windows, of the performance counter), or with
///   AWSGI_HOST_GIVES_CLOCK what the last turn was given, 0 before the first.
///
/// Returns: AWSGI_OK; AWSGI_E_THREAD; AWSGI_E_NULL; AWSGI_E_STALE for a reactor that was
///   freed.
/// Ownership: nothing is kept.
/// Threads: owner, exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_reactor_now(
    reactor: *mut awsgi_reactor,
    ns: *mut u64,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        let ns = unsafe { out(ns, "ns")? };
        *ns = self::reactor(reactor)?.now()?;
        Ok(())
    })
}

/// One bounded step: takes what happened, runs applications that can go on, and writes the
/// completions of the host's waits. Turn before you sleep: whatever woke you, and after each call
/// that may have made work.
///
/// turn: in and out; see awsgi_turn. On error its outputs are zero.
///
/// Returns: AWSGI_OK; AWSGI_E_REENTRANT in a step; AWSGI_E_THREAD; AWSGI_E_OS if the selector
///   cannot be asked; AWSGI_E_INVALID if size was not set; AWSGI_E_NULL; AWSGI_E_STALE for a reactor
///   that was freed; AWSGI_E_UNSUPPORTED if the structure asks for what this release does not know.
/// Ownership: the arrays stay the caller's.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_reactor_turn(
    reactor: *mut awsgi_reactor,
    turn: *mut awsgi_turn,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        unsafe { size(turn, size_of::<awsgi_turn>(), "turn")? };
        // SAFETY: `size` has checked that it is not NULL and as large as ours. Its results are
        // zeroed first, also for what a later header asks.
        unsafe {
            (*turn).done_n = 0;
            (*turn).changes_n = 0;
            (*turn).next_deadline = 0;
            (*turn).flags = 0;
        }
        // SAFETY: the caller vouches for the pointer; the structure is integers and pointers.
        let given = unsafe { sized(turn, size_of::<awsgi_turn>(), "turn")? };
        // SAFETY: as above.
        let turn = unsafe { &mut *turn };
        // SAFETY: only checked for NULL and length; written below through the raw pointer.
        unsafe { array(given.done, given.done_cap, "turn.done")? };
        // SAFETY: as above.
        unsafe { array(given.changes, given.changes_cap, "turn.changes")? };
        let mut done_n = 0;
        let mut changes_n = 0;
        let report = self::reactor(reactor)?.turn_and_watch(
            &Turn {
                deadline: Deadline::at(given.deadline),
                now: given.now,
                budget: given.budget,
                capacity: given.done_cap,
                changes: given.changes_cap,
            },
            |completion| {
                // SAFETY: the turn delivers at most `done_cap` completions, and `done` has room
                // for as many.
                unsafe { given.done.add(done_n).write(awsgi_completion::of(&completion)) };
                done_n += 1;
            },
            |change| {
                // SAFETY: the same for `changes`.
                unsafe { given.changes.add(changes_n).write(awsgi_watch_change::of(&change)) };
                changes_n += 1;
            },
        )?;
        turn.done_n = report.completions;
        turn.changes_n = report.changes;
        turn.next_deadline = report.next_deadline.nanoseconds();
        for (set, flag) in [
            (report.more, AWSGI_TURN_MORE),
            (report.stopped, AWSGI_TURN_STOPPED),
            (report.closed, AWSGI_TURN_CLOSED),
        ] {
            if set {
                turn.flags |= flag;
            }
        }
        Ok(())
    })
}

/// Has the turn that blocks return, or else the next one, and say AWSGI_TURN_STOPPED.
///
/// Returns: AWSGI_OK; AWSGI_E_FORKED; AWSGI_E_NULL; AWSGI_E_STALE.
/// Ownership: nothing is kept.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_reactor_stop(reactor: *mut awsgi_reactor) -> awsgi_status {
    guard(|| {
        let reactor = self::reactor(reactor)?;
        reactor.cell().check_not_forked()?;
        reactor.stopper().stop();
        Ok(())
    })
}

/// What a reactor has done since it was made, and what it holds. Begin with AWSGI_STATS_INIT.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct awsgi_stats {
    /// The size of this structure in bytes, set by AWSGI_STATS_INIT.
    pub size: usize,
    /// Turns.
    pub turns: u64,
    /// Events of the kernel that were taken, and deadlines and expirations that came.
    pub events: u64,
    /// Completions delivered: to the host, to exchanges, to futures.
    pub completions: u64,
    /// Completions that nobody saw, because their waits were forgotten first.
    pub stale: u64,
    /// Events and reports for which nobody waited.
    pub spurious: u64,
    /// Events of files that live on although their descriptors were closed before their waitables.
    pub ghosts: u64,
    /// How often the selector was rebuilt to be rid of them.
    pub rebuilds: u64,
    /// Watch changes handed to the host.
    pub changes: u64,
    /// Signals to a sleeping owner, or calls of the wake hook.
    pub signals: u64,
    /// Waits now: those that were not delivered.
    pub waits: u64,
    /// Waitables now.
    pub waitables: u64,
}

/// Counts what a reactor has done so far.
///
/// stats: in: its size; out: the rest.
///
/// Returns: AWSGI_OK; AWSGI_E_INVALID if size was not set; AWSGI_E_THREAD; AWSGI_E_NULL;
///   AWSGI_E_STALE for a reactor that was freed. On error the counts are zero.
/// Ownership: nothing is kept.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_reactor_stats(
    reactor: *mut awsgi_reactor,
    stats: *mut awsgi_stats,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointer; the structure is integers.
        unsafe { fill(stats, "stats", awsgi_stats { size: 0, ..Default::default() })? };
        let found = self::reactor(reactor)?.stats()?;
        let counts = awsgi_stats {
            size: 0,
            turns: found.turns,
            events: found.events,
            completions: found.completions,
            stale: found.stale,
            spurious: found.spurious,
            ghosts: found.ghosts,
            rebuilds: found.rebuilds,
            changes: found.changes,
            signals: found.signals,
            waits: found.waits,
            waitables: found.waitables,
        };
        // SAFETY: as above.
        unsafe { fill(stats, "stats", counts) }
    })
}

/// Begins the end: every wait completes as AWSGI_CLOSED, every exchange ends, nothing new is taken.
/// Turn until AWSGI_TURN_CLOSED, then call awsgi_reactor_free.
///
/// Returns: AWSGI_OK, also when it was closed before; AWSGI_E_THREAD; AWSGI_E_NULL;
///   AWSGI_E_STALE for a reactor that was freed.
/// Ownership: unchanged.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_reactor_close(reactor: *mut awsgi_reactor) -> awsgi_status {
    guard(|| self::reactor(reactor)?.close())
}

/// Ends a reactor. Descriptors that were lent stay open, those given with AWSGI_OWN are closed.
///
/// reactor: may be NULL.
///
/// Returns: AWSGI_OK; AWSGI_E_BUSY before it is closed and empty, or while gateways are bound to
///   it; AWSGI_E_REENTRANT in a step; AWSGI_E_THREAD; AWSGI_E_STALE for one that was freed.
/// Ownership: the pointer is void after AWSGI_OK.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_reactor_free(reactor: *mut awsgi_reactor) -> awsgi_status {
    guard(|| if reactor.is_null() { Ok(()) } else { self::reactor(reactor)?.free() })
}
