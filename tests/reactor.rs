//! The reactor on real descriptors, clocks and threads.

use std::future::Future;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use awsgi::{
    Completion, Deadline, Mode, Outcome, Reactor, ReactorOptions, Readiness, Report, Status, Token,
    Turn, WaitSpec, Waiting, Watch, Watching, notify, wait_cancel, wait_forget, waitable_close,
    waitable_take,
};

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

fn owned() -> Reactor {
    Reactor::new(&ReactorOptions::default()).unwrap()
}

fn nested() -> Reactor {
    Reactor::new(&ReactorOptions { mode: Mode::Nested, ..Default::default() }).unwrap()
}

/// One turn that may block for a generous while.
fn turn(reactor: &Reactor) -> (Vec<Completion>, Report) {
    let deadline = Deadline::at(reactor.now().unwrap() + 20 * SECOND);
    let mut done = Vec::new();
    let turn = Turn { deadline, ..Default::default() };
    let report = reactor.turn(&turn, |completion| done.push(completion)).unwrap();
    (done, report)
}

/// Turns until a wait of the host's has completed.
fn completion(reactor: &Reactor) -> Completion {
    loop {
        let (done, _) = turn(reactor);
        assert!(done.len() < 2, "one wait completed twice, or two did: {done:?}");
        if let Some(done) = done.into_iter().next() {
            return done;
        }
    }
}

/// One turn that does not wait.
fn glance(reactor: &Reactor) -> Vec<Completion> {
    let mut done = Vec::new();
    reactor.turn(&Turn::default(), |completion| done.push(completion)).unwrap();
    done
}

fn end(reactor: Reactor) {
    reactor.close().unwrap();
    while !turn(&reactor).1.closed {}
    reactor.free().unwrap();
}

fn readable(waitable: Token) -> [Watch; 1] {
    [Watch { waitable, interest: Readiness::READABLE }]
}

fn writable(waitable: Token) -> [Watch; 1] {
    [Watch { waitable, interest: Readiness::WRITABLE }]
}

fn in_ns(reactor: &Reactor, ns: u64) -> Deadline {
    Deadline::at(reactor.now().unwrap() + ns)
}

fn pair() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    (a, b)
}

/// Moves a socket to a number that no other test meets by chance: tests run side by side, and a
/// number that is closed is soon somebody else's.
fn far_from_others(socket: UnixStream, number: RawFd) -> RawFd {
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_DUPFD_CLOEXEC, number) };
    assert_eq!(fd, number);
    fd
}

fn close(fd: RawFd) {
    // SAFETY: the test's own descriptor, from `far_from_others`.
    assert_eq!(unsafe { libc::close(fd) }, 0);
}

/// Whether poll(2) calls a descriptor readable within a time.
fn polls_readable(fd: RawFd, ms: i32) -> bool {
    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd that lives through the call.
    unsafe { libc::poll(&mut entry, 1, ms) == 1 }
}

#[test]
fn a_descriptor_that_is_ready_before_the_wait_or_after_completes_it() {
    let reactor = owned();
    let (a, mut b) = pair();
    let waitable = reactor.descriptor(a.as_raw_fd(), false).unwrap();
    for early in [true, false, true, true, false] {
        if early {
            b.write_all(b"x").unwrap();
        }
        let spec = readable(waitable);
        let wait = reactor.wait_start(&WaitSpec::any(&spec).user_data(7)).unwrap();
        if !early {
            assert_eq!(glance(&reactor), []);
            b.write_all(b"x").unwrap();
        }
        let done = completion(&reactor);
        assert_eq!((done.wait, done.user_data), (wait, 7));
        assert_eq!((done.outcome, done.ready), (Outcome::Ready, Readiness::READABLE));
        (&a).read_exact(&mut [0]).unwrap();
    }
    end(reactor);
}

#[test]
fn a_one_shot_wait_answers_what_poll_would_say_each_time() {
    let reactor = owned();
    let (a, mut b) = pair();
    let waitable = reactor.descriptor(a.as_raw_fd(), false).unwrap();
    b.write_all(b"never read").unwrap();
    for _ in 0..5 {
        reactor.wait_start(&WaitSpec::any(&readable(waitable))).unwrap();
        assert_eq!(completion(&reactor).ready, Readiness::READABLE);
    }
    end(reactor);
}

#[test]
fn readers_and_writers_of_one_descriptor_do_not_disturb_each_other() {
    let reactor = owned();
    let (a, mut b) = pair();
    let first = reactor.descriptor(a.as_raw_fd(), false).unwrap();
    let second = reactor.descriptor(a.as_raw_fd(), false).unwrap();
    reactor.wait_start(&WaitSpec::any(&readable(first)).user_data(1)).unwrap();
    reactor.wait_start(&WaitSpec::any(&writable(second)).user_data(2)).unwrap();
    assert_eq!(completion(&reactor).user_data, 2);
    assert_eq!(glance(&reactor), []);
    waitable_close(second).unwrap();
    b.write_all(b"x").unwrap();
    assert_eq!(completion(&reactor).user_data, 1);
    end(reactor);
}

