//! The OS selector: mio behind a trait, so that the reactor can be tested against a selector that
//! misbehaves on purpose.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;

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
    if readiness.intersects(Readiness::PRIORITY) {
        add(mio::Interest::PRIORITY);
    }
    interest.unwrap_or(mio::Interest::PRIORITY)
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
        if !is_readable(event.token().0 as u32 as RawFd) {
            readiness = readiness & !Readiness::READABLE;
        }
    }
    readiness
}

impl Selector for MioSelector {
    fn register(&mut self, fd: RawFd, name: usize, interest: Readiness) -> io::Result<()> {
        let registry = self.poll.registry();
        registry.register(&mut SourceFd(&fd), mio::Token(name), interest_of(interest))
    }

    fn reregister(&mut self, fd: RawFd, name: usize, interest: Readiness) -> io::Result<()> {
        let registry = self.poll.registry();
        registry.reregister(&mut SourceFd(&fd), mio::Token(name), interest_of(interest))
    }

    fn deregister(&mut self, fd: RawFd) -> io::Result<()> {
        self.poll.registry().deregister(&mut SourceFd(&fd))
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Events) -> io::Result<()> {
        let timeout = match timeout {
            // mio rounds up to whole milliseconds, which would be up to one too late; ppoll takes
            // the rest exactly, and a signal only makes the turn return early.
            Some(exact) if exact.subsec_nanos() % 1_000_000 != 0 => {
                sleep_on(self.fd(), exact)?;
                Some(Duration::ZERO)
            }
            other => other,
        };
        match self.poll.poll(&mut events.0, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.0.clear();
                Ok(())
            }
            done => done,
        }
    }

    fn fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }
}

/// Whether poll(2) calls a descriptor readable.
#[cold]
fn is_readable(fd: RawFd) -> bool {
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

#[cfg(test)]
pub(crate) mod misbehaving;
