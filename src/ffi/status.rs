//! Statuses, versions and the last error.

use std::ffi::c_char;

use super::guard::{guard, last, out_if_wanted};

/// The result of every function: AWSGI_OK, or one of AWSGI_E_*, which are negative and never
/// renumbered.
pub type awsgi_status = i32;

/// The call did what it says.
pub const AWSGI_OK: awsgi_status = 0;
/// A pointer that must not be NULL was.
pub const AWSGI_E_NULL: awsgi_status = -1;
/// An argument is outside what the call accepts.
pub const AWSGI_E_INVALID: awsgi_status = -2;
/// The token or pointer outlived its object.
pub const AWSGI_E_STALE: awsgi_status = -3;
/// The call belongs to another thread.
pub const AWSGI_E_THREAD: awsgi_status = -4;
/// The process was forked after the reactor was made.
pub const AWSGI_E_FORKED: awsgi_status = -5;
/// The object is not in a state in which the call makes sense.
pub const AWSGI_E_STATE: awsgi_status = -6;
/// Something still depends on the object.
pub const AWSGI_E_BUSY: awsgi_status = -7;
/// The call was made from inside a call that excludes it.
pub const AWSGI_E_REENTRANT: awsgi_status = -8;
/// A limit was reached.
pub const AWSGI_E_LIMIT: awsgi_status = -9;
/// The operating system refused; awsgi_last_error says what and why.
pub const AWSGI_E_OS: awsgi_status = -10;
/// Announced, but not available in this release, in this build or on this platform.
pub const AWSGI_E_UNSUPPORTED: awsgi_status = -11;
/// Event loops would watch each other in a circle, or too deeply.
pub const AWSGI_E_NESTING: awsgi_status = -12;
/// The other side is gone, or the object is being closed.
pub const AWSGI_E_CLOSED: awsgi_status = -13;
/// A bug of the library was caught; nothing but the object involved is affected.
pub const AWSGI_E_PANIC: awsgi_status = -14;
/// Nothing there now: wait, and call again.
pub const AWSGI_E_AGAIN: awsgi_status = -15;

/// The name of a status, as "AWSGI_E_STALE".
///
/// Returns: a string that ends in NUL; "AWSGI_E_?" for a number that is no status. Never NULL.
/// Ownership: the string is static: never free it.
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn awsgi_status_name(status: awsgi_status) -> *const c_char {
    let name: &'static std::ffi::CStr = match status {
        0 => c"AWSGI_OK",
        -1 => c"AWSGI_E_NULL",
        -2 => c"AWSGI_E_INVALID",
        -3 => c"AWSGI_E_STALE",
        -4 => c"AWSGI_E_THREAD",
        -5 => c"AWSGI_E_FORKED",
        -6 => c"AWSGI_E_STATE",
        -7 => c"AWSGI_E_BUSY",
        -8 => c"AWSGI_E_REENTRANT",
        -9 => c"AWSGI_E_LIMIT",
        -10 => c"AWSGI_E_OS",
        -11 => c"AWSGI_E_UNSUPPORTED",
        -12 => c"AWSGI_E_NESTING",
        -13 => c"AWSGI_E_CLOSED",
        -14 => c"AWSGI_E_PANIC",
        -15 => c"AWSGI_E_AGAIN",
        _ => c"AWSGI_E_?",
    };
    name.as_ptr()
}

/// The last failure of this thread in words: what was asked, what was wrong, what to do.
///
/// buffer, capacity: where to write the sentence, in bytes; it is cut to fit and always ends in
///   NUL. (NULL, 0) only asks for the length.
/// length: the length of the whole sentence in bytes without the NUL; may be NULL. 0 if nothing
///   failed on this thread yet. A success does not clear it.
/// os_error: the errno of a refused system call, else 0; may be NULL.
///
/// Returns: AWSGI_OK; AWSGI_E_NULL if buffer is NULL and capacity is not 0. This call never
///   replaces the failure it tells of.
/// Ownership: the buffer stays the caller's.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_last_error(
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
    os_error: *mut i32,
) -> awsgi_status {
    // SAFETY: the caller vouches for the pointers.
    let (length, os_error) = unsafe { (out_if_wanted(length), out_if_wanted(os_error)) };
    if buffer.is_null() && capacity > 0 {
        return AWSGI_E_NULL;
    }
    let error = last();
    let text = error.as_ref().map_or("", |error| error.message());
    if let Some(length) = length {
        *length = text.len();
    }
    if let Some(os_error) = os_error {
        *os_error = error.as_ref().map_or(0, |error| error.errno());
    }
    if capacity == 0 {
        return AWSGI_OK;
    }
    let mut cut = text.len().min(capacity - 1);
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    // SAFETY: `cut` + 1 bytes are at most `capacity`, which the caller vouches for.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast::<u8>(), cut);
        buffer.add(cut).write(0);
    }
    AWSGI_OK
}

/// The version of the library that runs, to be compared with AWSGI_VERSION_NUMBER and
/// AWSGI_ABI_VERSION of the header it was compiled against.
///
/// number: major * 1000000 + minor * 1000 + patch; may be NULL.
/// abi: the number of the ABI, which is that of the soname; may be NULL.
///
/// Returns: AWSGI_OK.
/// Ownership: nothing is kept.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_version(number: *mut u32, abi: *mut u32) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointers.
        let (number, abi) = unsafe { (out_if_wanted(number), out_if_wanted(abi)) };
        if let Some(number) = number {
            *number = VERSION_NUMBER;
        }
        if let Some(abi) = abi {
            *abi = super::application::ABI_VERSION;
        }
        Ok(())
    })
}

const fn decimal(text: &str) -> u32 {
    let bytes = text.as_bytes();
    let mut value = 0;
    let mut at = 0;
    while at < bytes.len() {
        value = value * 10 + (bytes[at] - b'0') as u32;
        at += 1;
    }
    value
}

const VERSION_NUMBER: u32 = decimal(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
    + decimal(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
    + decimal(env!("CARGO_PKG_VERSION_PATCH"));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    #[test]
    fn every_status_has_the_name_that_rust_gives_it() {
        for status in Status::ALL {
            // SAFETY: a static string.
            let name = unsafe { std::ffi::CStr::from_ptr(awsgi_status_name(status as i32)) };
            assert_eq!(name.to_str().unwrap(), status.name());
        }
    }
}
