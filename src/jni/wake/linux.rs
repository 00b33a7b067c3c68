//! What the watching thread sleeps on: an eventfd, and the selectors of the library's watcher.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::sources::watcher;

/// The eventfd; -1: not made yet.
static FD: AtomicI32 = AtomicI32::new(-1);

/// Before the kernel is asked again, when it could not answer.
const BREATH: Duration = Duration::from_millis(1);

/// Sees to it that there is a bell.
///
/// # Errors
///
/// `Os` if the kernel has no descriptor for it.
pub(in crate::jni) fn prepare() -> Result<()> {
    if FD.load(Ordering::Acquire) >= 0 {
        return Ok(());
    }
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        let error = io::Error::last_os_error();
        return Err(Error::os("making the bell of the JVM bridge (eventfd)", &error));
    }
    if FD.compare_exchange(-1, fd, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        // SAFETY: ours, and another thread's is used in its place.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

/// Closes it, where nobody can be inside any more: when the library is unloaded.
pub(in crate::jni) fn close() {
    let fd = FD.swap(-1, Ordering::AcqRel);
    if fd >= 0 {
        // SAFETY: ours, and nobody has its number any more.
        unsafe { libc::close(fd) };
    }
}

/// Has all who sleep look, and those who are about to. Without a bell nobody sleeps.
pub(super) fn ring() {
    let one = 1u64;
    // A full counter (EAGAIN) wakes as well as one more would.
    again(|| {
        // SAFETY: eight bytes of a live u64; a number that is no descriptor is refused.
        unsafe { libc::write(FD.load(Ordering::Acquire), (&raw const one).cast(), 8) }
    });
}

/// It was heard.
pub(super) fn clear() {
    let mut count = 0u64;
    // It does not block: EAGAIN says that it has not rung.
    again(|| {
        // SAFETY: eight bytes of a live u64; a number that is no descriptor is refused.
        unsafe { libc::read(FD.load(Ordering::Acquire), (&raw mut count).cast(), 8) }
    });
}

/// Calls once more where a signal came between.
fn again(mut call: impl FnMut() -> isize) {
    while call() < 0 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {}
}

/// The watcher's place, if it was free.
pub(super) struct Place(Option<watcher::Place>);

impl Place {
    pub(super) fn none() -> Place {
        Place(None)
    }

    /// Takes it, if nobody has.
    pub(super) fn take(&mut self) {
        if self.0.is_none() {
            self.0 = watcher::take_place();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// Sleeps until the bell rings, or there is something to look at, and then looks.
pub(super) fn sleep(place: &mut Place) {
    let asked = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // A negative descriptor is passed over.
    let watched = place.0.as_ref().map_or(-1, watcher::Place::fd);
    let mut fds = [asked(FD.load(Ordering::Acquire)), asked(watched)];
    // SAFETY: an array of as many as are said.
    let ready = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, -1) };
    if ready < 0 {
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            std::thread::sleep(BREATH);
        }
        return;
    }
    let [bell, watched] = fds;
    if bell.revents & libc::POLLNVAL != 0 {
        // Somebody has closed it, who should not: not to be asked for all the time.
        std::thread::sleep(BREATH);
    }
    if watched.revents != 0 {
        if let Some(its) = &mut place.0 {
            if !its.look() {
                place.0 = None;
            }
        }
    }
}

/// The thread that watches does what the watcher's thread would: it is not made, but wanted.
pub(in crate::jni) fn spawn_watcher(body: Box<dyn FnOnce() + Send>) -> Result<()> {
    drop(body);
    super::want_thread();
    Ok(())
}
