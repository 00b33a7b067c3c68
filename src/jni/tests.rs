//! The bridge without a JVM: a host that does what the Java classes do.

mod arms;
mod block;
mod contexts;
mod noise;
mod wakes;

use std::ptr;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::block::{self as layout, Block, SIZE};
use super::{cold, context, natives};
use crate::error::{Error, Result, Status};

/// Offsets as Java has them.
const INPUT: usize = 4096;
const COMPLETIONS: usize = 20_480;
const CHANGES: usize = 36_864;
const ARGUMENTS: usize = 128;

const FOREVER: i64 = i64::MAX;
const READABLE: u16 = 1;
const WRITABLE: u16 = 2;
const MULTISHOT: i32 = 1;

// Operations.
const APPEND: i32 = 0;
const EVENT: i32 = 1;
const TIMER: i32 = 2;
const FOREIGN: i32 = 3;
const DESCRIPTOR: i32 = 4;
const TAKE: i32 = 5;
const LABEL: i32 = 6;
const DESCRIBE: i32 = 7;
const STATS: i32 = 8;
const MEMBERS: i32 = 9;
const FAILURE: i32 = 13;
const FREE: i32 = 14;
const FLUSH: i32 = 15;

/// Whether a thread may be told of wake-ups depends on all contexts of the process: tests of that have
/// them for themselves.
static CONTEXTS: RwLock<()> = RwLock::new(());

fn alone() -> RwLockWriteGuard<'static, ()> {
    CONTEXTS.write().unwrap_or_else(PoisonError::into_inner)
}

/// Memory that only the bridge and the host's functions reach.
struct Memory(*mut u64);

// SAFETY: memory, of which this is the only owner.
unsafe impl Send for Memory {}

impl Memory {
    fn new() -> Memory {
        Memory(Box::into_raw(vec![0u64; SIZE / 8].into_boxed_slice()).cast())
    }

    fn block(&self) -> Block {
        // SAFETY: as large as a block, and not referred to.
        unsafe { Block::at(self.0.cast()).unwrap() }
    }

    fn get<const N: usize>(&self, offset: usize) -> [u8; N] {
        assert!(offset + N <= SIZE);
        // SAFETY: inside of the memory.
        unsafe { self.0.cast::<u8>().add(offset).cast::<[u8; N]>().read() }
    }

    fn set<const N: usize>(&self, offset: usize, bytes: [u8; N]) {
        assert!(offset + N <= SIZE);
        // SAFETY: inside of the memory.
        unsafe { self.0.cast::<u8>().add(offset).cast::<[u8; N]>().write(bytes) };
    }

    fn record(&self, ring: usize, index: usize) -> Record {
        let at = ring + index * 16;
        Record {
            a: u64::from_ne_bytes(self.get(at)),
            kind: u16::from_ne_bytes(self.get(at + 8)),
            b: u16::from_ne_bytes(self.get(at + 10)),
            c: i32::from_ne_bytes(self.get(at + 12)),
        }
    }

    fn put(&self, ring: usize, index: usize, record: Record) {
        let at = ring + index * 16;
        self.set(at, record.a.to_ne_bytes());
        self.set(at + 8, record.kind.to_ne_bytes());
        self.set(at + 10, record.b.to_ne_bytes());
        self.set(at + 12, record.c.to_ne_bytes());
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: made so in `new`.
        drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(self.0, SIZE / 8)) });
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    a: u64,
    kind: u16,
    b: u16,
    c: i32,
}

/// What a turn answered, with its records.
#[derive(Debug)]
struct Turned {
    completions: Vec<Record>,
    changes: Vec<Record>,
    flags: u8,
    timeout: i64,
}

/// A host.
struct Java {
    memory: Memory,
    context: i64,
    written: usize,
    _shared: Option<RwLockReadGuard<'static, ()>>,
}

impl Java {
    fn new() -> Java {
        Java::with(0, 0, 0)
    }

    fn with(mode: i32, max_waitables: i32, max_waits: i32) -> Java {
        let shared = CONTEXTS.read().unwrap_or_else(PoisonError::into_inner);
        Java::made(mode, max_waitables, max_waits, Some(shared))
    }

    /// For who has all contexts for himself.
    fn alone(_: &RwLockWriteGuard<'static, ()>) -> Java {
        Java::made(0, 0, 0, None)
    }

