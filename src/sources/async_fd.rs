//! What tokio watches of a reactor.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::handle::RawFd;

/// Another descriptor of an open file of the reactor's, for one who may outlive the reactor.
pub(crate) fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the reactor, which is asked for it on its own thread, keeps it open through the call.
    unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()
}

/// Has the runtime that the caller is in watch a descriptor for reading.
pub(crate) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open and stays the same file for as long as it lives, and it always
    // answers the same number. It is never taken out of the answer, but only dropped with it.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}
