//! Who looks at descriptors where the host cannot: one thread of the library, which sleeps on the
//! selectors of all delegated reactors and raises the signal of each that has something to report.
//!
//! It runs for as long as a selector is watched. What is here is done when a reactor gets its first
//! descriptor or ends, so one mutex guards it all.

#[cfg(not(target_os = "linux"))]
mod portable;

use std::collections::BTreeMap;
#[cfg(target_os = "linux")]
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(not(target_os = "linux"))]
use portable::Poll;

use super::handle::RawFd;
use super::signal::Signal;
use super::{fork, thread};
use crate::error::{Error, Result};
use crate::reactor::Spawn;

/// The name with which a spawn hook is asked for the thread.
pub(crate) const NAME: &str = "awsgi-watcher";

/// What the epoll calls the eventfd that ends the thread. Selectors are numbered from 1.
const END: u64 = 0;

/// Events taken from the kernel at once.
const BATCH: usize = 64;

/// Before the kernel is asked again, when it had no memory to answer.
const BREATH: Duration = Duration::from_millis(1);

#[cfg(target_os = "linux")]
fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made by the kernel for us, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What the thread sleeps on. It and the table hold it; the last of them closes it.
#[cfg(target_os = "linux")]
struct Poll {
    epoll: OwnedFd,
    end: OwnedFd,
}

#[cfg(target_os = "linux")]
impl Poll {
    fn new() -> Result<Poll> {
        // SAFETY: takes no pointers.
        let epoll = owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
            .map_err(|error| Error::os("making the watcher's epoll (epoll_create1)", &error))?;
        // SAFETY: takes no pointers.
        let end = owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
            .map_err(|error| Error::os("making the watcher's signal (eventfd)", &error))?;
        let poll = Poll { epoll, end };
        poll.add(poll.end.as_raw_fd(), END)?;
        Ok(poll)
    }

    /// Edge-triggered: the owner of a selector takes what it reports, in its own time.
    fn add(&self, fd: RawFd, name: u64) -> Result<()> {
        let events = (libc::EPOLLIN | libc::EPOLLET) as u32;
        let mut event = libc::epoll_event { events, u64: name };
        // SAFETY: `event` lives through the call; a descriptor that is none is refused.
        let status =
            unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) };
        if status < 0 {
            let error = io::Error::last_os_error();
            return Err(Error::os("watching a selector (epoll_ctl)", &error));
        }
        Ok(())
    }

    /// Fails only for a descriptor that is closed already, which the kernel has removed then.
    fn remove(&self, fd: RawFd) {
        let epoll = self.epoll.as_raw_fd();
        // SAFETY: a removal takes no event.
        unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_DEL, fd, ptr::null_mut()) };
    }

    /// Sleeps until something is there, or so many milliseconds; -1: for ever.
    fn wait<'a>(
        &self,
        events: &'a mut [libc::epoll_event],
        timeout: libc::c_int,
    ) -> io::Result<&'a [libc::epoll_event]> {
        // SAFETY: the kernel fills at most as many events as the slice holds.
        let taken = unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                events.as_mut_ptr(),
                events.len() as libc::c_int,
                timeout,
            )
        };
        if taken < 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                // Somebody closed our descriptor, or has put another file in its place: it would
                // fail for ever.
                Some(libc::EBADF | libc::EINVAL) => Err(error),
                Some(libc::EINTR) => Ok(&[]),
                _ => {
                    std::thread::sleep(BREATH);
                    Ok(&[])
                }
            };
        }
        Ok(&events[..taken as usize])
    }

    /// Has the thread end.
    fn end(&self) {
        let one = 1u64;
        // SAFETY: eight bytes of a live u64; the descriptor is ours for as long as `self` lives.
        while unsafe { libc::write(self.end.as_raw_fd(), (&raw const one).cast(), 8) } < 0
            && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
        {}
    }
}

/// The place of the thread, which one takes.
struct Sleeper {
    poll: Poll,
    taken: AtomicBool,
}

