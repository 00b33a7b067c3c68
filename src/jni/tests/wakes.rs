//! Who is told that a host is to be woken.

#[cfg(target_os = "linux")]
use std::io::Write;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::*;
use crate::{Readiness, Token};

const PATIENCE: Duration = Duration::from_secs(20);

/// Java's thread for it: what it was told, and at last -1.
fn watcher() -> (JoinHandle<()>, Receiver<i32>) {
    let (tell, told) = channel();
    let thread = std::thread::spawn(move || {
        loop {
            let number = natives::watch(ptr::null_mut(), ptr::null_mut());
            tell.send(number).unwrap();
            if number < 0 {
                return;
            }
        }
    });
    (thread, told)
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "still not: {what}");
        std::thread::yield_now();
    }
}

fn inside() -> i64 {
    natives::count(ptr::null_mut(), ptr::null_mut(), 4)
}

/// As code in C does, on a thread of its own.
fn notify_from_c(event: u64) {
    std::thread::scope(|scope| {
        scope.spawn(|| crate::notify(Token::from_bits(event), Readiness::READABLE).unwrap());
    });
}

#[test]
fn a_signal_answers_whether_the_host_is_to_be_woken_once_between_two_turns() {
    let mut java = Java::new();
    let event = java.event();
    let elsewhere =
        || std::thread::scope(|scope| scope.spawn(|| signal(event, READABLE)).join().unwrap());
    java.turn(0).unwrap();
    // The owner turns before it sleeps.
    assert_eq!(signal(event, READABLE), 0);
    assert_eq!([elsewhere(), elsewhere()], [1, 0]);
    java.turn(0).unwrap();
    assert_eq!([elsewhere(), elsewhere()], [1, 0]);

    assert_eq!(signal(event, 0), Status::Invalid as i32);
    assert_eq!(signal(event, 0x8000), Status::Invalid as i32);
    java.put(event, layout::CLOSE, 0, 0);
    java.turn(0).unwrap();
    assert_eq!(elsewhere(), Status::Stale as i32);
    assert_eq!(signal(u64::MAX, READABLE), Status::Stale as i32);
}

#[test]
fn without_any_reactor_nobody_need_watch() {
    let _alone = alone();
    assert_eq!(natives::watch(ptr::null_mut(), ptr::null_mut()), -1);
}

#[test]
fn what_native_threads_notify_is_told_to_the_thread_that_watches() {
    let alone = alone();
    let mut hosts = [0, 1, 2].map(|_| Java::alone(&alone));
    let events = [0, 1, 2].map(|index: usize| hosts[index].event());
    for java in &mut hosts {
        java.turn(0).unwrap();
    }
    let (thread, told) = watcher();
    for event in events.into_iter().chain(events) {
        notify_from_c(event);
    }
    let mut numbers = [0, 1, 2].map(|_| told.recv_timeout(PATIENCE).unwrap());
    numbers.sort_unstable();
    let mut wanted = hosts.each_ref().map(|java| i32::from(java.number()));
    wanted.sort_unstable();
    assert_eq!(numbers, wanted);
    assert!(told.try_recv().is_err());
    for java in &mut hosts {
        java.free();
    }
    assert_eq!(told.recv_timeout(PATIENCE), Ok(-1));
    thread.join().unwrap();
}

#[test]
fn every_thread_that_watches_is_told_of_the_end() {
    let alone = alone();
    let mut java = Java::alone(&alone);
    let watchers = [0, 1, 2].map(|_| watcher());
    until("all inside", || inside() == 3);
    java.free();
    for (thread, told) in watchers {
        assert_eq!(told.recv_timeout(PATIENCE), Ok(-1));
        thread.join().unwrap();
    }
    assert_eq!(inside(), 0);
}

#[test]
fn a_wake_up_that_nobody_waited_for_has_a_thread_asked_for() {
    let alone = alone();
    let mut java = Java::alone(&alone);
    let event = java.event();
    assert_eq!(java.turn(0).unwrap().flags, 0);
    notify_from_c(event);
    assert_eq!(java.turn(0).unwrap().flags, layout::TURN_WATCHER);
    let (thread, told) = watcher();
    // It comes late, but it comes.
    assert_eq!(told.recv_timeout(PATIENCE), Ok(java.number().into()));
    until("inside again", || inside() == 1);
    assert_eq!(java.turn(0).unwrap().flags, 0);
    java.free();
    assert_eq!(told.recv_timeout(PATIENCE), Ok(-1));
    thread.join().unwrap();
}

/// A stream that one host waits for, and the host.
#[cfg(target_os = "linux")]
struct Stream {
    java: Java,
    ours: std::os::unix::net::UnixStream,
    theirs: std::os::unix::net::UnixStream,
    waitable: u64,
}

