//! What becomes of descriptors that are closed too early, reused, shared and inherited, in every
//! mode, on real descriptors.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use awsgi::{
    Completion, Deadline, Mode, Outcome, Reactor, ReactorOptions, Readiness, Stats, Status, Token,
    Turn, WaitSpec, Watch, wait_forget, wait_rearm, waitable_close,
};

const PATIENCE: Duration = Duration::from_secs(20);
const READ: Readiness = Readiness::READABLE;
const WRITE: Readiness = Readiness::WRITABLE;

/// How a host sleeps.
enum Sleep {
    /// In the turn.
    Owned,
    /// In a loop that hears that the reactor is readable, as long as it is.
    Level,
    /// In a loop that hears that it has become so. The registration is made once.
    Edge(mio::Poll),
    /// Until the wake hook is called.
    Wake(Receiver<()>),
}

struct Host {
    reactor: Reactor,
    sleep: Sleep,
    done: VecDeque<Completion>,
    name: &'static str,
}

/// One host of each kind.
fn hosts() -> Vec<Host> {
    let nested = || ReactorOptions { mode: Mode::Nested, ..Default::default() };
    let new = |name, options: ReactorOptions, sleep: &dyn Fn(&Reactor) -> Sleep| {
        let reactor = Reactor::new(&options).unwrap();
        let sleep = sleep(&reactor);
        Host { reactor, sleep, done: VecDeque::new(), name }
    };
    let outer = |reactor: &Reactor| {
        let poll = mio::Poll::new().unwrap();
        let fd = reactor.fd().unwrap();
        let mut source = mio::unix::SourceFd(&fd);
        poll.registry().register(&mut source, mio::Token(0), mio::Interest::READABLE).unwrap();
        poll
    };
    let (wake, woken) = channel();
    let delegated = ReactorOptions {
        mode: Mode::Delegated,
        wake: Some(Arc::new(move || wake.send(()).unwrap())),
        ..Default::default()
    };
    let woken = std::cell::Cell::new(Some(woken));
    vec![
        new("owned", ReactorOptions::default(), &|_| Sleep::Owned),
        new("level", nested(), &|_| Sleep::Level),
        new("edge", nested(), &|reactor| Sleep::Edge(outer(reactor))),
        new("delegated", delegated, &|_| Sleep::Wake(woken.take().unwrap())),
    ]
}

impl Host {
    fn one_of(name: &str) -> Host {
        hosts().into_iter().find(|host| host.name == name).unwrap()
    }

    /// One turn; whether another is due at once.
    fn turn(&mut self, deadline: Deadline) -> bool {
        let turn = Turn { deadline, ..Default::default() };
        let done = &mut self.done;
        self.reactor.turn(&turn, |one| done.push_back(one)).unwrap().more
    }

    /// Turns as long as it says so, as a host does before it sleeps.
    fn settle(&mut self) {
        while self.turn(Deadline::NOW) {}
    }

    /// Sleeps until something wakes the host, and turns. Answers whether anything did.
    fn wake(&mut self, patience: Duration) -> bool {
        let woken = match &mut self.sleep {
            Sleep::Owned => {
                let now = self.reactor.now().unwrap();
                let until = Deadline::at(now + patience.as_nanos() as u64);
                let before = self.stats();
                self.turn(until);
                let after = self.stats();
                return (after.events, after.completions) != (before.events, before.completions);
            }
            Sleep::Level => readable(self.reactor.fd().unwrap(), patience),
            Sleep::Edge(poll) => {
                let mut events = mio::Events::with_capacity(4);
                poll.poll(&mut events, Some(patience)).unwrap();
                !events.is_empty()
            }
            Sleep::Wake(woken) => {
                let Ok(()) = woken.recv_timeout(patience) else { return false };
                let before = self.stats();
                self.settle();
                let after = self.stats();
                // The watcher may be late with what an earlier turn has found already.
                return (after.events, after.completions) != (before.events, before.completions)
                    || self.wake(patience);
            }
        };
        self.settle();
        woken
    }

    /// The next completion, after however many wake-ups.
    fn next(&mut self) -> Completion {
        if self.done.is_empty() {
            self.settle();
        }
        while self.done.is_empty() {
            assert!(self.wake(PATIENCE), "{}: nothing wakes the host", self.name);
        }
        self.done.pop_front().unwrap()
    }

    /// Nothing has completed, after what happened so far was looked at.
    fn nothing(&mut self) {
        self.settle();
        assert_eq!(self.done, [], "{}", self.name);
    }

