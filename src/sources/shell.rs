//! What a nested host watches: an epoll that holds nothing but the selector, and a timerfd that
//! makes it readable at the next deadline.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use crate::error::Result;

/// Refuses a nested reactor that could not keep its promises here: none.
pub(crate) fn check_nested(_host_honours_deadline: bool) -> Result<()> {
    Ok(())
}

/// The descriptor of nested mode. It never changes, also when the selector is rebuilt.
pub(crate) struct Shell {
    epoll: OwnedFd,
}

fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made by the kernel for us, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl Shell {
    pub(crate) fn new(selector: RawFd) -> io::Result<Shell> {
        // SAFETY: takes no pointers.
        let epoll = owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        let shell = Shell { epoll };
        shell.hold(selector)?;
        Ok(shell)
    }

    /// Holds another selector in place of the first. The descriptor stays, and so does the host's
    /// registration of it.
    pub(crate) fn replace(&self, old: RawFd, new: RawFd) -> io::Result<()> {
        self.hold(new)?;
        // Closing it would not be enough while a forked child has a copy. It is in there, so this
        // cannot fail.
        // SAFETY: takes no event; both descriptors are open.
        unsafe {
            libc::epoll_ctl(self.fd(), libc::EPOLL_CTL_DEL, old, std::ptr::null_mut());
        }
        Ok(())
    }

    fn hold(&self, selector: RawFd) -> io::Result<()> {
        // Level-triggered: readable for as long as the selector holds events.
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        // SAFETY: both descriptors are open, and `event` lives through the call.
        let status = unsafe {
            libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, selector, &mut event)
        };
        if status < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }

    /// Closes the descriptor, unless it is not ours any more: the host has its number, and one that has
    /// closed it may have opened another file there, or another thread of it may have.
    pub(crate) fn end(self, selector: RawFd) {
        let remove = || {
            // SAFETY: takes no event; a descriptor that is none, or another file, is refused.
            unsafe {
                libc::epoll_ctl(self.fd(), libc::EPOLL_CTL_DEL, selector, std::ptr::null_mut())
            }
        };
        // No other epoll holds the selector. What is refused for want of something else may succeed
        // when it is tried again; another file never does.
        if remove() < 0 && remove() < 0 {
            let _ = self.epoll.into_raw_fd();
        }
    }
}

/// A timerfd on the reactor's clock, registered edge-triggered in the selector and never read.
pub(crate) struct Alarm {
    timer: OwnedFd,
    programmed: u64,
}

impl Alarm {
    pub(crate) fn new() -> io::Result<Alarm> {
        // SAFETY: takes no pointers.
        let fd = unsafe {
            libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK)
        };
        Ok(Alarm { timer: owned(fd)?, programmed: u64::MAX })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.timer.as_raw_fd()
    }

    /// Rings at `deadline`, unless it already rings before that. A deadline withdrawn costs one
    /// ring that finds nothing to do.
    pub(crate) fn program(&mut self, now: u64, deadline: u64) -> io::Result<()> {
        if self.programmed <= now {
            self.programmed = u64::MAX;
        }
        if deadline >= self.programmed {
            return Ok(());
        }
        // Zero would disarm it.
        let at = deadline.max(1);
        let spec = libc::itimerspec {
            it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: libc::timespec {
                tv_sec: (at / 1_000_000_000).min(i64::MAX as u64) as libc::time_t,
                tv_nsec: (at % 1_000_000_000) as libc::c_long,
            },
        };
        // SAFETY: the descriptor is ours, `spec` lives through the call, and no old value is asked.
        let status = unsafe {
            libc::timerfd_settime(
                self.timer.as_raw_fd(),
                libc::TFD_TIMER_ABSTIME,
                &spec,
                std::ptr::null_mut(),
            )
        };
        if status < 0 {
            return Err(io::Error::last_os_error());
        }
        self.programmed = deadline;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoll() -> OwnedFd {
        // SAFETY: takes no pointers.
        owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).unwrap()
    }

    fn is_open(fd: RawFd) -> bool {
        // SAFETY: takes no pointers, and any number.
        unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
    }

    /// Far from the numbers that other tests of this process get meanwhile.
    fn moved(shell: Shell, number: RawFd) -> Shell {
        // SAFETY: the number is this test's own.
        let fd = unsafe { libc::dup3(shell.fd(), number, libc::O_CLOEXEC) };
        Shell { epoll: owned(fd).unwrap() }
    }

    #[test]
    fn its_end_closes_the_descriptor() {
        let selector = epoll();
        let shell = moved(Shell::new(selector.as_raw_fd()).unwrap(), 900);
        shell.end(selector.as_raw_fd());
        assert!(!is_open(900));
    }

    #[test]
    fn its_end_leaves_alone_what_a_host_has_put_in_its_place() {
        let selector = epoll();
        let others = [epoll(), std::fs::File::open("/dev/null").unwrap().into()];
        for other in others {
            let shell = moved(Shell::new(selector.as_raw_fd()).unwrap(), 901);
            // SAFETY: the number is this test's own.
            let put = unsafe { libc::dup3(other.as_raw_fd(), 901, libc::O_CLOEXEC) };
            shell.end(selector.as_raw_fd());
            assert!(is_open(put));
            drop(owned(put).unwrap());
        }
    }
}
