use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Weak;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::*;
use crate::core::Readiness;
use crate::error::Status;
use crate::sources::selector::{Events, MioSelector, Selector};

/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn fresh() -> &'static Watcher {
    Box::leak(Box::new(Watcher::new(fork::forks())))
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "still not: {what}");
        std::thread::yield_now();
    }
}

/// A selector over a stream, and the signal of the reactor to which it would belong.
struct Reactor {
    signal: &'static Signal,
    woken: Receiver<String>,
    selector: MioSelector,
    /// What it watches, and the other end.
    pair: (UnixStream, UnixStream),
}

impl Reactor {
    /// One that sleeps.
    fn new() -> Reactor {
        let (wake, woken) = channel();
        Reactor::with_hook(woken, move || {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            wake.send(name).unwrap();
        })
    }

    fn with_hook(woken: Receiver<String>, hook: impl Fn() + Send + Sync + 'static) -> Reactor {
        let signal: &'static Signal = Box::leak(Box::new(Signal::new()));
        signal.open_hook(Arc::new(hook));
        signal.asleep();
        let mut selector = MioSelector::new().unwrap();
        let pair = UnixStream::pair().unwrap();
        let fd = pair.0.as_raw_fd();
        selector.register(fd, fd as usize, Readiness::READABLE).unwrap();
        Reactor { signal, woken, selector, pair }
    }

    fn write(&mut self) {
        io::Write::write_all(&mut self.pair.1, b".").unwrap();
    }

    fn woken(&self) -> String {
        self.woken.recv_timeout(PATIENCE).expect("a wake-up")
    }

    /// A turn; how many events the selector had.
    fn turn(&mut self) -> usize {
        let mut events = Events::with_room(16);
        self.signal.awake();
        self.signal.take_mark();
        self.selector.wait(Some(Duration::ZERO), &mut events).unwrap();
        self.signal.asleep();
        assert!(!self.signal.is_marked());
        events.len()
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.signal.close();
    }
}

/// A spawn hook, and how many threads it has made and how many of them run.
fn counting() -> (Spawn, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (made, running) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (makes, runs) = (Arc::clone(&made), Arc::clone(&running));
    let spawn: Spawn = Arc::new(move |body: Box<dyn FnOnce() + Send>, name: &str| {
        assert_eq!(name, NAME);
        makes.fetch_add(1, Ordering::SeqCst);
        runs.fetch_add(1, Ordering::SeqCst);
        let runs = Arc::clone(&runs);
        std::thread::spawn(move || {
            body();
            runs.fetch_sub(1, Ordering::SeqCst);
        });
        Ok(())
    });
    (spawn, made, running)
}

/// The descriptors of the thread, for a look whether they are closed.
fn sleeper_of(watcher: &Watcher) -> Weak<Sleeper> {
    watcher.lock().sleeper.as_ref().map(Arc::downgrade).unwrap()
}

#[test]
fn a_descriptor_that_becomes_ready_wakes_its_reactor_once_a_sleep() {
    let watcher = fresh();
    let (mut reactor, mut other) = (Reactor::new(), Reactor::new());
    let _watched = watcher.watch(reactor.signal, reactor.selector.fd(), None).unwrap();
    let _other = watcher.watch(other.signal, other.selector.fd(), None).unwrap();
    for sleep in 1..=3 {
        reactor.write();
        assert_eq!(reactor.woken(), NAME);
        assert_eq!(reactor.turn(), 1);
        assert_eq!(reactor.signal.sent(), sleep);
    }
    // Nothing that is ready still, and was told, wakes anybody again.
    other.write();
    other.woken();
    assert!(reactor.woken.try_recv().is_err());
}

#[test]
fn what_is_ready_before_the_watch_wakes_too() {
    let mut reactor = Reactor::new();
    reactor.write();
    let _watched = fresh().watch(reactor.signal, reactor.selector.fd(), None).unwrap();
    reactor.woken();
}

