//! The block by itself: what goes in and out of its rings.

use super::*;
use crate::jni::block::{Arm, Asked, Core, Input, Output, Records, Turned, cross};

/// Notes what it is given, and turns as it is told.
#[derive(Default)]
struct Stub {
    seen: Vec<String>,
    now: u64,
    asked: Option<Asked>,
    completions: usize,
    changes: usize,
    next_deadline: u64,
    refusal: i32,
}

impl Input for Stub {
    fn report(&mut self, waitable: u64, ready: u16) {
        self.seen.push(format!("report {waitable:x} {ready}"));
    }
    fn arm(&mut self, arm: Arm, waitable: u64, interest: u16) {
        let Arm { user_data, flags, deadline } = arm;
        self.seen.push(format!("arm {user_data:x} {waitable:x} {interest} {flags} {deadline}"));
    }
    fn member(&mut self, waitable: u64, interest: u16) {
        self.seen.push(format!("member {waitable:x} {interest}"));
    }
    fn arm_set(&mut self, arm: Arm, at_least: u16, count: i64) {
        self.seen.push(format!("set {:x} {at_least} {count} {}", arm.user_data, arm.deadline));
    }
    fn cancel(&mut self, user_data: u64) {
        self.seen.push(format!("cancel {user_data:x}"));
    }
    fn forget(&mut self, user_data: u64) {
        self.seen.push(format!("forget {user_data:x}"));
    }
    fn rearm(&mut self, user_data: u64) {
        self.seen.push(format!("rearm {user_data:x}"));
    }
    fn close(&mut self, waitable: u64) {
        self.seen.push(format!("close {waitable:x}"));
    }
    fn shut(&mut self) {
        self.seen.push("shut".into());
    }
    fn cut_off(&mut self, user_data: u64) {
        self.seen.push(format!("cut off {user_data:x}"));
    }
    fn unknown(&mut self, kind: u16) {
        self.seen.push(format!("unknown {kind}"));
    }
}

impl Core for Stub {
    fn take(&mut self, records: Records, now: u64) -> Result<(), i32> {
        self.now = now;
        records.feed(self);
        if self.refusal < 0 { Err(self.refusal) } else { Ok(()) }
    }

    fn beyond(&mut self, _: i32) -> i32 {
        -2
    }

    fn turn(
        &mut self,
        asked: &Asked,
        completions: &mut Output<'_>,
        changes: &mut Output<'_>,
    ) -> Result<Turned, i32> {
        self.asked = Some(*asked);
        for index in 0..self.completions {
            completions.put(index as u64, 0x101, index as u16, -(index as i32));
        }
        for index in 0..self.changes {
            changes.put(index as u64 | 1 << 63, 1, 3, 0);
        }
        Ok(Turned { now: asked.now, next_deadline: self.next_deadline, flags: 0x81 })
    }
}

#[test]
fn records_come_out_as_java_has_put_them_in() {
    let memory = Memory::new();
    let records = [
        (u64::MAX, layout::REPORT, 63, 0),
        (7, layout::CANCEL, 0, 0),
        (8 << 32, layout::FORGET, 0, 0),
        (9, layout::REARM, 0, 0),
        (10, layout::CLOSE, 0, 0),
        (11, layout::MEMBER, 0x8001, 0),
        (0, layout::SHUT, 0, 0),
        (12, 0x1234, 0, 0),
    ];
    for (index, (a, kind, b, c)) in records.into_iter().enumerate() {
        memory.put(INPUT, index, Record { a, kind, b, c });
    }
    let mut stub = Stub::default();
    assert!(cross(&mut stub, memory.block(), 8, 5) >= 0);
    let seen = [
        "report ffffffffffffffff 63",
        "cancel 7",
        "forget 800000000",
        "rearm 9",
        "close a",
        "member b 32769",
        "shut",
        "unknown 4660",
    ];
    assert_eq!(stub.seen, seen);
    assert_eq!(stub.now, 5);
    assert_eq!(i64::from_ne_bytes(memory.get(16)), 8);
}

