//! Notices that the process is a forked child, without a system call per check. Windows has no fork,
//! so nothing counts there.

#[cfg(unix)]
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static FORKS: AtomicU32 = AtomicU32::new(0);

#[cfg(unix)]
extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// How often this process is the child of a process that had called this before.
#[cfg(unix)]
pub(crate) fn forks() -> u32 {
    static REGISTER: Once = Once::new();
    REGISTER.call_once(|| {
        // SAFETY: `in_child` is async-signal-safe (one atomic addition) and lives as long as this
        // library: the C library drops handlers of a library that is unloaded.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
    FORKS.load(Ordering::Relaxed)
}

/// How often this process is the child of a process that had called this before.
#[cfg(windows)]
pub(crate) fn forks() -> u32 {
    forks_seen()
}

/// The same for a process that has registered already: one load.
pub(crate) fn forks_seen() -> u32 {
    FORKS.load(Ordering::Relaxed)
}
