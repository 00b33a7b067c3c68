//! Waits that Java arms, and what becomes of them.

use super::*;

#[test]
fn a_wait_completes_under_the_name_that_java_gave_it() {
    let mut java = Java::new();
    let event = java.event();
    let channel = java.foreign(0x1234_5678_9abc);
    java.arm(5 | 3 << 32, event, READABLE, 0, FOREVER);
    java.arm(6, channel, READABLE | WRITABLE, MULTISHOT, FOREVER);
    let turned = java.turn(0).unwrap();
    assert_eq!(turned.completions, []);
    let watch = Record { a: 0x1234_5678_9abc, kind: 0, b: 3, c: 0 };
    assert_eq!(turned.changes, [watch]);

    java.put(event, layout::REPORT, READABLE, 0);
    java.put(channel, layout::REPORT, WRITABLE, 0);
    let done = [
        Record { a: 5 | 3 << 32, kind: 1, b: READABLE, c: ready(0, 1) },
        Record { a: 6, kind: 1 | layout::MORE, b: WRITABLE, c: ready(0, 1) },
    ];
    assert_eq!(java.completions(0), done);
    // The one is over, the other goes on.
    java.put(event, layout::REPORT, READABLE, 0);
    java.put(channel, layout::REPORT, READABLE, 0);
    assert_eq!(
        java.completions(0),
        [Record { a: 6, kind: 1 | layout::MORE, b: READABLE, c: ready(0, 1) }]
    );
    java.put(6, layout::CANCEL, 0, 0);
    assert_eq!(java.completions(0), [Record { a: 6, kind: 3, b: 0, c: 0 }]);
}

#[test]
fn a_deadline_ends_a_wait_and_an_empty_set_is_a_sleep() {
    let mut java = Java::new();
    let event = java.event();
    java.arm(1, event, READABLE, 0, 5_000_000);
    java.arm_set(2, 0, 0, 7_000_000);
    let turned = java.turn(1_000_000).unwrap();
    assert_eq!((turned.timeout, turned.completions.len()), (4, 0));
    assert_eq!(i64::from_ne_bytes(java.memory.get(0)), 5_000_000);
    assert_eq!(java.completions(5_000_000), [Record { a: 1, kind: 2, b: 0, c: 0 }]);
    // A clock that goes back stands still.
    assert_eq!(java.turn(4_000_000).unwrap().timeout, 2);
    assert_eq!(java.completions(7_000_000), [Record { a: 2, kind: 2, b: 0, c: 0 }]);
    assert_eq!(java.turn(8_000_000).unwrap().timeout, 0x7fff_ffff);
}

#[test]
fn a_refused_arm_completes_first_in_the_same_turn_and_says_why() {
    let mut java = Java::new();
    let event = java.event();
    assert_eq!(signal(event, READABLE), 0);
    java.arm(1, event, READABLE, 0, FOREVER);
    java.arm(2, 12_345, READABLE, 0, FOREVER);
    java.arm(3, event, 0x40, 0, FOREVER);
    java.arm(4, event, READABLE, 0x10, FOREVER);
    java.arm_set(5, 0, 0, FOREVER);
    java.arm(6 | 1 << 25, event, READABLE, 0, FOREVER);
    java.put(7, layout::ARM, READABLE, 0);
    let refused = |a, status: Status| {
        let kind = 5 | layout::REFUSED;
        Record { a, kind, b: 0, c: status as i32 }
    };
    let done = [
        refused(2, Status::Stale),
        refused(3, Status::Invalid),
        refused(4, Status::Invalid),
        refused(5, Status::Invalid),
        refused(6 | 1 << 25, Status::Limit),
        refused(7, Status::Invalid),
        Record { a: 1, kind: 1, b: READABLE, c: ready(0, 1) },
    ];
    assert_eq!(java.completions(0), done);
    assert_eq!(java.stats()[9], 0);
}