    fn made(
        mode: i32,
        max_waitables: i32,
        max_waits: i32,
        shared: Option<RwLockReadGuard<'static, ()>>,
    ) -> Java {
        let memory = Memory::new();
        let context = context::open(memory.block(), mode, max_waitables, max_waits).unwrap();
        Java { memory, context, written: 0, _shared: shared }
    }

    fn number(&self) -> u16 {
        self.context as u16
    }

    fn put(&mut self, a: u64, kind: u16, b: u16, c: i32) {
        self.memory.put(INPUT, self.written, Record { a, kind, b, c });
        self.written += 1;
    }

    fn put_raw(&mut self, a: u64, b: i64) {
        self.memory.set(INPUT + self.written * 16, a.to_ne_bytes());
        self.memory.set(INPUT + self.written * 16 + 8, b.to_ne_bytes());
        self.written += 1;
    }

    fn arm(&mut self, user_data: u64, waitable: u64, interest: u16, flags: i32, deadline: i64) {
        self.put(user_data, layout::ARM, interest, flags);
        self.put_raw(waitable, deadline);
    }

    fn arm_set(&mut self, user_data: u64, at_least: u16, count: i64, deadline: i64) {
        self.put(user_data, layout::ARM_SET, at_least, 0);
        self.put_raw(count as u64, deadline);
    }

    /// One turn; else the status.
    fn turn(&mut self, now: i64) -> Result<Turned, i64> {
        let records = std::mem::take(&mut self.written) as i32;
        self.cross(records, now)
    }

    fn cross(&mut self, records: i32, now: i64) -> Result<Turned, i64> {
        let answer = natives::turn(ptr::null_mut(), ptr::null_mut(), self.context, records, now);
        if answer < 0 {
            return Err(answer);
        }
        let read = |ring, count: i64| {
            (0..count as usize).map(|index| self.memory.record(ring, index)).collect()
        };
        Ok(Turned {
            completions: read(COMPLETIONS, answer & 0xfff),
            changes: read(CHANGES, answer >> 12 & 0xfff),
            flags: (answer >> 24) as u8,
            timeout: answer >> 32,
        })
    }

    /// What a turn without input completes.
    fn completions(&mut self, now: i64) -> Vec<Record> {
        self.turn(now).unwrap().completions
    }

    fn submit(&self, operation: i32, arguments: &[i64]) -> Result<i64> {
        for (index, argument) in arguments.iter().enumerate() {
            self.memory.set(ARGUMENTS + index * 8, argument.to_ne_bytes());
        }
        cold::submit(self.context, operation, arguments.len() as i32 * 8)
    }

    /// What the last operation left.
    fn result(&self) -> Vec<u8> {
        let mut whole = Vec::new();
        loop {
            let length = cold::result(self.context, whole.len() as i32).unwrap();
            if length == 0 {
                return whole;
            }
            for index in 0..length as usize {
                whole.extend(self.memory.get::<1>(ARGUMENTS + index));
            }
        }
    }

    fn event(&self) -> u64 {
        self.submit(EVENT, &[0]).unwrap() as u64
    }

    fn foreign(&self, handle: i64) -> u64 {
        self.submit(FOREIGN, &[handle, 0]).unwrap() as u64
    }

    fn failure(&self) -> Error {
        self.submit(FAILURE, &[]).unwrap_err()
    }

    fn stats(&self) -> [u64; 11] {
        assert_eq!(self.submit(STATS, &[]), Ok(11));
        let bytes = self.result();
        let mut counts = [0; 11];
        for (count, bytes) in counts.iter_mut().zip(bytes.chunks(8)) {
            *count = u64::from_ne_bytes(bytes.try_into().unwrap());
        }
        counts
    }

    /// Ends the reactor.
    fn free(&mut self) {
        self.written = 0;
        self.put(0, layout::SHUT, 0, 0);
        while self.turn(0).unwrap().flags & layout::TURN_CLOSED == 0 {}
        assert_eq!(self.submit(FREE, &[]), Ok(0));
        self.context = 0;
    }
}

impl Drop for Java {
    fn drop(&mut self) {
        if self.context != 0 && !std::thread::panicking() {
            self.free();
        }
    }
}

fn signal(token: u64, bits: u16) -> i32 {
    natives::signal(ptr::null_mut(), ptr::null_mut(), token as i64, bits.into())
}

fn ready(index: u32, members: u32) -> i32 {
    (index | members << 16) as i32
}

fn is(status: Status) -> i64 {
    i64::from(status as i32)
}