#[test]
fn an_owner_that_is_awake_finds_the_mark() {
    let mut reactor = Reactor::new();
    let _watched = fresh().watch(reactor.signal, reactor.selector.fd(), None).unwrap();
    reactor.signal.awake();
    reactor.write();
    until("marked", || reactor.signal.is_marked());
    assert!(reactor.woken.try_recv().is_err());
}

#[test]
fn the_thread_ends_with_the_last_selector_and_starts_again_with_the_next() {
    let watcher = fresh();
    let (spawn, made, running) = counting();
    for round in 1..=3 {
        let (mut first, mut second) = (Reactor::new(), Reactor::new());
        let one = watcher.watch(first.signal, first.selector.fd(), Some(&spawn)).unwrap();
        first.write();
        first.woken();
        let two = watcher.watch(second.signal, second.selector.fd(), Some(&spawn)).unwrap();
        assert_eq!(made.load(Ordering::SeqCst), round);
        let sleeper = sleeper_of(watcher);
        drop(one);
        second.write();
        second.woken();
        drop(two);
        until("the thread ended", || running.load(Ordering::SeqCst) == 0);
        assert!(sleeper.upgrade().is_none());
    }
}

#[test]
fn the_hosts_thread_is_the_one_that_watches() {
    let mut reactor = Reactor::new();
    let spawn: Spawn = Arc::new(|body: Box<dyn FnOnce() + Send>, _: &str| {
        std::thread::Builder::new().name("the host's".into()).spawn(body).unwrap();
        Ok(())
    });
    let _watched = fresh().watch(reactor.signal, reactor.selector.fd(), Some(&spawn)).unwrap();
    reactor.write();
    assert_eq!(reactor.woken(), "the host's");
}

#[test]
fn a_thread_that_the_host_does_not_give_is_reported_and_can_be_asked_for_again() {
    let watcher = fresh();
    let mut reactor = Reactor::new();
    let none: Spawn = Arc::new(|_: Box<dyn FnOnce() + Send>, _: &str| {
        Err(Error::new(Status::Limit, "no thread left"))
    });
    let refused = watcher.watch(reactor.signal, reactor.selector.fd(), Some(&none)).err().unwrap();
    assert_eq!((refused.status(), refused.message()), (Status::Limit, "no thread left"));
    assert!(watcher.lock().sleeper.is_none() && watcher.lock().watched.is_empty());
    let _watched = watcher.watch(reactor.signal, reactor.selector.fd(), None).unwrap();
    reactor.write();
    reactor.woken();
}

