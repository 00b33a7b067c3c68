//! The table of descriptors: one registration a number, whatever the number of waitables on it,
//! and what each errno of the selector means.

use std::io;

use super::handle::RawFd;
use super::selector::Selector;
use crate::core::Readiness;
use crate::core::slots::NIL;
use crate::error::{Error, Result, Status};

/// What an arm came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Armed {
    /// The selector watches it, and reports at once if it is ready.
    Watched,
    /// The same, but under this number lies another file than before: whoever waited for the old
    /// one waits for nothing.
    Replaced,
    /// A file that is always ready, as poll(2) says of it.
    AlwaysReady,
}

/// What one descriptor number stands for.
struct Registration {
    /// Advances when the number turns out to mean another file; reports for an older one are
    /// dropped.
    generation: u32,
    /// The first waitable on it; NIL: none.
    first: u32,
    /// The name under which the selector reports it; NOT_WATCHED: it does not.
    name: usize,
    /// More waitables on the same number, which is rare.
    #[allow(clippy::box_collection)] // A third of the size, in each number's place.
    others: Option<Box<Vec<u32>>>,
    /// What the selector watches it for; `None`: it does not.
    watched: Option<Readiness>,
    /// Reports in a row that woke nobody.
    vain: u8,
}

impl Registration {
    const NONE: Registration = Registration {
        generation: 0,
        first: NIL,
        name: NOT_WATCHED,
        others: None,
        watched: None,
        vain: 0,
    };

    fn set_watched(&mut self, fd: RawFd, watched: Option<Readiness>) -> Option<Readiness> {
        self.name = match watched {
            Some(_) => name(fd, self.generation),
            None => NOT_WATCHED,
        };
        std::mem::replace(&mut self.watched, watched)
    }
}

/// The name of no report: it would be that of a descriptor beyond the last.
const NOT_WATCHED: usize = usize::MAX;

/// The table, by descriptor number.
#[derive(Default)]
pub(crate) struct Descriptors {
    table: Vec<Registration>,
    /// The generation of the next registration: one that ended is told from its successor.
    next_generation: u32,
    /// How many numbers the selector watches.
    watched: usize,
    /// Reports since the selector was made that were about files which no number means any more.
    ghosts: usize,
    /// Descriptors of our own, which nobody may wait for.
    ours: Vec<RawFd>,
}

/// Ghosts that cost less than to rebuild even an empty selector.
const FEW_GHOSTS: usize = 32;

/// What to do about a refused registration.
enum Remedy {
    Register,
    Reregister,
    AlwaysReady,
    Refuse(Error),
}

/// The errno table, after libevent's epoll.c, which has met them all.
fn remedy(fd: RawFd, error: &io::Error) -> Remedy {
    match error.raw_os_error() {
        // MOD of a number that was closed and opened again: the kernel dropped the old file.
        Some(libc::ENOENT) => Remedy::Register,
        // ADD of a file that is there already, which happens after dup.
        Some(libc::EEXIST) => Remedy::Reregister,
        // Regular files, directories, /dev/null: epoll cannot watch what never blocks.
        Some(libc::EPERM) => Remedy::AlwaysReady,
        // A kqueue inside itself, and what a kqueue does not take: some devices and terminals.
        #[cfg(not(target_os = "linux"))]
        Some(libc::EINVAL) => Remedy::Refuse(Error::new(
            Status::Unsupported,
            format!(
                "this system's kqueue does not watch descriptor {fd}: watch it on a thread, make an \
                 event, and notify that"
            ),
        )),
        // Refused by our own selector, before it asked the kernel.
        None if error.kind() == io::ErrorKind::Unsupported => {
            Remedy::Refuse(Error::new(Status::Unsupported, error.to_string()))
        }
        // An epoll inside itself, or five levels deep.
        #[cfg(target_os = "linux")]
        Some(libc::ELOOP | libc::EINVAL) => Remedy::Refuse(Error::new(
            Status::Nesting,
            format!(
                "descriptor {fd} watches this reactor, directly or through others: wait for what \
                 it holds instead"
            ),
        )),
        Some(libc::EBADF) => Remedy::Refuse(Error::os(
            &format!("waiting for descriptor {fd}, which is not open (closed too early?)"),
            error,
        )),
        // ENOMEM, ENOSPC and whatever a future kernel says: told, never fatal.
        _ => Remedy::Refuse(Error::os(&format!("waiting for descriptor {fd} (epoll_ctl)"), error)),
    }
}

fn name(fd: RawFd, generation: u32) -> usize {
    (u64::from(generation) << 32 | fd as u64) as usize
}

#[cfg(windows)]
pub(crate) use no_descriptors::{always_ready, close, is_open};

/// Where no handle becomes a descriptor, nobody asks about one.
#[cfg(windows)]
mod no_descriptors {
    use super::*;

