//! Reactors: made, turned, handed over, closed and freed at any time.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use awsgi::ffi::*;

use super::check::{self, Sized, name, perhaps_null, poisoned};
use super::world::{
    Life, Reactor, Source, WaitState, byte, deadline, now, one_of, pick, rarely, reactor_pointer,
    thread, token, word, world,
};
use super::{exchanges, waitables, waits};

/// Reactors at once.
const MANY: usize = 3;

/// What the hooks of a reactor share with us.
pub struct Hook {
    /// Calls of the wake hook since the last turn began.
    pub woken: AtomicU32,
    /// What the wake hook calls, though it may call nothing: it has to be answered.
    calls_back: u8,
    reactor: AtomicUsize,
    token: AtomicU64,
    /// How threads are made.
    spawns: u8,
}

thread_local! {
    static IN_HOOK: Cell<bool> = const { Cell::new(false) };
}

unsafe extern "C" fn wake(data: *mut c_void) {
    // SAFETY: the hook lives until its reactor was freed.
    let hook = unsafe { &*data.cast::<Hook>() };
    hook.woken.fetch_add(1, Ordering::SeqCst);
    if hook.calls_back == 0 || IN_HOOK.replace(true) {
        return;
    }
    let reactor = hook.reactor.load(Ordering::SeqCst) as *mut awsgi_reactor;
    // SAFETY: everything given lives through the calls, or may be stale.
    unsafe {
        match hook.calls_back {
            1 => {
                awsgi_notify(hook.token.load(Ordering::SeqCst), AWSGI_READABLE);
            }
            2 => {
                let mut stats = awsgi_stats { size: size_of::<awsgi_stats>(), ..poisoned() };
                awsgi_reactor_stats(reactor, &raw mut stats);
                awsgi_wait_cancel(0);
                awsgi_reactor_release(std::ptr::null_mut());
            }
            3 => {
                let mut turn = nothing_to_deliver();
                awsgi_reactor_turn(reactor, &raw mut turn);
            }
            _ => {
                awsgi_reactor_stop(reactor);
            }
        }
    }
    IN_HOOK.set(false);
}

unsafe extern "C" fn spawn(
    run: Option<unsafe extern "C" fn(arg: *mut c_void)>,
    arg: *mut c_void,
    _name: *const c_char,
    data: *mut c_void,
) -> c_int {
    // SAFETY: as for the wake hook.
    let hook = unsafe { &*data.cast::<Hook>() };
    if hook.spawns == 1 {
        return libc::EAGAIN;
    }
    let (run, arg) = (run.unwrap(), arg as usize);
    // SAFETY: called once on one thread, as the header asks.
    std::thread::spawn(move || unsafe { run(arg as *mut c_void) });
    0
}

unsafe extern "C" fn log(level: i32, line: awsgi_slice, _data: *mut c_void) {
    assert!((AWSGI_LOG_ERROR..=AWSGI_LOG_DEBUG).contains(&level));
    // SAFETY: the line lives through the call.
    let line = unsafe { std::slice::from_raw_parts(line.data, line.len) };
    assert!(std::str::from_utf8(line).is_ok_and(|line| !line.is_empty()));
}

fn nothing_to_deliver() -> awsgi_turn {
    awsgi_turn {
        size: size_of::<awsgi_turn>(),
        deadline: AWSGI_NOW,
        now: 0,
        budget: 0,
        reserved: 0,
        done: std::ptr::null_mut(),
        done_cap: 0,
        changes: std::ptr::null_mut(),
        changes_cap: 0,
        done_n: 0,
        changes_n: 0,
        next_deadline: 0,
        flags: 0,
        reserved_out: 0,
    }
}

