//! Waitables of every kind, and what is told of them.

use std::ffi::CStr;

use awsgi::ffi::*;

use super::check::{self, POISON, name, perhaps_null, poisoned};
use super::descriptors;
use super::reactors::{Standing, standing, stands};
use super::world::{
    Life, Source, byte, deadline, one_of, pick, reactor_pointer, token, waitable_token, world,
};

/// What the header says that making any of them may be refused with.
const REFUSALS: &[awsgi_status] =
    &[AWSGI_E_LIMIT, AWSGI_E_INVALID, AWSGI_E_CLOSED, AWSGI_E_THREAD, AWSGI_E_NULL, AWSGI_E_STALE];

/// Waitables of one sequence at most.
const MANY: usize = 200;

fn are_many() -> bool {
    world(|world| world.waitables.len()) >= MANY
}

/// Makes one with `call`, which gets the reactor and the place of the token.
fn make(
    source: Source,
    more_refusals: &[awsgi_status],
    call: impl FnOnce(*mut awsgi_reactor, *mut awsgi_waitable) -> awsgi_status,
) -> bool {
    let pointer = reactor_pointer();
    let ours = standing(pointer);
    let mut made = poisoned::<u64>();
    let place = perhaps_null(&raw mut made);
    let status = call(pointer, place);
    let ok = check::status(status, &[REFUSALS, more_refusals].concat());
    stands(status, ours);
    if !place.is_null() {
        check::zeroed(ok, made, 0);
    }
    let Standing::Ours(at) = ours else { return false };
    let (limited, closing) =
        world(|world| (world.reactors[at].limited, world.reactors[at].closing));
    assert!(limited || status != AWSGI_E_LIMIT, "a limit that was not set was reached");
    assert!(closing || status != AWSGI_E_CLOSED, "closed, though nobody closed it");
    if ok {
        assert!(!closing, "a reactor that closes took a waitable");
        world(|world| world.add_waitable(made, at, source));
    }
    ok
}

pub fn descriptor() {
    if are_many() {
        return;
    }
    let fd = descriptors::any();
    // Two owners of one descriptor would be a fault of the host's, as would be the gift of one that
    // it has not.
    let mine = descriptors::may_be_given(fd);
    let flags = match byte() % 8 {
        0 if mine || !descriptors::is_open(fd) => AWSGI_OWN,
        1 => one_of(&[2, 1 << 31, 0]),
        _ => 0,
    };
    let refusals = [AWSGI_E_OS, AWSGI_E_NESTING, AWSGI_E_STATE];
    let ok = make(Source::Descriptor(fd), &refusals, |reactor, place| {
        // SAFETY: the place lives, or is NULL.
        unsafe { awsgi_waitable_descriptor(reactor, fd, flags, place) }
    });
    if ok && flags == AWSGI_OWN {
        assert!(mine, "a descriptor that is none was taken");
        descriptors::give(fd);
        world(|world| world.waitables.last_mut().unwrap().owns = true);
    }
}

pub fn event() {
    if are_many() {
        return;
    }
    let flags = one_of(&[0, AWSGI_COUNTER, 0, AWSGI_COUNTER, 2]);
    make(Source::Event { counter: flags == AWSGI_COUNTER }, &[], |reactor, place| {
        // SAFETY: the place lives, or is NULL.
        unsafe { awsgi_waitable_event(reactor, flags, place) }
    });
}

pub fn timer() {
    if are_many() {
        return;
    }
    let first = deadline(world(|world| world.reactors.last().map_or(0, |reactor| reactor.pointer))
        as *mut awsgi_reactor);
    let period = one_of(&[0, 1, 1_000, 1_000_000_000, u64::MAX, 100_000]);
    let ok = make(Source::Timer, &[], |reactor, place| {
        // SAFETY: the place lives, or is NULL.
        unsafe { awsgi_waitable_timer(reactor, first, period, place) }
    });
    assert!(!ok || first != AWSGI_FOREVER);
}

pub fn foreign() {
    if are_many() {
        return;
    }
    let handle = one_of(&[0, 1, u64::MAX, 7]);
    let flags = one_of(&[AWSGI_LEVEL, AWSGI_ONCE, AWSGI_LEVEL, AWSGI_ONCE, 2]);
    make(Source::Foreign { handle, flags }, &[], |reactor, place| {
        // SAFETY: the place lives, or is NULL.
        unsafe { awsgi_waitable_foreign(reactor, handle, flags, place) }
    });
}

