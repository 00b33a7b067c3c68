//! Reactors over selectors that fail where no kernel can be made to.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::core::{Completion, Outcome, Watch};
use crate::reactor::{Reactor, Turn};
use crate::sources::selector::misbehaving::{Call, Misbehaving, Rule};

/// What the next selectors are: an errno, or one that behaves by a rule and may lie about itself.
type Next = Arc<Mutex<Result<Option<RawFd>, i32>>>;

/// A reactor whose selectors do as they are told.
struct Rig {
    reactor: Reactor,
    rule: Rule,
    next: Next,
    log: Arc<Mutex<Vec<String>>>,
    woken: Option<Receiver<()>>,
}

impl Rig {
    fn new(mode: Mode) -> Rig {
        let (rule, next) = (Rule::none(), Next::new(Mutex::new(Ok(None))));
        let log = Arc::new(Mutex::new(Vec::new()));
        let (theirs, theirs_next, lines) = (rule.clone(), next.clone(), log.clone());
        let (wake, woken) = channel();
        let delegated = mode == Mode::Delegated;
        let options = ReactorOptions {
            mode,
            wake: delegated.then(|| Arc::new(move || wake.send(()).unwrap()) as _),
            log: Some(Arc::new(move |_, line| lines.lock().unwrap().push(line.to_owned()))),
            ..Default::default()
        };
        let factory = move || match *theirs_next.lock().unwrap() {
            Err(errno) => Err(std::io::Error::from_raw_os_error(errno)),
            Ok(None) => Ok(Box::new(Misbehaving::new(&theirs)) as Box<dyn Selector>),
            Ok(Some(fd)) => Ok(Box::new(Misbehaving::new(&theirs).with_fd(fd)) as _),
        };
        let reactor = Reactor::with_selectors(&options, Box::new(factory)).unwrap();
        Rig { reactor, rule, next, log, woken: delegated.then_some(woken) }
    }

    fn turn(&self) -> (Vec<Completion>, super::super::Report) {
        let mut done = Vec::new();
        let turn = Turn { capacity: 1, ..Default::default() };
        let report = self.reactor.turn(&turn, |one| done.push(one)).unwrap();
        (done, report)
    }

    /// What completes next. The host turns before it sleeps, and when it is woken.
    fn completion(&self) -> Completion {
        for _ in 0..1_000 {
            let (done, report) = self.turn();
            if let Some(done) = done.into_iter().next() {
                return done;
            }
            if report.more || self.reactor.with(|state| state.options.mode) == Ok(Mode::Owned) {
                continue;
            }
            match &self.woken {
                Some(woken) => woken.recv_timeout(Duration::from_secs(20)).unwrap(),
                None => assert!(is_readable(self.reactor.fd().unwrap(), 20_000)),
            }
        }
        panic!("nothing completes");
    }

    fn wait(&self, waitable: Token, user_data: u64) {
        let set = [Watch { waitable, interest: Readiness::READABLE }];
        self.reactor.wait_start(&WaitSpec::any(&set).user_data(user_data)).unwrap();
    }

    /// A stream that is waited for.
    fn waiting(&self, user_data: u64) -> (UnixStream, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        self.wait(self.reactor.descriptor(near.as_raw_fd(), false).unwrap(), user_data);
        (near, far)
    }

    /// Lets a ghost be heard often enough for one rebuild, or the try of one.
    fn haunt(&self, number: RawFd) {
        let (near, mut far) = UnixStream::pair().unwrap();
        // SAFETY: the number is the test's own, and taken over at once.
        let copy = unsafe {
            let fd = libc::dup3(near.as_raw_fd(), number, libc::O_CLOEXEC);
            OwnedFd::from_raw_fd(fd)
        };
        let waitable = self.reactor.descriptor(number, false).unwrap();
        self.wait(waitable, 99);
        far.write_all(b"x").unwrap();
        assert_eq!(self.completion().user_data, 99);
        drop(copy);
        let before = self.stats().ghosts;
        // The first two are reports of a descriptor for which nobody waits.
        for round in 0.. {
            if self.stats().ghosts >= before + 33 + self.watched() {
                break;
            }
            assert!(round < 100, "{:?}", self.stats());
            far.write_all(b"x").unwrap();
            if let Some(woken) = &self.woken {
                woken.recv_timeout(Duration::from_secs(20)).unwrap();
            }
            assert_eq!(self.turn().0, []);
            (&near).read_exact(&mut [0]).unwrap();
        }
    }