pub fn make() {
    if world(|world| world.reactors.iter().filter(|reactor| !reactor.freed).count()) >= MANY {
        return;
    }
    // The usual ways to be a host first, then any mixture.
    let (mode, flags, wakes) = match byte() % 16 {
        0 | 1 => (AWSGI_OWNED, 0, false),
        2 | 3 => (AWSGI_NESTED, 0, false),
        4 => (AWSGI_DELEGATED, 0, true),
        5 => (AWSGI_DELEGATED, AWSGI_HOST_WATCHES_DESCRIPTORS, true),
        6 => (AWSGI_NESTED, AWSGI_HOST_HONOURS_DEADLINE | AWSGI_HOST_TURNS_BEFORE_SLEEP, false),
        7 => (AWSGI_DELEGATED, 15, true),
        8 => (AWSGI_NESTED, AWSGI_HOST_HONOURS_DEADLINE | AWSGI_HOST_GIVES_CLOCK, false),
        9 => (AWSGI_DELEGATED, AWSGI_HOST_HONOURS_DEADLINE | AWSGI_HOST_GIVES_CLOCK, true),
        10 => (0, u32::from(byte() % 4), false),
        _ => (u32::from(byte() % 5), u32::from(byte() % 18), byte() & 1 == 1),
    };
    let limits = one_of(&[0, 0, 0, 1, 3, 1000]);
    let spawns = byte() % 3;
    let calls_back = if rarely(8) { 1 + byte() % 4 } else { 0 };
    let notified = if calls_back == 1 { token() } else { 0 };
    waitables::is_not_counted(notified);
    let hook = Box::new(Hook {
        woken: AtomicU32::new(0),
        calls_back,
        reactor: AtomicUsize::new(0),
        token: AtomicU64::new(notified),
        spawns,
    });
    let (mut options, taken) = Sized::new(awsgi_reactor_options {
        size: 0,
        mode,
        flags,
        max_waitables: limits,
        max_waits: if limits == 3 { 0 } else { limits },
        wake: wakes.then_some(wake),
        spawn: (spawns > 0).then_some(spawn),
        log: (byte() & 1 == 1).then_some(log),
        data: std::ptr::from_ref(&*hook).cast_mut().cast(),
    });
    let given = perhaps_null(options.pointer());
    let mut made = poisoned::<usize>() as *mut awsgi_reactor;
    let place = perhaps_null(&raw mut made);
    // SAFETY: the structure is as large as it says, and the places live or are NULL.
    let status = unsafe { awsgi_reactor_new(given, place) };
    let ok =
        check::status(status, &[AWSGI_E_INVALID, AWSGI_E_OS, AWSGI_E_NULL, AWSGI_E_UNSUPPORTED]);
    assert!(!ok || !place.is_null());
    if !place.is_null() {
        check::zeroed(ok, made as usize, 0);
    }
    if !ok {
        return;
    }
    assert!(taken || given.is_null());
    let (mode, flags) = if given.is_null() { (AWSGI_OWNED, 0) } else { (mode, flags) };
    check::trace(|| format!("a reactor of mode {mode}, flags {flags}, limits {limits}"));
    hook.reactor.store(made as usize, Ordering::SeqCst);
    world(|world| {
        assert!(world.reactor_at(made as usize).is_none(), "two reactors have one address");
        world.reactors.push(Reactor {
            pointer: made as usize,
            mode: if mode == 0 { AWSGI_OWNED } else { mode },
            flags,
            limited: limits != 0 && !given.is_null(),
            freed: false,
            closing: false,
            more: false,
            owner: Some(thread()),
            clock: 0,
            given: 0,
            stepped: false,
            hook,
            noisy: false,
        });
    });
}

/// What a call on this reactor must answer with an error for, whatever else it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    Ours(usize),
    Elsewhere,
    Gone,
    Null,
}

pub fn standing(pointer: *mut awsgi_reactor) -> Standing {
    if pointer.is_null() {
        return Standing::Null;
    }
    world(|world| match world.reactor_at(pointer as usize) {
        Some(at) if world.owned(at) => Standing::Ours(at),
        Some(_) => Standing::Elsewhere,
        None => Standing::Gone,
    })
}

/// Checks a status against where the reactor stands.
#[track_caller]
pub fn stands(status: awsgi_status, standing: Standing) {
    match standing {
        Standing::Ours(_) => assert_ne!(status, AWSGI_E_THREAD, "its owner is refused"),
        _ => assert_ne!(status, AWSGI_OK, "a reactor that is {standing:?} took a call"),
    }
}

pub fn turn() {
    turn_at(reactor_pointer());
}

/// Readable, without waiting.
fn is_readable(fd: i32) -> bool {
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: the place lives through the call, which does not wait.
    unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
}

