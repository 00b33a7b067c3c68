//! The block that Java and the library share, and one crossing over it.
//!
//! `io.awsgi.core.Layout` is the other half; it compares itself with [`layout`] when the library is
//! loaded. Nothing here knows the rest of the crate: a crossing works on any [`Core`], so that what it
//! costs by itself can be measured with one that does nothing.

use std::marker::PhantomData;
use std::ptr::NonNull;

/// Changes whenever anything does that Java knows: the block, its records, the natives.
pub(crate) const ABI: i32 = 1;

/// The block in bytes.
pub(crate) const SIZE: usize = CHANGES + RING * RECORD;

// The header.
/// i64: when the next turn is due at the latest.
const DEADLINE: usize = 0;
/// i32: the budget of a turn; 0: the default.
const BUDGET: usize = 8;
/// i32: how many completions a turn may deliver; 0: as many as fit.
const ROOM: usize = 12;
/// i64: how many input records were processed.
const PROCESSED: usize = 16;

/// Where the arguments of a rare operation lie, and how many bytes there are for them.
pub(crate) const ARGUMENTS: usize = 128;
pub(crate) const ARGUMENTS_LENGTH: usize = INPUT - ARGUMENTS;

// The rings.
const INPUT: usize = 4096;
const COMPLETIONS: usize = INPUT + RING * RECORD;
const CHANGES: usize = COMPLETIONS + RING * RECORD;
/// A record in bytes.
const RECORD: usize = 16;
/// The records of a ring: a power of two, and as many events as a selector of Java's reports at once.
pub(crate) const RING: usize = 1024;

// Kinds of input.
pub(crate) const REPORT: u16 = 1;
pub(crate) const ARM: u16 = 2;
pub(crate) const MEMBER: u16 = 3;
pub(crate) const ARM_SET: u16 = 4;
pub(crate) const CANCEL: u16 = 5;
pub(crate) const FORGET: u16 = 6;
pub(crate) const REARM: u16 = 7;
pub(crate) const CLOSE: u16 = 8;
pub(crate) const SHUT: u16 = 9;
/// Panics, for tests of what becomes of a panic.
#[cfg(awsgi_faults)]
pub(crate) const PANIC_IN_TURN: u16 = 0x7f00;

// Bits of a completion's kind, beside its outcome.
pub(crate) const MORE: u16 = 0x100;
pub(crate) const REFUSED: u16 = 0x200;

// Flags of what a turn answers.
pub(crate) const TURN_MORE: u8 = 1;
pub(crate) const TURN_STOPPED: u8 = 2;
pub(crate) const TURN_CLOSED: u8 = 4;
pub(crate) const TURN_WATCHER: u8 = 8;
pub(crate) const TURN_LOG: u8 = 16;
pub(crate) const TURN_CLOSING: u8 = 32;

/// No deadline, as Java holds it.
const FOREVER: i64 = i64::MAX;
/// No deadline, or one that is further off than this many milliseconds.
const LONGEST: u64 = 0x7fff_ffff;
const MILLISECOND: u64 = 1_000_000;

/// What `Layout` compares; -1 for an item that does not exist.
pub(crate) fn layout(item: i32, highest_operation: i32) -> i32 {
    match item {
        0 => ABI,
        1 => SIZE as i32,
        2 => ARGUMENTS as i32,
        3 => ARGUMENTS_LENGTH as i32,
        4 => INPUT as i32,
        5 => COMPLETIONS as i32,
        6 => CHANGES as i32,
        7 => RECORD as i32,
        8 => RING as i32,
        9 => i32::from(SHUT),
        10 => highest_operation,
        11 => number(env!("CARGO_PKG_VERSION_MAJOR")),
        12 => number(env!("CARGO_PKG_VERSION_MINOR")),
        13 => number(env!("CARGO_PKG_VERSION_PATCH")),
        _ => -1,
    }
}

fn number(digits: &str) -> i32 {
    digits.parse().unwrap_or(-1)
}

/// A deadline of Java's in nanoseconds; `u64::MAX`: none.
pub(crate) fn deadline(given: i64) -> u64 {
    match given {
        FOREVER => u64::MAX,
        given => given.max(0) as u64,
    }
}

/// The second half of a record: `u16 kind, u16 b, i32 c`.
fn pack(kind: u16, b: u16, c: i32) -> u64 {
    let ([k0, k1], [b0, b1], [c0, c1, c2, c3]) =
        (kind.to_ne_bytes(), b.to_ne_bytes(), c.to_ne_bytes());
    u64::from_ne_bytes([k0, k1, b0, b1, c0, c1, c2, c3])
}

fn unpack(half: u64) -> (u16, u16, i32) {
    let [k0, k1, b0, b1, c0, c1, c2, c3] = half.to_ne_bytes();
    (
        u16::from_ne_bytes([k0, k1]),
        u16::from_ne_bytes([b0, b1]),
        i32::from_ne_bytes([c0, c1, c2, c3]),
    )
}

/// A block of Java's.
#[derive(Clone, Copy)]
pub(crate) struct Block(NonNull<u8>);