/// From here on it is notified by somebody else too.
pub fn is_not_counted(token: u64) {
    world(|world| {
        if let Some(waitable) = world.waitable(token) {
            waitable.notified = None;
        }
    });
}

fn is_notified(token: u64) {
    world(|world| {
        let Some(at) = world.waitable_of.get(&token).copied() else { return };
        let mine = world.owned(world.waitables[at].reactor);
        let waitable = &mut world.waitables[at];
        waitable.reported |= mine;
        if let Some(times) = &mut waitable.notified {
            *times += 1;
        }
    });
}

/// What was taken is what was notified.
fn is_taken(token: u64, value: u64) {
    world(|world| {
        let Some(waitable) = world.waitable(token) else { return };
        let (Some(times), Source::Event { counter }) = (&mut waitable.notified, waitable.source)
        else {
            return;
        };
        let expected = if counter { *times } else { (*times).min(1) };
        assert_eq!(value, expected, "of an event that was notified {times} times");
        *times = 0;
    });
}

pub fn notify() {
    let waitable = waitable_token();
    let ready = one_of(&[1, 1, 2, 3, 4, 8, 16, 32, 63, 0, 64, 1 << 31]);
    // SAFETY: takes no pointers.
    let status = unsafe { awsgi_notify(waitable, ready) };
    let ok = check::status(status, &[AWSGI_E_STALE, AWSGI_E_INVALID]);
    if ok {
        is_notified(waitable);
    }
    told(waitable, ok, status, ready);
}

fn told(token: u64, ok: bool, status: awsgi_status, ready: u32) {
    world(|world| {
        let known = world
            .waitable(token)
            .map(|waitable| (waitable.life, waitable.source, waitable.reactor));
        match known {
            Some((Life::Gone, ..)) => assert!(!ok, "what is gone was notified"),
            Some((Life::Lives, source, reactor)) => {
                let by_host = world.reactors[reactor].flags & AWSGI_HOST_WATCHES_DESCRIPTORS != 0;
                let takes = match source {
                    Source::Event { .. } | Source::Foreign { .. } => true,
                    Source::Descriptor(_) => by_host,
                    Source::Timer | Source::Exchange => false,
                };
                let valid = ready != 0 && ready & !63 == 0;
                assert_eq!(ok, takes && valid, "{} for {source:?} {ready}", name(status));
            }
            _ => {}
        }
    });
}

pub fn notify_many() {
    let mut valid = true;
    let notices: Vec<awsgi_notice> = (0..pick(5))
        .map(|_| awsgi_notice {
            waitable: waitable_token(),
            ready: one_of(&[1, 2, 16, 63, 1, 0, 64]),
            pad: 0,
        })
        .collect();
    for notice in &notices {
        if notice.ready == 0 || notice.ready > 63 {
            // Then nothing is done for any of them.
            valid = false;
        }
    }
    let mut stale = poisoned::<usize>();
    let place = perhaps_null(&raw mut stale);
    let count = if byte() == 0xff { usize::MAX } else { notices.len() };
    // SAFETY: the array has the length, or one that cannot be; the place lives, or is NULL.
    let status = unsafe { awsgi_notify_many(notices.as_ptr(), count, place) };
    let ok = check::status(status, &[AWSGI_E_INVALID, AWSGI_E_NULL]);
    assert!(!ok || (count == notices.len() && valid));
    if valid && count == notices.len() {
        // Also where one of the others is refused.
        notices.iter().for_each(|notice| is_notified(notice.waitable));
    }
    if !place.is_null() {
        check::zeroed(ok, stale, 0);
        if ok {
            assert!(stale <= count);
            let gone = world(|world| {
                let gone = |notice: &&awsgi_notice| {
                    world.waitable(notice.waitable).is_some_and(|one| one.life == Life::Gone)
                };
                notices.iter().filter(gone).count()
            });
            assert!(stale >= gone, "{stale} of {gone} were stale");
        }
    }
}

