//! Descriptors as hosts have them: lent, given, closed, reused.

use super::world::{byte, one_of, pick, world};

pub struct Descriptor {
    pub fd: i32,
    /// Its status flags when it was made.
    flags: i32,
    /// We have not closed it.
    open: bool,
    /// It was given with AWSGI_OWN: it is no longer ours to use or close.
    pub given: bool,
}

/// Descriptors of one sequence at most.
const MANY: usize = 24;

fn flags(fd: i32) -> i32 {
    // SAFETY: takes no pointers; a descriptor that is none is refused.
    unsafe { libc::fcntl(fd, libc::F_GETFL) }
}

pub fn is_open(fd: i32) -> bool {
    flags(fd) >= 0
}

fn close_one(fd: i32) {
    // SAFETY: a descriptor of ours, or one that is none, which is what the answer tells.
    let closed = unsafe { libc::close(fd) };
    assert_eq!(closed, 0, "the library closed descriptor {fd}, which it was only lent");
}

/// The number that the next descriptor will get.
pub fn lowest_free() -> i32 {
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    assert!(fd >= 0, "no descriptor is left");
    close_one(fd);
    fd
}

/// A descriptor that is left shows as a number that is not free. The library's own threads may
/// close theirs a moment later.
pub fn check_none_left(before: i32) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while lowest_free() != before {
        assert!(std::time::Instant::now() < until, "descriptor {before} was left open");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

pub fn make() {
    if world(|world| world.descriptors.len()) >= MANY {
        return;
    }
    let mut pair = [-1; 2];
    let nonblocking = one_of(&[libc::O_NONBLOCK, 0]);
    // SAFETY: the places live through the calls, and the strings end in NUL.
    unsafe {
        match pick(9) {
            0 | 1 => {
                libc::pipe2(pair.as_mut_ptr(), libc::O_CLOEXEC | nonblocking);
            }
            2 | 3 => {
                let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | nonblocking;
                libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr());
            }
            4 => pair[0] = libc::eventfd(u32::from(byte() & 1), libc::EFD_CLOEXEC | nonblocking),
            5 => pair[0] = libc::memfd_create(c"fuzz".as_ptr(), libc::MFD_CLOEXEC),
            6 => pair[0] = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC),
            7 => pair[0] = libc::epoll_create1(libc::EPOLL_CLOEXEC),
            _ => {
                // The same file under another number.
                if let Some(fd) = own_one() {
                    pair[0] = libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0);
                }
            }
        }
    }
    for fd in pair.into_iter().filter(|fd| *fd >= 0) {
        super::check::trace(|| format!("descriptor {fd}"));
        let made = Descriptor { fd, flags: flags(fd), open: true, given: false };
        world(|world| world.descriptors.push(made));
    }
}

/// One of ours that is open.
fn own_one() -> Option<i32> {
    let choice = usize::from(byte());
    world(|world| {
        let ours: Vec<i32> = world
            .descriptors
            .iter()
            .filter(|descriptor| descriptor.open && !descriptor.given)
            .map(|descriptor| descriptor.fd)
            .collect();
        if ours.is_empty() { None } else { Some(ours[ours.len() - 1 - choice % ours.len()]) }
    })
}

/// A number to be lent: open, closed, never one.
pub fn any() -> i32 {
    match byte() {
        0xff => -1,
        0xfe => i32::MAX,
        0xfd => i32::MIN,
        0xfc => 9999,
        choice => world(|world| match world.descriptors.len() {
            0 => -1,
            count => world.descriptors[count - 1 - usize::from(choice) % count].fd,
        }),
    }
}

/// Whether the number is that of a descriptor which is ours to give away.
pub fn may_be_given(fd: i32) -> bool {
    world(|world| world.descriptors.iter().any(|one| one.fd == fd && one.open && !one.given))
}

pub fn give(fd: i32) {
    world(|world| {
        for one in &mut world.descriptors {
            if one.fd == fd && one.open && !one.given {
                one.given = true;
            }
        }
    });
}

fn is_ready(fd: i32, events: i16) -> bool {
    let mut poll = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: the place lives through the call, which does not wait.
    unsafe { libc::poll(&raw mut poll, 1, 0) == 1 && poll.revents & events != 0 }
}

/// Reads, writes, shuts down: what makes a descriptor ready, or no longer.
pub fn use_one() {
    let Some(fd) = own_one() else { return };
    let mut bytes = [1_u8; 4096];
    let length = one_of(&[8, 1, 4096]);
    // SAFETY: the buffer has the length; nothing here waits, since the descriptor was asked first.
    unsafe {
        match pick(4) {
            0 | 1 if is_ready(fd, libc::POLLOUT) && !is_ready(fd, libc::POLLERR) => {
                // A blocking descriptor might wait for room for all of it.
                let length = if flags(fd) & libc::O_NONBLOCK == 0 { 8 } else { length };
                // A socket whose peer is gone would raise SIGPIPE.
                if libc::send(fd, bytes.as_ptr().cast(), length, libc::MSG_NOSIGNAL) < 0
                    && *libc::__errno_location() == libc::ENOTSOCK
                {
                    libc::write(fd, bytes.as_ptr().cast(), length);
                }
            }
            2 if is_ready(fd, libc::POLLIN) => {
                libc::read(fd, bytes.as_mut_ptr().cast(), length);
            }
            3 => {
                libc::shutdown(fd, one_of(&[libc::SHUT_WR, libc::SHUT_RD, libc::SHUT_RDWR]));
            }
            _ => {}
        }
    }
}

/// Closes one, perhaps while it is waited for.
pub fn close() {
    let Some(fd) = own_one() else { return };
    super::check::trace(|| format!("closing descriptor {fd}"));
    close_one(fd);
    world(|world| {
        for one in &mut world.descriptors {
            if one.fd == fd && !one.given {
                one.open = false;
            }
        }
    });
}

/// What was lent is still there, and as it was.
pub fn end_all() {
    for one in world(|world| std::mem::take(&mut world.descriptors)) {
        if one.open && !one.given {
            assert_eq!(flags(one.fd), one.flags, "the flags of descriptor {} changed", one.fd);
            close_one(one.fd);
        }
    }
}