    /// Nothing was reported since there had been so many events, and nothing wakes the host.
    fn quiet_since(&mut self, events: u64) {
        assert!(!self.wake(Duration::from_millis(10)), "{}: woken", self.name);
        self.settle();
        assert_eq!(self.stats().events, events, "{}: something was reported", self.name);
    }

    fn descriptor(&self, fd: RawFd) -> Token {
        self.reactor.descriptor(fd, false).unwrap()
    }

    fn start(&self, waitable: Token, interest: Readiness, user_data: u64) -> Token {
        let set = [Watch { waitable, interest }];
        self.reactor.wait_start(&WaitSpec::any(&set).user_data(user_data)).unwrap()
    }

    /// What the next completion says: which wait, and how it ended.
    fn ended(&mut self) -> (u64, Outcome) {
        let done = self.next();
        (done.user_data, done.outcome)
    }

    fn stats(&self) -> Stats {
        self.reactor.stats().unwrap()
    }

    fn end(mut self) {
        self.reactor.close().unwrap();
        while !self.reactor.turn(&Turn::default(), |_| ()).unwrap().closed {}
        self.reactor.free().unwrap();
        self.done.clear();
    }
}

fn readable(fd: RawFd, patience: Duration) -> bool {
    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd that lives through the call.
    unsafe { libc::poll(&mut entry, 1, patience.as_millis() as i32) == 1 }
}

fn pair() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    far.set_nonblocking(true).unwrap();
    (near, far)
}

