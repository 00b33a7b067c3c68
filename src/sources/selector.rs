//! The OS selector: mio behind a trait, so that the reactor can be tested against a selector that
//! misbehaves on purpose.

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(all(unix, not(target_os = "linux")))]
mod kqueue;
#[cfg(windows)]
mod windows;

use std::io;
use std::time::Duration;

#[cfg(target_os = "linux")]
use epoll as system;
#[cfg(all(unix, not(target_os = "linux")))]
use kqueue as system;
#[cfg(not(target_os = "linux"))]
pub(super) use system::SourceFd;
#[cfg(target_os = "linux")]
use system::SourceFd;
#[cfg(windows)]
use windows as system;

use super::handle::RawFd;
use crate::core::Readiness;

/// Reports which descriptors became ready, by the names that they were given, whose lower 32 bits
/// are the descriptor. Edge-triggered: `reregister` reports again what is
/// ready already.
pub(crate) trait Selector: Send {
    fn register(&mut self, fd: RawFd, name: usize, interest: Readiness) -> io::Result<()>;
    fn reregister(&mut self, fd: RawFd, name: usize, interest: Readiness) -> io::Result<()>;
    fn deregister(&mut self, fd: RawFd) -> io::Result<()>;
    /// Waits for events, at most `timeout` (for ever if None), and puts as many as fit into
    /// `events`, in place of what was there.
    fn wait(&mut self, timeout: Option<Duration>, events: &mut Events) -> io::Result<()>;
    fn fd(&self) -> RawFd;
    /// Makes a wait of another thread return, and report `name`; once for each selector. Linux has
    /// eventfds for it.
    #[cfg(not(target_os = "linux"))]
    fn waker(&self, name: usize) -> io::Result<mio::Waker>;
}

/// What a selector reports. They are translated where they are met: a list of our own between would
/// cost as much as all else that is done for an event.
pub(crate) struct Events(mio::Events);

impl Events {
    /// Room for so many.
    pub(crate) fn with_room(room: usize) -> Events {
        Events(mio::Events::with_capacity(room.max(1)))
    }

    pub(crate) fn room(&self) -> usize {
        self.0.capacity()
    }

    /// The names, and what became ready.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, Readiness)> + '_ {
        self.0.iter().map(|event| (event.token().0, readiness_of(event)))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().count()
    }

    /// The names alone.
    pub(crate) fn names(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().map(|event| event.token().0)
    }
}

/// Whether a registration can outlive the number that it was made with. In an epoll it belongs to
/// the file, so a duplicate of the descriptor keeps it; in a kqueue it goes when the number is
/// closed, whoever else has the file open, and mio keeps nothing of its own.
pub(crate) const HAS_GHOSTS: bool = cfg!(target_os = "linux");

/// Makes selectors.
pub(crate) type Factory = Box<dyn FnMut() -> io::Result<Box<dyn Selector>> + Send>;

/// Events taken from the kernel at once, at most.
pub(crate) const BATCH: usize = 1024;

pub(crate) struct MioSelector {
    poll: mio::Poll,
}

impl MioSelector {
    pub(crate) fn new() -> io::Result<MioSelector> {
        Ok(MioSelector { poll: mio::Poll::new()? })
    }
}

/// HANGUP and ERROR come unasked; where nothing else is asked, the interest that is ready least
/// often carries them, since mio knows no empty one. A closed peer is told with READABLE only.
fn interest_of(readiness: Readiness) -> mio::Interest {
    let mut interest = None;
    let mut add = |more: mio::Interest| {
        interest = Some(interest.map_or(more, |so_far: mio::Interest| so_far | more));
    };
    if readiness.intersects(Readiness::READABLE | Readiness::READ_CLOSED) {
        add(mio::Interest::READABLE);
    }
    if readiness.intersects(Readiness::WRITABLE) {
        add(mio::Interest::WRITABLE);
    }
    #[cfg(target_os = "linux")]
    if readiness.intersects(Readiness::PRIORITY) {
        add(mio::Interest::PRIORITY);
    }
    interest.unwrap_or(system::RAREST)
}

#[inline]
fn readiness_of(event: &mio::event::Event) -> Readiness {
    let mut readiness = Readiness::NONE;
    if event.is_readable() {
        readiness |= Readiness::READABLE;
    }
    if event.is_writable() {
        readiness |= Readiness::WRITABLE;
    }
    if event.is_read_closed() {
        readiness |= Readiness::READ_CLOSED;
        if event.is_write_closed() {
            readiness |= Readiness::HANGUP;
        }
    }
    if event.is_error() {
        readiness |= Readiness::ERROR;
    }
    if event.is_priority() {
        readiness |= Readiness::PRIORITY;
        // mio takes urgent data for readable; whether there is other data, only poll(2) says.
        if !system::is_readable(event.token().0 as u32 as RawFd) {
            readiness = readiness & !Readiness::READABLE;
        }
    }
    // A kqueue reports the two directions apart, and so never that both are closed.
    #[cfg(not(target_os = "linux"))]
    if event.is_read_closed() || event.is_write_closed() {
        readiness |= system::ends(event.token().0 as u32 as RawFd);
    }
    readiness
}

impl Selector for MioSelector {
    fn register(&mut self, fd: RawFd, name: usize, interest: Readiness) -> io::Result<()> {
        system::check(fd, interest, true)?;
        let registry = self.poll.registry();
        registry.register(&mut SourceFd(&fd), mio::Token(name), interest_of(interest))
    }

    fn reregister(&mut self, fd: RawFd, name: usize, interest: Readiness) -> io::Result<()> {
        system::check(fd, interest, false)?;
        let registry = self.poll.registry();
        registry.reregister(&mut SourceFd(&fd), mio::Token(name), interest_of(interest))
    }

    fn deregister(&mut self, fd: RawFd) -> io::Result<()> {
        self.poll.registry().deregister(&mut SourceFd(&fd))
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Events) -> io::Result<()> {
        let timeout = system::before(&self.poll, timeout)?;
        loop {
            match self.poll.poll(&mut events.0, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    // Who does not wait would take it for an answer that nothing is there.
                    if timeout != Some(Duration::ZERO) {
                        events.0.clear();
                        return Ok(());
                    }
                }
                done => return done,
            }
        }
    }

    fn fd(&self) -> RawFd {
        system::fd(&self.poll)
    }

    #[cfg(not(target_os = "linux"))]
    fn waker(&self, name: usize) -> io::Result<mio::Waker> {
        mio::Waker::new(self.poll.registry(), mio::Token(name))
    }
}

#[cfg(all(test, target_os = "linux"))]
pub(crate) mod misbehaving;
