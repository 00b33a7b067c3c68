//! The table of descriptors: one registration a number, whatever the number of waitables on it,
//! and what each errno of the selector means.

use std::io;

use super::handle::RawFd;
use super::selector::Selector;
use crate::core::slots::NIL;
use crate::core::{Direct, Readiness};
use crate::error::{Error, Result, Status};

/// What an arm came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Armed {
    /// The selector watches it, and reports at once if it is ready.
    Watched,
    /// A file that is always ready, as poll(2) says of it.
    AlwaysReady,
}

/// Why nobody can wait any more for the file that a number meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The number means another file.
    Replaced,
    /// The selector does not watch it, with this errno.
    Failed(i32),
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
    /// What its reports come to, as long as it counts.
    direct: Direct,
}

impl Registration {
    const NONE: Registration = Registration {
        generation: 0,
        first: NIL,
        name: NOT_WATCHED,
        others: None,
        watched: None,
        vain: 0,
        direct: Direct::NONE,
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
    /// Numbers whose file was lost, until [`next_lost`](Descriptors::next_lost) tells.
    lost: Vec<(RawFd, Loss)>,
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
                "this system's kqueue does not watch descriptor {fd}, which may be a device, or a \
                 loop that watches this reactor: wait for it on a thread, make an event, and notify \
                 that"
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
                "descriptor {fd} watches this reactor, directly or through others, or loops are \
                 nested deeper than the kernel follows them: wait for what it holds instead"
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

/// What an errno says about the file that the selector watched under a number so far.
fn loss(error: &io::Error) -> Option<Loss> {
    match error.raw_os_error() {
        // The selector looks at what the number means now before it looks for the registration: a
        // file that it never takes, or the selector itself.
        Some(libc::ENOENT | libc::EPERM | libc::EINVAL) => Some(Loss::Replaced),
        Some(libc::EBADF) => Some(Loss::Failed(libc::EBADF)),
        _ => None,
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

/// A descriptor ended with the waitable that owned it.
pub(crate) fn closing(fd: RawFd) -> Error {
    let error = io::Error::from_raw_os_error(libc::EBADF);
    Error::os(&format!("descriptor {fd} is being closed with the waitable that owned it"), &error)
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
            registration.direct = Direct::NONE;
        }
    }

    /// Removes a waitable from its number; with the last one the selector, if there is one,
    /// forgets the number.
    pub(crate) fn remove(&mut self, selector: Option<&mut dyn Selector>, fd: RawFd, waitable: u32) {
        let registration = &mut self.table[fd as usize];
        if registration.first != waitable {
            let others = registration.others.as_mut().expect("it is one of several");
            others.retain(|other| *other != waitable);
            registration.others.take_if(|others| others.is_empty());
            return;
        }
        if let Some(next) = registration.others.as_mut().and_then(|others| others.pop()) {
            registration.first = next;
            registration.others.take_if(|others| others.is_empty());
            return;
        }
        if let Some(selector) = selector {
            self.disarm(selector, fd);
        }
        self.table[fd as usize] = Registration::NONE;
    }

    /// Whether a number has one waitable.
    pub(crate) fn is_only(&self, fd: RawFd) -> bool {
        self.table[fd as usize].others.is_none()
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
    /// Whether it succeeds or not, it may find that the file watched so far is lost.
    pub(crate) fn arm(
        &mut self,
        selector: &mut dyn Selector,
        fd: RawFd,
        interest: Readiness,
    ) -> Result<Armed> {
        let mut known = self.table[fd as usize].watched.is_some();
        // Each remedy leads to another call at most once, so three are enough.
        for _ in 0..3 {
            let registration = &mut self.table[fd as usize];
            let name = name(fd, registration.generation);
            let attempt = if known {
                selector.reregister(fd, name, interest)
            } else {
                selector.register(fd, name, interest)
            };
            let Err(error) = attempt else {
                if registration.set_watched(fd, Some(interest)).is_none() {
                    self.watched += 1;
                }
                registration.vain = 0;
                return Ok(Armed::Watched);
            };
            if known {
                self.lose(fd, loss(&error));
            }
            match remedy(fd, &error) {
                Remedy::Register => known = false,
                Remedy::Reregister => known = true,
                Remedy::AlwaysReady => return Ok(Armed::AlwaysReady),
                Remedy::Refuse(error) => return Err(error),
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

    /// What the selector watched under a number is not what the number means. If it lives on
    /// elsewhere, its reports are a ghost's from here on.
    fn lose(&mut self, fd: RawFd, loss: Option<Loss>) {
        let Some(loss) = loss else { return };
        let registration = &mut self.table[fd as usize];
        self.next_generation = self.next_generation.wrapping_add(1);
        registration.generation = self.next_generation;
        if registration.set_watched(fd, None).is_some() {
            self.watched -= 1;
            self.lost.push((fd, loss));
        }
    }

    /// A number whose file was lost: whoever waits for it waits for nothing.
    pub(crate) fn next_lost(&mut self) -> Option<(RawFd, Loss)> {
        self.lost.pop()
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

    /// What a report comes to, if that was remembered in this epoch of the core.
    #[inline]
    pub(crate) fn direct(&self, report: usize, epoch: u64) -> Option<&Direct> {
        let registration = self.table.get(report as u32 as usize)?;
        let counts = registration.name == report && registration.direct.epoch == epoch;
        counts.then_some(&registration.direct)
    }

    /// Remembers what the reports of a number come to.
    pub(crate) fn remember(&mut self, report: usize, direct: Direct) {
        self.table[report as u32 as usize].direct = direct;
    }

    /// The waitable that such a report is about, if it is the only one on its number.
    #[inline]
    pub(crate) fn only_waitable(&self, report: usize) -> Option<u32> {
        let registration = self.table.get(report as u32 as usize)?;
        let only = registration.name == report && registration.others.is_none();
        only.then_some(registration.first)
    }

    /// Whether ghosts have cost as much by now as it does to rebuild the selector. Either is in
    /// proportion to the other: at most half of all work is lost to ghosts.
    pub(crate) fn is_haunted(&self) -> bool {
        self.ghosts > FEW_GHOSTS + self.watched
    }

    /// How many numbers the selector watches.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn watched(&self) -> usize {
        self.watched
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
        // HANGUP and ERROR come unasked.
        let asked = |readiness: Readiness| readiness & !Readiness::ALWAYS;
        if wanted.is_empty() {
            self.disarm(selector, fd);
        } else if registration.watched.is_some_and(|watched| asked(watched) != asked(wanted)) {
            match selector.reregister(fd, name(fd, registration.generation), wanted) {
                Ok(()) => drop(registration.set_watched(fd, Some(wanted))),
                // Or a ghost would be taken for the living for as long as somebody waits.
                Err(error) => self.lose(fd, loss(&error)),
            }
        }
    }

    /// Has the selector forget a number.
    pub(crate) fn disarm(&mut self, selector: &mut dyn Selector, fd: RawFd) {
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

    /// Has another selector watch, too, whatever is waited for; `wanted` says what of a waitable
    /// is. The answer is for [`moved`](Descriptors::moved), once the other takes the place of the
    /// one so far.
    ///
    /// # Errors
    ///
    /// What the kernel says where it has not enough for both: the one so far still watches it all.
    pub(crate) fn copy(
        &mut self,
        from: &mut dyn Selector,
        to: &mut dyn Selector,
        wanted: impl Fn(u32) -> Readiness,
    ) -> io::Result<Vec<Copied>> {
        let mut copies = Vec::new();
        for at in 0..self.table.len() {
            let Some(watched) = self.table[at].watched else { continue };
            let fd = at as RawFd;
            let interest =
                self.waitables(fd).fold(Readiness::NONE, |sum, waitable| sum | wanted(waitable));
            if interest.is_empty() {
                continue;
            }
            let name = name(fd, self.table[at].generation);
            // Only the one so far knows whether the number still means the file: any other would
            // report the new file to those who wait for the old one.
            if let Some(loss) = from.reregister(fd, name, watched).err().as_ref().and_then(loss) {
                self.lose(fd, Some(loss));
                continue;
            }
            let error = match to.register(fd, name, interest) {
                Ok(()) => None,
                Err(error) => match error.raw_os_error() {
                    Some(libc::ENOMEM | libc::ENOSPC) => return Err(error),
                    errno => Some(errno.unwrap_or(libc::EIO)),
                },
            };
            copies.push(Copied { fd, interest, error });
        }
        Ok(copies)
    }

    /// The other selector has taken the place of the first.
    pub(crate) fn moved(&mut self, copies: Vec<Copied>) {
        for (at, registration) in self.table.iter_mut().enumerate() {
            registration.set_watched(at as RawFd, None);
        }
        self.watched = 0;
        for Copied { fd, interest, error } in copies {
            if let Some(errno) = error {
                self.lost.push((fd, Loss::Failed(errno)));
                continue;
            }
            let registration = &mut self.table[fd as usize];
            registration.set_watched(fd, Some(interest));
            registration.vain = 0;
            self.watched += 1;
        }
    }
}

/// A registration with another selector.
pub(crate) struct Copied {
    fd: RawFd,
    interest: Readiness,
    /// The errno, if that selector does not take it.
    error: Option<i32>,
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