/// Whether the host was told to turn; `None` where it need not be, or where another thread tells.
fn was_signalled(pointer: *mut awsgi_reactor) -> Option<bool> {
    let Standing::Ours(at) = standing(pointer) else { return None };
    if world(|world| world.notifying) {
        return None;
    }
    let (mode, flags, calls_back, woken) = world(|world| {
        let reactor = &world.reactors[at];
        let woken = reactor.hook.woken.load(Ordering::SeqCst);
        (reactor.mode, reactor.flags, reactor.hook.calls_back, woken)
    });
    if flags & AWSGI_HOST_TURNS_BEFORE_SLEEP != 0 || calls_back != 0 {
        return None;
    }
    match mode {
        AWSGI_NESTED => {
            let mut fd = -1;
            // SAFETY: a living reactor, and a place that lives.
            let status = unsafe { awsgi_reactor_fd(pointer, &raw mut fd) };
            (status == AWSGI_OK).then(|| is_readable(fd))
        }
        AWSGI_DELEGATED => Some(woken > 0),
        _ => None,
    }
}

pub fn turn_at(pointer: *mut awsgi_reactor) {
    let ours = standing(pointer);
    let mode = match ours {
        Standing::Ours(at) => world(|world| world.reactors[at].mode),
        _ => AWSGI_OWNED,
    };
    let until = if mode == AWSGI_OWNED {
        match pick(4) {
            0 => AWSGI_NOW,
            1 => 1,
            2 => now(pointer).saturating_sub(1),
            _ => now(pointer).saturating_add(u64::from(byte()) << 10),
        }
    } else {
        // It does not block in these modes, whatever it is given.
        deadline(pointer)
    };
    let clock = match pick(6) {
        0 => now(pointer),
        1 => now(pointer).saturating_add(1_000),
        2 => now(pointer).saturating_add(1_000_000_000),
        3 => u64::from(byte()),
        4 => word(),
        _ => 0,
    };
    let done_cap = one_of(&[8, 64, 1, 0]);
    let changes_cap = one_of(&[8, 64, 1, 0]);
    let mut done = vec![poisoned::<awsgi_completion>(); done_cap];
    let mut changes = vec![poisoned::<awsgi_watch_change>(); changes_cap];
    let (mut turn, taken) = Sized::new(awsgi_turn {
        deadline: until,
        now: clock,
        budget: one_of(&[0, 1, 2, 100, u32::MAX]),
        done: perhaps_null(done.as_mut_ptr()),
        done_cap,
        changes: perhaps_null(changes.as_mut_ptr()),
        changes_cap,
        done_n: usize::MAX,
        changes_n: usize::MAX,
        next_deadline: u64::MAX,
        flags: u32::MAX,
        ..nothing_to_deliver()
    });
    let place = perhaps_null(turn.pointer());
    let signalled = was_signalled(pointer);
    let (mut woken, mut noisy, mut given) = (0, false, 0);
    if let Standing::Ours(at) = ours {
        world(|world| {
            let reactor = &mut world.reactors[at];
            woken = reactor.hook.woken.swap(0, Ordering::SeqCst);
            noisy = std::mem::take(&mut reactor.noisy);
            // Where the library watches descriptors, it does so on a thread of its own.
            let alone = reactor.flags & AWSGI_HOST_WATCHES_DESCRIPTORS != 0
                && reactor.hook.calls_back == 0
                && !noisy;
            assert!(!alone || woken <= 1, "woken {woken} times between two turns");
            given = std::mem::replace(&mut reactor.given, clock);
            reactor.stepped &= world.turning.contains(&at);
            world.turning.push(at);
        });
    }
    // SAFETY: the structure is as large as it says, the arrays have the capacities, or are NULL.
    let status = unsafe { awsgi_reactor_turn(pointer, place) };
    if let Standing::Ours(_) = ours {
        world(|world| world.turning.pop());
    }
    let ok = check::status(
        status,
        &[
            AWSGI_E_REENTRANT,
            AWSGI_E_THREAD,
            AWSGI_E_INVALID,
            AWSGI_E_NULL,
            AWSGI_E_STALE,
            AWSGI_E_UNSUPPORTED,
        ],
    );
    stands(status, ours);
    if !ok {
        if let Standing::Ours(at) = ours {
            world(|world| {
                // It may be another turn, under way further out, that refuses this one.
                let reactor = &mut world.reactors[at];
                reactor.given = given;
                reactor.noisy |= noisy;
                reactor.hook.woken.fetch_add(woken, Ordering::SeqCst);
            });
        }
        if !place.is_null() && turn.has_room() {
            let turn = turn.value;
            assert_eq!(
                (turn.done_n, turn.changes_n, turn.next_deadline, turn.flags),
                (0, 0, 0, 0),
                "{} leaves results of a turn",
                name(status)
            );
        }
        return;
    }
    let Standing::Ours(at) = ours else { unreachable!() };
    check::trace(|| {
        let turn = turn.value;
        let (done, changes, flags) = (turn.done_n, turn.changes_n, turn.flags);
        format!("turned {at}: {done} done, {changes} changes, flags {flags}")
    });
    assert!(taken && !place.is_null());
    world(|world| assert!(!world.turning.contains(&at), "a turn inside of a turn"));
    let turn = turn.value;
    world(|world| {
        world.reactors[at].takes_clock();
        world.reactors[at].more = turn.flags & AWSGI_TURN_MORE != 0;
    });
    assert!(turn.done_n <= done_cap && turn.changes_n <= changes_cap);
    let nothing = poisoned::<awsgi_completion>();
    assert!(done[turn.done_n..].iter().all(|rest| *rest == nothing), "written beyond done_n");
    assert_eq!(turn.flags & !7, 0);
    let came = now(pointer);
    for completion in &done[..turn.done_n] {
        let known = waits::completed(at, None, completion, came);
        if signalled == Some(false) {
            check_signal(at, known, completion);
        }
    }
    for completion in &done[..turn.done_n] {
        waits::check_members(completion);
    }
    for change in &changes[..turn.changes_n] {
        check_change(at, change);
    }
    check_under_way(at, &turn);
    if turn.flags & AWSGI_TURN_CLOSED != 0 {
        check_closed(at);
    }
}