#[test]
fn a_peer_that_leaves_hangs_up() {
    let reactor = owned();
    let (a, b) = pair();
    let waitable = reactor.descriptor(a.as_raw_fd(), false).unwrap();
    let spec = [Watch { waitable, interest: Readiness::READ_CLOSED }];
    reactor.wait_start(&WaitSpec::any(&spec)).unwrap();
    (&b).write_all(b"data does not complete it").unwrap();
    assert_eq!(glance(&reactor), []);
    drop(b);
    assert!(completion(&reactor).ready.contains(Readiness::READ_CLOSED));
    end(reactor);
}

#[test]
fn a_deadline_is_never_early_and_soon_after() {
    for reactor in [owned(), nested()] {
        for ns in [0, 1, 300_000, MILLISECOND, 2_700_000, 20 * MILLISECOND] {
            let deadline = in_ns(&reactor, ns);
            reactor.wait_start(&WaitSpec::sleep(deadline)).unwrap();
            let done = loop {
                if let Ok(fd) = reactor.fd() {
                    assert!(polls_readable(fd, 20_000), "the deadline makes it readable");
                }
                let (done, report) = turn(&reactor);
                match done.first() {
                    Some(done) => break *done,
                    None => assert!(report.next_deadline <= deadline),
                }
            };
            let now = reactor.now().unwrap();
            assert_eq!(done.outcome, Outcome::TimedOut);
            assert!(now >= deadline.nanoseconds(), "early");
            assert!(now < deadline.nanoseconds() + SECOND, "late");
        }
        end(reactor);
    }
}

#[test]
fn a_turn_ends_at_its_deadline() {
    let reactor = owned();
    let before = reactor.now().unwrap();
    let deadline = Deadline::at(before + 5 * MILLISECOND);
    let report = reactor.turn(&Turn { deadline, ..Default::default() }, |_| ()).unwrap();
    assert!(reactor.now().unwrap() >= deadline.nanoseconds());
    assert_eq!((report.completions, report.next_deadline), (0, Deadline::FOREVER));
    end(reactor);
}

#[test]
fn an_event_wakes_the_turn_from_another_thread_and_stays_set_until_taken() {
    for reactor in [owned(), nested()] {
        let event = reactor.event().unwrap();
        reactor.wait_start(&WaitSpec::any(&readable(event))).unwrap();
        glance(&reactor);
        let thread = std::thread::spawn(move || notify(event, Readiness::READABLE).unwrap());
        if let Ok(fd) = reactor.fd() {
            assert!(polls_readable(fd, 20_000));
        }
        assert_eq!(completion(&reactor).ready, Readiness::READABLE);
        thread.join().unwrap();
        reactor.wait_start(&WaitSpec::any(&readable(event))).unwrap();
        assert_eq!(completion(&reactor).ready, Readiness::READABLE);
        assert_eq!(waitable_take(event).unwrap(), 1);
        assert_eq!(waitable_take(event).unwrap(), 0);
        reactor.wait_start(&WaitSpec::any(&readable(event))).unwrap();
        assert_eq!(glance(&reactor), []);
        end(reactor);
    }
}

#[test]
fn no_notice_is_lost_between_sleeping_and_waking() {
    for reactor in [owned(), nested()] {
        let event = reactor.event().unwrap();
        let answer = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let theirs = answer.clone();
        let thread = std::thread::spawn(move || {
            for round in 0..2_000 {
                notify(event, Readiness::READABLE).unwrap();
                while theirs.load(std::sync::atomic::Ordering::Acquire) == round {
                    std::thread::yield_now();
                }
            }
        });
        for round in 0..2_000 {
            reactor.wait_start(&WaitSpec::any(&readable(event))).unwrap();
            loop {
                if let Ok(fd) = reactor.fd() {
                    assert!(polls_readable(fd, 20_000), "round {round}: asleep with work");
                }
                let (done, _) = turn(&reactor);
                if !done.is_empty() {
                    break;
                }
            }
            assert_eq!(waitable_take(event).unwrap(), 1);
            answer.fetch_add(1, std::sync::atomic::Ordering::Release);
        }
        thread.join().unwrap();
        end(reactor);
    }
}

#[test]
fn an_idle_nested_reactor_is_quiet_and_work_outside_of_a_turn_is_told() {
    let reactor = nested();
    let fd = reactor.fd().unwrap();
    let event = reactor.event().unwrap();
    let wait = reactor.wait_start(&WaitSpec::any(&readable(event))).unwrap();
    glance(&reactor);
    assert!(!polls_readable(fd, 0));
    wait_cancel(wait).unwrap();
    assert!(polls_readable(fd, 0), "a cancel outside of a turn");
    assert_eq!(completion(&reactor).outcome, Outcome::Cancelled);
    assert!(!polls_readable(fd, 0));
    reactor.wait_start(&WaitSpec::sleep(in_ns(&reactor, 3600 * SECOND))).unwrap();
    assert!(polls_readable(fd, 0), "an earlier deadline outside of a turn");
    assert_eq!(glance(&reactor), []);
    assert!(!polls_readable(fd, 0));
    end(reactor);
}

