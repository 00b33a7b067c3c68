//! The errno table row by row: on real descriptors where a kernel can be made to say it.

use crate::sources::selector::Events;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::*;
use crate::sources::selector::MioSelector;
use crate::sources::selector::misbehaving::{Call, Misbehaving, Rule};

const WAITABLE: u32 = 7;

/// A table with one selector.
struct Watching {
    table: Descriptors,
    selector: Box<dyn Selector>,
}

impl Watching {
    fn new() -> Watching {
        Watching::with(MioSelector::new().unwrap())
    }

    fn with(selector: impl Selector + 'static) -> Watching {
        Watching { table: Descriptors::default(), selector: Box::new(selector) }
    }

    fn add(&mut self, fd: RawFd) {
        self.table.add(fd, WAITABLE);
    }

    fn arm(&mut self, fd: RawFd) -> Result<Armed> {
        self.table.arm(&mut *self.selector, fd, Readiness::READABLE)
    }

    fn armed(&mut self, fd: RawFd) {
        self.add(fd);
        assert_eq!(self.arm(fd).unwrap(), Armed::Watched);
        assert_eq!(self.table.next_lost(), None);
    }

    /// What is reported: of living files their numbers, of ghosts nothing.
    fn reports(&mut self) -> Vec<Option<RawFd>> {
        let mut events = Events::with_room(16);
        self.selector.wait(Some(Duration::ZERO), &mut events).unwrap();
        events.names().map(|name| self.table.reported(name)).collect()
    }

    fn lost(&mut self) -> Option<(RawFd, Loss)> {
        let lost = self.table.next_lost();
        assert_eq!(self.table.next_lost(), None, "once is enough");
        lost
    }
}

/// Puts a file under a number that no other test has; what was there is closed.
fn put(file: &impl AsRawFd, number: RawFd) -> OwnedFd {
    // SAFETY: the number is this test's own (each has another), so nothing of others is closed.
    let fd = unsafe { libc::dup3(file.as_raw_fd(), number, libc::O_CLOEXEC) };
    assert_eq!(fd, number);
    // SAFETY: just made.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn epoll() -> OwnedFd {
    // SAFETY: takes no pointers; the answer is nobody else's.
    unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(libc::EPOLL_CLOEXEC)) }
}

fn hold(outer: &impl AsRawFd, inner: RawFd) {
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    let (outer, add) = (outer.as_raw_fd(), libc::EPOLL_CTL_ADD);
    // SAFETY: `event` lives through the call.
    assert_eq!(unsafe { libc::epoll_ctl(outer, add, inner, &mut event) }, 0);
}

fn refused(status: Status, errno: i32, answer: Result<Armed>) -> String {
    let error = answer.unwrap_err();
    assert_eq!((error.status(), error.errno()), (status, errno), "{error}");
    error.message().to_owned()
}

#[test]
fn enoent_is_another_file_under_the_number() {
    let mut watching = Watching::new();
    let (old, mut to_old) = UnixStream::pair().unwrap();
    let (new, mut to_new) = UnixStream::pair().unwrap();
    let number = put(&old, 701);
    watching.armed(701);
    drop(number);
    let _number = put(&new, 701);
    assert_eq!(watching.arm(701).unwrap(), Armed::Watched);
    assert_eq!(watching.lost(), Some((701, Loss::Replaced)));
    // The old one lives on as `old`.
    to_old.write_all(b"x").unwrap();
    assert_eq!(watching.reports(), [None]);
    to_new.write_all(b"x").unwrap();
    assert_eq!(watching.reports(), [Some(701)]);
}

#[test]
fn eexist_is_a_file_that_came_back() {
    let mut watching = Watching::new();
    let (file, mut to_file) = UnixStream::pair().unwrap();
    let number = put(&file, 702);
    watching.armed(702);
    drop(number);
    // The number is closed, so the registration cannot be removed.
    watching.table.disarm(&mut *watching.selector, 702);
    let _number = put(&file, 702);
    assert_eq!(watching.arm(702).unwrap(), Armed::Watched);
    assert_eq!(watching.lost(), None);
    to_file.write_all(b"x").unwrap();
    assert_eq!(watching.reports(), [Some(702)]);
}

#[test]
fn eperm_is_a_file_that_is_always_ready() {
    let mut watching = Watching::new();
    let regular = File::open(std::env::current_exe().unwrap()).unwrap();
    let directory = File::open("/").unwrap();
    let null = File::open("/dev/null").unwrap();
    for file in [&regular, &directory, &null] {
        watching.add(file.as_raw_fd());
        assert_eq!(watching.arm(file.as_raw_fd()).unwrap(), Armed::AlwaysReady);
        assert_eq!(watching.lost(), None);
    }
    // The kernel says so before it looks for the registration.
    let (stream, _other) = UnixStream::pair().unwrap();
    let number = put(&stream, 703);
    watching.armed(703);
    drop(number);
    let _number = put(&null, 703);
    assert_eq!(watching.arm(703).unwrap(), Armed::AlwaysReady);
    assert_eq!(watching.lost(), Some((703, Loss::Replaced)));
}