impl Block {
    /// The block at an address; `None` if it is NULL, or not a multiple of 8.
    ///
    /// # Safety
    ///
    /// [`SIZE`] bytes from there on can be read and written for as long as the block or a copy of it
    /// is used, and nothing in Rust refers to them.
    pub(crate) unsafe fn at(address: *mut u8) -> Option<Block> {
        let address = NonNull::new(address)?;
        (address.as_ptr() as usize % 8 == 0).then_some(Block(address))
    }

    /// Eight bytes. Java could write them meanwhile: they are read once.
    #[inline(always)]
    fn get(self, offset: usize) -> u64 {
        debug_assert!(offset % 8 == 0 && offset < SIZE);
        // SAFETY: every caller is in this file, and gives a multiple of 8 below SIZE, which is one,
        // too; the address is a multiple of 8, and `at` was promised the rest.
        unsafe { self.0.as_ptr().add(offset).cast::<u64>().read_volatile() }
    }

    #[inline(always)]
    fn set(self, offset: usize, value: u64) {
        debug_assert!(offset % 8 == 0 && offset < SIZE);
        // SAFETY: as for `get`.
        unsafe { self.0.as_ptr().add(offset).cast::<u64>().write(value) }
    }

    /// A record of a ring. Any index is one of the ring's.
    #[inline(always)]
    fn record(self, ring: usize, index: usize) -> (u64, u64) {
        let offset = ring + index % RING * RECORD;
        (self.get(offset), self.get(offset + 8))
    }

    fn header(self, offset: usize) -> i32 {
        debug_assert!(offset == BUDGET || offset == ROOM);
        // SAFETY: a multiple of 4 in the header; else as for `get`.
        unsafe { self.0.as_ptr().add(offset).cast::<i32>().read_volatile() }
    }

    /// Copies the arguments of a rare operation; `None` if there is no room for so many.
    pub(crate) fn arguments(self, length: i32, to: &mut Vec<u8>) -> Option<()> {
        let length = usize::try_from(length).ok().filter(|length| *length <= ARGUMENTS_LENGTH)?;
        let before = to.len();
        to.resize(before + length, 0);
        let room = to.get_mut(before..)?;
        // SAFETY: `room` has `length` bytes, the arguments as many, and nothing in Rust refers to
        // those.
        unsafe {
            let from = self.0.as_ptr().add(ARGUMENTS);
            from.copy_to_nonoverlapping(room.as_mut_ptr(), length);
        }
        Some(())
    }

    /// Puts as much of an operation's result where its arguments were as there is room for. Answers
    /// how much.
    pub(crate) fn answer(self, result: &[u8]) -> usize {
        let length = result.len().min(ARGUMENTS_LENGTH);
        // SAFETY: as for `arguments`.
        unsafe {
            let to = self.0.as_ptr().add(ARGUMENTS);
            to.copy_from_nonoverlapping(result.as_ptr(), length);
        }
        length
    }

    /// The last of the `count` completions that a turn has delivered to a wait: its kind, and its
    /// readiness.
    pub(crate) fn last_completion(self, user_data: u64, count: usize) -> Option<(u16, u16)> {
        (0..count.min(RING)).rev().find_map(|index| {
            let (whose, half) = self.record(COMPLETIONS, index);
            let (kind, ready, _) = unpack(half);
            (whose == user_data).then_some((kind, ready))
        })
    }
}

/// Input records that were not looked at yet.
pub(crate) struct Records {
    block: Block,
    count: usize,
}

/// A question in two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arm {
    pub(crate) user_data: u64,
    pub(crate) flags: u32,
    /// In nanoseconds; `u64::MAX`: none.
    pub(crate) deadline: u64,
}

/// What takes input records, one by one and in their order.
pub(crate) trait Input {
    fn report(&mut self, waitable: u64, ready: u16);
    fn arm(&mut self, arm: Arm, waitable: u64, interest: u16);
    fn member(&mut self, waitable: u64, interest: u16);
    fn arm_set(&mut self, arm: Arm, at_least: u16, count: i64);
    fn cancel(&mut self, user_data: u64);
    fn forget(&mut self, user_data: u64);
    fn rearm(&mut self, user_data: u64);
    fn close(&mut self, waitable: u64);
    fn shut(&mut self);
    /// A question without its second record.
    fn cut_off(&mut self, user_data: u64);
    /// A record of a kind that does not exist.
    fn unknown(&mut self, kind: u16);
}

impl Records {
    /// Hands them all over.
    #[inline(always)]
    pub(crate) fn feed(self, input: &mut impl Input) {
        let mut at = 0;
        while at < self.count {
            let (a, half) = self.block.record(INPUT, at);
            at += 1;
            let (kind, b, _) = unpack(half);
            // Most records are reports.
            if kind == REPORT {
                input.report(a, b);
            } else {
                at = self.rest(at, input, a, half);
            }
        }
    }

