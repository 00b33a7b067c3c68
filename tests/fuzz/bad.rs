//! Calls that have to be refused, wherever a sequence has got to: the list is that of `tests/ffi`, which calls each
//! function by itself. The sequence goes on, and its checks say whether a refused call has changed something.

use std::ffi::{c_char, c_void};

use awsgi::ffi::*;

use super::check::{self, POISON};
use super::list::FUNCTIONS;
use super::world::{byte, one_of, pick, reactor_pointer, token, word};

/// A function of the list.
pub struct Function {
    pub name: &'static str,
    /// The parameters that can be such that it has to refuse.
    pub refusing: &'static [usize],
    /// What it may answer.
    pub said: &'static [awsgi_status],
    pub call: fn(&mut Arguments) -> awsgi_status,
}

/// What a function is given: one parameter is bad for certain, the others are what the sequence has.
pub struct Arguments {
    bad: usize,
    /// Room for whatever a pointer points to, which is the caller's.
    rooms: Vec<Vec<u64>>,
    /// Of which nothing may be left after an error.
    results: Vec<usize>,
    /// How long an array is said to be.
    lengths: [usize; 8],
}

pub fn call() {
    let function = &FUNCTIONS[pick(FUNCTIONS.len())];
    let bad = one_of(function.refusing);
    check::trace(|| format!("{}, whose parameter {bad} is bad", function.name));
    // awsgi_last_error keeps what failed before it.
    // SAFETY: a token that never was.
    assert_ne!(unsafe { awsgi_wait_forget(0) }, AWSGI_OK);
    let mut arguments = Arguments { bad, rooms: Vec::new(), results: Vec::new(), lengths: [0; 8] };
    let status = (function.call)(&mut arguments);
    let ok = check::status(status, function.said);
    assert!(!ok, "{} takes what it has to refuse in parameter {bad}", function.name);
    assert_ne!(status, AWSGI_E_PANIC, "{}", function.name);
    for room in arguments.results {
        let first = arguments.rooms[room][0];
        // A descriptor: -1. Nothing is longer than its first word, or shorter than four bytes.
        let cleared = [0, u64::from(u32::MAX)].contains(&(first & u64::from(u32::MAX)));
        assert!(cleared, "{} leaves {first:#x} in a result", function.name);
    }
}

impl Arguments {
    fn room(&mut self, fill: u8) -> *mut u64 {
        self.rooms.push(vec![u64::from_ne_bytes([fill; 8]); 64]);
        self.rooms.last_mut().unwrap().as_mut_ptr()
    }

    pub fn reactor(&mut self, at: usize) -> *mut awsgi_reactor {
        if at != self.bad {
            return reactor_pointer();
        }
        one_of(&[1, 8, 64, usize::MAX, usize::MAX - 7]) as *mut awsgi_reactor
    }

    /// A gateway or a server that never was.
    pub fn nobody<T>(&mut self, _: usize) -> *mut T {
        one_of(&[1, 8, 64, usize::MAX, usize::MAX - 7]) as *mut T
    }

    pub fn token(&mut self, at: usize) -> u64 {
        if at == self.bad { one_of(&[0, 1, 77, u64::MAX, 15 << 60]) } else { token() }
    }

    pub fn number(&mut self) -> u64 {
        if byte() & 1 == 0 { u64::from(byte()) } else { word() }
    }

    /// An array: empty, or NULL and not empty.
    pub fn array(&mut self, at: usize) -> *mut c_void {
        if at == self.bad {
            self.lengths[at] = 1 + pick(4);
            return std::ptr::null_mut();
        }
        self.room(0).cast()
    }

    pub fn length(&self, of: usize) -> usize {
        self.lengths[of]
    }

    pub fn slice(&mut self, at: usize) -> awsgi_slice {
        let len = if at == self.bad { one_of(&[1, usize::MAX, 1 << 63]) } else { 0 };
        awsgi_slice { data: std::ptr::null(), len }
    }

    pub fn text(&mut self, at: usize) -> *const c_char {
        if at == self.bad { std::ptr::null() } else { c"/nowhere".as_ptr() }
    }

    /// A structure that begins with its size.
    pub fn sized<T>(&mut self, at: usize, optional: bool) -> *mut T {
        let room = self.room(0);
        let wrong = [0, size_of::<usize>() - 1, 1 << 17, usize::MAX];
        let size = match (at == self.bad, byte()) {
            (true, choice) if choice < 64 && !optional => return std::ptr::null_mut(),
            (true, _) => one_of(&wrong),
            (false, _) => size_of::<T>(),
        };
        // SAFETY: the room is larger than every structure.
        unsafe { room.cast::<usize>().write(size) };
        room.cast()
    }

    /// What a call reads.
    pub fn given(&mut self, at: usize) -> *mut c_void {
        if at == self.bad { std::ptr::null_mut() } else { self.room(0).cast() }
    }

    /// A place for a result.
    pub fn place(&mut self, at: usize, optional: bool) -> *mut c_void {
        if at == self.bad && !optional {
            return std::ptr::null_mut();
        }
        let room = self.room(POISON);
        self.results.push(self.rooms.len() - 1);
        room.cast()
    }
}
