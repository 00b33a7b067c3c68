//! What is particular to kqueue: where it does not say what poll(2) would say, it is made to.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

pub(in crate::sources) use mio::unix::SourceFd;

use super::RawFd;
use crate::core::Readiness;
use crate::sources::descriptors::always_ready;

/// The filter that tells of the end without being ready all the time, as the other one is.
pub(super) const RAREST: mio::Interest = mio::Interest::READABLE;

/// Refuses what a kqueue would take, but watch for something else.
pub(super) fn check(fd: RawFd, interest: Readiness, is_new: bool) -> io::Result<()> {
    if interest.intersects(Readiness::PRIORITY) {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "urgent data (PRIORITY) is not told on this system: leave it out",
        ));
    }
    // Of a file it says how far its end is, and nothing at the end: the answer of an epoll is the
    // one that has a remedy. That the number is closed, the kernel says itself.
    if is_new && always_ready(fd).is_ok_and(|ready| !ready.is_empty()) {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    Ok(())
}

pub(super) fn fd(poll: &mio::Poll) -> RawFd {
    poll.as_raw_fd()
}

/// A kqueue takes nanoseconds, so mio sleeps as long as it is told.
pub(super) fn before(_: &mio::Poll, timeout: Option<Duration>) -> io::Result<Option<Duration>> {
    Ok(timeout)
}

/// Urgent data is not told, so it is never taken for other data.
pub(super) fn is_readable(_: RawFd) -> bool {
    true
}

/// What poll(2) says of a descriptor of which one direction at least is closed. It is asked about
/// writing: asked about reading, some systems call a direction hung up that the peer has closed.
pub(super) fn ends(fd: RawFd) -> Readiness {
    let mut entry = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one pollfd that lives through the call, which does not wait.
    if unsafe { libc::poll(&mut entry, 1, 0) } <= 0 {
        return Readiness::NONE;
    }
    let mut ends = Readiness::NONE;
    if entry.revents & libc::POLLHUP != 0 {
        ends |= Readiness::HANGUP;
    }
    if entry.revents & libc::POLLERR != 0 {
        ends |= Readiness::ERROR;
    }
    ends
}
