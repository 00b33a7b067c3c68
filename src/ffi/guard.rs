//! What every function of the C ABI goes through: panics are caught, failures are kept for
//! `awsgi_last_error`, pointers are checked.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::status::{AWSGI_OK, awsgi_status};
use super::token::awsgi_slice;
use crate::error::{Error, Result, Status, caught};

thread_local! {
    static LAST: RefCell<Option<Error>> = const { RefCell::new(None) };
    /// How many failures there were.
    static KEPT: Cell<u64> = const { Cell::new(0) };
}

/// Runs the body of a function of the ABI.
pub(super) fn guard(body: impl FnOnce() -> Result<()>) -> awsgi_status {
    // The state behind a panic is not left half-changed: what panicked is an object's own, and
    // its lock or borrow ends with the unwinding.
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(caught(&*panic)));
    match result {
        Ok(()) => AWSGI_OK,
        Err(error) => {
            let status = error.status() as awsgi_status;
            keep(error);
            status
        }
    }
}

/// Keeps a failure as this thread's last one.
pub(super) fn keep(error: Error) {
    let _ = KEPT.try_with(|kept| kept.set(kept.get().wrapping_add(1)));
    // A thread that is ending has no place for it any more.
    let _ = LAST.try_with(|last| last.replace(Some(error)));
}

/// This thread's last failure.
pub(super) fn last() -> Option<Error> {
    LAST.try_with(|last| last.borrow().clone()).ok().flatten()
}

/// A moment of this thread, for `last_since`.
pub(super) fn moment() -> u64 {
    KEPT.try_with(Cell::get).unwrap_or(0)
}

/// This thread's last failure, if there was one since then.
pub(super) fn last_since(then: u64) -> Option<Error> {
    if moment() == then { None } else { last() }
}

#[cold]
pub(super) fn null(what: &'static str) -> Error {
    Error::new(Status::Null, format!("{what} is NULL: give a valid pointer"))
}

/// A place for a result: written at once with nothing, so that it is defined whatever follows.
///
/// # Safety
///
/// `place` is NULL or valid for a write.
pub(super) unsafe fn out<'a, T: Default>(place: *mut T, what: &'static str) -> Result<&'a mut T> {
    if place.is_null() {
        return Err(null(what));
    }
    // SAFETY: not NULL, and the caller vouches for the rest; what was there is not read.
    unsafe {
        place.write(T::default());
        Ok(&mut *place)
    }
}

/// The same for a result that the caller may not want.
///
/// # Safety
///
/// `place` is NULL or valid for a write.
pub(super) unsafe fn out_if_wanted<'a, T: Default>(place: *mut T) -> Option<&'a mut T> {
    if place.is_null() {
        return None;
    }
    // SAFETY: as the caller vouches.
    unsafe { out(place, "").ok() }
}

/// An array of C as a slice. `(NULL, 0)` is an empty one.
///
/// # Safety
///
/// `data` points to `len` elements that live and do not change for `'a`, or `len` is 0.
#[inline]
pub(super) unsafe fn array<'a, T>(
    data: *const T,
    len: usize,
    what: &'static str,
) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(null(what));
    }
    if len > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Error::new(
            Status::Invalid,
            format!("{what} is longer than memory: check its length"),
        ));
    }
    // SAFETY: not NULL and of a possible length; the caller vouches for the rest.
    Ok(unsafe { std::slice::from_raw_parts(data, len) })
}

/// The bytes of a slice of C's.
///
/// # Safety
///
/// As for [`array`].
pub(super) unsafe fn bytes<'a>(slice: awsgi_slice, what: &'static str) -> Result<&'a [u8]> {
    // SAFETY: as the caller vouches.
    unsafe { array(slice.data, slice.len, what) }
}

/// A C string, which may be NULL.
///
/// # Safety
///
/// `string` is NULL, or ends in a NUL and lives for `'a`.
pub(super) unsafe fn string<'a>(
    string: *const c_char,
    what: &'static str,
) -> Result<Option<&'a str>> {
    if string.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller vouches.
    let string = unsafe { CStr::from_ptr(string) };
    string
        .to_str()
        .map(Some)
        .map_err(|_| Error::new(Status::Invalid, format!("{what} is not UTF-8: give it in UTF-8")))
}

/// The size with which a structure begins, and which has to be at least `least`.
///
/// # Safety
///
/// `place` is NULL or points to a structure whose first field is its size in bytes.
pub(super) unsafe fn size<T>(place: *const T, least: usize, what: &'static str) -> Result<usize> {
    if place.is_null() {
        return Err(null(what));
    }
    // SAFETY: the structure begins with its size.
    let size = unsafe { place.cast::<usize>().read() };
    if size < least || size > 1 << 16 {
        return Err(Error::new(
            Status::Invalid,
            format!("the size of {what} is {size}: set it with its _INIT macro"),
        ));
    }
    Ok(size)
}

