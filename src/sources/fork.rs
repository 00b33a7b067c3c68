//! Notices that the process is a forked child, without a system call per check.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// How often this process is the child of a process that had called this before.
pub(crate) fn forks() -> u32 {
    static REGISTER: Once = Once::new();
    REGISTER.call_once(|| {
        // SAFETY: `in_child` is async-signal-safe (one atomic addition) and lives as long as this
        // library: the C library drops handlers of a library that is unloaded.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
    FORKS.load(Ordering::Relaxed)
}

/// The same for a process that has registered already: one load.
pub(crate) fn forks_seen() -> u32 {
    FORKS.load(Ordering::Relaxed)
}
