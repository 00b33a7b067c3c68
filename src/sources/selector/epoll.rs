//! What is particular to epoll.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

pub(super) use mio::unix::SourceFd;

use super::RawFd;
use crate::core::Readiness;

/// Of the interests that mio knows, the one that is ready least often.
pub(super) const RAREST: mio::Interest = mio::Interest::PRIORITY;

/// What an epoll does not take, it says itself.
#[inline]
pub(super) fn check(_: RawFd, _: Readiness, _is_new: bool) -> io::Result<()> {
    Ok(())
}

pub(super) fn fd(poll: &mio::Poll) -> RawFd {
    poll.as_raw_fd()
}

/// Sleeps where mio would sleep too long. Answers how long it may sleep then.
pub(super) fn before(poll: &mio::Poll, timeout: Option<Duration>) -> io::Result<Option<Duration>> {
    match timeout {
        // mio rounds up to whole milliseconds, which would be up to one too late; ppoll takes
        // the rest exactly, and a signal only makes the turn return early.
        Some(exact) if exact.subsec_nanos() % 1_000_000 != 0 => {
            sleep_on(fd(poll), exact)?;
            Ok(Some(Duration::ZERO))
        }
        other => Ok(other),
    }
}

/// Whether poll(2) calls a descriptor readable.
#[cold]
pub(super) fn is_readable(fd: RawFd) -> bool {
    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd that lives through the call, which does not wait.
    unsafe { libc::poll(&mut entry, 1, 0) == 1 && entry.revents & libc::POLLIN != 0 }
}

/// Sleeps until the descriptor is readable or the time has passed.
fn sleep_on(fd: RawFd, timeout: Duration) -> io::Result<()> {
    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let timeout = libc::timespec {
        tv_sec: timeout.as_secs().min(i64::MAX as u64) as libc::time_t,
        tv_nsec: libc::c_long::from(timeout.subsec_nanos() as i32),
    };
    // SAFETY: one pollfd and one timespec, alive through the call; no signal mask.
    let status = unsafe { libc::ppoll(&mut entry, 1, &timeout, std::ptr::null()) };
    if status < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(())
}
