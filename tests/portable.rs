//! What a reactor does on every system, without a descriptor: it sleeps, is woken by other threads,
//! and drives a loop that knows only a wake hook. And what is refused elsewhere than on Linux.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use awsgi::{
    Completion, Deadline, Mode, Outcome, Reactor, ReactorOptions, Readiness, Report, Token, Turn,
    WaitSpec, Watch, WatchChange, Watching, notify, wait_cancel, waitable_close, waitable_take,
};

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;
/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn owned() -> Reactor {
    Reactor::new(&ReactorOptions::default()).unwrap()
}

fn readable(waitable: Token) -> [Watch; 1] {
    [Watch { waitable, interest: Readiness::READABLE }]
}

/// One turn that blocks, in owned mode, for a generous while.
fn turn(reactor: &Reactor) -> (Vec<Completion>, Report) {
    let deadline = Deadline::at(reactor.now().unwrap() + 20 * SECOND);
    let mut done = Vec::new();
    let turn = Turn { deadline, ..Default::default() };
    let report = reactor.turn(&turn, |completion| done.push(completion)).unwrap();
    (done, report)
}

/// Turns until a wait has completed.
fn completion(reactor: &Reactor) -> Completion {
    loop {
        let (done, _) = turn(reactor);
        assert!(done.len() < 2, "one wait completed twice, or two did: {done:?}");
        if let Some(done) = done.into_iter().next() {
            return done;
        }
    }
}

fn end(reactor: Reactor) {
    reactor.close().unwrap();
    while !turn(&reactor).1.closed {}
    reactor.free().unwrap();
}

#[test]
fn a_sleep_never_ends_early() {
    let reactor = owned();
    for ns in [1, 300_000, MILLISECOND, 2_700_000, 30 * MILLISECOND] {
        let until = reactor.now().unwrap() + ns;
        let spec = WaitSpec { deadline: Deadline::at(until), ..WaitSpec::any(&[]) };
        reactor.wait_start(&spec).unwrap();
        assert_eq!(completion(&reactor).outcome, Outcome::TimedOut);
        assert!(reactor.now().unwrap() >= until);
    }
    end(reactor);
}

#[test]
fn the_clock_goes_on_and_is_the_same_for_all_reactors() {
    let (one, other) = (owned(), owned());
    let mut before = one.now().unwrap();
    for _ in 0..1000 {
        let now = other.now().unwrap();
        assert!(now >= before);
        before = one.now().unwrap();
        assert!(before >= now);
    }
    std::thread::sleep(Duration::from_millis(20));
    assert!(one.now().unwrap() - before >= 19 * MILLISECOND);
    end(one);
    end(other);
}

#[test]
fn another_thread_wakes_a_sleeping_reactor_each_time() {
    let reactor = owned();
    let event = reactor.event().unwrap();
    let (begin, may_begin) = channel::<()>();
    let thread = std::thread::spawn(move || {
        for () in may_begin {
            notify(event, Readiness::READABLE).unwrap();
        }
    });
    for _ in 0..200 {
        reactor.wait_start(&WaitSpec::any(&readable(event)).user_data(7)).unwrap();
        begin.send(()).unwrap();
        let done = completion(&reactor);
        assert_eq!((done.outcome, done.user_data), (Outcome::Ready, 7));
        assert_eq!(waitable_take(event).unwrap(), 1);
    }
    drop(begin);
    thread.join().unwrap();
    end(reactor);
}

#[test]
fn a_blocked_turn_can_be_stopped() {
    let reactor = owned();
    let stopper = reactor.stopper();
    let (asleep, is_asleep) = channel::<()>();
    let thread = std::thread::spawn(move || {
        is_asleep.recv().unwrap();
        stopper.stop();
    });
    asleep.send(()).unwrap();
    while !turn(&reactor).1.stopped {}
    thread.join().unwrap();
    end(reactor);
}

#[test]
fn a_timer_counts_what_was_missed() {
    let reactor = owned();
    let first = reactor.now().unwrap() + MILLISECOND;
    let timer = reactor.timer(Deadline::at(first), MILLISECOND).unwrap();
    std::thread::sleep(Duration::from_millis(10));
    reactor.wait_start(&WaitSpec::any(&readable(timer))).unwrap();
    assert_eq!(completion(&reactor).outcome, Outcome::Ready);
    assert!(waitable_take(timer).unwrap() >= 9);
    end(reactor);
}

