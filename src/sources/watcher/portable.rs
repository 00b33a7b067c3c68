//! What the watcher's thread sleeps on where there is no epoll: a selector of mio's. On BSD and macOS
//! it is a kqueue that watches kqueues; on Windows nothing is ever added.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{BATCH, BREATH, END, Watcher};
use crate::error::{Error, Result};
use crate::sources::handle::RawFd;
use crate::sources::selector::SourceFd;

/// What the thread sleeps on. It and the table hold it; the last of them closes it.
pub(super) struct Poll {
    /// The thread's, for as long as it runs.
    poll: Mutex<mio::Poll>,
    registry: mio::Registry,
    end: mio::Waker,
}

impl Poll {
    pub(super) fn new() -> Result<Poll> {
        let failed = |error| Error::os("making the watcher's selector", &error);
        let poll = mio::Poll::new().map_err(failed)?;
        let registry = poll.registry().try_clone().map_err(failed)?;
        let end = mio::Waker::new(&registry, mio::Token(END as usize)).map_err(failed)?;
        Ok(Poll { poll: Mutex::new(poll), registry, end })
    }

    /// Edge-triggered, as all of mio: the owner of a selector takes what it reports, in its own time.
    pub(super) fn add(&self, fd: RawFd, name: u64) -> Result<()> {
        let (token, interest) = (mio::Token(name as usize), mio::Interest::READABLE);
        self.registry
            .register(&mut SourceFd(&fd), token, interest)
            .map_err(|error| Error::os("watching a selector", &error))
    }

    /// Fails only for a descriptor that is closed already, which the kernel has removed then.
    pub(super) fn remove(&self, fd: RawFd) {
        let _ = self.registry.deregister(&mut SourceFd(&fd));
    }

    /// Has the thread end.
    pub(super) fn end(&self) {
        // It fails only if somebody closed our descriptor: then the thread has ended.
        let _ = self.end.wake();
    }
}

impl Watcher {
    /// The thread. It leaves nothing: whoever ended it has taken everything out of the table.
    pub(super) fn run(&self, poll: &Poll) {
        let mut events = mio::Events::with_capacity(BATCH);
        let mut poll = poll.poll.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match poll.poll(&mut events, None) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Somebody closed our descriptor, or has put another file in its place: it would
                // fail for ever.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EBADF | libc::EINVAL)) => {
                    return;
                }
                Err(_) => {
                    thread::sleep(BREATH);
                    continue;
                }
            }
            if events.iter().any(|event| event.token().0 == END as usize) {
                return;
            }
            for event in &events {
                self.raise(event.token().0 as u64);
            }
        }
    }
}