/// A number that no other test has: tests run side by side, and one that is closed is soon somebody
/// else's.
fn number() -> RawFd {
    static NEXT: AtomicI32 = AtomicI32::new(0);
    // Above all that the kernel gives: it takes the lowest, of which a quarter are used at most.
    open_files() / 2 + NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Puts a file under a number; what was there is closed.
fn put(file: &impl AsRawFd, number: RawFd) -> OwnedFd {
    // SAFETY: the number is the test's own, and the answer taken over at once.
    unsafe {
        let fd = libc::dup3(file.as_raw_fd(), number, libc::O_CLOEXEC);
        assert_eq!(fd, number);
        OwnedFd::from_raw_fd(fd)
    }
}

/// A file that lives on as `near` although the number under which it was waited for is closed.
struct Ghost {
    near: UnixStream,
    far: UnixStream,
    _waitable: Token,
}

impl Ghost {
    fn new(host: &mut Host) -> Ghost {
        let (near, far) = pair();
        let copy = put(&near, number());
        let waitable = host.descriptor(copy.as_raw_fd());
        host.start(waitable, READ, 99);
        (&far).write_all(b"x").unwrap();
        assert_eq!(host.ended(), (99, Outcome::Ready));
        (&near).read_exact(&mut [0]).unwrap();
        drop(copy);
        Ghost { near, far, _waitable: waitable }
    }

    /// Becomes ready, which wakes the host in vain.
    fn haunt(&self, host: &mut Host) {
        self.rattle();
        assert!(host.wake(PATIENCE), "{}: a ghost is reported", host.name);
    }

    fn rattle(&self) {
        (&self.far).write_all(b"x").unwrap();
        (&self.near).read_exact(&mut [0]).unwrap();
        (&self.far).write_all(b"x").unwrap();
    }

    /// Until the selector is rebuilt. Answers how often the host was woken.
    fn exorcise(&self, host: &mut Host) -> u32 {
        let before = host.stats().rebuilds;
        let mut wakes = 0;
        while host.stats().rebuilds == before {
            self.haunt(host);
            (&self.near).read_exact(&mut [0]).unwrap();
            wakes += 1;
            assert!(wakes < 10_000, "{}: it is not rebuilt", host.name);
        }
        wakes
    }
}

/// Lets the process open as many files as it may.
fn open_files() -> RawFd {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for both calls.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max.min(20_000);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
    limit.rlim_cur as RawFd
}

// ---- numbers that are closed and reused ---------------------------------------------------------

#[test]
fn a_reused_number_ends_the_waits_for_the_old_file_and_serves_the_new_one() {
    for mut host in hosts() {
        let (old, old_far) = pair();
        let (new, new_far) = pair();
        let copy = put(&old, number());
        let number = copy.as_raw_fd();
        let first = host.descriptor(number);
        host.start(first, READ, 1);
        host.start(first, WRITE | READ, 2);
        assert_eq!(host.ended(), (2, Outcome::Ready));
        let second = host.descriptor(number);
        host.start(second, READ, 3);
        host.settle();
        drop(copy);
        let _copy = put(&new, number);
        let third = host.descriptor(number);
        host.start(third, READ, 4);
        let mut ended = [host.ended(), host.ended()];
        ended.sort_by_key(|(user_data, _)| *user_data);
        assert_eq!(ended, [(1, Outcome::Closed), (3, Outcome::Closed)]);
        // The old file lives on, and wakes nobody; the old waitables serve the new one.
        (&old_far).write_all(b"x").unwrap();
        host.nothing();
        host.start(first, READ, 5);
        host.nothing();
        (&new_far).write_all(b"x").unwrap();
        let mut ended = [host.ended(), host.ended()];
        ended.sort_by_key(|(user_data, _)| *user_data);
        assert_eq!(ended, [(4, Outcome::Ready), (5, Outcome::Ready)]);
        host.nothing();
        host.end();
    }
}

#[test]
fn a_file_that_is_ready_when_it_takes_a_number_over_is_not_missed() {
    for mut host in hosts() {
        let (new, new_far) = pair();
        (&new_far).write_all(b"x").unwrap();
        let number = number();
        let copy = put(&pair().0, number);
        let waitable = host.descriptor(number);
        let set = [Watch { waitable, interest: READ }];
        let multishot = WaitSpec::any(&set).multishot().user_data(1);
        host.reactor.wait_start(&multishot).unwrap();
        // Its peer is gone.
        assert_eq!(host.ended(), (1, Outcome::Ready));
        drop(copy);
        let _copy = put(&new, number);
        host.start(waitable, READ, 2);
        let mut ended = [host.ended(), host.ended()];
        ended.sort_by_key(|(user_data, _)| *user_data);
        assert_eq!(ended, [(1, Outcome::Closed), (2, Outcome::Ready)]);
        host.end();
    }
}

#[test]
fn a_multishot_wait_finds_out_at_its_rearm() {
    for mut host in hosts() {
        let copy = put(&pair().0, number());
        let number = copy.as_raw_fd();
        let waitable = host.descriptor(number);
        let set = [Watch { waitable, interest: READ }];
        let wait = host.reactor.wait_start(&WaitSpec::any(&set).multishot()).unwrap();
        assert!(host.next().more);
        drop(copy);
        let (new, _new_far) = pair();
        let _copy = put(&new, number);
        wait_rearm(wait).unwrap();
        let done = host.next();
        assert_eq!((done.wait, done.outcome, done.more), (wait, Outcome::Closed, false));
        host.end();
    }
}

#[test]
fn a_number_reused_for_a_file_that_is_always_ready_ends_the_older_waits() {
    for mut host in hosts() {
        let (old, old_far) = pair();
        let copy = put(&old, number());
        let number = copy.as_raw_fd();
        let waitable = host.descriptor(number);
        host.start(waitable, READ, 1);
        host.settle();
        drop(copy);
        let _copy = put(&File::open("/dev/null").unwrap(), number);
        host.start(waitable, WRITE, 2);
        let mut ended = [host.ended(), host.ended()];
        ended.sort_by_key(|(user_data, _)| *user_data);
        assert_eq!(ended, [(1, Outcome::Closed), (2, Outcome::Ready)]);
        (&old_far).write_all(b"x").unwrap();
        host.nothing();
        host.end();
    }
}

#[test]
fn files_that_never_block_are_always_ready() {
    for mut host in hosts() {
        let regular = File::open(std::env::current_exe().unwrap()).unwrap();
        let directory = File::open("/").unwrap();
        let null = File::open("/dev/null").unwrap();
        for file in [regular, directory, null] {
            let waitable = host.descriptor(file.as_raw_fd());
            for _ in 0..2 {
                host.start(waitable, READ | WRITE, 1);
                let done = host.next();
                assert_eq!((done.outcome, done.ready), (Outcome::Ready, READ | WRITE));
            }
        }
        host.end();
    }
}

#[test]
fn a_number_that_stays_closed_is_refused_and_its_older_waits_fail() {
    for mut host in hosts() {
        let (near, far) = pair();
        let copy = put(&near, number());
        let waitable = host.descriptor(copy.as_raw_fd());
        host.start(waitable, READ, 1);
        host.settle();
        drop(copy);
        let set = [Watch { waitable, interest: READ }];
        let error = host.reactor.wait_start(&WaitSpec::any(&set)).unwrap_err();
        assert_eq!((error.status(), error.errno()), (Status::Os, libc::EBADF));
        let done = host.next();
        assert_eq!((done.user_data, done.outcome, done.error), (1, Outcome::Failed, libc::EBADF));
        (&far).write_all(b"x").unwrap();
        host.nothing();
        host.end();
    }
}

// ---- ghosts: files that live on under other numbers ---------------------------------------------

#[test]
fn a_ghost_wakes_nobody_and_is_silent_once_the_selector_is_rebuilt() {
    for mut host in hosts() {
        let streams: Vec<_> = (0..10).map(|_| pair()).collect();
        for (user_data, (near, _)) in streams.iter().enumerate() {
            let waitable = host.descriptor(near.as_raw_fd());
            host.start(waitable, READ, user_data as u64);
        }
        let ghost = Ghost::new(&mut host);
        let wakes = ghost.exorcise(&mut host);
        let stats = host.stats();
        // Two wake-ups to see that nobody waits, and then as many as there are registrations.
        assert!(wakes <= 2 + 33 + 10, "{}: woken {wakes} times", host.name);
        assert!(stats.ghosts >= 33, "{}: {stats:?}", host.name);
        assert_eq!((stats.rebuilds, stats.waits), (1, 10));
        host.nothing();
        for _ in 0..100 {
            ghost.rattle();
        }
        // Whatever the ghost would have caused comes before this.
        for (user_data, (_, far)) in streams.iter().enumerate().rev() {
            (&*far).write_all(b"x").unwrap();
            assert_eq!(host.ended(), (user_data as u64, Outcome::Ready));
        }
        let after = host.stats();
        assert_eq!((after.ghosts, after.rebuilds), (stats.ghosts, 1), "{}", host.name);
        host.settle();
        let idle = host.stats().events;
        for _ in 0..100 {
            ghost.rattle();
        }
        host.quiet_since(idle);
        host.end();
    }
}

#[test]
fn a_host_hears_of_what_comes_after_each_of_many_rebuilds() {
    for mut host in hosts() {
        let (near, far) = pair();
        let waitable = host.descriptor(near.as_raw_fd());
        for round in 0..10 {
            host.start(waitable, READ, round);
            Ghost::new(&mut host).exorcise(&mut host);
            assert_eq!(host.stats().rebuilds, round + 1);
            host.nothing();
            (&far).write_all(b"x").unwrap();
            assert_eq!(host.ended(), (round, Outcome::Ready));
            (&near).read_exact(&mut [0]).unwrap();
            // Deadlines and other threads wake it, too.
            let event = host.reactor.event().unwrap();
            host.start(event, READ, 100);
            host.settle();
            std::thread::spawn(move || awsgi::notify(event, READ).unwrap()).join().unwrap();
            assert_eq!(host.ended(), (100, Outcome::Ready));
            waitable_close(event).unwrap();
        }
        host.end();
    }
}

#[test]
fn a_file_that_a_child_keeps_open_is_a_ghost_until_the_child_ends() {
    for mut host in hosts() {
        let (near, far) = pair();
        let copy = put(&near, number());
        let (mut hold, held) = UnixStream::pair().unwrap();
        // SAFETY: the child calls close, read and _exit alone.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let mut byte = 0u8;
            // SAFETY: one byte of its own; ends without exit handlers of the parent's, and at the
            // latest with it.
            unsafe {
                libc::close(hold.as_raw_fd());
                libc::read(held.as_raw_fd(), (&raw mut byte).cast(), 1);
                libc::_exit(0);
            }
        }
        let waitable = host.descriptor(copy.as_raw_fd());
        host.start(waitable, READ, 1);
        (&far).write_all(b"x").unwrap();
        assert_eq!(host.ended(), (1, Outcome::Ready));
        // Nobody but the child has the file now.
        drop((near, copy));
        host.settle();
        for _ in 0..10 {
            (&far).write_all(b"x").unwrap();
            assert!(host.wake(PATIENCE), "{}: a ghost is reported", host.name);
        }
        let ghosts = host.stats().ghosts;
        assert!((8..=10).contains(&ghosts), "{}: {ghosts} ghosts", host.name);
        hold.write_all(b"x").unwrap();
        let mut status = 0;
        // SAFETY: waits for our own child.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        host.settle();
        let before = host.stats().events;
        assert_eq!((&far).write(b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
        host.quiet_since(before);
        host.nothing();
        host.end();
    }
}

#[test]
fn a_rebuild_ends_the_waits_whose_numbers_mean_other_files() {
    for mut host in hosts() {
        let (old, old_far) = pair();
        let (new, new_far) = pair();
        let (reused, closed) = (put(&old, number()), put(&old, number()));
        let numbers = [reused.as_raw_fd(), closed.as_raw_fd()];
        for (user_data, number) in numbers.into_iter().enumerate() {
            host.start(host.descriptor(number), READ, user_data as u64);
        }
        host.settle();
        drop((reused, closed));
        let _copy = put(&new, numbers[0]);
        // It could be taken for what they wait for.
        (&new_far).write_all(b"x").unwrap();
        Ghost::new(&mut host).exorcise(&mut host);
        let mut ended = [host.next(), host.next()];
        ended.sort_by_key(|done| done.user_data);
        assert_eq!(ended.map(|done| done.outcome), [Outcome::Closed, Outcome::Failed]);
        assert_eq!(ended[1].error, libc::EBADF);
        (&old_far).write_all(b"x").unwrap();
        host.nothing();
        host.end();
    }
}

#[test]
fn a_ghost_is_found_out_also_while_something_else_is_waited_for() {
    for mut host in hosts() {
        let (near, far) = pair();
        let copy = put(&near, number());
        let waitable = host.descriptor(copy.as_raw_fd());
        while (&near).write(&[0; 4096]).is_ok() {}
        host.start(waitable, WRITE, 1);
        wait_forget(host.start(waitable, READ, 2)).unwrap();
        host.settle();
        drop(copy);
        for _ in 0..2 {
            (&far).write_all(b"x").unwrap();
            assert!(host.wake(PATIENCE));
        }
        let done = host.next();
        assert_eq!((done.user_data, done.outcome, done.error), (1, Outcome::Failed, libc::EBADF));
        host.end();
    }
}

#[test]
fn thousands_of_waits_survive_a_rebuild_and_complete_once_each() {
    let count = (open_files() as usize / 8).min(2_000);
    // One host after the other, or there would not be enough descriptors.
    for name in ["owned", "level", "edge", "delegated"] {
        let mut host = Host::one_of(name);
        let streams: Vec<_> = (0..count).map(|_| pair()).collect();
        for (user_data, (near, _)) in streams.iter().enumerate() {
            host.start(host.descriptor(near.as_raw_fd()), READ, user_data as u64);
        }
        // Some become ready while it happens.
        let ghost = Ghost::new(&mut host);
        for _ in 0..count + 20 {
            ghost.haunt(&mut host);
            (&ghost.near).read_exact(&mut [0]).unwrap();
        }
        assert_eq!(host.stats().rebuilds, 0);
        for (_, far) in &streams[..10] {
            (&*far).write_all(b"x").unwrap();
        }
        ghost.exorcise(&mut host);
        for (_, far) in streams[10..].iter().rev() {
            (&*far).write_all(b"x").unwrap();
        }
        let mut seen = vec![0; count];
        for _ in 0..count {
            let (user_data, outcome) = host.ended();
            assert_eq!(outcome, Outcome::Ready);
            seen[user_data as usize] += 1;
        }
        assert!(seen.iter().all(|times| *times == 1));
        host.nothing();
        host.end();
    }
}

// ---- who waits for a descriptor, and how long it is watched -------------------------------------

#[test]
fn a_descriptor_is_let_go_at_the_second_event_that_nobody_waits_for() {
    for mut host in hosts() {
        let (near, far) = pair();
        let waitable = host.descriptor(near.as_raw_fd());
        wait_forget(host.start(waitable, READ, 1)).unwrap();
        host.settle();
        for _ in 0..2 {
            (&far).write_all(b"x").unwrap();
            assert!(host.wake(PATIENCE), "{}", host.name);
        }
        let before = host.stats().events;
        for _ in 0..10 {
            (&far).write_all(b"x").unwrap();
        }
        host.quiet_since(before);
        assert_eq!(host.stats().spurious, 2, "{}", host.name);
        host.start(waitable, READ, 2);
        assert_eq!(host.ended(), (2, Outcome::Ready));
        host.end();
    }
}

#[test]
fn an_event_in_between_that_somebody_waits_for_keeps_a_descriptor_watched() {
    for mut host in hosts() {
        let (near, far) = pair();
        let waitable = host.descriptor(near.as_raw_fd());
        for round in 0..5 {
            host.start(waitable, READ, round);
            (&far).write_all(b"x").unwrap();
            assert_eq!(host.ended(), (round, Outcome::Ready));
            (&near).read_exact(&mut [0]).unwrap();
            (&far).write_all(b"x").unwrap();
            assert!(host.wake(PATIENCE), "{}: round {round}", host.name);
            (&near).read_exact(&mut [0]).unwrap();
        }
        assert_eq!(host.stats().spurious, 5);
        host.end();
    }
}

#[test]
fn a_descriptor_is_watched_for_what_is_still_waited_for_alone() {
    for mut host in hosts() {
        let (near, mut far) = pair();
        let waitable = host.descriptor(near.as_raw_fd());
        while (&near).write(&[0; 4096]).is_ok() {}
        host.start(waitable, WRITE, 1);
        wait_forget(host.start(waitable, READ, 2)).unwrap();
        host.settle();
        for _ in 0..2 {
            far.write_all(b"x").unwrap();
            assert!(host.wake(PATIENCE), "{}", host.name);
        }
        let before = host.stats().events;
        for _ in 0..10 {
            far.write_all(b"x").unwrap();
        }
        host.quiet_since(before);
        assert_eq!(host.stats().spurious, 2, "{}", host.name);
        let mut buffer = [0; 4096];
        while far.read(&mut buffer).is_ok() {}
        assert_eq!(host.ended(), (1, Outcome::Ready));
        host.end();
    }
}

#[test]
fn waitables_of_one_number_come_and_go_without_disturbing_each_other() {
    for mut host in hosts() {
        let (near, far) = pair();
        let waitables: Vec<_> = (0..5).map(|_| host.descriptor(near.as_raw_fd())).collect();
        for (user_data, waitable) in waitables.iter().enumerate() {
            host.start(*waitable, READ, user_data as u64);
        }
        // The first, the last, and one in the middle.
        for closed in [0, 4, 2] {
            waitable_close(waitables[closed]).unwrap();
            assert_eq!(host.ended(), (closed as u64, Outcome::Closed));
        }
        host.nothing();
        (&far).write_all(b"x").unwrap();
        let mut ended = [host.ended(), host.ended()];
        ended.sort_by_key(|(user_data, _)| *user_data);
        assert_eq!(ended, [(1, Outcome::Ready), (3, Outcome::Ready)]);
        for closed in [1, 3] {
            waitable_close(waitables[closed]).unwrap();
        }
        host.settle();
        let before = host.stats().events;
        (&far).write_all(b"x").unwrap();
        host.quiet_since(before);
        host.end();
    }
}

#[test]
fn a_given_descriptor_is_closed_with_its_waitable_and_leaves_no_ghost() {
    for mut host in hosts() {
        let (near, far) = pair();
        let number = put(&near, number()).into_raw_fd();
        let given = host.reactor.descriptor(number, true).unwrap();
        let lent = host.descriptor(number);
        host.start(given, READ, 1);
        host.start(lent, READ, 2);
        host.settle();
        waitable_close(given).unwrap();
        let mut ended = [host.ended(), host.ended()];
        ended.sort_by_key(|(user_data, _)| *user_data);
        assert_eq!(ended, [(1, Outcome::Closed), (2, Outcome::Closed)]);
        // SAFETY: asks whether the number is open.
        assert_eq!(unsafe { libc::fcntl(number, libc::F_GETFD) }, -1);
        let set = [Watch { waitable: lent, interest: READ }];
        let error = host.reactor.wait_start(&WaitSpec::any(&set)).unwrap_err();
        assert_eq!((error.status(), error.errno()), (Status::Os, libc::EBADF));
        // The file lives on as `near`, and nobody hears of it.
        host.settle();
        let before = host.stats().events;
        (&far).write_all(b"x").unwrap();
        host.quiet_since(before);
        assert_eq!(host.stats().ghosts, 0);
        waitable_close(lent).unwrap();
        host.end();
    }
}

#[test]
fn high_numbers_are_as_good_as_low_ones() {
    let highest = (open_files() - 10).min(15_000);
    for mut host in hosts() {
        let (near, far) = pair();
        for number in [highest, highest - 7_000.min(highest / 2)] {
            let copy = put(&near, number);
            let waitable = host.descriptor(number);
            host.start(waitable, READ, 1);
            host.nothing();
            (&far).write_all(b"x").unwrap();
            assert_eq!(host.ended(), (1, Outcome::Ready));
            (&near).read_exact(&mut [0]).unwrap();
            waitable_close(waitable).unwrap();
            drop(copy);
        }
        host.end();
    }
}