#[test]
fn refused_arms_without_room_come_with_the_next_turn() {
    let mut java = Java::new();
    java.memory.set(12, 2i32.to_ne_bytes());
    let event = java.event();
    java.put(event, layout::REPORT, READABLE, 0);
    java.arm(9, event, READABLE, 0, FOREVER);
    for user_data in 1..=3 {
        java.arm(user_data, 0, READABLE, 0, FOREVER);
    }
    let names = |turned: &Turned| turned.completions.iter().map(|one| one.a).collect::<Vec<_>>();
    let turned = java.turn(0).unwrap();
    assert_eq!((names(&turned), turned.flags & layout::TURN_MORE), (vec![1, 2], layout::TURN_MORE));
    let turned = java.turn(0).unwrap();
    assert_eq!((names(&turned), turned.flags & layout::TURN_MORE), (vec![3, 9], 0));
}

#[test]
fn the_end_waits_for_refused_arms_to_be_delivered() {
    let mut java = Java::new();
    java.memory.set(12, 1i32.to_ne_bytes());
    java.put(0, layout::SHUT, 0, 0);
    java.put(0, layout::SHUT, 0, 0);
    let event = java.event();
    java.arm(1, event, READABLE, 0, FOREVER);
    java.arm(2, event, READABLE, 0, FOREVER);
    let turned = java.turn(0).unwrap();
    assert_eq!(turned.completions.len(), 1);
    assert_eq!(turned.flags & (layout::TURN_CLOSED | layout::TURN_MORE), layout::TURN_MORE);
    let turned = java.turn(0).unwrap();
    assert_eq!(turned.completions[0].c, Status::Closed as i32);
    assert_eq!(turned.flags & (layout::TURN_CLOSED | layout::TURN_MORE), layout::TURN_CLOSED);
}

#[test]
fn what_is_asked_of_a_wait_that_is_not_there_is_ignored() {
    let mut java = Java::new();
    let event = java.event();
    java.arm(1, event, READABLE, 0, FOREVER);
    for kind in [layout::CANCEL, layout::FORGET, layout::REARM] {
        // Another generation of the slot, a slot beyond all, and the highest.
        for user_data in [1 | 1 << 32, 70_000, u64::MAX] {
            java.put(user_data, kind, 0, 0);
        }
    }
    assert_eq!(java.completions(0), []);
    java.put(1, layout::FORGET, 0, 0);
    java.put(1, layout::CANCEL, 0, 0);
    java.put(event, layout::REPORT, READABLE, 0);
    assert_eq!(java.completions(0), []);
    assert_eq!(java.stats()[9], 0);
}

#[test]
fn a_slot_whose_wait_has_not_completed_takes_no_other() {
    let mut java = Java::new();
    let event = java.event();
    java.arm(1, event, READABLE, 0, FOREVER);
    java.arm(1 | 1 << 32, event, READABLE, 0, FOREVER);
    let refused =
        Record { a: 1 | 1 << 32, kind: 5 | layout::REFUSED, b: 0, c: Status::Busy as i32 };
    assert_eq!(java.completions(0), [refused]);
    java.put(event, layout::REPORT, READABLE, 0);
    assert_eq!(java.completions(0).len(), 1);
    java.arm(1 | 1 << 32, event, READABLE, 0, FOREVER);
    assert_eq!(java.completions(0)[0].a, 1 | 1 << 32);
}

#[test]
fn a_wait_that_cannot_be_armed_again_has_failed() {
    let mut java = Java::new();
    let event = java.event();
    java.arm(1, event, READABLE, 0, FOREVER);
    java.put(1, layout::REARM, 0, 0);
    let failed = Record { a: 1, kind: 5, b: 0, c: Status::State as i32 };
    assert_eq!(java.completions(0), [failed]);
    java.put(event, layout::REPORT, READABLE, 0);
    assert_eq!(java.completions(0), []);
    assert_eq!(java.stats()[9], 0);
}

#[test]
fn a_multishot_wait_that_is_armed_again_reports_what_is_ready_still() {
    let mut java = Java::new();
    let event = java.event();
    java.arm(1, event, READABLE, MULTISHOT, FOREVER);
    java.put(event, layout::REPORT, READABLE, 0);
    assert_eq!(java.completions(0).len(), 1);
    assert_eq!(java.completions(0).len(), 0);
    java.put(1, layout::REARM, 0, 0);
    assert_eq!(java.completions(0).len(), 1);
    assert_eq!(java.submit(TAKE, &[event as i64, 0]), Ok(1));
    java.put(1, layout::REARM, 0, 0);
    assert_eq!(java.completions(0).len(), 0);
}

