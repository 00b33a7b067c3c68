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
    /// Waits for events, at most `timeout` (for ever if None), and appends at most `limit` of them
    /// to `events`. Answers whether there may be more.
    fn wait(
        &mut self,
        timeout: Option<Duration>,
        limit: usize,
        events: &mut Vec<(usize, Readiness)>,
    ) -> io::Result<bool>;
    fn fd(&self) -> RawFd;
}

/// Makes selectors.
pub(crate) type Factory = Box<dyn FnMut() -> io::Result<Box<dyn Selector>> + Send>;

/// Events taken from the kernel at once.
const BATCH: usize = 1024;

pub(crate) struct MioSelector {
    poll: mio::Poll,
    batch: mio::Events,
}

impl MioSelector {
    pub(crate) fn new() -> io::Result<MioSelector> {
        Ok(MioSelector { poll: mio::Poll::new()?, batch: mio::Events::with_capacity(BATCH) })
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

fn readiness_of(event: &mio::event::Event) -> Readiness {
    let mut readiness = Readiness::NONE;
    if event.is_readable() {
        readiness |= Readiness::READABLE;
    }
    if event.is_writable() {
        readiness |= Readiness::WRITABLE;
    }
    if event.is_priority() {
        readiness |= Readiness::PRIORITY;
    }
    if event.is_read_closed() {
        readiness |= Readiness::READ_CLOSED;
    }
    if event.is_read_closed() && event.is_write_closed() {
        readiness |= Readiness::HANGUP;
    }
    if event.is_error() {
        readiness |= Readiness::ERROR;
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

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        limit: usize,
        events: &mut Vec<(usize, Readiness)>,
    ) -> io::Result<bool> {
        let limit = limit.clamp(1, BATCH);
        if self.batch.capacity() != limit {
            self.batch = mio::Events::with_capacity(limit);
        }
        let timeout = match timeout {
            // mio rounds up to whole milliseconds, which would be up to one too late; ppoll takes
            // the rest exactly, and a signal only makes the turn return early.
            Some(exact) if exact.subsec_nanos() % 1_000_000 != 0 => {
                sleep_on(self.fd(), exact)?;
                Some(Duration::ZERO)
            }
            other => other,
        };
        loop {
            match self.poll.poll(&mut self.batch, timeout) {
                Ok(()) => break,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                // Who does not wait would take it for an answer that nothing is there.
                Err(_) if timeout == Some(Duration::ZERO) => {}
                Err(_) => return Ok(false),
            }
        }
        let before = events.len();
        for event in &self.batch {
            let name = event.token().0;
            let mut readiness = readiness_of(event);
            // mio takes urgent data for readable; whether there is other data, only poll(2) says.
            if event.is_priority() && !is_readable(name as u32 as RawFd) {
                readiness = readiness & !Readiness::READABLE;
            }
            events.push((name, readiness));
        }
        Ok(events.len() - before == limit)
    }

    fn fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }
}

/// Whether poll(2) calls a descriptor readable.
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