#[test]
fn an_edge_triggered_outer_loop_misses_nothing() {
    let reactor = nested();
    let mut outer = mio::Poll::new().unwrap();
    let mut events = mio::Events::with_capacity(8);
    let fd = reactor.fd().unwrap();
    let mut source = mio::unix::SourceFd(&fd);
    outer.registry().register(&mut source, mio::Token(0), mio::Interest::READABLE).unwrap();
    let pairs: Vec<_> = (0..50).map(|_| pair()).collect();
    for (at, (a, b)) in pairs.iter().enumerate() {
        let waitable = reactor.descriptor(a.as_raw_fd(), false).unwrap();
        reactor.wait_start(&WaitSpec::any(&readable(waitable)).user_data(at as u64)).unwrap();
        (&*b).write_all(b"x").unwrap();
    }
    let mut seen = 0;
    while seen < 50 {
        outer.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
        assert!(!events.is_empty(), "the outer loop was not told of {} more", 50 - seen);
        // One turn a report, room for three, or three events: the rest has to be told again.
        let turn = if seen % 2 == 0 {
            Turn { capacity: 3, ..Default::default() }
        } else {
            Turn { budget: 3, ..Default::default() }
        };
        seen += reactor.turn(&turn, |_| ()).unwrap().completions;
    }
    end(reactor);
}

#[test]
fn a_full_array_holds_completions_back_in_order() {
    let reactor = owned();
    for user_data in 0..5 {
        reactor.wait_start(&WaitSpec::sleep(Deadline::NOW).user_data(user_data)).unwrap();
    }
    let mut seen = Vec::new();
    for expected_more in [true, true, false] {
        let turn = Turn { capacity: 2, ..Default::default() };
        let report = reactor.turn(&turn, |done| seen.push(done.user_data)).unwrap();
        assert_eq!(report.more, expected_more);
    }
    seen.sort();
    assert_eq!(seen, [0, 1, 2, 3, 4]);
    end(reactor);
}

#[test]
fn a_turn_wakes_no_more_futures_than_its_budget() {
    let reactor = owned();
    let event = reactor.event().unwrap();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let set = readable(event);
    let mut futures: Vec<_> =
        (0..20).map(|_| Box::pin(reactor.wait(&WaitSpec::any(&set)))).collect();
    for future in &mut futures {
        assert!(look(future, &waker).is_pending());
    }
    notify(event, Readiness::READABLE).unwrap();
    for turns in 1..=3 {
        let turn = Turn { budget: 8, deadline: Deadline::NOW, ..Default::default() };
        let report = reactor.turn(&turn, |_| ()).unwrap();
        assert_eq!(woken.times(), (turns * 8).min(20));
        assert_eq!(report.more, turns < 3);
    }
    assert!(futures.iter_mut().all(|future| look(future, &waker).is_ready()));
    end(reactor);
}

#[test]
fn files_are_always_ready() {
    let reactor = owned();
    let file = std::fs::File::open("/dev/null").unwrap();
    let directory = std::fs::File::open(".").unwrap();
    for file in [&file, &directory] {
        let waitable = reactor.descriptor(file.as_raw_fd(), false).unwrap();
        let spec = [Watch { waitable, interest: Readiness::READABLE | Readiness::WRITABLE }];
        reactor.wait_start(&WaitSpec::any(&spec)).unwrap();
        assert_eq!(completion(&reactor).ready, Readiness::READABLE | Readiness::WRITABLE);
    }
    end(reactor);
}

#[test]
fn descriptors_that_cannot_be_waited_for_are_refused_at_once() {
    let reactor = nested();
    assert_eq!(reactor.descriptor(-1, false).unwrap_err().errno(), libc::EBADF);
    let fd = far_from_others(pair().0, 800);
    let waitable = reactor.descriptor(fd, false).unwrap();
    close(fd);
    assert_eq!(reactor.descriptor(fd, false).unwrap_err().errno(), libc::EBADF);
    let error = reactor.wait_start(&WaitSpec::any(&readable(waitable))).unwrap_err();
    assert_eq!((error.status(), error.errno()), (Status::Os, libc::EBADF));
    let own = reactor.fd().unwrap();
    assert_eq!(reactor.descriptor(own, false).unwrap_err().status(), Status::Nesting);
    end(reactor);
}

#[test]
fn a_loop_that_watches_this_reactor_is_refused() {
    let reactor = nested();
    let mut outer = mio::Poll::new().unwrap();
    let fd = reactor.fd().unwrap();
    let mut source = mio::unix::SourceFd(&fd);
    outer.registry().register(&mut source, mio::Token(0), mio::Interest::READABLE).unwrap();
    let waitable = reactor.descriptor(outer.as_raw_fd(), false).unwrap();
    let error = reactor.wait_start(&WaitSpec::any(&readable(waitable))).unwrap_err();
    assert_eq!(error.status(), Status::Nesting);
    outer.poll(&mut mio::Events::with_capacity(1), Some(Duration::ZERO)).unwrap();
    end(reactor);
}