#[cfg(target_os = "linux")]
impl Stream {
    fn new(alone: &RwLockWriteGuard<'static, ()>) -> Stream {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut java = Java::alone(alone);
        let waitable = java.submit(DESCRIPTOR, &[ours.as_raw_fd().into(), 0]).unwrap() as u64;
        java.arm(1, waitable, READABLE, 0, FOREVER);
        Stream { java, ours, theirs, waitable }
    }

    fn is_told(&mut self, told: &Receiver<i32>) {
        self.theirs.write_all(b".").unwrap();
        assert_eq!(told.recv_timeout(PATIENCE), Ok(self.java.number().into()));
        let done = Record { a: 1, kind: 1, b: READABLE, c: ready(0, 1) };
        assert_eq!(self.java.completions(0), [done]);
    }

    fn again(&mut self) {
        std::io::Read::read_exact(&mut self.ours, &mut [0]).unwrap();
        self.java.arm(1, self.waitable, READABLE, 0, FOREVER);
        assert_eq!(self.java.completions(0), []);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_descriptor_that_becomes_ready_is_told_to_the_thread_that_watches() {
    let alone = alone();
    let mut stream = Stream::new(&alone);
    let flags = stream.java.turn(0).unwrap().flags;
    assert_eq!(flags & layout::TURN_WATCHER, layout::TURN_WATCHER);
    let (thread, told) = watcher();
    for _ in 0..3 {
        stream.is_told(&told);
        stream.again();
    }
    // A second one, made while the thread sleeps, and one that outlives it.
    let mut second = Stream::new(&alone);
    second.java.turn(0).unwrap();
    second.is_told(&told);
    stream.java.free();
    second.again();
    second.is_told(&told);
    second.java.free();
    assert_eq!(told.recv_timeout(PATIENCE), Ok(-1));
    thread.join().unwrap();
}

/// A host in C that waits for a stream, and has the library's watcher look.
#[cfg(target_os = "linux")]
struct InC {
    reactor: crate::Reactor,
    wakes: Receiver<()>,
    _ours: std::os::unix::net::UnixStream,
    theirs: std::os::unix::net::UnixStream,
}

#[cfg(target_os = "linux")]
impl InC {
    fn new() -> InC {
        use crate::{Mode, Reactor, ReactorOptions, WaitSpec, Watch};
        let (woken, wakes) = channel();
        let options = ReactorOptions {
            mode: Mode::Delegated,
            wake: Some(std::sync::Arc::new(move || woken.send(()).unwrap())),
            ..Default::default()
        };
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let reactor = Reactor::new(&options).unwrap();
        let waitable = reactor.descriptor(ours.as_raw_fd(), false).unwrap();
        let set = [Watch { waitable, interest: Readiness::READABLE }];
        reactor.wait_start(&WaitSpec::any(&set)).unwrap();
        reactor.turn(&crate::Turn::default(), |_| ()).unwrap();
        while wakes.try_recv().is_ok() {}
        InC { reactor, wakes, _ours: ours, theirs }
    }

    fn is_woken(&mut self) {
        self.theirs.write_all(b".").unwrap();
        self.wakes.recv_timeout(PATIENCE).unwrap();
        let report = self.reactor.turn(&crate::Turn::default(), |_| ()).unwrap();
        assert_eq!(report.completions, 1);
    }

    fn free(self) {
        self.reactor.close().unwrap();
        while !self.reactor.turn(&crate::Turn::default(), |_| ()).unwrap().closed {}
        self.reactor.free().unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_descriptor_is_told_where_the_library_has_a_thread_of_its_own_too() {
    let alone = alone();
    let mut c = InC::new();
    c.is_woken();
    let mut stream = Stream::new(&alone);
    let flags = stream.java.turn(0).unwrap().flags;
    assert_eq!(flags & layout::TURN_WATCHER, layout::TURN_WATCHER);
    let (thread, told) = watcher();
    stream.is_told(&told);
    stream.java.free();
    assert_eq!(told.recv_timeout(PATIENCE), Ok(-1));
    thread.join().unwrap();
    c.free();
}

#[cfg(target_os = "linux")]
#[test]
fn javas_thread_looks_for_reactors_of_others_until_they_are_gone_too() {
    let alone = alone();
    let mut stream = Stream::new(&alone);
    stream.java.turn(0).unwrap();
    let (thread, told) = watcher();
    stream.is_told(&told);
    until("inside again", || inside() == 1);
    let mut c = InC::new();
    stream.java.free();
    c.is_woken();
    c.free();
    assert_eq!(told.recv_timeout(PATIENCE), Ok(-1));
    thread.join().unwrap();
}

#[test]
fn threads_that_java_does_not_make_are_refused_with_a_sentence() {
    let refused = crate::jni::wake::spawn()(Box::new(|| ()), "awsgi-pool").unwrap_err();
    assert_eq!(refused.status(), Status::Unsupported);
    assert!(refused.message().contains("awsgi-pool"));
}