#[test]
fn eloop_is_a_circle_or_too_long_a_chain() {
    let mut watching = Watching::new();
    let around = epoll();
    hold(&around, watching.selector.fd());
    watching.add(around.as_raw_fd());
    let message = refused(Status::Nesting, 0, watching.arm(around.as_raw_fd()));
    assert!(message.contains("wait for what it holds"), "{message}");

    let mut watching = Watching::new();
    let (stream, _other) = UnixStream::pair().unwrap();
    let mut chain = vec![epoll()];
    hold(&chain[0], stream.as_raw_fd());
    // Five deep, which is as many as the kernel allows in all.
    while chain.len() < 5 {
        let next = epoll();
        hold(&next, chain.last().unwrap().as_raw_fd());
        chain.push(next);
    }
    let deepest = chain.last().unwrap().as_raw_fd();
    watching.add(deepest);
    refused(Status::Nesting, 0, watching.arm(deepest));
    watching.armed(chain[0].as_raw_fd());
}

#[test]
fn einval_is_the_selector_itself() {
    let mut watching = Watching::new();
    let itself = watching.selector.fd();
    watching.add(itself);
    refused(Status::Nesting, 0, watching.arm(itself));
    assert_eq!(watching.lost(), None);
    let (stream, _other) = UnixStream::pair().unwrap();
    let number = put(&stream, 704);
    watching.armed(704);
    drop(number);
    let _number = put(&watching.selector.fd(), 704);
    refused(Status::Nesting, 0, watching.arm(704));
    assert_eq!(watching.lost(), Some((704, Loss::Replaced)));
}

#[test]
fn ebadf_is_a_number_that_is_not_open() {
    let mut watching = Watching::new();
    watching.add(705);
    let message = refused(Status::Os, libc::EBADF, watching.arm(705));
    assert!(message.contains("descriptor 705") && message.contains("closed too early"));
    assert_eq!(watching.lost(), None);
    let (stream, _other) = UnixStream::pair().unwrap();
    let number = put(&stream, 706);
    watching.armed(706);
    drop(number);
    refused(Status::Os, libc::EBADF, watching.arm(706));
    assert_eq!(watching.lost(), Some((706, Loss::Failed(libc::EBADF))));
}

#[test]
fn enomem_and_enospc_are_told_and_leave_things_as_they_are() {
    for (errno, help) in [(libc::ENOMEM, "free some"), (libc::ENOSPC, "max_user_watches")] {
        let rule = Rule::none();
        let mut watching = Watching::with(Misbehaving::new(&rule));
        let (stream, mut to_stream) = UnixStream::pair().unwrap();
        let fd = stream.as_raw_fd();
        watching.add(fd);
        rule.set(move |_, _| Some(errno));
        let message = refused(Status::Os, errno, watching.arm(fd));
        assert!(message.contains("epoll_ctl") && message.contains(help), "{message}");
        rule.set(|_, _| None);
        assert_eq!(watching.arm(fd).unwrap(), Armed::Watched);
        // It is watched, and goes on being so.
        rule.set(move |_, _| Some(errno));
        refused(Status::Os, errno, watching.arm(fd));
        assert_eq!(watching.lost(), None);
        rule.set(|_, _| None);
        to_stream.write_all(b"x").unwrap();
        assert_eq!(watching.reports(), [Some(fd)]);
    }
}

#[test]
fn another_file_that_cannot_be_watched_either_has_replaced_the_first_all_the_same() {
    let rule = Rule::none();
    let mut watching = Watching::with(Misbehaving::new(&rule));
    let (old, _to_old) = UnixStream::pair().unwrap();
    let (new, _to_new) = UnixStream::pair().unwrap();
    let number = put(&old, 707);
    watching.armed(707);
    drop(number);
    let _number = put(&new, 707);
    rule.set(|call, _| (call == Call::Register).then_some(libc::ENOMEM));
    refused(Status::Os, libc::ENOMEM, watching.arm(707));
    assert_eq!(watching.lost(), Some((707, Loss::Replaced)));
}

#[test]
fn no_errno_at_all_is_fatal() {
    for errno in 1..=140 {
        for known in [false, true] {
            let rule = Rule::none();
            let mut watching = Watching::with(Misbehaving::new(&rule));
            let (stream, _other) = UnixStream::pair().unwrap();
            let fd = stream.as_raw_fd();
            watching.add(fd);
            if known {
                watching.arm(fd).unwrap();
            }
            rule.set(move |_, _| Some(errno));
            if let Err(error) = watching.arm(fd) {
                assert!(error.message().contains(&format!("descriptor {fd}")), "{error}");
            }
            for _ in 0..4 {
                watching.table.in_vain(&mut *watching.selector, fd, Readiness::WRITABLE);
            }
            let mut other = MioSelector::new().unwrap();
            let wanted = |_| Readiness::READABLE;
            let _ = watching.table.copy(&mut *watching.selector, &mut other, wanted);
            watching.table.disarm(&mut *watching.selector, fd);
            while watching.table.next_lost().is_some() {}
            rule.set(|_, _| None);
            assert_eq!(watching.arm(fd).unwrap(), Armed::Watched, "errno {errno}");
            watching.table.remove(Some(&mut *watching.selector), fd, WAITABLE);
            assert_eq!(watching.table.watched, 0, "errno {errno}");
        }
    }
}