/// What a call outside of a turn decided must have told the host to turn.
fn check_signal(reactor: usize, wait: Option<usize>, completion: &awsgi_completion) {
    let Some(wait) = wait else { return };
    let told = match completion.outcome {
        AWSGI_CANCELLED => world(|world| !world.reactors[reactor].stepped),
        AWSGI_READY => world(|world| {
            // Where several have to be ready, any of them may have been the one that counted. A
            // step of this turn may have notified it.
            let wait = &world.waits[wait];
            let set = match wait.at_least {
                1 => wait.set[completion.index as usize..][..1].to_vec(),
                _ => wait.set.clone(),
            };
            // Timers come by themselves; descriptors are told of by the kernel, and there may be a
            // thread between.
            let is_told = |member: &awsgi_watch| {
                let source = world.waitable(member.waitable).map(|waitable| waitable.source);
                matches!(source, Some(Source::Event { .. } | Source::Foreign { .. }))
            };
            set.iter().all(is_told) && !world.reactors[reactor].stepped
        }),
        _ => false,
    };
    assert!(!told, "the host was not told to turn, but there was work: {completion:?}");
}

fn check_change(reactor: usize, change: &awsgi_watch_change) {
    check::trace(|| format!("{change:x?}"));
    assert_eq!(change.interest & !63, 0, "{change:?}");
    world(|world| {
        let gives_descriptors = world.reactors[reactor].flags & AWSGI_HOST_WATCHES_DESCRIPTORS != 0;
        let waitable = world.waitable(change.waitable).expect("a change of what never was");
        assert_eq!(waitable.reactor, reactor);
        match waitable.source {
            Source::Foreign { handle, flags } => {
                assert_eq!((change.handle, change.kind), (handle, flags));
            }
            Source::Descriptor(fd) => {
                assert!(gives_descriptors);
                assert_eq!((change.handle, change.kind), (fd as u64, AWSGI_WATCH_DESCRIPTOR));
            }
            other => panic!("a change of {other:?}"),
        }
        if change.interest == 0 {
            assert_ne!(waitable.watched, 0, "a stop of what was not watched");
            // With the report the watch was over; at the end that is told in any case.
            let over = waitable.reported && change.kind == AWSGI_ONCE;
            assert!(!over || waitable.life != Life::Lives, "a stop of what was reported");
        } else {
            assert_ne!(waitable.life, Life::Gone, "a watch of what was closed");
        }
        waitable.watched = change.interest;
        waitable.reported = false;
    });
}

/// What is still under way was not ended, and is not due before the next turn.
fn check_under_way(reactor: usize, turn: &awsgi_turn) {
    if turn.flags & AWSGI_TURN_MORE != 0 {
        return;
    }
    world(|world| {
        if world.guessed {
            return;
        }
        let closing = world.reactors[reactor].closing;
        for wait in &world.waits {
            if wait.reactor != reactor || wait.state != WaitState::UnderWay {
                continue;
            }
            assert!(
                turn.next_deadline <= wait.deadline,
                "the next turn, at {}, is late for a wait until {}",
                turn.next_deadline,
                wait.deadline
            );
            let closed = closing
                || wait.set.iter().any(|member| {
                    let at = world.waitable_of[&member.waitable];
                    world.waitables[at].life == Life::Gone
                });
            assert!(!wait.cancelled && !closed, "a wait that was ended did not complete");
        }
    });
}