/// What a call on a waitable must answer, as far as that is known.
#[track_caller]
fn lives(token: u64, status: awsgi_status) {
    world(|world| {
        let Some(at) = world.waitable_of.get(&token) else { return };
        let (life, reactor) = (world.waitables[*at].life, world.waitables[*at].reactor);
        let mine = world.owned(reactor);
        match life {
            Life::Gone => assert_ne!(status, AWSGI_OK, "what is gone answers"),
            Life::Lives if mine => assert!(
                !matches!(status, AWSGI_E_STALE | AWSGI_E_THREAD),
                "{} for what lives",
                name(status)
            ),
            Life::Lives => assert_ne!(status, AWSGI_OK, "another thread's waitable answers"),
            Life::Perhaps => {}
        }
        if life == Life::Gone && mine && !world.reactors[reactor].freed {
            assert!(matches!(status, AWSGI_E_STALE | AWSGI_E_NULL | AWSGI_E_INVALID));
        }
    });
}

pub fn ask() {
    let waitable = waitable_token();
    match pick(3) {
        0 => {
            let mut value = poisoned::<u64>();
            let place = perhaps_null(&raw mut value);
            // SAFETY: the place lives, or is NULL.
            let status = unsafe { awsgi_waitable_take(waitable, place) };
            let ok = check::status(
                status,
                &[
                    AWSGI_E_UNSUPPORTED,
                    AWSGI_E_STALE,
                    AWSGI_E_THREAD,
                    AWSGI_E_NULL,
                    AWSGI_E_INVALID,
                ],
            );
            if !place.is_null() {
                check::zeroed(ok, value, 0);
            }
            if ok {
                is_taken(waitable, value);
            }
            lives(waitable, status);
        }
        1 => {
            let labels: [&[u8]; 5] = [b"", b"a name", "sch\u{f6}n".as_bytes(), b"\xff", b"a\0b"];
            let label = one_of(&labels);
            // SAFETY: the label is as long.
            let status =
                unsafe { awsgi_waitable_label(waitable, label.as_ptr().cast(), label.len()) };
            let said = [AWSGI_E_INVALID, AWSGI_E_STALE, AWSGI_E_THREAD, AWSGI_E_NULL];
            check::status(status, &said);
            lives(waitable, status);
        }
        _ => {
            let capacity = pick(100);
            let mut text = vec![POISON; capacity];
            let mut length = poisoned::<usize>();
            let (place, written) = (perhaps_null(&raw mut length), perhaps_null(text.as_mut_ptr()));
            // SAFETY: the buffer has the capacity, and the place lives; or they are NULL.
            let status =
                unsafe { awsgi_waitable_describe(waitable, written.cast(), capacity, place) };
            let said = [AWSGI_E_INVALID, AWSGI_E_STALE, AWSGI_E_THREAD, AWSGI_E_NULL];
            let ok = check::status(status, &said);
            if !place.is_null() {
                check::zeroed(ok, length, 0);
            }
            if !written.is_null() && capacity > 0 {
                let end = CStr::from_bytes_until_nul(&text).expect("a text without its NUL");
                assert!(ok || end.is_empty());
                assert!(!ok || place.is_null() || end.count_bytes() <= length.min(capacity - 1));
            }
            lives(waitable, status);
        }
    }
}

pub fn close() {
    let waitable = if byte() < 0xf0 { waitable_token() } else { token() };
    // Before the call: a hook may turn.
    let ours = world(|world| {
        let at = *world.waitable_of.get(&waitable)?;
        if world.owned(world.waitables[at].reactor) && world.waitables[at].life == Life::Lives {
            world.waitables[at].life = Life::Perhaps;
            return Some(at);
        }
        None
    });
    // SAFETY: takes no pointers.
    let status = unsafe { awsgi_waitable_close(waitable) };
    let said = [AWSGI_E_STALE, AWSGI_E_STATE, AWSGI_E_THREAD, AWSGI_E_INVALID];
    let ok = check::status(status, &said);
    if let Some(at) = ours {
        world(|world| {
            let waitable = &mut world.waitables[at];
            let own = waitable.source == Source::Exchange;
            assert_eq!(ok, !own, "{} for {:?}", name(status), waitable.source);
            waitable.life = if ok { Life::Gone } else { Life::Lives };
            let at_once = world.reactors[world.waitables[at].reactor].flags
                & AWSGI_HOST_WATCHES_DESCRIPTORS
                == 0;
            let waitable = &world.waitables[at];
            if let (Source::Descriptor(fd), true, true) = (waitable.source, waitable.owns, at_once)
            {
                assert!(!descriptors::is_open(fd), "descriptor {fd} was given, and is not closed");
            }
        });
        return;
    }
    lives(waitable, status);
    if ok {
        world(|world| match world.waitable(waitable) {
            Some(waitable) => waitable.life = Life::Gone,
            None => world.guessed = true,
        });
    }
}