#[test]
fn a_number_that_was_closed_and_reused_wakes_nobody_wrongly() {
    let reactor = owned();
    let (a, _b) = pair();
    let fd = far_from_others(a, 900);
    let waitable = reactor.descriptor(fd, false).unwrap();
    reactor.wait_start(&WaitSpec::any(&readable(waitable)).user_data(1)).unwrap();
    close(fd);
    let (c, mut d) = pair();
    assert_eq!(far_from_others(c, fd), fd);
    let again = reactor.descriptor(fd, true).unwrap();
    reactor.wait_start(&WaitSpec::any(&readable(again)).user_data(2)).unwrap();
    let done = completion(&reactor);
    assert_eq!((done.user_data, done.outcome), (1, Outcome::Closed));
    assert_eq!(glance(&reactor), []);
    d.write_all(b"x").unwrap();
    let done = completion(&reactor);
    assert_eq!((done.user_data, done.outcome), (2, Outcome::Ready));
    end(reactor);
}

#[test]
fn a_lent_descriptor_stays_open_and_a_given_one_is_closed() {
    let reactor = owned();
    let (a, b) = pair();
    let lent = reactor.descriptor(a.as_raw_fd(), false).unwrap();
    reactor.wait_start(&WaitSpec::any(&readable(lent)).user_data(1)).unwrap();
    waitable_close(lent).unwrap();
    assert_eq!(completion(&reactor).outcome, Outcome::Closed);
    (&a).write_all(b"still open").unwrap();
    let fd = std::os::fd::IntoRawFd::into_raw_fd(a);
    let given = reactor.descriptor(fd, true).unwrap();
    waitable_close(given).unwrap();
    let mut rest = Vec::new();
    (&b).read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"still open");
    assert_eq!(waitable_close(given).unwrap_err().status(), Status::Stale);
    end(reactor);
}

#[test]
fn a_descriptor_nobody_waits_for_stops_waking_the_reactor() {
    let reactor = nested();
    let fd = reactor.fd().unwrap();
    let (a, mut b) = pair();
    let waitable = reactor.descriptor(a.as_raw_fd(), false).unwrap();
    let wait = reactor.wait_start(&WaitSpec::any(&readable(waitable))).unwrap();
    wait_forget(wait).unwrap();
    let mut wakes = 0;
    for _ in 0..10 {
        b.write_all(b"x").unwrap();
        if polls_readable(fd, 0) {
            wakes += 1;
            glance(&reactor);
        }
    }
    assert_eq!(wakes, 2);
    reactor.wait_start(&WaitSpec::any(&readable(waitable))).unwrap();
    assert_eq!(completion(&reactor).ready, Readiness::READABLE);
    end(reactor);
}

#[test]
fn a_stop_from_another_thread_ends_the_blocking_turn() {
    let reactor = owned();
    let stopper = reactor.stopper();
    let thread = std::thread::spawn(move || stopper.stop());
    let (_, report) = turn(&reactor);
    assert!(report.stopped);
    thread.join().unwrap();
    assert!(!glance_report(&reactor).stopped);
    end(reactor);
}

fn glance_report(reactor: &Reactor) -> Report {
    reactor.turn(&Turn::default(), |_| ()).unwrap()
}

#[test]
fn only_the_owner_uses_a_reactor_and_ownership_can_move() {
    let reactor = owned();
    let event = reactor.event().unwrap();
    let (a, _b) = pair();
    let other = reactor.descriptor(a.as_raw_fd(), false).unwrap();
    assert_eq!(notify(other, Readiness::READABLE).unwrap_err().status(), Status::Invalid);
    let wait = reactor.wait_start(&WaitSpec::any(&readable(event)).user_data(9)).unwrap();
    std::thread::spawn(move || {
        assert_eq!(waitable_close(event).unwrap_err().status(), Status::Thread);
        assert_eq!(notify(other, Readiness::READABLE).unwrap_err().status(), Status::Invalid);
        assert_eq!(wait_cancel(wait).unwrap_err().status(), Status::Thread);
    })
    .join()
    .unwrap();
    let released = reactor.release().unwrap();
    std::thread::spawn(move || {
        let reactor = released.adopt().unwrap();
        notify(event, Readiness::READABLE).unwrap();
        assert_eq!(completion(&reactor).user_data, 9);
        end(reactor);
    })
    .join()
    .unwrap();
}

#[test]
fn a_token_is_stale_after_its_reactor_from_any_thread() {
    let reactor = owned();
    let event = reactor.event().unwrap();
    let wait = reactor.wait_start(&WaitSpec::any(&readable(event))).unwrap();
    let copy = reactor.clone();
    end(reactor);
    let check = move || {
        assert_eq!(notify(event, Readiness::READABLE).unwrap_err().status(), Status::Stale);
        assert_eq!(waitable_close(event).unwrap_err().status(), Status::Stale);
        assert_eq!(wait_cancel(wait).unwrap_err().status(), Status::Stale);
    };
    check();
    std::thread::spawn(check).join().unwrap();
    assert!(copy.event().is_err());
    for bits in [0, 1, u64::MAX, 1 << 60, 0x1234_5678_9abc_def0] {
        let token = Token::from_bits(bits);
        assert!(notify(token, Readiness::READABLE).is_err());
        assert!(wait_forget(token).is_err());
    }
}