#[derive(Default)]
struct Table {
    /// While something is watched, the thread's.
    sleeper: Option<Arc<Sleeper>>,
    watched: BTreeMap<u64, &'static Signal>,
    /// Whose signals are being raised: by one thread, and by those before it that are ending.
    raising: Vec<u64>,
    /// Names are never used twice, so that an event which comes late meets nobody.
    last_name: u64,
}

struct Watcher {
    /// In which process of a line of forks this is.
    forks: u32,
    table: Mutex<Table>,
    /// A raise is over.
    raised: Condvar,
}

/// The watcher of this process. A forked child makes its own: of the one that it inherits, the
/// thread does not exist there, and the mutex may be locked for ever.
fn watcher() -> &'static Watcher {
    static WATCHER: AtomicPtr<Watcher> = AtomicPtr::new(ptr::null_mut());
    let forks = fork::forks();
    let mut seen = WATCHER.load(Ordering::Acquire);
    loop {
        // SAFETY: not null, then made by `Box::into_raw` below, and never freed once it was stored.
        match unsafe { seen.as_ref() } {
            Some(watcher) if watcher.forks == forks => return watcher,
            // The parent's stays as it is, with its two descriptors: the child may have closed
            // them, and their numbers may be those of other files by now.
            Some(_) | None => {}
        }
        let made = Box::into_raw(Box::new(Watcher::new(forks)));
        match WATCHER.compare_exchange(seen, made, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: made above, and never freed from here on.
            Ok(_) => return unsafe { &*made },
            Err(now) => {
                // SAFETY: made above, and seen by nobody.
                drop(unsafe { Box::from_raw(made) });
                seen = now;
            }
        }
    }
}

/// The place of the thread in the hands of one that sleeps on more than it: whoever has it looks in
/// the thread's stead, until it is dropped.
#[cfg(all(feature = "jni", target_os = "linux"))]
pub(crate) struct Place {
    watcher: &'static Watcher,
    sleeper: Arc<Sleeper>,
    /// There is nothing to look for any more.
    over: bool,
}

/// Takes the place of the thread, if something is watched and nobody has it.
#[cfg(all(feature = "jni", target_os = "linux"))]
pub(crate) fn take_place() -> Option<Place> {
    watcher().take_place()
}

#[cfg(all(feature = "jni", target_os = "linux"))]
impl Place {
    /// Readable when there is something to look at.
    pub(crate) fn fd(&self) -> RawFd {
        self.sleeper.poll.epoll.as_raw_fd()
    }

    /// Looks once, without sleeping, and raises. Answers whether there is anything to look for any
    /// more; if not, the place is to be dropped.
    pub(crate) fn look(&mut self) -> bool {
        self.over = !self.watcher.look(&self.sleeper.poll, 0);
        !self.over
    }
}

#[cfg(all(feature = "jni", target_os = "linux"))]
impl Drop for Place {
    fn drop(&mut self) {
        // A place that is of no use any more stays taken, as one whose thread has ended.
        self.sleeper.taken.store(self.over, Ordering::Release);
    }
}

/// Marks and raises `signal` whenever `selector` has something new to report, until the answer is
/// dropped. `spawn` makes the thread, where it takes one; it may not call this again.
///
/// # Errors
///
/// `Os` where the kernel refuses a descriptor, the watch or the thread; whatever `spawn` answers.
/// Nothing is left behind then.
pub(crate) fn watch(
    signal: &'static Signal,
    selector: RawFd,
    spawn: Option<&Spawn>,
) -> Result<Watched> {
    watcher().watch(signal, selector, spawn)
}

impl Watcher {
    fn new(forks: u32) -> Watcher {
        Watcher { forks, table: Mutex::default(), raised: Condvar::new() }
    }

    fn watch(
        &'static self,
        signal: &'static Signal,
        selector: RawFd,
        spawn: Option<&Spawn>,
    ) -> Result<Watched> {
        let mut table = self.lock();
        let name = table.last_name + 1;
        let sleeper = match &table.sleeper {
            Some(sleeper) => Arc::clone(sleeper),
            None => Arc::new(Sleeper { poll: Poll::new()?, taken: AtomicBool::new(false) }),
        };
        sleeper.poll.add(selector, name)?;
        // The thread looks for the name once it gets the lock.
        table.last_name = name;
        table.watched.insert(name, signal);
        table.sleeper = Some(Arc::clone(&sleeper));
        // A hook may take its time, and others do not wait for it.
        drop(table);
        let watched = Watched { watcher: self, name, selector };
        // Not that somebody has asked for the thread: his hook may have promised one and made none.
        if !sleeper.taken.load(Ordering::Acquire) {
            self.start(&sleeper, spawn)?;
        }
        Ok(watched)
    }