fn check_closed(reactor: usize) {
    world(|world| {
        assert!(world.reactors[reactor].closing, "closed by itself");
        for wait in &world.waits {
            let left = wait.reactor == reactor && wait.state == WaitState::UnderWay;
            assert!(!left || world.guessed, "closed, but a wait has not completed");
        }
        for waitable in &world.waitables {
            if waitable.reactor == reactor {
                assert_eq!(
                    waitable.watched, 0,
                    "closed, but the host was not told to stop watching {:?}",
                    waitable.source
                );
            }
        }
    });
}

pub fn ask() {
    let pointer = reactor_pointer();
    let ours = standing(pointer);
    match pick(4) {
        0 => {
            let mut fd = poisoned::<i32>();
            let place = perhaps_null(&raw mut fd);
            // SAFETY: the place lives, or is NULL.
            let status = unsafe { awsgi_reactor_fd(pointer, place) };
            let ok = check::status(
                status,
                &[AWSGI_E_STATE, AWSGI_E_THREAD, AWSGI_E_NULL, AWSGI_E_STALE],
            );
            stands(status, ours);
            if !place.is_null() {
                check::zeroed(ok, fd, -1);
            }
            if let (true, Standing::Ours(at)) = (ok, ours) {
                assert!(world(|world| world.reactors[at].mode) == AWSGI_NESTED && fd >= 0);
                let mut waitable = poisoned();
                // SAFETY: the place lives.
                let own = unsafe { awsgi_waitable_descriptor(pointer, fd, 0, &raw mut waitable) };
                assert_ne!(own, AWSGI_OK, "a reactor watches itself");
                // Another reactor may watch it.
                let other = reactor_pointer();
                if let (Standing::Ours(to), true) = (standing(other), other != pointer) {
                    // SAFETY: as above.
                    let status =
                        unsafe { awsgi_waitable_descriptor(other, fd, 0, &raw mut waitable) };
                    if status == AWSGI_OK {
                        world(|world| world.add_waitable(waitable, to, Source::Descriptor(fd)));
                    }
                }
            }
        }
        1 => {
            let mut ns = poisoned::<u64>();
            let place = perhaps_null(&raw mut ns);
            // SAFETY: the place lives, or is NULL.
            let status = unsafe { awsgi_reactor_now(pointer, place) };
            let ok = check::status(status, &[AWSGI_E_THREAD, AWSGI_E_NULL, AWSGI_E_STALE]);
            stands(status, ours);
            if !place.is_null() {
                check::zeroed(ok, ns, 0);
                assert!(!ok || ns <= now(pointer), "the clock is ahead");
            }
        }
        2 => {
            let (mut stats, _) = Sized::new(poisoned::<awsgi_stats>());
            let place = perhaps_null(stats.pointer());
            // SAFETY: the structure is as large as it says, or NULL.
            let status = unsafe { awsgi_reactor_stats(pointer, place) };
            let ok = check::status(
                status,
                &[AWSGI_E_INVALID, AWSGI_E_THREAD, AWSGI_E_NULL, AWSGI_E_STALE],
            );
            stands(status, ours);
            let whole = stats.value.size == size_of::<awsgi_stats>();
            if !place.is_null() && stats.has_room() {
                check::zeroed(ok, stats.value.turns, 0);
                check::zeroed(ok, stats.value.waitables, 0);
            }
            if let (true, true, Standing::Ours(at)) = (ok, whole, ours) {
                world(|world| {
                    let alone = !world.gateways.iter().any(|gateway| gateway.reactor == at);
                    if alone && !world.guessed {
                        let waits = world.under_way(at);
                        assert_eq!(stats.value.waits, waits as u64, "waits are counted wrongly");
                    }
                });
            }
        }
        _ => {
            // SAFETY: any pointer may be given.
            let status = unsafe { awsgi_reactor_stop(pointer) };
            let ok = check::status(status, &[AWSGI_E_NULL, AWSGI_E_STALE]);
            assert_eq!(ok, matches!(ours, Standing::Ours(_) | Standing::Elsewhere));
        }
    }
}

pub fn close() {
    close_at(reactor_pointer());
}