#[test]
fn a_reactor_is_freed_only_when_it_is_closed_and_empty() {
    let reactor = owned();
    let event = reactor.event().unwrap();
    reactor.wait_start(&WaitSpec::any(&readable(event))).unwrap();
    assert_eq!(reactor.free().unwrap_err().status(), Status::Busy);
    reactor.close().unwrap();
    assert_eq!(reactor.free().unwrap_err().status(), Status::Busy);
    assert_eq!(reactor.event().unwrap_err().status(), Status::Closed);
    let (done, report) = turn(&reactor);
    assert_eq!(done[0].outcome, Outcome::Closed);
    assert!(report.closed);
    reactor.free().unwrap();
    assert_eq!(reactor.free().unwrap_err().status(), Status::Stale);
}

#[test]
fn a_forked_child_is_told_so() {
    let reactor = owned();
    let event = reactor.event().unwrap();
    // SAFETY: the child only makes calls that touch no lock of another thread, and leaves.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let forked =
            |result: awsgi::Result<()>| result.is_err_and(|error| error.status() == Status::Forked);
        let told = forked(reactor.event().map(drop))
            && forked(notify(event, Readiness::READABLE))
            && forked(reactor.turn(&Turn::default(), |_| ()).map(drop));
        // SAFETY: ends the child at once, without the parent's exit handlers.
        unsafe { libc::_exit(if told { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: waits for our own child.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
    notify(event, Readiness::READABLE).unwrap();
    end(reactor);
}

#[test]
fn a_hundred_waits_at_once_complete_once_each() {
    let reactor = owned();
    let pairs: Vec<_> = (0..100).map(|_| pair()).collect();
    for (at, (a, _)) in pairs.iter().enumerate() {
        let waitable = reactor.descriptor(a.as_raw_fd(), false).unwrap();
        reactor.wait_start(&WaitSpec::any(&readable(waitable)).user_data(at as u64)).unwrap();
    }
    for (_, b) in pairs.iter().rev() {
        (&*b).write_all(b"x").unwrap();
    }
    let mut seen = vec![0; 100];
    while seen.contains(&0) {
        for done in turn(&reactor).0 {
            seen[done.user_data as usize] += 1;
        }
    }
    assert_eq!(glance(&reactor), []);
    assert!(seen.iter().all(|count| *count == 1));
    end(reactor);
}

#[test]
fn a_set_with_two_waitables_on_one_descriptor_hears_of_both() {
    let reactor = owned();
    let (a, mut b) = pair();
    let input = reactor.descriptor(a.as_raw_fd(), false).unwrap();
    let urgent = reactor.descriptor(a.as_raw_fd(), false).unwrap();
    for set in [
        [(input, Readiness::READABLE), (urgent, Readiness::PRIORITY)],
        [(urgent, Readiness::PRIORITY), (input, Readiness::READABLE)],
    ] {
        let set = set.map(|(waitable, interest)| Watch { waitable, interest });
        let until = in_ns(&reactor, 2 * SECOND);
        reactor.wait_start(&WaitSpec::any(&set).until(until)).unwrap();
        b.write_all(b"x").unwrap();
        assert_eq!(completion(&reactor).outcome, Outcome::Ready);
        (&a).read_exact(&mut [0]).unwrap();
    }
    end(reactor);
}

#[test]
fn a_nested_host_hears_of_a_stop_whenever_it_comes() {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    let reactor = nested();
    let stopper = reactor.stopper();
    let over = AtomicBool::new(false);
    let asked = AtomicU32::new(0);
    let heard = AtomicU32::new(0);
    struct Shared<T>(T);
    // SAFETY: a stopper is for any thread.
    unsafe impl<T> Sync for Shared<T> {}
    let stopper = Shared(stopper);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let stopper = &stopper;
            while !over.load(Ordering::SeqCst) {
                if asked.load(Ordering::SeqCst) == heard.load(Ordering::SeqCst) {
                    asked.fetch_add(1, Ordering::SeqCst);
                    stopper.0.stop();
                }
                std::hint::spin_loop();
            }
        });
        let until = reactor.now().unwrap() + SECOND / 2;
        let mut lost = false;
        while reactor.now().unwrap() < until && !lost {
            lost = !polls_readable(reactor.fd().unwrap(), 2000);
            // An alarm to set makes the end of a turn longer.
            let wait = reactor.wait_start(&WaitSpec::sleep(in_ns(&reactor, 50_000))).unwrap();
            if reactor.turn(&Turn::default(), |_| ()).unwrap().stopped {
                heard.fetch_add(1, Ordering::SeqCst);
            }
            let _ = wait_forget(wait);
            loop {
                let report = reactor.turn(&Turn::default(), |_| ()).unwrap();
                if report.stopped {
                    heard.fetch_add(1, Ordering::SeqCst);
                }
                if !report.more {
                    break;
                }
            }
        }
        over.store(true, Ordering::SeqCst);
        assert!(!lost, "a stop woke nobody");
    });
    end(reactor);
}

