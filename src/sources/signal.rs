//! How other threads wake a sleeping reactor, at most once a sleep: by writing an eventfd, or, where
//! the host has no descriptor to watch, by calling its wake hook. Where there are no eventfds, the hook
//! of an owned or nested reactor is a waker of mio's.

use std::io;
use std::ptr;
use std::sync::Arc;

use super::handle::RawFd;
use super::selector::Selector;
use crate::core::sync::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering, yield_now,
};

/// Wakes the host's loop. It is called on any thread, may not wait for the reactor's owner, and may
/// call nothing of this library: closing the signal waits until nobody is inside.
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

/// The owner runs, or will look before it sleeps.
const AWAKE: u8 = 0;
/// The owner sleeps, or the host may.
const SLEEPING: u8 = 1;
/// Somebody has woken it already.
const SIGNALLED: u8 = 2;

/// One reactor's signal. It outlives the reactor: raised after it is gone, it does nothing.
pub(crate) struct Signal {
    state: AtomicU8,
    /// Something that does not lie in the inbox became ready; see [`mark`](Signal::mark).
    marked: AtomicBool,
    /// The eventfd; -1: none.
    fd: AtomicI32,
    /// The wake hook, if one takes the place of the eventfd; made by `Box::into_raw`.
    hook: AtomicPtr<Wake>,
    /// Threads that may be using `fd` or `hook`; see [`close`](Signal::close).
    users: AtomicU32,
    sent: AtomicU64,
}

impl Signal {
    pub(crate) fn new() -> Signal {
        Signal {
            state: AtomicU8::new(AWAKE),
            marked: AtomicBool::new(false),
            fd: AtomicI32::new(-1),
            hook: AtomicPtr::new(ptr::null_mut()),
            users: AtomicU32::new(0),
            sent: AtomicU64::new(0),
        }
    }

    /// Wakes whoever waits for events of `selector`, which reports `name` then. Answers the descriptor
    /// to register with it and any that takes its place, if there is one.
    #[cfg(target_os = "linux")]
    pub(crate) fn open_with(&self, _: &dyn Selector, _name: usize) -> io::Result<Option<RawFd>> {
        self.open().map(Some)
    }

    /// Wakes whoever waits for events of `selector`, which reports `name` then. Answers the descriptor
    /// to register with it and any that takes its place, if there is one.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn open_with(
        &self,
        selector: &dyn Selector,
        name: usize,
    ) -> io::Result<Option<RawFd>> {
        // An event of the selector's own (EVFILT_USER, a packet on the completion port), not a pipe:
        // there is nothing to drain, and nothing that could fill up.
        let waker = selector.waker(name)?;
        self.open_hook(Arc::new(move || {
            // A selector that is gone needs no waking, and no other failure is known.
            let _ = waker.wake();
        }));
        Ok(None)
    }

    /// Makes the eventfd; the answer is for the selector, edge-triggered: it is never read, since
    /// every write is an edge and its counter lasts for 2^64 of them.
    #[cfg(target_os = "linux")]
    fn open(&self) -> io::Result<RawFd> {
        // SAFETY: takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        self.begin();
        self.fd.store(fd, Ordering::SeqCst);
        Ok(fd)
    }

    /// Wakes by calling `hook` instead, on the thread that raises the signal.
    pub(crate) fn open_hook(&self, hook: Wake) {
        self.begin();
        self.hook.store(Box::into_raw(Box::new(hook)), Ordering::SeqCst);
    }

    fn begin(&self) {
        self.marked.store(false, Ordering::SeqCst);
        self.sent.store(0, Ordering::Relaxed);
        self.state.store(AWAKE, Ordering::SeqCst);
    }

    /// Closes the eventfd, or drops the hook, once no thread uses it. Not to be called by the hook.
    pub(crate) fn close(&self) {
        // Nobody else comes in, except those who saw it asleep before this.
        self.state.store(AWAKE, Ordering::SeqCst);
        let fd = self.fd.swap(-1, Ordering::SeqCst);
        let hook = self.hook.swap(ptr::null_mut(), Ordering::SeqCst);
        // A user counts itself before it looks at `fd` and `hook`. The look here changes the
        // counter too (by nothing), so one of the two is first: if the user, it is seen here and
        // waited for; if this, the user sees what was swapped above.
        while self.users.fetch_add(0, Ordering::SeqCst) != 0 {
            yield_now();
        }
        if fd >= 0 {
            // SAFETY: the descriptor is ours, made by `open`, and no thread has its number any
            // more (above), so no write can hit another file of that number.
            unsafe { libc::close(fd) };
        }
        if !hook.is_null() {
            // SAFETY: made by `Box::into_raw` in `open_hook`, taken by one swap only, and no
            // thread has the pointer any more (above).
            drop(unsafe { Box::from_raw(hook) });
        }
    }

    /// The owner begins a turn.
    pub(crate) fn awake(&self) {
        self.state.store(AWAKE, Ordering::SeqCst);
    }

    /// The owner is about to sleep, or hands over to a host that may. It must look at the inbox,
    /// and at [`is_marked`](Signal::is_marked) where there is a watcher, once more after this.
    pub(crate) fn asleep(&self) {
        self.state.store(SLEEPING, Ordering::SeqCst);
    }

    /// There is work: wakes the owner if it sleeps and nobody has woken it. Any thread. Answers
    /// whether it was this call that did.
    pub(crate) fn raise(&self) -> bool {
        // A look that spares those who notify a busy reactor the exchange. SeqCst, as the push
        // before it, `asleep`, and the owner's look at the inbox after that: in the one order of
        // the four either the owner sees what was pushed, or this sees it asleep.
        if self.state.load(Ordering::SeqCst) != SLEEPING {
            return false;
        }
        self.users.fetch_add(1, Ordering::SeqCst);
        let _user = User(&self.users);
        // As a user: a signal that was closed and opened again since the look is another one,
        // which this may still wake, but only once for each of its sleeps.
        if self
            .state
            .compare_exchange(SLEEPING, SIGNALLED, Ordering::SeqCst, Ordering::SeqCst)
            .is_err()
        {
            return false;
        }
        self.send();
        true
    }

    /// Raises for what the owner finds by asking the selector, not in the inbox: the mark stays for
    /// an owner that is awake, but has asked already. Any thread.
    pub(crate) fn mark(&self) {
        // A swap as in `take_mark`, of which one is first: this is never lost under that.
        self.marked.swap(true, Ordering::SeqCst);
        self.raise();
    }

    /// Whether it was marked since the last of these calls: to be asked in each turn before the
    /// selector is. Owner only.
    pub(crate) fn take_mark(&self) -> bool {
        self.marked.swap(false, Ordering::SeqCst)
    }

    /// Whether it was marked since the last [`take_mark`](Signal::take_mark): to be asked after
    /// [`asleep`](Signal::asleep), and if so there is more to do. Owner only.
    pub(crate) fn is_marked(&self) -> bool {
        self.marked.load(Ordering::SeqCst)
    }

    /// How many signals were sent since it was opened.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Only as a user.
    fn send(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let hook = self.hook.load(Ordering::SeqCst);
        // SAFETY: not null, then made by `Box::into_raw` in `open_hook`, and `close` drops it only
        // after it was taken out of `hook` and `users` was zero since, which we count in.
        if let Some(hook) = unsafe { hook.as_ref() } {
            hook();
            return;
        }
        let fd = self.fd.load(Ordering::SeqCst);
        if fd >= 0 {
            let one = 1u64;
            // A full counter (EAGAIN) cannot be reached. EINTR no kernel says of an eventfd that
            // never blocks, but one that is emulated may, and the wake-up would be lost.
            // SAFETY: eight bytes of a live u64 are written to a descriptor that `close` keeps
            // open until `users` is zero again.
            while unsafe { libc::write(fd, (&raw const one).cast(), 8) } < 0
                && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
            {}
        }
    }
}