fn close_at(pointer: *mut awsgi_reactor) {
    let ours = standing(pointer);
    if let Standing::Ours(at) = ours {
        // Before the call: a hook may look.
        world(|world| {
            world.reactors[at].closing = true;
            for waitable in &mut world.waitables {
                if waitable.reactor == at && waitable.life == Life::Lives {
                    waitable.life = Life::Perhaps;
                }
            }
        });
    }
    // SAFETY: any pointer may be given.
    let status = unsafe { awsgi_reactor_close(pointer) };
    let ok = check::status(status, &[AWSGI_E_THREAD, AWSGI_E_NULL, AWSGI_E_STALE]);
    assert_eq!(ok, matches!(ours, Standing::Ours(_)));
}

pub fn free() {
    free_at(reactor_pointer());
}

fn free_at(pointer: *mut awsgi_reactor) -> awsgi_status {
    let ours = standing(pointer);
    // SAFETY: any pointer may be given.
    let status = unsafe { awsgi_reactor_free(pointer) };
    let ok =
        check::status(status, &[AWSGI_E_BUSY, AWSGI_E_REENTRANT, AWSGI_E_THREAD, AWSGI_E_STALE]);
    match ours {
        Standing::Null => assert!(ok),
        Standing::Ours(at) if ok => world(|world| {
            assert!(world.reactors[at].closing, "freed before it was closed");
            assert!(!world.turning.contains(&at), "freed in a turn");
            let bound =
                world.gateways.iter().any(|gateway| gateway.reactor == at && !gateway.freed);
            assert!(!bound, "freed under a gateway");
            let left = world.under_way(at);
            assert!(left == 0 || world.guessed, "freed, but a wait has not completed");
            world.reactors[at].freed = true;
            for waitable in &mut world.waitables {
                if waitable.reactor == at {
                    waitable.life = Life::Gone;
                }
            }
        }),
        _ => stands(status, ours),
    }
    status
}

pub fn release_or_adopt() {
    let pointer = reactor_pointer();
    if byte() & 1 == 0 { release(pointer) } else { adopt(pointer) }
}

pub fn release(pointer: *mut awsgi_reactor) {
    let ours = standing(pointer);
    // SAFETY: any pointer may be given.
    let status = unsafe { awsgi_reactor_release(pointer) };
    let ok =
        check::status(status, &[AWSGI_E_THREAD, AWSGI_E_REENTRANT, AWSGI_E_NULL, AWSGI_E_STALE]);
    stands(status, ours);
    if let (true, Standing::Ours(at)) = (ok, ours) {
        world(|world| {
            assert!(!world.turning.contains(&at), "released in a turn");
            world.reactors[at].owner = None;
        });
    }
}

pub fn adopt(pointer: *mut awsgi_reactor) {
    let found = world(|world| world.reactor_at(pointer as usize));
    // SAFETY: any pointer may be given.
    let status = unsafe { awsgi_reactor_adopt(pointer) };
    let ok = check::status(status, &[AWSGI_E_BUSY, AWSGI_E_NULL, AWSGI_E_STALE, AWSGI_E_REENTRANT]);
    let Some(at) = found else { return assert!(!ok, "what is no reactor was adopted") };
    world(|world| {
        let owner = &mut world.reactors[at].owner;
        assert!(!ok || owner.is_none_or(|owner| owner == thread()), "taken from its owner");
        assert!(ok || owner.is_some(), "a reactor that is free is not to be had");
        if ok {
            *owner = Some(thread());
        }
    });
}

pub fn adopt_what_is_free() {
    let free: Vec<usize> = world(|world| {
        let free = |reactor: &&Reactor| !reactor.freed && reactor.owner.is_none();
        world.reactors.iter().filter(free).map(|reactor| reactor.pointer).collect()
    });
    for pointer in free {
        adopt(pointer as *mut awsgi_reactor);
    }
}

/// Ends all reactors as a host does that is well behaved.
pub fn end_all() {
    adopt_what_is_free();
    exchanges::end_all();
    let living: Vec<usize> = world(|world| {
        world.reactors.iter().filter(|one| !one.freed).map(|one| one.pointer).collect()
    });
    for pointer in living {
        let pointer = pointer as *mut awsgi_reactor;
        close_at(pointer);
        for turns in 0.. {
            turn_at(pointer);
            if free_at(pointer) == AWSGI_OK {
                break;
            }
            assert!(turns < 10_000, "a closed reactor does not end");
        }
    }
}
