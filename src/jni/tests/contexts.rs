//! Contexts: which numbers are one, on which thread, and what the rare operations do.

use super::*;

/// What every native that takes a context answers.
fn answers(context: i64) -> [Status; 3] {
    let turned = natives::turn(ptr::null_mut(), ptr::null_mut(), context, 0, 0);
    let status = Status::ALL.into_iter().find(|status| is(*status) == turned).unwrap();
    let submitted = cold::submit(context, STATS, 0).unwrap_err().status();
    let result = cold::result(context, 0).unwrap_err().status();
    [status, submitted, result]
}

#[test]
fn a_number_that_is_no_context_is_stale_on_any_thread() {
    let mut java = Java::new();
    let context = java.context;
    let wild = move || {
        for number in [
            0,
            -1,
            i64::MIN,
            i64::MAX,
            context + (1 << 16),
            context - (1 << 16),
            context | 0x0400,
            context & 0xffff,
            1 << 16 | 0xffff,
        ] {
            assert_eq!(answers(number), [Status::Stale; 3], "{number:x}");
            assert_eq!(cold::submit(number, FREE, 0).unwrap_err().status(), Status::Stale);
            assert_eq!(cold::submit(number, FAILURE, 0).unwrap_err().status(), Status::Stale);
        }
    };
    wild();
    std::thread::scope(|scope| scope.spawn(wild).join().unwrap());
    java.free();
    assert_eq!(answers(context), [Status::Stale; 3]);
    std::thread::scope(|scope| {
        scope.spawn(move || assert_eq!(answers(context), [Status::Stale; 3]));
    });
}

#[test]
fn a_context_belongs_to_the_thread_that_made_it() {
    let mut java = Java::new();
    let context = java.context;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            assert_eq!(answers(context), [Status::Thread; 3]);
            let failure = cold::submit(context, FAILURE, 0).unwrap_err();
            assert_eq!(failure.status(), Status::Thread);
            assert_eq!(cold::submit(context, FREE, 0).unwrap_err().status(), Status::Thread);
        });
    });
    assert_eq!(java.completions(0), []);
}

#[test]
fn a_context_is_not_entered_twice() {
    let java = Java::new();
    let twice = context::with(java.context, |_| Ok(answers(java.context))).unwrap();
    assert_eq!(twice, [Status::Reentrant; 3]);
    let freed = context::with(java.context, |_| cold::submit(java.context, FREE, 0));
    assert_eq!(freed.unwrap_err().status(), Status::Reentrant);
}

#[test]
fn a_reactor_is_freed_once_it_is_closed_and_its_context_lives_until_then() {
    let mut java = Java::new();
    assert_eq!(java.submit(FREE, &[]).unwrap_err().status(), Status::Busy);
    let event = java.event();
    java.arm(1, event, READABLE, 0, FOREVER);
    java.put(0, layout::SHUT, 0, 0);
    let closed = Record { a: 1, kind: 4, b: 0, c: 0 };
    let turned = java.turn(0).unwrap();
    let flags = layout::TURN_CLOSED | layout::TURN_CLOSING;
    assert_eq!((turned.completions, turned.flags), (vec![closed], flags));
    java.free();
    // The next of its number is another.
    let number = |context: i64| context & 0xffff;
    let before = java.context;
    let next: Vec<Java> = (0..8).map(|_| Java::new()).collect();
    assert!(next.iter().all(|next| next.context != before && number(next.context) < 1_024));
}

#[test]
fn a_context_whose_reactor_c_has_freed_is_stale_and_can_be_freed() {
    let mut java = Java::new();
    context::with(java.context, |context| {
        context.reactor.close()?;
        assert!(context.reactor.turn(&crate::Turn::default(), |_| ())?.closed);
        context.reactor.free()
    })
    .unwrap();
    assert_eq!(java.turn(0).unwrap_err(), is(Status::Stale));
    assert_eq!(java.failure().status(), Status::Stale);
    assert_eq!(java.submit(FREE, &[]), Ok(0));
    java.context = 0;
}

#[test]
fn options_that_are_none_are_refused_and_limits_hold() {
    let _shared = CONTEXTS.read().unwrap_or_else(PoisonError::into_inner);
    let memory = Memory::new();
    for (mode, waitables, waits) in [(2, 0, 0), (-1, 0, 0), (0, -1, 0), (0, 0, -1)] {
        let refused = context::open(memory.block(), mode, waitables, waits).unwrap_err();
        assert_eq!(refused.status(), Status::Invalid);
    }
    let mut java = Java::with(0, 2, 1);
    let event = java.event();
    java.event();
    assert_eq!(java.submit(EVENT, &[0]).unwrap_err().status(), Status::Limit);
    java.arm(1, event, READABLE, 0, FOREVER);
    java.arm(2, event, READABLE, 0, FOREVER);
    let refused = Record { a: 2, kind: 5 | layout::REFUSED, b: 0, c: Status::Limit as i32 };
    assert_eq!(java.completions(0), [refused]);
}

#[cfg(unix)]
#[test]
fn only_a_nested_reactor_has_a_descriptor_to_watch() {
    const FD: i32 = 11;
    let java = Java::new();
    assert_eq!(java.submit(FD, &[]).unwrap_err().status(), Status::State);
    let mut nested = Java::with(1, 0, 0);
    let fd = nested.submit(FD, &[]).unwrap();
    let event = nested.event();
    nested.arm(1, event, READABLE, 0, FOREVER);
    nested.turn(0).unwrap();
    // Another thread's signal makes it readable, and wakes nobody else.
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(signal(event, READABLE), 0));
    });
    let mut asked = libc::pollfd { fd: fd as i32, events: libc::POLLIN, revents: 0 };
    // SAFETY: an array of one.
    assert_eq!(unsafe { libc::poll(&mut asked, 1, 20_000) }, 1);
    assert_eq!(nested.completions(0).len(), 1);
}