#[test]
fn a_question_is_two_records_and_its_deadline_is_never_now_or_a_time() {
    let memory = Memory::new();
    let mut at = 0;
    for (kind, deadline) in
        [(layout::ARM, i64::MAX), (layout::ARM, 0), (layout::ARM, -5), (layout::ARM_SET, 77)]
    {
        memory.put(INPUT, at, Record { a: 1 << 32, kind, b: 3, c: 2 });
        memory.set(INPUT + at * 16 + 16, 6u64.to_ne_bytes());
        memory.set(INPUT + at * 16 + 24, deadline.to_ne_bytes());
        at += 2;
    }
    // The second record is beyond what was given.
    memory.put(INPUT, at, Record { a: 9, kind: layout::ARM, b: 1, c: 0 });
    let mut stub = Stub::default();
    assert!(cross(&mut stub, memory.block(), 9, 0) >= 0);
    let seen = [
        format!("arm 100000000 6 3 2 {}", u64::MAX),
        "arm 100000000 6 3 2 0".into(),
        "arm 100000000 6 3 2 0".into(),
        "set 100000000 3 6 77".into(),
        "cut off 9".into(),
    ];
    assert_eq!(stub.seen, seen);
}

#[test]
fn an_answer_holds_counts_flags_and_the_time_to_sleep() {
    let memory = Memory::new();
    let mut stub = Stub { completions: 2, changes: 3, next_deadline: 3_000_001, ..Stub::default() };
    let answer = cross(&mut stub, memory.block(), 0, 1_000_000);
    assert_eq!(answer & 0xfff, 2);
    assert_eq!(answer >> 12 & 0xfff, 3);
    assert_eq!(answer >> 24 & 0xff, 0x81);
    // Rounded up, or it would wake before the time.
    assert_eq!(answer >> 32, 3);
    assert_eq!(i64::from_ne_bytes(memory.get(0)), 3_000_001);
    assert_eq!(memory.record(COMPLETIONS, 1), Record { a: 1, kind: 0x101, b: 1, c: -1 });
    assert_eq!(memory.record(CHANGES, 2), Record { a: 2 | 1 << 63, kind: 1, b: 3, c: 0 });

    for (now, next_deadline, timeout) in [
        (5, 5, 0),
        (5, 4, 0),
        (0, 1, 1),
        (0, u64::MAX, 0x7fff_ffff),
        (0, u64::MAX - 1, 0x7fff_ffff),
        (-7, 1_000_000, 1),
    ] {
        stub.next_deadline = next_deadline;
        assert_eq!(cross(&mut stub, memory.block(), 0, now) >> 32, timeout, "{next_deadline}");
    }
    assert_eq!(i64::from_ne_bytes(memory.get(0)), 1_000_000);
}

#[test]
fn rings_hold_as_much_as_they_are_large_and_not_more_than_java_wants() {
    let memory = Memory::new();
    let mut stub = Stub { completions: 2_000, changes: 2_000, ..Stub::default() };
    let answer = cross(&mut stub, memory.block(), 0, 0);
    assert_eq!((answer & 0xfff, answer >> 12 & 0xfff), (1_024, 1_024));
    for (room, fit) in [(10, 10), (1_024, 1_024), (1_025, 1_024), (-1, 1_024), (0, 1_024)] {
        memory.set(12, i32::to_ne_bytes(room));
        assert_eq!(cross(&mut stub, memory.block(), 0, 0) & 0xfff, fit, "{room}");
    }
    memory.set(8, 17i32.to_ne_bytes());
    cross(&mut stub, memory.block(), 0, 0);
    assert_eq!(stub.asked.unwrap().budget, 17);
    memory.set(8, (-17i32).to_ne_bytes());
    cross(&mut stub, memory.block(), 0, 0);
    assert_eq!(stub.asked.unwrap().budget, 0);
}

#[test]
fn records_that_were_refused_end_the_crossing_before_the_turn() {
    let memory = Memory::new();
    let mut stub = Stub { refusal: -2, ..Stub::default() };
    assert_eq!(cross(&mut stub, memory.block(), 1, 0), -2);
    assert!(stub.asked.is_none());
    for records in [1_025, -1, i32::MIN, i32::MAX] {
        stub.seen.clear();
        assert_eq!(cross(&mut stub, memory.block(), records, 0), -2);
        assert!(stub.seen.is_empty() && stub.asked.is_none());
    }
}

#[test]
fn only_an_address_that_a_block_can_have_is_one() {
    let memory = Memory::new();
    // SAFETY: nothing is read through what is refused.
    unsafe {
        assert!(Block::at(ptr::null_mut()).is_none());
        assert!(Block::at(memory.0.cast::<u8>().add(4)).is_none());
    }
}