#[test]
fn a_nested_host_that_sleeps_is_told_that_the_reactor_is_empty() {
    let closed = |reactor: &Reactor| {
        let mut tries = 0;
        loop {
            assert!(polls_readable(reactor.fd().unwrap(), 5000), "nothing wakes the host");
            if reactor.turn(&Turn::default(), |_| ()).unwrap().closed {
                return;
            }
            tries += 1;
            assert!(tries < 100);
        }
    };
    let sleep = |reactor: &Reactor| {
        while reactor.turn(&Turn::default(), |_| ()).unwrap().more {}
        assert!(!polls_readable(reactor.fd().unwrap(), 0));
    };
    let reactor = nested();
    sleep(&reactor);
    reactor.close().unwrap();
    closed(&reactor);
    reactor.free().unwrap();

    let reactor = nested();
    let event = reactor.event().unwrap();
    let wait = reactor.wait_start(&WaitSpec::any(&readable(event))).unwrap();
    reactor.close().unwrap();
    // The completion lies ready, and is taken back before it is delivered.
    let report = reactor.turn(&Turn { capacity: 0, ..Default::default() }, |_| ()).unwrap();
    assert!(!report.closed);
    wait_forget(wait).unwrap();
    closed(&reactor);
    reactor.free().unwrap();
}

#[test]
fn reports_of_a_file_that_lives_on_elsewhere_are_dropped() {
    let reactor = owned();
    let (a, b) = pair();
    let fd = far_from_others(a.try_clone().unwrap(), 923);
    let waitable = reactor.descriptor(fd, false).unwrap();
    reactor.wait_start(&WaitSpec::any(&readable(waitable))).unwrap();
    (&b).write_all(b"x").unwrap();
    completion(&reactor);
    // Closed too early, while `a` keeps the file and with it the kernel's registration.
    close(fd);
    for _ in 0..600 {
        (&b).write_all(b"x").unwrap();
        assert_eq!(glance(&reactor), []);
        (&a).read_exact(&mut [0]).unwrap();
    }
    end(reactor);
}

#[test]
fn bits_that_name_nothing_are_stale_whatever_they_resemble() {
    let reactor = owned();
    let event = reactor.event().unwrap();
    waitable_close(event).unwrap();
    // The free slot with its next generation, and a kind that there is not.
    let next = (event.to_bits() & ((1 << 60) - 1)) + (1 << 24);
    for kind in [0, 4, 15] {
        let forged = Token::from_bits(kind << 60 | next);
        assert_eq!(notify(forged, Readiness::READABLE).unwrap_err().status(), Status::Stale);
        assert_eq!(wait_cancel(forged).unwrap_err().status(), Status::Stale);
    }
    end(reactor);
}

#[test]
fn a_descriptor_is_given_away_once() {
    let reactor = owned();
    let (a, _b) = pair();
    let fd = far_from_others(a, 924);
    let owned = reactor.descriptor(fd, true).unwrap();
    assert_eq!(reactor.descriptor(fd, true).unwrap_err().status(), Status::State);
    let lent = reactor.descriptor(fd, false).unwrap();
    waitable_close(owned).unwrap();
    assert_eq!(reactor.descriptor(fd, true).unwrap_err().errno(), libc::EBADF);
    waitable_close(lent).unwrap();
    end(reactor);
}

#[test]
fn a_nested_host_hears_of_an_event_in_the_place_of_one_that_was_never_heard() {
    let notify_elsewhere = |event: Token| {
        std::thread::spawn(move || notify(event, Readiness::READABLE)).join().unwrap().unwrap();
    };
    for round in 0..300 {
        let reactor = nested();
        let event = reactor.event().unwrap();
        if round % 3 == 0 {
            // Freed without a turn: the notice stays behind with the reactor's number.
            notify_elsewhere(event);
            reactor.close().unwrap();
            reactor.free().unwrap();
            continue;
        }
        reactor.wait_start(&WaitSpec::any(&readable(event))).unwrap();
        notify_elsewhere(event);
        assert!(polls_readable(reactor.fd().unwrap(), 5000), "a notice woke nobody");
        end(reactor);
    }
}