#[test]
fn a_set_may_be_larger_than_the_ring() {
    let mut java = Java::new();
    let events: Vec<u64> = (0..2_500).map(|_| java.event()).collect();
    for chunk in events.chunks(1_000) {
        for event in chunk {
            java.put(*event, layout::MEMBER, READABLE, 0);
        }
        assert_eq!(java.completions(0), []);
    }
    java.arm_set(1, 3, 2_500, FOREVER);
    assert_eq!(java.completions(0), []);
    for index in [2_400, 20, 1_700] {
        java.put(events[index], layout::REPORT, READABLE, 0);
    }
    let done = Record { a: 1, kind: 1, b: READABLE, c: ready(20, 3) };
    assert_eq!(java.completions(0), [done]);

    assert_eq!(java.submit(MEMBERS, &[1]), Ok(3));
    let members = java.result();
    let index = |at: usize| u32::from_ne_bytes(members[at * 16 + 8..][..4].try_into().unwrap());
    assert_eq!([0, 1, 2].map(index), [20, 1_700, 2_400]);
    assert_eq!(members[..8], events[20].to_ne_bytes());
    assert_eq!(members[12..16], 1u32.to_ne_bytes());
    // Until the next turn.
    assert_eq!(java.completions(0), []);
    assert_eq!(java.submit(MEMBERS, &[1]).unwrap_err().status(), Status::Stale);
}

#[test]
fn a_set_has_as_many_members_as_were_given_or_is_refused_with_them() {
    let mut java = Java::new();
    let event = java.event();
    java.put(event, layout::MEMBER, READABLE, 0);
    java.arm_set(1, 1, 2, FOREVER);
    // The member has gone with it.
    java.arm_set(2, 1, 1, FOREVER);
    java.put(event, layout::MEMBER, READABLE, 0);
    java.arm_set(3, 1, -1, FOREVER);
    java.put(event, layout::MEMBER, READABLE, 0);
    java.arm_set(4, 1, 1, FOREVER);
    let done = java.completions(0);
    assert_eq!(
        done.iter().map(|one| (one.a, one.c)).collect::<Vec<_>>(),
        [(1, -2), (2, -2), (3, -2)]
    );
    java.put(event, layout::REPORT, READABLE, 0);
    assert_eq!(java.completions(0)[0].a, 4);

    for _ in 0..70 {
        for _ in 0..1_000 {
            java.put(event, layout::MEMBER, READABLE, 0);
        }
        java.turn(0).unwrap();
    }
    java.arm_set(5, 1, 70_000, FOREVER);
    assert_eq!(java.completions(0)[0].c, Status::Invalid as i32);
}

#[test]
fn members_can_be_asked_for_though_the_slot_has_another_wait_since() {
    let mut java = Java::new();
    let (one, two) = (java.event(), java.event());
    java.put(one, layout::MEMBER, READABLE, 0);
    java.put(two, layout::MEMBER, READABLE, 0);
    java.arm_set(1, 2, 2, FOREVER);
    java.put(two, layout::REPORT, READABLE, 0);
    java.put(one, layout::REPORT, READABLE, 0);
    java.arm(2, one, READABLE, MULTISHOT, FOREVER);
    assert_eq!(java.completions(0).len(), 2);
    java.arm(1 | 1 << 32, one, READABLE, 0, FOREVER);
    let records = std::mem::take(&mut java.written) as i32;
    assert_eq!(cold::submit(java.context, FLUSH, records), Ok(0));
    assert_eq!(java.submit(MEMBERS, &[1]), Ok(2));
    assert_eq!(java.submit(MEMBERS, &[2]), Ok(1));
    assert_eq!(java.result()[..8], one.to_ne_bytes());
    // What was flushed completes in the next turn, and nothing of it was delivered before.
    assert_eq!(java.submit(MEMBERS, &[1 | 1 << 32]).unwrap_err().status(), Status::Stale);
    assert_eq!(java.completions(0)[0].a, 1 | 1 << 32);
}

