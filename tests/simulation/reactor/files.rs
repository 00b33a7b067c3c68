//! Files under numbers of their own, which no other file of the process takes.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use crate::model::words::*;

/// How many numbers a life has.
pub const NUMBERS: usize = 12;
/// Above what the process has open besides, and below the limit that is usual.
const FIRST: RawFd = 300;
const THREADS: i32 = 48;

/// The first number of the calling thread.
pub fn first_number() -> RawFd {
    static NEXT: AtomicI32 = AtomicI32::new(0);
    thread_local! {
        static MINE: RawFd = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    let mine = MINE.with(|mine| *mine);
    assert!(mine < THREADS, "so many threads have no numbers");
    FIRST + mine * NUMBERS as RawFd
}

fn checked(status: i32) -> i32 {
    assert!(status >= 0, "{}", io::Error::last_os_error());
    status
}

fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: just made by the kernel for the caller, who owns it alone.
    unsafe { OwnedFd::from_raw_fd(checked(fd)) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Socket,
    PipeEnd,
    PipeBegin,
    Event,
    Null,
}

impl Kind {
    fn of(number: u32) -> Kind {
        match number % 10 {
            0..=4 => Kind::Socket,
            5 | 6 => Kind::PipeEnd,
            7 => Kind::PipeBegin,
            8 => Kind::Event,
            _ => Kind::Null,
        }
    }
}

/// A file under its number, and what the reactor knows of it.
pub struct Number {
    pub fd: RawFd,
    pub open: bool,
    pub kind: Kind,
    pub peer: Option<OwnedFd>,
    /// Somebody had the selector watch the number; it was another file's since.
    pub watched: bool,
    pub replaced: bool,
    /// The waitables of the number, as the reactor keeps them.
    pub waitables: Vec<u32>,
    /// The one with which it is closed.
    pub owner: Option<u32>,
}

/// A file that is ready, and nothing of the reactor's any more.
pub struct Ghost {
    _file: OwnedFd,
    peer: OwnedFd,
}

impl Ghost {
    pub fn haunt(&self) {
        write(self.peer.as_raw_fd(), b"x");
    }
}

fn pipe(flags: i32) -> (OwnedFd, OwnedFd) {
    let mut ends = [0; 2];
    // SAFETY: two numbers that live through the call.
    checked(unsafe { libc::pipe2(ends.as_mut_ptr(), flags) });
    // SAFETY: takes no pointers.
    unsafe { libc::fcntl(ends[0], libc::F_SETPIPE_SZ, 4096) };
    (owned(ends[0]), owned(ends[1]))
}

fn pair(flags: i32) -> (OwnedFd, OwnedFd) {
    let mut ends = [0; 2];
    // SAFETY: two numbers that live through the call.
    checked(unsafe {
        libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM | flags, 0, ends.as_mut_ptr())
    });
    for end in ends {
        let small = 4096;
        let size = size_of::<i32>() as libc::socklen_t;
        // SAFETY: an int that lives through the call, and its size.
        checked(unsafe {
            let value: *const i32 = &raw const small;
            libc::setsockopt(end, libc::SOL_SOCKET, libc::SO_SNDBUF, value.cast(), size)
        });
    }
    (owned(ends[0]), owned(ends[1]))
}

fn write(fd: RawFd, bytes: &[u8]) -> bool {
    // SAFETY: as many bytes as the slice holds are read from it.
    unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) > 0 }
}

fn read(fd: RawFd) -> bool {
    let mut into = [0u8; 4096];
    // SAFETY: at most as many bytes as the array holds are written to it.
    unsafe { libc::read(fd, into.as_mut_ptr().cast(), into.len()) > 0 }
}

/// Waits with poll(2) for one descriptor to be readable.
pub fn is_readable(fd: RawFd, milliseconds: i32) -> bool {
    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd that lives through the call.
    unsafe { libc::poll(&mut entry, 1, milliseconds) == 1 }
}

impl Number {
    pub fn new(fd: RawFd, kind: u32) -> Number {
        let mut number = Number {
            fd,
            open: false,
            kind: Kind::Null,
            peer: None,
            watched: false,
            replaced: false,
            waitables: Vec::new(),
            owner: None,
        };
        number.fill(kind);
        number
    }