#[test]
fn a_thread_that_one_host_promised_and_did_not_make_is_made_by_the_next() {
    let watcher = fresh();
    let (mut deceived, mut good) = (Reactor::new(), Reactor::new());
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeps = Arc::clone(&kept);
    let lying: Spawn = Arc::new(move |body: Box<dyn FnOnce() + Send>, _: &str| {
        keeps.lock().unwrap().push(body);
        Ok(())
    });
    let _its = watcher.watch(deceived.signal, deceived.selector.fd(), Some(&lying)).unwrap();
    let (spawn, made, running) = counting();
    let _ours = watcher.watch(good.signal, good.selector.fd(), Some(&spawn)).unwrap();
    for reactor in [&mut good, &mut deceived] {
        reactor.write();
        reactor.woken();
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
    // One that comes so late finds the place taken, and leaves at once.
    let late = kept.lock().unwrap().pop().unwrap();
    late();
    assert_eq!(running.load(Ordering::SeqCst), 1);
}

#[test]
fn a_hook_that_takes_its_time_keeps_no_other_host_waiting() {
    let watcher = fresh();
    let (slow, mut good) = (Reactor::new(), Reactor::new());
    let (begun, begins) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (begun, released) = (Mutex::new(begun), Mutex::new(released));
    let blocking: Spawn = Arc::new(move |body: Box<dyn FnOnce() + Send>, _: &str| {
        begun.lock().unwrap().send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
        std::thread::spawn(body);
        Ok(())
    });
    std::thread::scope(|scope| {
        let (signal, selector) = (slow.signal, slow.selector.fd());
        let waiting = scope.spawn(move || {
            drop(watcher.watch(signal, selector, Some(&blocking)).unwrap());
        });
        begins.recv().unwrap();
        let _ours = watcher.watch(good.signal, good.selector.fd(), None).unwrap();
        good.write();
        good.woken();
        release.send(()).unwrap();
        waiting.join().unwrap();
    });
}

#[test]
fn a_selector_that_the_kernel_refuses_is_reported_and_leaves_nothing() {
    let watcher = fresh();
    let reactor = Reactor::new();
    let (spawn, made, _) = counting();
    let file = std::fs::File::open("/proc/self/stat").unwrap();
    let refused = watcher.watch(reactor.signal, file.as_raw_fd(), Some(&spawn)).err().unwrap();
    assert_eq!((refused.status(), refused.errno()), (Status::Os, libc::EPERM));
    assert!(refused.message().contains("epoll_ctl"), "{refused}");
    assert!(watcher.lock().sleeper.is_none() && watcher.lock().watched.is_empty());
    assert_eq!(made.load(Ordering::SeqCst), 0);
}

#[test]
fn a_selector_that_was_rebuilt_takes_the_place_of_the_one_before() {
    let mut reactor = Reactor::new();
    let mut watched = fresh().watch(reactor.signal, reactor.selector.fd(), None).unwrap();
    let mut rebuilt = MioSelector::new().unwrap();
    let fd = reactor.pair.0.as_raw_fd();
    watched.rewatch(rebuilt.fd()).unwrap();
    reactor.selector = MioSelector::new().unwrap();
    rebuilt.register(fd, fd as usize, Readiness::READABLE).unwrap();
    reactor.write();
    reactor.woken();

    let file = std::fs::File::open("/proc/self/stat").unwrap();
    assert_eq!(watched.rewatch(file.as_raw_fd()).unwrap_err().errno(), libc::EPERM);
    reactor.selector = rebuilt;
    assert_eq!(reactor.turn(), 1);
    reactor.write();
    reactor.woken();
}

#[test]
fn no_raise_follows_the_end_of_a_watch() {
    let watcher = fresh();
    let (entered, has_entered) = channel();
    let (let_go, may_go): (Sender<()>, Receiver<()>) = channel();
    let may_go = Mutex::new(may_go);
    let left = Arc::new(AtomicUsize::new(0));
    let leaving = Arc::clone(&left);
    let mut slow = Reactor::with_hook(channel().1, move || {
        entered.send(()).unwrap();
        may_go.lock().unwrap().recv().unwrap();
        leaving.fetch_add(1, Ordering::SeqCst);
    });
    let watched = watcher.watch(slow.signal, slow.selector.fd(), None).unwrap();
    slow.write();
    has_entered.recv_timeout(PATIENCE).unwrap();
    // A hook that takes its time keeps no other reactor from beginning and ending.
    let other = Reactor::new();
    drop(watcher.watch(other.signal, other.selector.fd(), None).unwrap());
    std::thread::scope(|scope| {
        let ending = scope.spawn(|| {
            drop(watched);
            left.load(Ordering::SeqCst)
        });
        until("the watch is ending", || watcher.lock().watched.is_empty());
        let_go.send(()).unwrap();
        assert_eq!(ending.join().unwrap(), 1);
    });
}

#[test]
fn a_hook_that_panics_does_not_end_the_thread() {
    let watcher = fresh();
    let (mut bad, mut good) =
        (Reactor::with_hook(channel().1, || panic!("a hook that fails")), Reactor::new());
    let (spawn, _, running) = counting();
    let _bad = watcher.watch(bad.signal, bad.selector.fd(), Some(&spawn)).unwrap();
    let _good = watcher.watch(good.signal, good.selector.fd(), Some(&spawn)).unwrap();
    bad.write();
    until("the hook ran", || bad.signal.sent() == 1);
    good.write();
    good.woken();
    // A second one, if the first had not begun when `good` came, has ended.
    until("one thread runs", || running.load(Ordering::SeqCst) == 1);
}

#[test]
fn many_reactors_that_come_and_go_on_several_threads_leave_nothing() {
    const ROUNDS: usize = 300;
    let watcher = fresh();
    let (spawn, made, running) = counting();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    let mut reactor = Reactor::new();
                    let watched =
                        watcher.watch(reactor.signal, reactor.selector.fd(), Some(&spawn)).unwrap();
                    reactor.write();
                    reactor.woken();
                    drop(watched);
                }
            });
        }
    });
    until("every thread ended", || running.load(Ordering::SeqCst) == 0);
    assert!(made.load(Ordering::SeqCst) >= 1);
    let table = watcher.lock();
    assert!(table.sleeper.is_none() && table.watched.is_empty() && table.raising.is_empty());
    assert_eq!(table.last_name, 4 * ROUNDS as u64);
}