#[test]
fn a_selector_that_contradicts_itself_is_given_up() {
    let rule = Rule::none();
    let mut watching = Watching::with(Misbehaving::new(&rule));
    let (stream, _other) = UnixStream::pair().unwrap();
    watching.add(stream.as_raw_fd());
    rule.set(|call, _| match call {
        Call::Register => Some(libc::EEXIST),
        _ => Some(libc::ENOENT),
    });
    let message = refused(Status::Os, 0, watching.arm(stream.as_raw_fd()));
    assert!(message.contains("end its waits before closing it"), "{message}");
}

#[test]
fn a_ghost_does_not_pass_for_the_living_while_somebody_waits_for_something_else() {
    let mut watching = Watching::new();
    let (file, mut to_file) = UnixStream::pair().unwrap();
    let number = put(&file, 708);
    watching.add(708);
    let both = Readiness::READABLE | Readiness::WRITABLE;
    watching.table.arm(&mut *watching.selector, 708, both).unwrap();
    assert_eq!(watching.reports(), [Some(708)]);
    drop(number);
    for _ in 0..2 {
        to_file.write_all(b"x").unwrap();
        assert_eq!(watching.reports(), [Some(708)]);
        watching.table.in_vain(&mut *watching.selector, 708, Readiness::PRIORITY);
    }
    assert_eq!(watching.lost(), Some((708, Loss::Failed(libc::EBADF))));
    to_file.write_all(b"x").unwrap();
    assert_eq!(watching.reports(), [None]);
}

#[test]
fn what_moves_to_another_selector_is_what_is_waited_for_and_still_there() {
    let mut watching = Watching::new();
    let (file, mut to_file) = UnixStream::pair().unwrap();
    let (other, _) = UnixStream::pair().unwrap();
    let mut numbers: Vec<_> = (709..714).map(|number| put(&file, number)).collect();
    for (at, number) in numbers.iter().enumerate() {
        watching.table.add(number.as_raw_fd(), at as u32);
        watching.arm(number.as_raw_fd()).unwrap();
    }
    // 709 stays, 710 means another file, 711 nobody waits for, 712 is closed, and 713 is refused.
    drop(std::mem::replace(&mut numbers[1], put(&other, 750)));
    let _number = put(&other, 710);
    numbers.remove(3);
    let rule = Rule::none();
    rule.set(|_, fd| (fd == 713).then_some(libc::EIO));
    let mut new = Box::new(Misbehaving::new(&rule));
    let wanted = |waitable| if waitable == 2 { Readiness::NONE } else { Readiness::READABLE };
    let copies = watching.table.copy(&mut *watching.selector, &mut *new, wanted).unwrap();
    watching.selector = new;
    watching.table.moved(copies);
    let mut lost: Vec<_> = std::iter::from_fn(|| watching.table.next_lost()).collect();
    lost.sort_by_key(|(fd, _)| *fd);
    let failed = |errno| Loss::Failed(errno);
    let expected = [(710, Loss::Replaced), (712, failed(libc::EBADF)), (713, failed(libc::EIO))];
    assert_eq!(lost, expected);
    to_file.write_all(b"x").unwrap();
    assert_eq!(watching.reports(), [Some(709)]);
    assert_eq!(watching.table.watched, 1);
}

#[test]
fn where_there_is_no_room_for_two_selectors_the_first_goes_on() {
    for errno in [libc::ENOMEM, libc::ENOSPC] {
        let mut watching = Watching::new();
        let (file, mut to_file) = UnixStream::pair().unwrap();
        let fd = file.as_raw_fd();
        watching.armed(fd);
        let rule = Rule::none();
        rule.set(move |_, _| Some(errno));
        let mut new = Misbehaving::new(&rule);
        let wanted = |_| Readiness::READABLE;
        let copies = watching.table.copy(&mut *watching.selector, &mut new, wanted);
        assert_eq!(copies.err().and_then(|error| error.raw_os_error()), Some(errno));
        assert_eq!(watching.lost(), None);
        to_file.write_all(b"x").unwrap();
        assert_eq!(watching.reports(), [Some(fd)]);
    }
}

#[test]
fn a_number_whose_other_waitables_are_gone_is_as_before() {
    let mut descriptors = Descriptors::default();
    for gone in [1, 2] {
        descriptors.add(7, 1);
        descriptors.add(7, 2);
        assert!(!descriptors.is_only(7));
        descriptors.remove(None, 7, gone);
        assert!(descriptors.is_only(7));
        descriptors.remove(None, 7, 3 - gone);
        assert_eq!(descriptors.waitable(7, 0), None);
    }
}