    #[cfg(all(feature = "jni", target_os = "linux"))]
    fn take_place(&'static self) -> Option<Place> {
        let sleeper = self.lock().sleeper.clone()?;
        if sleeper.taken.swap(true, Ordering::AcqRel) {
            return None;
        }
        Some(Place { watcher: self, sleeper, over: false })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the thread made. Of several, one stays.
    fn start(&'static self, sleeper: &Arc<Sleeper>, spawn: Option<&Spawn>) -> Result<()> {
        let its = Arc::clone(sleeper);
        let body = move || {
            if !its.taken.swap(true, Ordering::AcqRel) {
                self.run(&its.poll);
            }
        };
        match spawn {
            Some(spawn) => spawn(Box::new(body), NAME),
            None => thread::spawn(NAME.to_owned(), body).map(drop).map_err(|error| {
                Error::os("starting the watcher's thread (raise ulimit -u)", &error)
            }),
        }
    }

    /// The thread. It leaves nothing: whoever ended it has taken everything out of the table.
    #[cfg(target_os = "linux")]
    fn run(&self, poll: &Poll) {
        while self.look(poll, -1) {}
    }

    /// Looks once, for so many milliseconds at most, and raises the signals of those who have
    /// something to report. Answers whether there is anything to look for any more.
    #[cfg(target_os = "linux")]
    fn look(&self, poll: &Poll, timeout: libc::c_int) -> bool {
        let mut events = [libc::epoll_event { events: 0, u64: END }; BATCH];
        let Ok(events) = poll.wait(&mut events, timeout) else { return false };
        if events.iter().any(|event| event.u64 == END) {
            return false;
        }
        for event in events {
            self.raise(event.u64);
        }
        true
    }

    /// Raises without the lock: a host's hook may take its time, or want a lock under which
    /// another of its threads ends a reactor.
    fn raise(&self, name: u64) {
        let mut table = self.lock();
        let Some(signal) = table.watched.get(&name).copied() else { return };
        table.raising.push(name);
        drop(table);
        // A hook that panics has said so; the other reactors still need the thread.
        let _ = catch_unwind(AssertUnwindSafe(|| signal.mark()));
        self.lock().raising.retain(|other| *other != name);
        self.raised.notify_all();
    }
}

/// A selector that is watched until this is dropped, which waits for a raise under way: no other
/// follows. Not to be dropped by a wake hook, and before the selector is closed.
pub(crate) struct Watched {
    watcher: &'static Watcher,
    name: u64,
    selector: RawFd,
}

impl Watched {
    /// Watches another selector in place of the one so far, which has to be open still.
    ///
    /// # Errors
    ///
    /// `Os` where the kernel refuses: then the one so far stays watched.
    pub(crate) fn rewatch(&mut self, selector: RawFd) -> Result<()> {
        if self.is_inherited() {
            return Ok(());
        }
        let table = self.watcher.lock();
        if let Some(sleeper) = &table.sleeper {
            sleeper.poll.add(selector, self.name)?;
            sleeper.poll.remove(self.selector);
        }
        self.selector = selector;
        Ok(())
    }

    /// In a forked child the epoll is still the one of the parent, who needs it.
    fn is_inherited(&self) -> bool {
        self.watcher.forks != fork::forks_seen()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.is_inherited() {
            return;
        }
        let mut table = self.watcher.lock();
        // Closing it later does not remove it: a forked child may have it open, too.
        if let Some(sleeper) = &table.sleeper {
            sleeper.poll.remove(self.selector);
        }
        table.watched.remove(&self.name);
        if table.watched.is_empty() {
            if let Some(sleeper) = table.sleeper.take() {
                sleeper.poll.end();
            }
        }
        while table.raising.contains(&self.name) {
            table = self.watcher.raised.wait(table).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