/// Counts a user out, also when the hook panics.
struct User<'a>(&'a AtomicU32);

impl Drop for User<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(all(test, loom))]
mod loom_models;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;

    use super::*;

    fn counting() -> (Wake, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let hook = move || {
            counter.fetch_add(1, Ordering::SeqCst);
        };
        (Arc::new(hook), calls)
    }

    #[test]
    fn the_hook_runs_once_a_sleep() {
        let signal = Signal::new();
        let (hook, calls) = counting();
        signal.open_hook(hook);
        assert!(!signal.raise());
        for sleep in 1..=3 {
            signal.asleep();
            assert!(signal.raise());
            assert!(!signal.raise());
            signal.awake();
            assert!(!signal.raise());
            assert_eq!(calls.load(Ordering::SeqCst), sleep);
            assert_eq!(signal.sent(), sleep as u64);
        }
        signal.close();
    }

    #[test]
    fn a_closed_signal_drops_its_hook_and_is_silent() {
        let signal = Signal::new();
        let (hook, calls) = counting();
        signal.open_hook(hook);
        signal.asleep();
        signal.close();
        assert_eq!(Arc::strong_count(&calls), 1);
        assert!(!signal.raise());
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        signal.close();

        let (hook, calls) = counting();
        signal.open_hook(hook);
        signal.asleep();
        assert!(signal.raise());
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert_eq!(signal.sent(), 1);
        signal.close();
    }

    #[test]
    fn closing_waits_for_a_thread_inside_the_hook() {
        let signal = Signal::new();
        let (entered, has_entered) = mpsc::channel();
        let (let_go, may_go) = mpsc::channel();
        let may_go = std::sync::Mutex::new(may_go);
        let (left, has_left) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let inside = Arc::clone(&left);
        signal.open_hook(Arc::new(move || {
            entered.send(()).unwrap();
            may_go.lock().unwrap().recv().unwrap();
            inside.store(true, Ordering::SeqCst);
        }));
        signal.asleep();
        std::thread::scope(|scope| {
            scope.spawn(|| signal.raise());
            has_entered.recv().unwrap();
            let closer = scope.spawn(|| {
                signal.close();
                has_left.store(left.load(Ordering::SeqCst), Ordering::SeqCst);
            });
            let_go.send(()).unwrap();
            closer.join().unwrap();
        });
        assert!(has_left.load(Ordering::SeqCst));
    }

    #[test]
    fn a_hook_that_panics_does_not_keep_the_signal_open() {
        let signal = Signal::new();
        signal.open_hook(Arc::new(|| panic!("a hook that fails")));
        signal.asleep();
        let raised = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| signal.raise()));
        assert!(raised.is_err());
        signal.close();
    }

    #[test]
    fn a_mark_stays_until_it_is_taken() {
        let signal = Signal::new();
        let (hook, calls) = counting();
        signal.open_hook(hook);
        signal.mark();
        signal.asleep();
        assert!(signal.is_marked());
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        signal.awake();
        assert!(signal.take_mark());
        assert!(!signal.is_marked());
        signal.asleep();
        signal.mark();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        signal.close();
    }
}