/// Reads a structure that begins with its size. One that is shorter than ours, from a program
/// compiled earlier, reads as if the rest were zero; one that is longer, from a program compiled
/// later, may ask for nothing we do not know.
///
/// # Safety
///
/// `place` is NULL or points to a structure whose first field is its size in bytes; `T` is such a
/// structure, of integers and pointers only, for which all zeros is a value.
#[inline]
pub(super) unsafe fn sized<T: Copy>(
    place: *const T,
    first: usize,
    what: &'static str,
) -> Result<T> {
    if place.is_null() {
        return Err(null(what));
    }
    // SAFETY: the structure begins with its size, and is a `T` if it has that of one.
    unsafe {
        if place.cast::<usize>().read() == size_of::<T>() {
            return Ok(place.read());
        }
        sized_otherwise(place, first, what)
    }
}

/// The same for a structure of another release.
///
/// # Safety
///
/// As above; not NULL.
#[cold]
unsafe fn sized_otherwise<T: Copy>(place: *const T, first: usize, what: &'static str) -> Result<T> {
    // SAFETY: as the caller vouches.
    let size = unsafe { size(place, first, what)? };
    // SAFETY: the structure has `size` bytes, and a `T` may be all zeros; not more than a `T` is
    // written.
    unsafe {
        if size > size_of::<T>() {
            let rest = array(place.cast::<u8>().add(size_of::<T>()), size - size_of::<T>(), what)?;
            if rest.iter().any(|byte| *byte != 0) {
                return Err(Error::new(
                    Status::Unsupported,
                    format!(
                        "{what} asks for something that this libawsgi does not know: use a newer one"
                    ),
                ));
            }
        }
        let mut value = std::mem::zeroed::<T>();
        std::ptr::copy_nonoverlapping(
            place.cast::<u8>(),
            (&raw mut value).cast::<u8>(),
            size.min(size_of::<T>()),
        );
        // The copy is no larger than it is, so that who takes it for the original reads no further.
        (&raw mut value).cast::<usize>().write(size.min(size_of::<T>()));
        Ok(value)
    }
}

/// Fills a structure that begins with its size, which stays: as much of it as the caller has room
/// for, and nothing in what a later header has added.
///
/// # Safety
///
/// `place` is NULL or points to a structure of integers whose first field is its size in bytes, and
/// so is a `T`.
pub(super) unsafe fn fill<T: Copy>(place: *mut T, what: &'static str, value: T) -> Result<()> {
    let head = size_of::<usize>();
    // SAFETY: as the caller vouches.
    let size = unsafe { size(place, head, what)? };
    let known = size.min(size_of::<T>());
    // SAFETY: the structure has `size` bytes, of which those behind its size are written; not more
    // than a `T` is read.
    unsafe {
        let bytes = place.cast::<u8>();
        (&raw const value)
            .cast::<u8>()
            .add(head)
            .copy_to_nonoverlapping(bytes.add(head), known - head);
        bytes.add(known).write_bytes(0, size - known);
    }
    Ok(())
}

/// Refuses flags that are not known.
#[inline]
pub(super) fn flags(given: u32, known: u32, what: &'static str) -> Result<()> {
    if given & !known == 0 {
        return Ok(());
    }
    Err(Error::new(Status::Invalid, format!("{:#x} is no flag of {what}", given & !known)))
}

pub(super) fn unsupported(what: &'static str) -> Error {
    Error::new(Status::Unsupported, format!("{what} is announced, but not in this release"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_status_with_its_message_and_goes_no_further() {
        let status = guard(|| panic!("on purpose"));
        assert_eq!(status, Status::Panic as awsgi_status);
        assert!(last().unwrap().message().contains("on purpose"));
        assert_eq!(guard(|| Ok(())), AWSGI_OK);
    }

    #[test]
    fn structures_of_yesterday_and_tomorrow_are_read_as_far_as_both_know_them() {
        #[repr(C)]
        #[derive(Clone, Copy)]
        struct Known {
            size: usize,
            old: u64,
            new: u64,
        }
        let read = |words: &[u64]| {
            // SAFETY: the size, in the first word, is that of the slice.
            unsafe { sized(words.as_ptr().cast::<Known>(), 16, "it") }
        };
        let yesterday = read(&[16, 7]).unwrap();
        assert_eq!((yesterday.size, yesterday.old, yesterday.new), (16, 7, 0));
        assert_eq!(read(&[24, 7, 8]).unwrap().new, 8);
        let tomorrow = read(&[40, 7, 8, 0, 0]).unwrap();
        assert_eq!((tomorrow.size, tomorrow.old, tomorrow.new), (24, 7, 8));
        assert_eq!(read(&[40, 7, 8, 0, 9]).err().unwrap().status(), Status::Unsupported);
        assert_eq!(read(&[8, 7, 8]).err().unwrap().status(), Status::Invalid);
        // SAFETY: NULL is one of the things it checks.
        let null = unsafe { sized::<Known>(std::ptr::null(), 16, "it") };
        assert_eq!(null.err().unwrap().status(), Status::Null);
    }
}