#[test]
fn urgent_data_is_not_taken_for_other_data() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let reactor = owned();
    let waitable = reactor.descriptor(far.as_raw_fd(), false).unwrap();
    let spec = [Watch { waitable, interest: Readiness::READABLE | Readiness::PRIORITY }];
    // SAFETY: one byte of a static array, to a socket of this test.
    let sent = unsafe { libc::send(near.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
    assert_eq!(sent, 1);
    reactor.wait_start(&WaitSpec::any(&spec)).unwrap();
    assert_eq!(completion(&reactor).ready, Readiness::PRIORITY);
    near.write_all(b"data").unwrap();
    let readable = readable(waitable);
    reactor.wait_start(&WaitSpec::any(&readable)).unwrap();
    assert_eq!(completion(&reactor).ready, Readiness::READABLE);
    end(reactor);
}

/// Counts how often its task is woken.
#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Woken {
    fn times(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

fn look(waiting: &mut Pin<Box<Waiting>>, waker: &Waker) -> Poll<awsgi::Result<Completion>> {
    waiting.as_mut().poll(&mut Context::from_waker(waker))
}

#[test]
fn a_handle_or_future_that_outlived_its_reactor_does_not_reach_the_next_one() {
    let reactor = owned();
    let handle = reactor.clone();
    let stopper = reactor.stopper();
    let event = reactor.event().unwrap();
    let set = readable(event);
    let mut old = Box::pin(reactor.wait(&WaitSpec::any(&set)));
    let mut older = Box::pin(reactor.wait(&WaitSpec::any(&set)));
    assert!(look(&mut old, Waker::noop()).is_pending());
    assert!(look(&mut older, Waker::noop()).is_pending());
    end(reactor);
    assert_eq!(handle.stats().unwrap_err().status(), Status::Stale);

    // It takes the number that has just become free.
    let reactor = owned();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let event = reactor.event().unwrap();
    let mut new = Box::pin(reactor.wait(&WaitSpec::any(&readable(event))));
    assert!(look(&mut new, &waker).is_pending());
    let Poll::Ready(Err(error)) = look(&mut old, Waker::noop()) else { panic!("it is gone") };
    assert_eq!(error.status(), Status::Stale);
    drop((old, older));
    for refused in [handle.close(), handle.now().map(drop), handle.event().map(drop)] {
        assert_eq!(refused.unwrap_err().status(), Status::Stale);
    }
    assert_eq!(handle.clone().free().unwrap_err().status(), Status::Stale);
    stopper.stop();

    notify(event, Readiness::READABLE).unwrap();
    assert!(!turn(&reactor).1.stopped);
    assert_eq!(woken.times(), 1);
    let Poll::Ready(Ok(done)) = look(&mut new, &waker) else { panic!("it is ready") };
    assert_eq!(done.outcome, Outcome::Ready);
    end(reactor);
}

/// A task whose waker panics.
struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        panic!("a waker that fails");
    }
}

#[test]
fn a_waker_that_panics_keeps_no_other_task_asleep_and_no_notify_silent() {
    let reactor = nested();
    let event = reactor.event().unwrap();
    let set = readable(event);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let panicking = Waker::from(Arc::new(Panicking));
    let mut futures = Vec::new();
    for waker in [&waker, &panicking, &waker] {
        let mut future = Box::pin(reactor.wait(&WaitSpec::any(&set)));
        assert!(look(&mut future, waker).is_pending());
        futures.push(future);
    }
    notify(event, Readiness::READABLE).unwrap();
    let turned = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| glance(&reactor)));
    assert!(turned.is_err());
    assert_eq!(woken.times(), 2);
    for future in &mut futures {
        assert!(look(future, &waker).is_ready());
    }

    // The host sleeps after that turn, too, and is woken.
    assert!(polls_readable(reactor.fd().unwrap(), 5000));
    end(reactor);
}

