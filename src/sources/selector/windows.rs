//! What is particular to Windows: a completion port has no descriptor and watches none here; it
//! sleeps, and is woken.

use std::io;
use std::time::Duration;

use super::RawFd;
use crate::core::Readiness;

pub(super) const RAREST: mio::Interest = mio::Interest::READABLE;

/// A source that is none.
pub(in crate::sources) struct SourceFd<'a>(pub(in crate::sources) &'a RawFd);

impl SourceFd<'_> {
    fn refuse(&self) -> io::Error {
        let sentence = format!("descriptor {} cannot be watched on Windows", self.0);
        io::Error::new(io::ErrorKind::Unsupported, sentence)
    }
}

impl mio::event::Source for SourceFd<'_> {
    fn register(&mut self, _: &mio::Registry, _: mio::Token, _: mio::Interest) -> io::Result<()> {
        Err(self.refuse())
    }

    fn reregister(&mut self, _: &mio::Registry, _: mio::Token, _: mio::Interest) -> io::Result<()> {
        Err(self.refuse())
    }

    fn deregister(&mut self, _: &mio::Registry) -> io::Result<()> {
        Err(self.refuse())
    }
}

pub(super) fn check(_: RawFd, _: Readiness, _is_new: bool) -> io::Result<()> {
    Ok(())
}

/// None: no call of the reactor's that takes it can be reached.
pub(super) fn fd(_: &mio::Poll) -> RawFd {
    -1
}

/// mio rounds up to whole milliseconds, and a completion port takes no less.
pub(super) fn before(_: &mio::Poll, timeout: Option<Duration>) -> io::Result<Option<Duration>> {
    Ok(timeout)
}

pub(super) fn is_readable(_: RawFd) -> bool {
    true
}

pub(super) fn ends(_: RawFd) -> Readiness {
    Readiness::NONE
}
