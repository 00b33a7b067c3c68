//! Descriptors that a process was started with.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use crate::error::{Error, Result, Status};

/// A duplicate of a descriptor that the process was given by number. The original stays open: it
/// is not ours to close.
///
/// # Errors
///
/// `Os` with EBADF if the number is not open.
pub(crate) fn duplicate(number: RawFd) -> Result<OwnedFd> {
    if number < 0 {
        return Err(Error::new(
            Status::Invalid,
            format!("{number} is no descriptor: pass the number of an open one"),
        ));
    }
    // SAFETY: fcntl takes any number and answers EBADF for one that is not open.
    let fd = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if fd < 0 {
        let error = std::io::Error::last_os_error();
        let what = match error.raw_os_error() {
            Some(libc::EBADF) => format!("descriptor {number} is not open, so pass one that is"),
            _ => format!("use descriptor {number}"),
        };
        return Err(Error::os(&what, &error));
    }
    // SAFETY: it was just made, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn an_open_descriptor_is_duplicated_and_stays_open() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let copy = duplicate(file.as_raw_fd()).unwrap();
        assert_ne!(copy.as_raw_fd(), file.as_raw_fd());
        drop(copy);
        assert!(file.metadata().is_ok());
    }

    #[test]
    fn a_number_that_is_not_open_is_refused() {
        assert_eq!(duplicate(-1).unwrap_err().status(), Status::Invalid);
        assert_eq!(duplicate(1 << 20).unwrap_err().errno(), libc::EBADF);
    }
}
