//! What holds of every call.

use std::ffi::{CStr, c_char};
use std::panic::Location;
use std::sync::OnceLock;

use awsgi::ffi::*;

use super::world::{World, byte, one_of, pick, world};

/// What an out parameter holds before the call.
pub const POISON: u8 = 0xa5;

/// A place for a result, full of what nobody wrote.
pub fn poisoned<T: Copy>() -> T {
    let mut value = std::mem::MaybeUninit::<T>::uninit();
    // SAFETY: the place is as large; only types of integers and raw pointers are asked for.
    unsafe {
        value.as_mut_ptr().cast::<u8>().write_bytes(POISON, size_of::<T>());
        value.assume_init()
    }
}

/// Checks a status: one that the header says, and with a sentence if it is an error.
#[track_caller]
pub fn status(status: awsgi_status, said: &[awsgi_status]) -> bool {
    if status == AWSGI_OK {
        trace(|| name(status).to_owned());
        return true;
    }
    let sentence = last_error();
    trace(|| format!("{}: {sentence}", name(status)));
    assert!(said.contains(&status), "{} is not what the header says: {sentence}", name(status));
    assert!(!sentence.is_empty(), "{} without a sentence", name(status));
    false
}

/// Tells what happens where the caller is, with `AWSGI_FUZZ_TRACE` set.
#[track_caller]
pub fn trace(what: impl FnOnce() -> String) {
    if is_told() {
        let depth = world(|world| world.turning.len());
        tell(depth, &what());
    }
}

/// The same for who looks at the world.
#[track_caller]
pub fn trace_in(world: &World, what: impl FnOnce() -> String) {
    if is_told() {
        tell(world.turning.len(), &what());
    }
}

fn is_told() -> bool {
    static TOLD: OnceLock<bool> = OnceLock::new();
    *TOLD.get_or_init(|| std::env::var_os("AWSGI_FUZZ_TRACE").is_some())
}

#[track_caller]
fn tell(depth: usize, what: &str) {
    let at = Location::caller();
    println!("{:1$}{2}:{3}: {what}", "", 4 * depth, at.file(), at.line());
}

/// Checks that a result was zeroed, or written.
#[track_caller]
pub fn zeroed<T: Copy + PartialEq + std::fmt::Debug>(ok: bool, value: T, zero: T) {
    if !ok {
        assert_eq!(value, zero, "an error leaves a result that is not zero");
    }
}

pub fn name(status: awsgi_status) -> &'static str {
    // SAFETY: a static string, as the header says.
    unsafe { CStr::from_ptr(awsgi_status_name(status)) }.to_str().unwrap()
}

fn last_error() -> String {
    let mut buffer = [POISON; 512];
    let mut length = usize::MAX;
    // SAFETY: the buffer has the capacity, the place lives, and NULL may be given.
    let answer = unsafe {
        awsgi_last_error(
            buffer.as_mut_ptr().cast::<c_char>(),
            buffer.len(),
            &raw mut length,
            std::ptr::null_mut(),
        )
    };
    assert_eq!(answer, AWSGI_OK);
    let text = CStr::from_bytes_until_nul(&buffer).expect("a sentence without its NUL");
    assert_eq!(text.count_bytes(), length.min(buffer.len() - 1), "a sentence is cut elsewhere");
    text.to_str().expect("a sentence that is not UTF-8").to_owned()
}

/// A structure as C gives it: with the size that the host says it has, and room behind it for what
/// a later header may have added.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Sized<T> {
    pub value: T,
    tail: [u64; 8],
}

impl<T: Copy> Sized<T> {
    /// `value`, whose size is what it should be, or seldom something else. Answers whether it may
    /// be taken.
    pub fn new(mut value: T) -> (Sized<T>, bool) {
        let ours = size_of::<T>();
        let mut tail = [0; 8];
        let (size, taken) = match byte() {
            0xf8 => (0, false),
            0xf9 => (size_of::<usize>() - 1, false),
            0xfa => (ours - 8, false),
            0xfb => (ours + 8, true),
            0xfc => {
                tail[1] = 1;
                (ours + 16, false)
            }
            0xfd => (1 << 17, false),
            0xfe => (usize::MAX, false),
            _ => (ours, true),
        };
        // SAFETY: every such structure begins with its size.
        unsafe { (&raw mut value).cast::<usize>().write(size) };
        (Sized { value, tail }, taken)
    }

    /// Whether results have room in it, also where it is not taken.
    pub fn has_room(&self) -> bool {
        // SAFETY: every such structure begins with its size.
        let size = unsafe { (&raw const self.value).cast::<usize>().read() };
        (size_of::<T>()..1 << 16).contains(&size)
    }

    /// A pointer with the provenance of the whole.
    pub fn pointer(&mut self) -> *mut T {
        (&raw mut *self).cast()
    }
}

/// NULL once in a while, in place of a pointer.
pub fn perhaps_null<T>(pointer: *mut T) -> *mut T {
    if byte() == 0xff { std::ptr::null_mut() } else { pointer }
}

pub fn errors_and_versions() {
    match pick(4) {
        0 => {
            let capacity = pick(80);
            let mut buffer = vec![POISON; capacity];
            let (mut length, mut errno) = (usize::MAX, i32::MAX);
            let place = if capacity == 0 || byte() == 0xff {
                std::ptr::null_mut()
            } else {
                buffer.as_mut_ptr()
            };
            // SAFETY: the buffer has its capacity, or is NULL.
            let answer = unsafe {
                awsgi_last_error(place.cast(), capacity, &raw mut length, &raw mut errno)
            };
            let refused = place.is_null() && capacity > 0;
            assert_eq!(answer, if refused { AWSGI_E_NULL } else { AWSGI_OK });
            assert!(length < 4096 && errno >= 0);
            if !place.is_null() {
                assert!(CStr::from_bytes_until_nul(&buffer).is_ok());
            }
        }
        1 => {
            let (mut number, mut abi) = (poisoned::<u32>(), poisoned::<u32>());
            // SAFETY: the places live, or are NULL.
            let answer =
                unsafe { awsgi_version(perhaps_null(&raw mut number), perhaps_null(&raw mut abi)) };
            assert_eq!(answer, AWSGI_OK);
        }
        2 => {
            let status = one_of(&[1, 0, -1, -15, -16, i32::MIN, i32::MAX]);
            assert_eq!(name(status) == "AWSGI_E_?", !(-15..=0).contains(&status));
        }
        _ => {
            // Nothing but time passes: less than a millisecond.
            if world(|world| world.turning.is_empty()) {
                std::thread::sleep(std::time::Duration::from_micros(u64::from(byte())));
            }
        }
    }
}
