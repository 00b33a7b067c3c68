//! The table of descriptors: one registration a number, whatever the number of waitables on it,
//! and what each errno of the selector means.

use std::io;
use std::os::fd::RawFd;

use super::selector::Selector;
use crate::core::Readiness;
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
    watched: bool,
    /// Reports in a row that met no waiter.
    ownerless: u8,
    waitables: Vec<u32>,
}

/// The table, by descriptor number.
#[derive(Default)]
pub(crate) struct Descriptors {
    table: Vec<Option<Box<Registration>>>,
    /// The generation of the next registration: one that ended is told from its successor.
    next_generation: u32,
    /// Descriptors of our own, which nobody may wait for.
    ours: Vec<RawFd>,
}

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
        // An epoll inside itself, or five levels deep.
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

/// Whether the process has this descriptor open.
fn is_open(fd: RawFd) -> io::Result<()> {
    // SAFETY: takes no pointers, and only reads the descriptor's flags.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Closes a descriptor that was given to us.
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
            self.table.resize_with(at + 1, || None);
        }
        let next_generation = &mut self.next_generation;
        self.table[at]
            .get_or_insert_with(|| {
                *next_generation = next_generation.wrapping_add(1);
                Box::new(Registration {
                    generation: *next_generation,
                    watched: false,
                    ownerless: 0,
                    waitables: Vec::with_capacity(1),
                })
            })
            .waitables
            .push(waitable);
    }

    /// Removes a waitable from its number; the last one ends the registration. Answers the
    /// waitables that remain.
    pub(crate) fn remove(
        &mut self,
        selector: &mut dyn Selector,
        fd: RawFd,
        waitable: u32,
    ) -> &[u32] {
        let Some(slot) = self.table.get_mut(fd as usize) else { return &[] };
        let Some(registration) = slot else { return &[] };
        registration.waitables.retain(|other| *other != waitable);
        if registration.waitables.is_empty() {
            if registration.watched {
                disarm(selector, fd);
            }
            *slot = None;
            return &[];
        }
        &self.table[fd as usize].as_ref().expect("still there").waitables
    }

    /// The waitables on a number.
    pub(crate) fn waitables(&self, fd: RawFd) -> &[u32] {
        self.table
            .get(fd as usize)
            .and_then(|slot| slot.as_ref())
            .map_or(&[], |registration| &registration.waitables)
    }

    /// Has the selector watch a number for `interest` and report at once what is ready already.
    pub(crate) fn arm(
        &mut self,
        selector: &mut dyn Selector,
        fd: RawFd,
        interest: Readiness,
    ) -> Result<Armed> {
        let registration = self
            .table
            .get_mut(fd as usize)
            .and_then(|slot| slot.as_mut())
            .expect("a waitable's descriptor is in the table");
        let mut replaced = false;
        let mut known = registration.watched;
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
                    registration.watched = true;
                    registration.ownerless = 0;
                    return Ok(if replaced { Armed::Replaced } else { Armed::Watched });
                }
                Err(error) => match remedy(fd, &error) {
                    Remedy::Register => {
                        known = false;
                        registration.watched = false;
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

    /// The number of a report, if it is about the file that the number means now.
    pub(crate) fn reported(&self, report: usize) -> Option<RawFd> {
        let fd = report as u32 as RawFd;
        let registration = self.table.get(fd as usize)?.as_ref()?;
        (name(fd, registration.generation) == report).then_some(fd)
    }

    /// A report met somebody who waits.
    pub(crate) fn owned(&mut self, fd: RawFd) {
        if let Some(Some(registration)) = self.table.get_mut(fd as usize) {
            registration.ownerless = 0;
        }
    }

    /// A report met nobody: the second one in a row disarms the number.
    pub(crate) fn ownerless(&mut self, selector: &mut dyn Selector, fd: RawFd) {
        let Some(Some(registration)) = self.table.get_mut(fd as usize) else { return };
        // A file that lives on under another number reports for as long as it lives.
        registration.ownerless = registration.ownerless.saturating_add(1);
        if registration.ownerless >= 2 && registration.watched {
            disarm(selector, fd);
            registration.watched = false;
            registration.ownerless = 0;
        }
    }
}

/// Fails only if the number is closed (EBADF) or means another file (ENOENT, EPERM): the kernel
/// has forgotten the old one by itself then.
fn disarm(selector: &mut dyn Selector, fd: RawFd) {
    let _ = selector.deregister(fd);
}