/// A task that holds a future, and is held by wakers.
struct Holding(#[allow(dead_code)] Mutex<Option<Held>>);

struct Held(#[allow(dead_code)] Pin<Box<Waiting>>);

// SAFETY: it stays on the thread of its test, as the task does; `Waker` wants it said.
unsafe impl Send for Held {}

impl Wake for Holding {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_task_dropped_with_its_last_waker_forgets_its_waits() {
    let reactor = owned();
    let event = reactor.event().unwrap();
    let set = readable(event);
    let wait = |waker: &Waker| {
        let mut future = Box::pin(reactor.wait(&WaitSpec::any(&set)));
        assert!(look(&mut future, waker).is_pending());
        future
    };
    let task = || {
        let held = Held(wait(Waker::noop()));
        Waker::from(Arc::new(Holding(Mutex::new(Some(held)))))
    };
    // The reactor has the last one: it goes when another takes its place, and with the future.
    let mut future = wait(&task());
    assert_eq!(reactor.stats().unwrap().waits, 2);
    assert!(look(&mut future, Waker::noop()).is_pending());
    assert_eq!(reactor.stats().unwrap().waits, 1);
    assert!(look(&mut future, &task()).is_pending());
    assert_eq!(reactor.stats().unwrap().waits, 2);
    drop(future);
    assert_eq!(reactor.stats().unwrap().waits, 0);
    end(reactor);
}

#[test]
fn notices_that_go_on_do_not_keep_a_reactor_from_its_end() {
    let reactor = owned();
    let event = reactor.event().unwrap();
    reactor.wait_start(&WaitSpec::any(&readable(event))).unwrap();
    reactor.close().unwrap();
    let mut outcome = None;
    let sink = |completion: Completion| {
        outcome = Some(completion.outcome);
        // Comes after the inbox was drained, as from another thread.
        notify(event, Readiness::READABLE).unwrap();
    };
    let report = reactor.turn(&Turn::default(), sink).unwrap();
    assert_eq!((outcome, report.closed, report.more), (Some(Outcome::Closed), true, false));
    reactor.free().unwrap();
}

#[test]
fn a_set_of_many_waitables_on_one_number_is_armed_in_proportion_to_its_size() {
    const MANY: usize = 5_000;
    let (near, mut far) = UnixStream::pair().unwrap();
    let reactor = owned();
    let waitables: Vec<Token> =
        (0..MANY).map(|_| reactor.descriptor(near.as_raw_fd(), false).unwrap()).collect();
    // Only the last of them asks for what comes.
    let set: Vec<Watch> = waitables
        .iter()
        .rev()
        .enumerate()
        .map(|(index, waitable)| Watch {
            waitable: *waitable,
            interest: if index == 0 { Readiness::READABLE } else { Readiness::PRIORITY },
        })
        .collect();
    // By looking at all for each, and at the whole set for each of these, it would take for ever.
    reactor.wait_start(&WaitSpec::any(&set)).unwrap();
    far.write_all(b"!").unwrap();
    let done = completion(&reactor);
    assert_eq!((done.ready, done.index, done.members), (Readiness::READABLE, 0, 1));
    for waitable in waitables {
        waitable_close(waitable).unwrap();
    }
    end(reactor);
}

#[test]
fn a_future_dropped_in_the_middle_of_a_turn_or_after_a_release_is_forgotten() {
    let reactor = owned();
    let event = reactor.event().unwrap();
    let set = readable(event);
    let start = |reactor: &Reactor| {
        let mut future = Box::pin(reactor.wait(&WaitSpec::any(&set)));
        assert!(look(&mut future, Waker::noop()).is_pending());
        future
    };
    let mut future = Some(start(&reactor));
    let now = Deadline::at(reactor.now().unwrap());
    reactor.wait_start(&WaitSpec::sleep(now)).unwrap();
    reactor.turn(&Turn::default(), |_| drop(future.take())).unwrap();
    assert!(future.is_none());
    glance(&reactor);
    assert_eq!(reactor.stats().unwrap().waits, 0);

    let future = start(&reactor);
    let released = reactor.release().unwrap();
    drop(future);
    let reactor = released.adopt().unwrap();
    glance(&reactor);
    assert_eq!(reactor.stats().unwrap().waits, 0);
    end(reactor);
}

#[test]
fn a_wait_that_was_forgotten_when_it_was_ready_is_no_work() {
    let reactor = owned();
    let event = reactor.event().unwrap();
    let set = readable(event);
    notify(event, Readiness::READABLE).unwrap();
    for _ in 0..100 {
        wait_forget(reactor.wait_start(&WaitSpec::any(&set)).unwrap()).unwrap();
    }
    // Also for a host that takes no completions now.
    let report = reactor.turn(&Turn { capacity: 0, ..Turn::default() }, |_| ()).unwrap();
    assert!(!report.more);
    assert_eq!(reactor.stats().unwrap().stale, 100);

    // One behind another that is delivered.
    let first = reactor.wait_start(&WaitSpec::any(&set)).unwrap();
    let second = reactor.wait_start(&WaitSpec::any(&set)).unwrap();
    wait_forget(second).unwrap();
    let turn = Turn { capacity: 1, ..Turn::default() };
    let mut done = None;
    let report = reactor.turn(&turn, |completion| done = Some(completion.wait)).unwrap();
    assert_eq!((done, report.more), (Some(first), false));
    end(reactor);
}

/// Turns once, and answers what the host is to watch.
fn changes(reactor: &Reactor) -> Vec<(u64, Readiness)> {
    let mut changes = Vec::new();
    let see = |change: awsgi::WatchChange| changes.push((change.handle, change.interest));
    reactor.turn_and_watch(&Turn::default(), |_| (), see).unwrap();
    changes
}

#[test]
fn a_report_that_crosses_the_next_watch_leaves_no_watch_behind() {
    for close_reactor in [false, true] {
        let reactor = owned();
        let once = reactor.foreign(7, Watching::Once).unwrap();
        reactor.wait_start(&WaitSpec::any(&readable(once))).unwrap();
        assert_eq!(changes(&reactor), [(7, Readiness::READABLE)]);
        // The host is asked to watch once more while another thread of its reports the first.
        reactor.wait_start(&WaitSpec::any(&readable(once))).unwrap();
        let mut asked = Vec::new();
        let report = |change: awsgi::WatchChange| {
            std::thread::spawn(move || notify(once, Readiness::READABLE)).join().unwrap().unwrap();
            asked.push((change.handle, change.interest));
        };
        reactor.turn_and_watch(&Turn::default(), |_| (), report).unwrap();
        assert_eq!(asked, [(7, Readiness::READABLE)]);
        // Both waits complete, and the host still watches.
        assert_eq!(glance(&reactor).len(), 2);
        if close_reactor {
            reactor.close().unwrap();
        } else {
            waitable_close(once).unwrap();
        }
        assert_eq!(changes(&reactor), [(7, Readiness::NONE)]);
        assert_eq!(changes(&reactor), []);
        end(reactor);
    }
}