    pub(crate) fn is_open(_: RawFd) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn always_ready(_: RawFd) -> Result<Readiness> {
        Ok(Readiness::NONE)
    }

    pub(crate) fn close(_: RawFd) {}
}

/// Whether the process has this descriptor open.
#[cfg(unix)]
fn is_open(fd: RawFd) -> io::Result<()> {
    // SAFETY: takes no pointers, and only reads the descriptor's flags.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// What a descriptor is ready for without being watched: everything, if it is a file that never
/// blocks and that no selector takes, else nothing.
#[cfg(unix)]
pub(crate) fn always_ready(fd: RawFd) -> Result<Readiness> {
    let mut status = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `status` is valid for the call to fill.
    if unsafe { libc::fstat(fd, status.as_mut_ptr()) } < 0 {
        let error = io::Error::last_os_error();
        return Err(Error::os(
            &format!("waiting for descriptor {fd}, which is not open (closed too early?)"),
            &error,
        ));
    }
    // SAFETY: the call has filled it.
    let mode = unsafe { status.assume_init() }.st_mode & libc::S_IFMT;
    Ok(if mode == libc::S_IFREG || mode == libc::S_IFDIR {
        Readiness::READABLE | Readiness::WRITABLE
    } else {
        Readiness::NONE
    })
}

/// Closes a descriptor that was given to us.
#[cfg(unix)]
pub(crate) fn close(fd: RawFd) {
    // SAFETY: the caller of awsgi_waitable_descriptor gave the descriptor away with AWSGI_OWN;
    // its waitable is gone, so nobody reaches it through us. EINTR must not be retried: Linux has
    // released the number.
    unsafe { libc::close(fd) };
}

impl Descriptors {
    /// Keeps a descriptor of our own from being waited for.
    pub(crate) fn reserve(&mut self, fd: RawFd) {
        self.ours.push(fd);
    }

    /// A descriptor is not ours any more.
    pub(crate) fn unreserve(&mut self, fd: RawFd) {
        self.ours.retain(|other| *other != fd);
    }

    /// Checks a descriptor that a waitable is to be made of.
    pub(crate) fn check(&self, fd: RawFd) -> Result<()> {
        if fd < 0 {
            let error = io::Error::from_raw_os_error(libc::EBADF);
            return Err(Error::os(&format!("{fd} is not a descriptor"), &error));
        }
        if self.ours.contains(&fd) {
            return Err(Error::new(
                Status::Nesting,
                format!("descriptor {fd} is the reactor's own: wait for it in the host's loop"),
            ));
        }
        is_open(fd).map_err(|error| {
            Error::os(&format!("descriptor {fd} is not open (closed too early?)"), &error)
        })
    }

    /// Adds a waitable to a number.
    pub(crate) fn add(&mut self, fd: RawFd, waitable: u32) {
        let at = fd as usize;
        if self.table.len() <= at {
            self.table.resize_with(at + 1, || Registration::NONE);
        }
        let registration = &mut self.table[at];
        if registration.first == NIL {
            self.next_generation = self.next_generation.wrapping_add(1);
            registration.generation = self.next_generation;
            registration.first = waitable;
        } else {
            registration.others.get_or_insert_default().push(waitable);
        }
    }

    /// Removes a waitable from its number; with the last one the selector, if there is one,
    /// forgets the number.
    pub(crate) fn remove(&mut self, selector: Option<&mut dyn Selector>, fd: RawFd, waitable: u32) {
        let registration = &mut self.table[fd as usize];
        if registration.first != waitable {
            let others = registration.others.as_mut().expect("it is one of several");
            others.retain(|other| *other != waitable);
            return;
        }
        if let Some(next) = registration.others.as_mut().and_then(|others| others.pop()) {
            registration.first = next;
            return;
        }
        if let Some(selector) = selector {
            self.disarm(selector, fd);
        }
        self.table[fd as usize] = Registration::NONE;
    }

    /// The waitables on a number, one after the other.
    pub(crate) fn waitable(&self, fd: RawFd, index: usize) -> Option<u32> {
        let registration = self.table.get(fd as usize)?;
        match index {
            0 => (registration.first != NIL).then_some(registration.first),
            _ => registration.others.as_ref()?.get(index - 1).copied(),
        }
    }

    /// The same, all together.
    pub(crate) fn waitables(&self, fd: RawFd) -> impl Iterator<Item = u32> + '_ {
        (0..).map_while(move |index| self.waitable(fd, index))
    }

    /// Has the selector watch a number for `interest` and report at once what is ready already.
    pub(crate) fn arm(
        &mut self,
        selector: &mut dyn Selector,
        fd: RawFd,
        interest: Readiness,
    ) -> Result<Armed> {
        let registration = &mut self.table[fd as usize];
        let mut replaced = false;
        let mut known = registration.watched.is_some();
        // Each remedy leads to another call at most once, so three are enough.
        for _ in 0..3 {
            let name = name(fd, registration.generation);
            let attempt = if known {
                selector.reregister(fd, name, interest)
            } else {
                selector.register(fd, name, interest)
            };
            match attempt {
                Ok(()) => {
                    if registration.set_watched(fd, Some(interest)).is_none() {
                        self.watched += 1;
                    }
                    registration.vain = 0;
                    return Ok(if replaced { Armed::Replaced } else { Armed::Watched });
                }
                Err(error) => match remedy(fd, &error) {
                    Remedy::Register => {
                        known = false;
                        if registration.set_watched(fd, None).is_some() {
                            self.watched -= 1;
                        }
                        self.next_generation = self.next_generation.wrapping_add(1);
                        registration.generation = self.next_generation;
                        replaced = true;
                    }
                    Remedy::Reregister => known = true,
                    Remedy::AlwaysReady => return Ok(Armed::AlwaysReady),
                    Remedy::Refuse(error) => return Err(error),
                },
            }
        }
        Err(Error::new(
            Status::Os,
            format!(
                "descriptor {fd} is closed and opened again faster than it can be watched: end \
                 its waits before closing it"
            ),
        ))
    }

    /// The number of a report, if it is about the file that the number means now. Any other is a
    /// ghost: its file lives on under another number, so the kernel still reports it.
    #[inline]
    pub(crate) fn reported(&mut self, report: usize) -> Option<RawFd> {
        let fd = report as u32 as RawFd;
        match self.table.get(fd as usize) {
            Some(registration) if registration.name == report => Some(fd),
            _ => {
                self.ghosts += 1;
                None
            }
        }
    }

    /// The waitable that such a report is about, if it is the only one on its number; the report is
    /// not in vain.
    #[inline]
    pub(crate) fn only_waitable(&mut self, report: usize) -> Option<u32> {
        let registration = self.table.get_mut(report as u32 as usize)?;
        if registration.name != report || registration.others.is_some() {
            return None;
        }
        registration.vain = 0;
        Some(registration.first)
    }

    /// Whether ghosts have cost as much by now as it does to rebuild the selector. Either is in
    /// proportion to the other: at most half of all work is lost to ghosts.
    pub(crate) fn is_haunted(&self) -> bool {
        self.ghosts > FEW_GHOSTS + self.watched
    }

    /// Counts ghosts anew.
    pub(crate) fn lay_ghosts(&mut self) {
        self.ghosts = 0;
    }

    /// A report woke somebody.
    pub(crate) fn useful(&mut self, fd: RawFd) {
        self.table[fd as usize].vain = 0;
    }

    /// A report woke nobody. At the second one in a row the selector is told what is `wanted` in
    /// truth, and forgets the number if that is nothing.
    pub(crate) fn in_vain(&mut self, selector: &mut dyn Selector, fd: RawFd, wanted: Readiness) {
        let registration = &mut self.table[fd as usize];
        registration.vain += 1;
        if registration.vain < 2 {
            return;
        }
        registration.vain = 0;
        if wanted.is_empty() {
            self.disarm(selector, fd);
        } else if registration.watched.is_some_and(|watched| watched != wanted) {
            // A failure means that the number is closed: the next arm will find out.
            if selector.reregister(fd, name(fd, registration.generation), wanted).is_ok() {
                registration.set_watched(fd, Some(wanted));
            }
        }
    }

    /// Has the selector forget a number.
    fn disarm(&mut self, selector: &mut dyn Selector, fd: RawFd) {
        let registration = &mut self.table[fd as usize];
        if registration.set_watched(fd, None).is_none() {
            return;
        }
        self.watched -= 1;
        if selector.deregister(fd).is_err() {
            // The number is closed, or means another file. The old one, if it lives on elsewhere,
            // may go on being reported under this name.
            self.next_generation = self.next_generation.wrapping_add(1);
            registration.generation = self.next_generation;
        }
    }

    /// Registers everything with a new selector. `wanted` says what a waitable is waited for.
    /// Answers the numbers that cannot be watched any more, with the reasons.
    pub(crate) fn move_to(
        &mut self,
        selector: &mut dyn Selector,
        wanted: impl Fn(u32) -> Readiness,
    ) -> Vec<(RawFd, io::Error)> {
        let mut lost = Vec::new();
        for at in 0..self.table.len() {
            let fd = at as RawFd;
            if self.table[at].set_watched(fd, None).is_none() {
                continue;
            }
            self.watched -= 1;
            let interest =
                self.waitables(fd).fold(Readiness::NONE, |sum, waitable| sum | wanted(waitable));
            if interest.is_empty() {
                continue;
            }
            let registration = &mut self.table[at];
            match selector.register(fd, name(fd, registration.generation), interest) {
                Ok(()) => {
                    registration.set_watched(fd, Some(interest));
                    registration.vain = 0;
                    self.watched += 1;
                }
                Err(error) => lost.push((fd, error)),
            }
        }
        lost
    }
}