#[test]
fn what_is_closed_completes_its_waits_and_is_closed_once() {
    let mut java = Java::new();
    let (event, channel) = (java.event(), java.foreign(8));
    java.arm(1, event, READABLE, 0, FOREVER);
    java.arm(2, channel, READABLE, 0, FOREVER);
    assert_eq!(java.turn(0).unwrap().changes.len(), 1);
    for _ in 0..2 {
        java.put(event, layout::CLOSE, 0, 0);
        java.put(channel, layout::CLOSE, 0, 0);
    }
    let turned = java.turn(0).unwrap();
    let closed = |a| Record { a, kind: 4, b: 0, c: 0 };
    assert_eq!(turned.completions, [closed(1), closed(2)]);
    assert_eq!(turned.changes, [Record { a: 8, kind: 0, b: 0, c: 0 }]);
    assert_eq!(java.stats()[10], 0);
}

#[test]
fn a_stale_report_is_counted_and_dropped() {
    let mut java = Java::new();
    let (channel, timer) = (java.foreign(1), java.submit(TIMER, &[1, 0]).unwrap() as u64);
    java.put(channel, layout::CLOSE, 0, 0);
    java.put(channel, layout::REPORT, READABLE, 0);
    java.put(0, layout::REPORT, READABLE, 0);
    java.put(u64::MAX, layout::REPORT, READABLE, 0);
    // It tells by itself.
    java.put(timer, layout::REPORT, READABLE, 0);
    java.turn(0).unwrap();
    assert_eq!(java.stats()[4], 4);
}

#[test]
fn a_wrong_record_is_told_once_the_others_were_taken() {
    let mut java = Java::new();
    let event = java.event();
    java.put(0, 77, 0, 0);
    java.put(event, layout::REPORT, 0, 0);
    java.arm(1, event, READABLE, 0, FOREVER);
    java.put(event, layout::REPORT, READABLE, 0);
    assert_eq!(java.turn(0).unwrap_err(), is(Status::Invalid));
    assert!(java.failure().message().starts_with("77 is no kind"));
    assert_eq!(java.failure().status(), Status::State);
    assert_eq!(java.completions(0)[0].a, 1);

    assert_eq!(java.cross(1_025, 0).unwrap_err(), is(Status::Invalid));
    assert!(java.failure().message().contains("1025"));
    assert_eq!(java.cross(-1, 0).unwrap_err(), is(Status::Invalid));
    // Whoever does not ask for the failure of a turn can go on.
    assert_eq!(java.completions(0), []);
}

#[test]
fn waits_of_others_are_not_told_to_java() {
    let mut java = Java::new();
    let event = java.event();
    // As C does through the pointer: by a name that Java might use, too.
    java.arm(3, event, READABLE, MULTISHOT, FOREVER);
    java.turn(0).unwrap();
    context::with(java.context, |context| {
        let waitable = crate::Token::from_bits(event);
        let set = [crate::Watch { waitable, interest: crate::Readiness::READABLE }];
        for user_data in [3, 4, u64::MAX] {
            context.reactor.wait_start(&crate::WaitSpec::any(&set).user_data(user_data))?;
        }
        Ok(())
    })
    .unwrap();
    java.put(event, layout::REPORT, READABLE, 0);
    let done = java.completions(0);
    assert_eq!(done, [Record { a: 3, kind: 1 | layout::MORE, b: READABLE, c: ready(0, 1) }]);
    assert_eq!(java.stats()[3], 3);
}

#[test]
fn more_ready_waits_than_the_ring_holds_come_over_several_turns() {
    let mut java = Java::new();
    let channels: Vec<u64> = (0..1_500).map(|handle| java.foreign(handle)).collect();
    let mut changes = 0;
    for (slot, channel) in channels.iter().enumerate() {
        if java.written == 1_024 {
            changes += java.turn(0).unwrap().changes.len();
        }
        java.arm(slot as u64, *channel, READABLE, 0, FOREVER);
    }
    loop {
        let turned = java.turn(0).unwrap();
        changes += turned.changes.len();
        if turned.flags & layout::TURN_MORE == 0 {
            break;
        }
    }
    assert_eq!(changes, 1_500);
    let mut done = 0;
    for chunk in channels.chunks(1_024) {
        for channel in chunk {
            java.put(*channel, layout::REPORT, READABLE, 0);
        }
        java.memory.set(12, 700i32.to_ne_bytes());
        let turned = java.turn(0).unwrap();
        assert!(turned.completions.len() <= 700);
        done += turned.completions.len();
    }
    while done < 1_500 {
        let turned = java.turn(0).unwrap();
        assert!(!turned.completions.is_empty());
        done += turned.completions.len();
    }
}