    /// Another file takes the number.
    pub fn fill(&mut self, kind: u32) {
        let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
        self.kind = Kind::of(kind);
        let (file, peer) = match self.kind {
            Kind::Socket => pair(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC),
            Kind::PipeEnd => pipe(flags),
            Kind::PipeBegin => {
                let (end, begin) = pipe(flags);
                (begin, end)
            }
            Kind::Event => {
                // SAFETY: takes no pointers.
                let file =
                    owned(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) });
                let peer = file.try_clone().expect("a descriptor is left");
                (file, peer)
            }
            Kind::Null => {
                let file = File::options().read(true).write(true).open("/dev/null");
                let file = OwnedFd::from(file.expect("it is there"));
                let peer = file.try_clone().expect("a descriptor is left");
                (file, peer)
            }
        };
        // SAFETY: takes no pointers; the number is ours.
        checked(unsafe { libc::dup3(file.as_raw_fd(), self.fd, libc::O_CLOEXEC) });
        // What shares the file would keep it alive.
        self.peer = (!matches!(self.kind, Kind::Event | Kind::Null)).then_some(peer);
        self.open = true;
    }

    /// The file lives on elsewhere, from where it can become ready.
    pub fn ghost(&mut self) -> Option<Ghost> {
        if !matches!(self.kind, Kind::Socket | Kind::PipeEnd) {
            return None;
        }
        let peer = self.peer.take()?;
        // SAFETY: takes no pointers.
        let file = owned(unsafe { libc::fcntl(self.fd, libc::F_DUPFD_CLOEXEC, 3) });
        Some(Ghost { _file: file, peer })
    }

    pub fn close(&mut self) {
        if self.open {
            // SAFETY: the number is ours.
            unsafe { libc::close(self.fd) };
        }
        (self.open, self.peer) = (false, None);
    }

    pub fn is_closed(&self) -> bool {
        // SAFETY: takes no pointers.
        unsafe { libc::fcntl(self.fd, libc::F_GETFD) < 0 }
    }

    /// What poll(2) says.
    pub fn ready(&self) -> u32 {
        if !self.open {
            return 0;
        }
        let events = libc::POLLIN | libc::POLLOUT | libc::POLLPRI | libc::POLLRDHUP;
        let mut entry = libc::pollfd { fd: self.fd, events, revents: 0 };
        // SAFETY: one pollfd that lives through the call, which does not wait.
        unsafe { libc::poll(&mut entry, 1, 0) };
        let is = |event: i16| entry.revents & event != 0;
        let mut bits = 0;
        for (so, bit) in [
            (is(libc::POLLIN), READABLE),
            (is(libc::POLLOUT), WRITABLE),
            (is(libc::POLLPRI), PRIORITY),
            (is(libc::POLLHUP) || is(libc::POLLIN) && is(libc::POLLRDHUP), READ_CLOSED),
            (is(libc::POLLHUP), HANGUP),
            (is(libc::POLLERR), ERROR),
        ] {
            bits |= if so { bit } else { 0 };
        }
        bits
    }

    pub fn act(&mut self, what: u32) {
        let peer = self.peer.as_ref().map(AsRawFd::as_raw_fd);
        if !self.open {
            return;
        }
        match (what % 6, self.kind, peer) {
            (_, Kind::Null, _) => {}
            (0, Kind::Event, _) => drop(write(self.fd, &1u64.to_ne_bytes())),
            (2, Kind::Event, _) => drop(write(self.fd, &(u64::MAX - 1).to_ne_bytes())),
            (0, Kind::Socket | Kind::PipeEnd, Some(peer)) => drop(write(peer, b"x")),
            (1, Kind::Socket | Kind::PipeEnd | Kind::Event, _) => while read(self.fd) {},
            (2, Kind::Socket | Kind::PipeBegin, _) => while write(self.fd, &[0; 2048]) {},
            (3, Kind::Socket | Kind::PipeBegin, Some(peer)) => while read(peer) {},
            (4, Kind::Socket, Some(peer)) => {
                // SAFETY: takes no pointers.
                unsafe { libc::shutdown(peer, libc::SHUT_WR) };
            }
            (5, ..) => self.peer = None,
            _ => {}
        }
    }
}
