//! Threads that never take a signal: those are the host's.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread with every signal blocked, so that a signal sent to the process is handled by
/// a thread of the program that embeds us.
///
/// # Errors
///
/// What the operating system answers when it has no thread to give.
#[cfg(unix)]
pub fn spawn<T: Send + 'static>(
    name: String,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // A new thread inherits the mask, so it is blocked here for the moment of the start: set in
    // the thread itself, a signal could arrive first.
    // SAFETY: both sets are valid for the calls to fill; `before` is filled by the first
    // pthread_sigmask, which cannot fail with these arguments.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let started = Builder::new().name(name).spawn(body);
    // SAFETY: `before` was filled above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    started
}

/// Starts a thread. Windows has no signals to keep from it.
///
/// # Errors
///
/// What the operating system answers when it has no thread to give.
#[cfg(windows)]
pub fn spawn<T: Send + 'static>(
    name: String,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name).spawn(body)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_of_ours_blocks_signals_and_its_maker_does_not() {
        fn blocked(signal: libc::c_int) -> bool {
            let mut mask = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
            // SAFETY: asks for the mask only, into a valid set.
            unsafe {
                libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), mask.as_mut_ptr());
                libc::sigismember(mask.as_ptr(), signal) == 1
            }
        }
        assert!(!blocked(libc::SIGTERM));
        let theirs = spawn("test".into(), || blocked(libc::SIGTERM)).unwrap().join().unwrap();
        assert!(theirs);
        assert!(!blocked(libc::SIGTERM));
    }
}