    fn watched(&self) -> u64 {
        self.reactor.with(|state| state.descriptors.watched() as u64).unwrap()
    }

    fn stats(&self) -> Stats {
        self.reactor.stats().unwrap()
    }

    fn logged(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn end(self) {
        self.reactor.close().unwrap();
        while !self.turn().1.closed {}
        self.reactor.free().unwrap();
    }
}

fn is_readable(fd: RawFd, ms: i32) -> bool {
    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd that lives through the call.
    unsafe { libc::poll(&mut entry, 1, ms) == 1 }
}

const MODES: [Mode; 3] = [Mode::Owned, Mode::Nested, Mode::Delegated];

/// Tests run side by side, and each has numbers of its own.
fn number() -> RawFd {
    static NEXT: AtomicUsize = AtomicUsize::new(800);
    NEXT.fetch_add(1, Ordering::Relaxed) as RawFd
}

#[test]
fn a_rebuild_that_fails_leaves_the_selector_as_it_is() {
    let null = std::fs::File::open("/dev/null").unwrap();
    type Failure = (&'static str, Result<Option<RawFd>, i32>, Option<i32>);
    let failures: [Failure; 4] = [
        ("epoll_create1", Err(libc::EMFILE), None),
        ("epoll_ctl", Ok(None), Some(libc::ENOSPC)),
        ("epoll_ctl", Ok(None), Some(libc::ENOMEM)),
        // No shell and no watcher takes it, after everything else went well.
        ("epoll_ctl", Ok(Some(null.as_raw_fd())), None),
    ];
    for mode in MODES {
        for (call, selector, register) in failures {
            if mode == Mode::Owned && selector == Ok(Some(null.as_raw_fd())) {
                continue;
            }
            let rig = Rig::new(mode);
            let streams: Vec<_> = (0..5).map(|user_data| rig.waiting(user_data)).collect();
            *rig.next.lock().unwrap() = selector;
            let quiet = streams.iter().map(|stream| stream.0.as_raw_fd()).collect::<Vec<_>>();
            rig.rule.set(move |call, fd| {
                register.filter(|_| call == Call::Register && quiet.contains(&fd))
            });
            rig.haunt(number());
            assert_eq!(rig.stats().rebuilds, 0);
            let log = rig.logged();
            assert!(matches!(&log[..], [line] if line.contains(call)), "{mode:?} {log:?}");
            // It is said once.
            rig.haunt(number());
            assert_eq!(rig.logged(), [""; 0]);
            let more = rig.reactor.descriptor(streams[0].0.as_raw_fd(), false).unwrap();
            rig.wait(more, 5);
            for (user_data, (_, far)) in streams.iter().enumerate().rev() {
                (&*far).write_all(b"x").unwrap();
                let done = rig.completion();
                assert_eq!(done.outcome, Outcome::Ready);
                if user_data > 0 {
                    assert_eq!(done.user_data, user_data as u64);
                } else {
                    assert_eq!(rig.completion().outcome, Outcome::Ready);
                }
            }
            // The next one succeeds, and if one fails after that, that is said again.
            *rig.next.lock().unwrap() = Ok(None);
            rig.rule.set(|_, _| None);
            rig.haunt(number());
            assert_eq!(rig.stats().rebuilds, 1);
            *rig.next.lock().unwrap() = Err(libc::EMFILE);
            rig.haunt(number());
            assert_eq!((rig.stats().rebuilds, rig.logged().len()), (1, 1));
            rig.end();
        }
    }
}

#[test]
fn what_a_rebuilt_selector_refuses_fails_with_the_errno_and_the_rest_goes_on() {
    for mode in MODES {
        let rig = Rig::new(mode);
        let streams: Vec<_> = (0..5).map(|user_data| rig.waiting(user_data)).collect();
        let refused = streams[3].0.as_raw_fd();
        rig.rule
            .set(move |call, fd| (call == Call::Register && fd == refused).then_some(libc::EIO));
        let (near, mut far) = UnixStream::pair().unwrap();
        let number = number();
        // SAFETY: the number is the test's own, and taken over at once.
        let copy =
            unsafe { OwnedFd::from_raw_fd(libc::dup3(near.as_raw_fd(), number, libc::O_CLOEXEC)) };
        rig.wait(rig.reactor.descriptor(number, false).unwrap(), 99);
        far.write_all(b"x").unwrap();
        assert_eq!(rig.completion().user_data, 99);
        drop(copy);
        let failed = loop {
            far.write_all(b"x").unwrap();
            if let Some(woken) = &rig.woken {
                woken.recv_timeout(Duration::from_secs(20)).unwrap();
            }
            if let Some(done) = rig.turn().0.pop() {
                break done;
            }
        };
        assert_eq!((failed.user_data, failed.outcome), (3, Outcome::Failed));
        assert_eq!((failed.error, rig.stats().rebuilds), (libc::EIO, 1));
        for user_data in [4, 2, 1, 0] {
            (&streams[user_data].1).write_all(b"x").unwrap();
            let done = rig.completion();
            assert_eq!((done.user_data, done.outcome), (user_data as u64, Outcome::Ready));
        }
        rig.end();
    }
}

#[test]
fn a_selector_that_cannot_be_asked_fails_the_turn_and_loses_nothing() {
    for mode in MODES {
        let rig = Rig::new(mode);
        let stream = rig.waiting(1);
        rig.turn();
        (&stream.1).write_all(b"x").unwrap();
        if let Some(woken) = &rig.woken {
            woken.recv_timeout(Duration::from_secs(20)).unwrap();
        }
        let mut failures = 2;
        rig.rule.set(move |call, _| {
            let fails = call == Call::Wait && failures > 0;
            failures -= i32::from(fails);
            fails.then_some(libc::ENOMEM)
        });
        for _ in 0..2 {
            let error = rig.reactor.turn(&Turn::default(), |_| ()).unwrap_err();
            assert_eq!((error.status(), error.errno()), (Status::Os, libc::ENOMEM));
            assert!(error.message().contains("epoll_wait"), "{error}");
            // The host is told to try again, also one that hears of edges alone.
            match &rig.woken {
                Some(woken) => woken.recv_timeout(Duration::from_secs(20)).unwrap(),
                None if mode == Mode::Nested => {
                    let signal = rig.reactor.with(|state| state.signal.unwrap()).unwrap();
                    assert!(is_readable(signal, 0));
                }
                None => {}
            }
        }
        assert_eq!(rig.completion().user_data, 1);
        rig.end();
    }
}

#[test]
fn a_reactor_whose_selector_is_broken_for_good_can_be_ended() {
    for mode in MODES {
        let rig = Rig::new(mode);
        let _stream = rig.waiting(1);
        rig.turn();
        rig.rule.set(|_, _| Some(libc::EBADF));
        rig.reactor.with(|state| state.armed = true).unwrap();
        let error = rig.reactor.turn(&Turn::default(), |_| ()).unwrap_err();
        assert!(error.message().contains("closed and made anew"), "{error}");
        rig.reactor.close().unwrap();
        let (done, report) = rig.turn();
        assert_eq!((done[0].outcome, report.closed), (Outcome::Closed, true));
        rig.end();
    }
}