/// A loop that knows only a wake hook.
fn delegated() -> (Reactor, Receiver<()>) {
    let (wake, woken) = channel();
    let wake = std::sync::Mutex::new(wake);
    let wake = Arc::new(move || {
        // The test may have ended.
        let _ = wake.lock().unwrap().send(());
    });
    let options = ReactorOptions { mode: Mode::Delegated, wake: Some(wake), ..Default::default() };
    (Reactor::new(&options).unwrap(), woken)
}

fn glance(reactor: &Reactor) -> (Vec<Completion>, Vec<WatchChange>, Report) {
    let (mut done, mut changes) = (Vec::new(), Vec::new());
    let report = reactor
        .turn_and_watch(&Turn::default(), |one| done.push(one), |change| changes.push(change))
        .unwrap();
    (done, changes, report)
}

fn end_delegated(reactor: Reactor) {
    reactor.close().unwrap();
    while !glance(&reactor).2.closed {}
    reactor.free().unwrap();
}

#[test]
fn a_delegated_loop_is_woken_and_told_when_to_turn() {
    let (reactor, woken) = delegated();
    let event = reactor.event().unwrap();
    reactor.wait_start(&WaitSpec::any(&readable(event))).unwrap();
    glance(&reactor);
    while woken.try_recv().is_ok() {}
    std::thread::spawn(move || notify(event, Readiness::READABLE).unwrap()).join().unwrap();
    woken.recv_timeout(PATIENCE).unwrap();
    assert_eq!(glance(&reactor).0.len(), 1);

    let until = Deadline::at(reactor.now().unwrap() + 5 * MILLISECOND);
    reactor.wait_start(&WaitSpec { deadline: until, ..WaitSpec::any(&[]) }).unwrap();
    let mut done = Vec::new();
    while done.is_empty() {
        let report;
        (done, _, report) = glance(&reactor);
        if done.is_empty() && !report.more {
            assert!(report.next_deadline <= until);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert_eq!(done[0].outcome, Outcome::TimedOut);
    assert!(Deadline::at(reactor.now().unwrap()) >= until);
    end_delegated(reactor);
}

#[test]
fn a_host_is_told_what_to_watch_and_reports_it() {
    let (reactor, _woken) = delegated();
    let channel = reactor.foreign(42, Watching::Level).unwrap();
    let wait = reactor.wait_start(&WaitSpec::any(&readable(channel))).unwrap();
    let (done, changes, _) = glance(&reactor);
    assert_eq!(done, []);
    let asked = WatchChange {
        waitable: channel,
        handle: 42,
        interest: Readiness::READABLE,
        how: Watching::Level,
    };
    assert_eq!(changes, [asked]);
    notify(channel, Readiness::READABLE).unwrap();
    let (done, _, _) = glance(&reactor);
    assert_eq!((done.len(), done[0].wait), (1, wait));

    let wait = reactor.wait_start(&WaitSpec::any(&readable(channel))).unwrap();
    wait_cancel(wait).unwrap();
    assert_eq!(glance(&reactor).0[0].outcome, Outcome::Cancelled);
    waitable_close(channel).unwrap();
    end_delegated(reactor);
}

#[cfg(not(target_os = "linux"))]
mod refused {
    use super::*;
    use awsgi::Status;

    fn nested(host_honours_deadline: bool) -> awsgi::Result<Reactor> {
        let options =
            ReactorOptions { mode: Mode::Nested, host_honours_deadline, ..Default::default() };
        Reactor::new(&options)
    }

    #[test]
    fn a_nested_reactor_whose_host_does_not_honour_deadlines() {
        assert_eq!(nested(false).err().unwrap().status(), Status::Unsupported);
    }

    #[cfg(windows)]
    #[test]
    fn a_nested_reactor_on_windows() {
        let error = nested(true).err().unwrap();
        assert_eq!(error.status(), Status::Unsupported);
        assert!(error.message().contains("delegated"), "{error}");
    }

    #[cfg(windows)]
    #[test]
    fn a_handle_on_windows() {
        let reactor = owned();
        let error = reactor.descriptor(4, false).unwrap_err();
        assert_eq!(error.status(), Status::Unsupported);
        assert!(error.message().contains("make an event"), "{error}");
        end(reactor);
    }
}
