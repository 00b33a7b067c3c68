//! How other threads wake a sleeping reactor: an eventfd, written at most once a sleep.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, Ordering};

/// The owner runs, or will look before it sleeps.
const AWAKE: u8 = 0;
/// The owner sleeps, or the host may.
const SLEEPING: u8 = 1;
/// Somebody has woken it already.
const SIGNALLED: u8 = 2;

/// One reactor's signal. It outlives the reactor: raised after it is gone, it does nothing.
pub(crate) struct Signal {
    state: AtomicU8,
    fd: AtomicI32,
    /// Threads between the look at `fd` and the end of the write; the descriptor is not closed
    /// before they are through, or the write could hit another file of that number.
    writers: AtomicU32,
}

impl Signal {
    pub(crate) const fn new() -> Signal {
        Signal { state: AtomicU8::new(AWAKE), fd: AtomicI32::new(-1), writers: AtomicU32::new(0) }
    }

    /// Makes the eventfd; the answer is for the selector, edge-triggered: it is never read, since
    /// every write is an edge and its counter lasts for 2^64 of them.
    pub(crate) fn open(&self) -> io::Result<RawFd> {
        // SAFETY: takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        self.state.store(AWAKE, Ordering::SeqCst);
        self.fd.store(fd, Ordering::SeqCst);
        Ok(fd)
    }

    /// Closes the eventfd once nobody writes to it.
    pub(crate) fn close(&self) {
        let fd = self.fd.swap(-1, Ordering::SeqCst);
        while self.writers.load(Ordering::SeqCst) != 0 {
            std::thread::yield_now();
        }
        if fd >= 0 {
            // SAFETY: the descriptor is ours, made by `open`, and no longer reachable.
            unsafe { libc::close(fd) };
        }
    }

    /// The owner begins a turn.
    pub(crate) fn awake(&self) {
        self.state.store(AWAKE, Ordering::SeqCst);
    }

    /// The owner is about to sleep, or hands over to a host that may. It must look at the inbox
    /// once more after this.
    pub(crate) fn asleep(&self) {
        self.state.store(SLEEPING, Ordering::SeqCst);
    }

    /// There is work: wakes the owner if it sleeps and nobody has woken it. Any thread. Answers
    /// whether it was this call that did.
    pub(crate) fn raise(&self) -> bool {
        if self
            .state
            .compare_exchange(SLEEPING, SIGNALLED, Ordering::SeqCst, Ordering::SeqCst)
            .is_err()
        {
            return false;
        }
        self.write();
        true
    }

    fn write(&self) {
        self.writers.fetch_add(1, Ordering::SeqCst);
        let fd = self.fd.load(Ordering::SeqCst);
        if fd >= 0 {
            let one = 1u64;
            // A full counter (EAGAIN) cannot be reached; EINTR does not happen on an eventfd that
            // never blocks.
            // SAFETY: eight bytes of a live u64 are written to a descriptor that `close` keeps
            // open until `writers` is zero again.
            unsafe { libc::write(fd, (&raw const one).cast(), 8) };
        }
        self.writers.fetch_sub(1, Ordering::SeqCst);
    }
}