#[test]
fn operations_take_as_many_arguments_as_they_have() {
    let java = Java::new();
    for (operation, arguments) in [
        (EVENT, &[][..]),
        (TIMER, &[1]),
        (FOREIGN, &[1]),
        (DESCRIPTOR, &[0]),
        (TAKE, &[]),
        (LABEL, &[]),
        (DESCRIBE, &[]),
        (MEMBERS, &[]),
        (EVENT, &[2]),
        (FOREIGN, &[1, 2]),
        (TIMER, &[1, -1]),
        (TIMER, &[FOREVER, 0]),
        (DESCRIPTOR, &[1 << 40, 0]),
        (16, &[]),
        (-1, &[]),
        (i32::MAX, &[]),
    ] {
        let refused = java.submit(operation, arguments).unwrap_err();
        assert_eq!(refused.status(), Status::Invalid, "{operation} {arguments:?}");
    }
    for length in [3_969, -1, i32::MIN, i32::MAX] {
        let refused = cold::submit(java.context, EVENT, length).unwrap_err();
        assert_eq!(refused.status(), Status::Invalid);
    }
}

#[test]
fn events_and_timers_are_taken() {
    let mut java = Java::new();
    let (event, counter) = (java.event() as i64, java.submit(EVENT, &[1]).unwrap());
    let timer = java.submit(TIMER, &[10, 5]).unwrap();
    for _ in 0..3 {
        signal(event as u64, READABLE);
        signal(counter as u64, READABLE);
    }
    java.turn(22).unwrap();
    assert_eq!([event, counter, timer].map(|one| java.submit(TAKE, &[one, 0]).unwrap()), [1, 3, 3]);
    assert_eq!([event, counter, timer].map(|one| java.submit(TAKE, &[one, 0]).unwrap()), [0, 0, 0]);
}

#[test]
fn arguments_and_results_may_be_longer_than_the_block_has_room_for() {
    let java = Java::new();
    let event = java.event();
    let name = "é".repeat(4_000);
    java.memory.set(ARGUMENTS, event.to_ne_bytes());
    assert_eq!(cold::submit(java.context, APPEND, 8), Ok(8));
    let mut given = 8;
    for part in name.as_bytes().chunks(3_968) {
        for (index, byte) in part.iter().enumerate() {
            java.memory.set(ARGUMENTS + index, [*byte]);
        }
        given += part.len() as i64;
        assert_eq!(cold::submit(java.context, APPEND, part.len() as i32), Ok(given));
    }
    assert_eq!(java.submit(LABEL, &[]), Ok(0));
    let length = java.submit(DESCRIBE, &[event as i64]).unwrap();
    let words = String::from_utf8(java.result()).unwrap();
    assert_eq!(words.len() as i64, length);
    assert!(words.contains(&name));
    assert_eq!(
        cold::result(java.context, length as i32 + 1).unwrap_err().status(),
        Status::Invalid
    );
    assert_eq!(cold::result(java.context, -1).unwrap_err().status(), Status::Invalid);

    // What is not UTF-8 is no label, and nothing of it is kept.
    java.memory.set(ARGUMENTS, event.to_ne_bytes());
    java.memory.set(ARGUMENTS + 8, [0xff]);
    assert_eq!(cold::submit(java.context, LABEL, 9).unwrap_err().status(), Status::Invalid);
    assert_eq!(java.submit(LABEL, &[event as i64]), Ok(0));
    let refused = (0..400).find_map(|_| cold::submit(java.context, APPEND, 3_968).err());
    assert_eq!(refused.unwrap().status(), Status::Limit);
    assert_eq!(java.submit(TAKE, &[event as i64, 0]), Ok(0));
}

#[test]
fn the_handshake_says_what_the_block_is() {
    let item = |item| natives::layout(ptr::null_mut(), ptr::null_mut(), item);
    let sizes = [53_248, 128, 3_968, 4_096, 20_480, 36_864, 16, 1_024, 9, 15];
    assert_eq!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(item), sizes);
    assert_eq!(item(0), 1);
    let version = [11, 12, 13].map(|part| item(part).to_string()).join(".");
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    assert_eq!([14, -1, i32::MAX].map(item), [-1; 3]);
}

#[test]
fn what_lives_is_counted() {
    let alone = alone();
    let count = |what| natives::count(ptr::null_mut(), ptr::null_mut(), what);
    let counts = || [0, 1, 2, 3, 4, 6].map(count);
    assert_eq!(counts(), [0; 6]);
    let crossings = count(5);
    let mut java = Java::alone(&alone);
    let event = java.event();
    java.event();
    java.arm(1, event, READABLE, 0, FOREVER);
    java.turn(0).unwrap();
    assert_eq!(counts(), [1, 2, 1, 1, 0, 0]);
    assert_eq!(count(5), crossings + 1);
    assert_eq!(count(7), -1);
    java.free();
    assert_eq!(counts(), [0; 6]);
}

#[cfg(awsgi_faults)]
#[test]
fn a_panic_is_told_and_the_reactor_goes_on() {
    let mut java = Java::new();
    java.put(0, layout::PANIC_IN_TURN, 0, 0);
    assert_eq!(java.turn(0).unwrap_err(), is(Status::Panic));
    assert!(java.failure().message().contains("planted"));
    let event = java.event();
    java.put(event, layout::REPORT, READABLE, 0);
    java.arm(1, event, READABLE, 0, FOREVER);
    assert_eq!(java.completions(0).len(), 1);
}