    /// Hands a record over that is no report, and answers where the next one lies. By itself: the
    /// compiler would make one table of all kinds, in which reports had to be looked up, too.
    #[inline(never)]
    fn rest(&self, at: usize, input: &mut impl Input, a: u64, half: u64) -> usize {
        let (kind, b, c) = unpack(half);
        match kind {
            ARM | ARM_SET if at == self.count => input.cut_off(a),
            ARM | ARM_SET => {
                let (first, second) = self.block.record(INPUT, at);
                let arm = Arm { user_data: a, flags: c as u32, deadline: deadline(second as i64) };
                if kind == ARM {
                    input.arm(arm, first, b);
                } else {
                    input.arm_set(arm, b, first as i64);
                }
                return at + 1;
            }
            MEMBER => input.member(a, b),
            CANCEL => input.cancel(a),
            FORGET => input.forget(a),
            REARM => input.rearm(a),
            CLOSE => input.close(a),
            SHUT => input.shut(),
            #[cfg(awsgi_faults)]
            PANIC_IN_TURN => panic!("planted"),
            _ => input.unknown(kind),
        }
        at
    }
}

/// Records of a ring that is being written.
pub(crate) struct Output<'a> {
    block: Block,
    ring: usize,
    room: usize,
    count: usize,
    /// One at a time.
    whole: PhantomData<&'a mut Block>,
}

impl Output<'_> {
    fn new(block: Block, ring: usize, room: usize) -> Self {
        Output { block, ring, room, count: 0, whole: PhantomData }
    }

    /// How many records were written.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// How many records fit still.
    pub(crate) fn room(&self) -> usize {
        self.room - self.count
    }

    /// Writes a record, if one fits still.
    #[inline(always)]
    pub(crate) fn put(&mut self, a: u64, kind: u16, b: u16, c: i32) {
        if self.count < self.room {
            let offset = self.ring + self.count % RING * RECORD;
            self.block.set(offset, a);
            self.block.set(offset + 8, pack(kind, b, c));
            self.count += 1;
        }
    }
}

/// What a turn may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// The host's time, in nanoseconds.
    pub(crate) now: u64,
    /// 0: the default.
    pub(crate) budget: u32,
}

/// What a turn did, beside its records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turned {
    /// The time on the clock of the deadline, where there is one.
    pub(crate) now: u64,
    /// `u64::MAX`: none.
    pub(crate) next_deadline: u64,
    pub(crate) flags: u8,
}

/// What is turned. A failure is a negative status; its words are kept there.
pub(crate) trait Core {
    /// Has its input take the records.
    fn take(&mut self, records: Records, now: u64) -> Result<(), i32>;

    /// Refuses a number of records that no ring holds.
    fn beyond(&mut self, records: i32) -> i32;

    /// One turn.
    fn turn(
        &mut self,
        asked: &Asked,
        completions: &mut Output<'_>,
        changes: &mut Output<'_>,
    ) -> Result<Turned, i32>;
}

/// Hands `count` records of the input over.
#[inline(always)]
pub(crate) fn feed<C: Core>(core: &mut C, block: Block, count: i32, now: i64) -> Result<(), i32> {
    match usize::try_from(count) {
        Ok(0) => Ok(()),
        Ok(count) if count <= RING => {
            block.set(PROCESSED, block.get(PROCESSED).wrapping_add(count as u64));
            core.take(Records { block, count }, now.max(0) as u64)
        }
        _ => Err(core.beyond(count)),
    }
}

/// One crossing: hands the records over, turns, and answers how many completions (bits 0 to 11) and
/// changes (12 to 23) lie in their rings, flags (24 to 31), and for how many milliseconds the host may
/// sleep (32 to 62); or a status, which is negative.
#[inline(always)]
pub(crate) fn cross<C: Core>(core: &mut C, block: Block, records: i32, now: i64) -> i64 {
    match crossed(core, block, records, now) {
        Ok(answer) => answer,
        Err(status) => status.into(),
    }
}

#[inline(always)]
fn crossed<C: Core>(core: &mut C, block: Block, records: i32, now: i64) -> Result<i64, i32> {
    feed(core, block, records, now)?;
    let asked = Asked { now: now.max(0) as u64, budget: block.header(BUDGET).max(0) as u32 };
    let room = match usize::try_from(block.header(ROOM)) {
        Ok(room @ 1..RING) => room,
        _ => RING,
    };
    let mut completions = Output::new(block, COMPLETIONS, room);
    let mut changes = Output::new(block, CHANGES, RING);
    let turned = core.turn(&asked, &mut completions, &mut changes)?;
    block.set(DEADLINE, turned.next_deadline.min(FOREVER as u64));
    Ok(completions.count as i64
        | (changes.count as i64) << 12
        | i64::from(turned.flags) << 24
        | (milliseconds(&turned) as i64) << 32)
}

/// How long the host may sleep. Rounded up: it would find nothing to do before the deadline.
fn milliseconds(turned: &Turned) -> u64 {
    match turned.next_deadline {
        u64::MAX => LONGEST,
        next => next.saturating_sub(turned.now).div_ceil(MILLISECOND).min(LONGEST),
    }
}