#[test]
fn a_forked_child_has_a_watcher_of_its_own() {
    let mut reactor = Reactor::new();
    let inherited = watch(reactor.signal, reactor.selector.fd(), None).unwrap();
    // The worst moment for a fork.
    let locked = watcher().lock();
    // SAFETY: the child uses what does not depend on the threads of the parent, and leaves by _exit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(inherited);
        let mut its = Reactor::new();
        let woken = match watch(its.signal, its.selector.fd(), None) {
            Ok(_watched) => {
                its.write();
                its.woken.recv_timeout(PATIENCE).is_ok()
            }
            Err(_) => false,
        };
        // SAFETY: ends the child, with nothing of the parent's run.
        unsafe { libc::_exit(i32::from(!woken)) };
    }
    drop(locked);
    assert!(child > 0);
    let mut status = -1;
    // SAFETY: waits for our own child; `status` lives through the call.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
    // What the child dropped is still watched here.
    reactor.write();
    reactor.woken();
}

/// A host that promises the thread, and has one of its own look.
#[cfg(all(feature = "jni", target_os = "linux"))]
fn looking() -> Spawn {
    Arc::new(|_: Box<dyn FnOnce() + Send>, _: &str| Ok(()))
}

#[cfg(all(feature = "jni", target_os = "linux"))]
#[test]
fn who_takes_the_place_looks_in_the_threads_stead() {
    let watcher = fresh();
    assert!(watcher.take_place().is_none());
    let mut reactor = Reactor::new();
    let watched = watcher.watch(reactor.signal, reactor.selector.fd(), Some(&looking())).unwrap();
    let mut place = watcher.take_place().unwrap();
    // There is one.
    assert!(watcher.take_place().is_none());
    assert!(watcher.take_place().is_none());
    let here = std::thread::current().name().unwrap_or_default().to_owned();
    for _ in 0..3 {
        assert!(place.look());
        assert!(reactor.woken.try_recv().is_err());
        reactor.write();
        let mut asked = libc::pollfd { fd: place.fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: an array of one.
        assert_eq!(unsafe { libc::poll(&mut asked, 1, 20_000) }, 1);
        assert!(place.look());
        assert_eq!(reactor.woken(), here);
        reactor.turn();
    }
    // Nothing is left to look at.
    drop(watched);
    assert!(!place.look());
    drop(place);
    assert!(watcher.take_place().is_none());
}

#[cfg(all(feature = "jni", target_os = "linux"))]
#[test]
fn a_place_that_was_left_is_taken_by_the_next_and_loses_nothing() {
    let watcher = fresh();
    let (mut reactor, other) = (Reactor::new(), Reactor::new());
    let _watched = watcher.watch(reactor.signal, reactor.selector.fd(), Some(&looking())).unwrap();
    drop(watcher.take_place().unwrap());
    reactor.write();
    let mut place = watcher.take_place().unwrap();
    place.look();
    reactor.woken();
    reactor.turn();
    drop(place);
    reactor.write();
    // Another host's is the thread of the library's.
    let _other = watcher.watch(other.signal, other.selector.fd(), None).unwrap();
    assert_eq!(reactor.woken(), NAME);
    assert!(watcher.take_place().is_none());
}
