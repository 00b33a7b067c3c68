//! What stands in for the shell where there is no epoll: on BSD and macOS the selector's own kqueue,
//! which a host's loop can watch like any descriptor; on Windows nothing. There are no alarms.

use std::io;

use crate::error::{Error, Result, Status};
use crate::sources::handle::{OsHandle, RawFd};

/// Refuses a nested reactor that could not keep its promises here.
pub(crate) fn check_nested(host_honours_deadline: bool) -> Result<()> {
    let refuse = |sentence: &'static str| Err(Error::new(Status::Unsupported, sentence));
    if cfg!(windows) {
        return refuse(
            "nested mode needs a descriptor that the host's loop can watch, and Windows has none: \
             choose delegated mode, or owned mode on a thread",
        );
    }
    if !host_honours_deadline {
        return refuse(
            "without timerfd nothing makes a nested reactor's descriptor readable at a deadline: \
             sleep no longer than next_deadline, and say so with AWSGI_HOST_HONOURS_DEADLINE",
        );
    }
    Ok(())
}

/// The descriptor of nested mode. It never changes, because the selector is never rebuilt: a kqueue
/// has no ghosts.
#[cfg(unix)]
pub(crate) struct Shell {
    kqueue: RawFd,
}

#[cfg(unix)]
impl Shell {
    pub(crate) fn new(selector: RawFd) -> io::Result<Shell> {
        Ok(Shell { kqueue: selector })
    }

    pub(crate) fn replace(&self, _old: RawFd, _new: RawFd) -> io::Result<()> {
        // The host's registration would be for a descriptor that is closed.
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn fd(&self) -> OsHandle {
        self.kqueue
    }

    /// The descriptor is the selector's, and ends with it.
    pub(crate) fn end(self, _selector: RawFd) {}
}

/// None can be made.
#[cfg(windows)]
pub(crate) enum Shell {}

#[cfg(windows)]
impl Shell {
    pub(crate) fn new(_: RawFd) -> io::Result<Shell> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn replace(&self, _old: RawFd, _new: RawFd) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn fd(&self) -> OsHandle {
        match *self {}
    }

    pub(crate) fn end(self, _selector: RawFd) {
        match self {}
    }
}

/// None can be made: `check_nested` refuses those who would need one.
pub(crate) enum Alarm {}

impl Alarm {
    pub(crate) fn new() -> io::Result<Alarm> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn fd(&self) -> RawFd {
        match *self {}
    }

    pub(crate) fn program(&mut self, _now: u64, _deadline: u64) -> io::Result<()> {
        match *self {}
    }
}
