//! Waitables as futures in a tokio runtime.
#![cfg(all(feature = "tokio", unix))]

use std::cell::Cell;
use std::future::Future;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use awsgi::tokio::{Driver, reactor};
use awsgi::{
    Completion, Deadline, Mode, Outcome, Reactor, ReactorOptions, Readiness, Result, Status, Token,
    Turn, WaitSpec, Watch, Watching, completion_members, notify, wait_cancel, waitable_close,
    waitable_take,
};
use tokio::runtime::{Builder, LocalOptions, Runtime};
use tokio::task::{LocalSet, spawn_local, yield_now};

const MS: u64 = 1_000_000;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs a test on a LocalSet, and closes its reactor.
fn run<F: Future<Output = ()>>(test: impl FnOnce(Reactor) -> F) {
    run_on(&runtime(), test);
}

fn run_on<F: Future<Output = ()>>(runtime: &Runtime, test: impl FnOnce(Reactor) -> F) {
    LocalSet::new().block_on(runtime, async {
        let (reactor, driver) = reactor(&ReactorOptions::default()).unwrap();
        let driver = spawn_local(driver);
        in_time(test(reactor.clone())).await;
        reactor.close().unwrap();
        in_time(driver).await.unwrap().unwrap();
        reactor.free().unwrap();
    });
}

/// What takes so long never ends.
async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it hangs")
}

fn watch(waitable: Token) -> Watch {
    Watch { waitable, interest: Readiness::READABLE }
}

async fn ready(reactor: &Reactor, waitable: Token) -> Result<Completion> {
    reactor.wait(&WaitSpec::any(&[watch(waitable)])).await
}

#[test]
fn an_event_that_another_thread_notifies_wakes_its_task() {
    run(async |reactor| {
        let event = reactor.event().unwrap();
        for _ in 0..100 {
            let other = std::thread::spawn(move || notify(event, Readiness::READABLE));
            let done = ready(&reactor, event).await.unwrap();
            assert_eq!((done.outcome, done.ready), (Outcome::Ready, Readiness::READABLE));
            assert_eq!(waitable_take(event).unwrap(), 1);
            other.join().unwrap().unwrap();
        }
    });
}

#[test]
fn an_event_that_a_task_notifies_wakes_another() {
    run(async |reactor| {
        let event = reactor.event().unwrap();
        let waiting = spawn_local({
            let reactor = reactor.clone();
            async move { ready(&reactor, event).await.unwrap().outcome }
        });
        yield_now().await;
        assert_eq!(reactor.stats().unwrap().waits, 1);
        notify(event, Readiness::READABLE).unwrap();
        assert_eq!(waiting.await.unwrap(), Outcome::Ready);
    });
}

#[test]
fn calls_on_the_own_thread_need_no_signal() {
    run(async |reactor| {
        let event = reactor.event().unwrap();
        for round in 1..=10 {
            let until = Deadline::at(reactor.now().unwrap() + round * 1000);
            let sleeping = reactor.wait(&WaitSpec::sleep(until));
            notify(event, Readiness::READABLE).unwrap();
            assert_eq!(ready(&reactor, event).await.unwrap().outcome, Outcome::Ready);
            waitable_take(event).unwrap();
            assert_eq!(sleeping.await.unwrap().outcome, Outcome::TimedOut);
        }
        assert_eq!(reactor.stats().unwrap().signals, 0);
    });
}

#[test]
fn a_timer_wakes_its_task_and_never_early() {
    run(async |reactor| {
        let first = reactor.now().unwrap() + 3 * MS;
        let timer = reactor.timer(Deadline::at(first), 2 * MS).unwrap();
        let mut expired = 0;
        while expired < 5 {
            assert_eq!(ready(&reactor, timer).await.unwrap().outcome, Outcome::Ready);
            expired += waitable_take(timer).unwrap();
            assert!(reactor.now().unwrap() >= first + (expired - 1) * 2 * MS);
        }
    });
}

#[test]
fn a_descriptor_is_waited_for_beside_the_sockets_of_tokio() {
    run(async |reactor| {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let theirs = tokio::net::UnixStream::from_std(theirs).unwrap();
        let socket = reactor.descriptor(ours.as_raw_fd(), false).unwrap();
        let echo = spawn_local(async move {
            let (mut reader, mut writer) = theirs.into_split();
            tokio::io::copy(&mut reader, &mut writer).await
        });
        for byte in 0..100 {
            ours.write_all(&[byte]).unwrap();
            let done = ready(&reactor, socket).await.unwrap();
            assert_eq!((done.outcome, done.ready), (Outcome::Ready, Readiness::READABLE));
            let mut answer = [0];
            ours.read_exact(&mut answer).unwrap();
            assert_eq!(answer, [byte]);
        }
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let ended = ready(&reactor, socket).await.unwrap();
        assert!(ended.ready.contains(Readiness::READ_CLOSED), "{ended:?}");
        assert_eq!(echo.await.unwrap().unwrap(), 100);
        waitable_close(socket).unwrap();
    });
}

#[test]
fn sets_complete_when_any_all_or_so_many_are_ready() {
    run(async |reactor| {
        let events: Vec<Token> = (0..3).map(|_| reactor.event().unwrap()).collect();
        let set: Vec<Watch> = events.iter().map(|event| watch(*event)).collect();
        notify(events[1], Readiness::READABLE).unwrap();

        let mut any = reactor.wait(&WaitSpec::any(&set));
        let done = (&mut any).await.unwrap();
        assert_eq!((done.outcome, done.members, done.index), (Outcome::Ready, 1, 1));
        assert_eq!(any.members()[0].waitable, events[1]);

        let two = reactor.wait(&WaitSpec::any(&set).at_least(2));
        let all = reactor.wait(&WaitSpec::all(&set));
        tokio::pin!(two, all);
        tokio::select! {
            biased;
            _ = &mut all => panic!("two were not ready"),
            _ = &mut two => panic!("one was not ready"),
            done = ready(&reactor, events[1]) => assert_eq!(done.unwrap().outcome, Outcome::Ready),
        }
        notify(events[0], Readiness::READABLE).unwrap();
        assert_eq!((&mut two).await.unwrap().members, 2);
        notify(events[2], Readiness::READABLE).unwrap();
        assert_eq!((&mut all).await.unwrap().members, 3);
        assert_eq!(all.members().len(), 3);
    });
}

#[test]
fn a_deadline_never_comes_early() {
    run(async |reactor| {
        let event = reactor.event().unwrap();
        let set = [watch(event)];
        // In no order, below and above tokio's milliseconds, and one that has passed.
        for after in [2_300_000, 1, 700_000, 5_000_001, 0, 1_000_000, 12_345] {
            let until = reactor.now().unwrap() + after;
            let done = reactor.wait(&WaitSpec::any(&set).until(Deadline::at(until))).await.unwrap();
            assert_eq!(done.outcome, Outcome::TimedOut);
            assert!(reactor.now().unwrap() >= until);
        }
    });
}

#[test]
fn an_earlier_deadline_is_seen_while_the_driver_sleeps_for_a_later_one() {
    run(async |reactor| {
        let hours = Deadline::at(reactor.now().unwrap() + 10_000_000 * MS);
        let late = reactor.wait(&WaitSpec::sleep(hours));
        tokio::pin!(late);
        tokio::select! {
            biased;
            _ = &mut late => panic!("hours have not passed"),
            () = yield_now() => {}
        }
        let turns = reactor.stats().unwrap().turns;
        let soon = Deadline::at(reactor.now().unwrap() + 20 * MS);
        let sleeping = reactor.wait(&WaitSpec::sleep(soon));
        assert_eq!(sleeping.await.unwrap().outcome, Outcome::TimedOut);
        // No turn to take note of it, but one for it and perhaps one before.
        assert!(reactor.stats().unwrap().turns <= turns + 2);
    });
}

#[test]
fn a_wait_that_loses_a_select_is_forgotten() {
    run(async |reactor| {
        let (lost, won) = (reactor.event().unwrap(), reactor.event().unwrap());
        for _ in 0..10 {
            notify(won, Readiness::READABLE).unwrap();
            tokio::select! {
                biased;
                _ = ready(&reactor, lost) => panic!("nobody notified it"),
                done = ready(&reactor, won) => assert_eq!(done.unwrap().outcome, Outcome::Ready),
            }
            waitable_take(won).unwrap();
        }
        let short = Duration::from_millis(2);
        assert!(tokio::time::timeout(short, ready(&reactor, lost)).await.is_err());
        assert_eq!(reactor.stats().unwrap().waits, 0);
    });
}

#[test]
fn a_thousand_tasks_wait_each_for_its_own() {
    run(async |reactor| {
        let events: Vec<Token> = (0..1000).map(|_| reactor.event().unwrap()).collect();
        let tasks: Vec<_> = events
            .iter()
            .map(|event| {
                let (reactor, event) = (reactor.clone(), *event);
                spawn_local(async move { ready(&reactor, event).await.unwrap().wait })
            })
            .collect();
        yield_now().await;
        let other = std::thread::spawn(move || {
            events.iter().rev().try_for_each(|event| notify(*event, Readiness::READABLE))
        });
        for task in tasks {
            in_time(task).await.unwrap();
        }
        other.join().unwrap().unwrap();
    });
}

#[test]
fn a_flood_starves_neither_other_tasks_nor_timers() {
    run(async |reactor| {
        // A task that has its event ready again at once, so that every turn leaves work.
        let event = reactor.event().unwrap();
        let flood = spawn_local({
            let reactor = reactor.clone();
            async move {
                // Until it is closed.
                while notify(event, Readiness::READABLE).is_ok() {
                    ready(&reactor, event).await.unwrap();
                }
            }
        });
        let other = spawn_local({
            let reactor = reactor.clone();
            async move {
                for _ in 0..100 {
                    let before = reactor.stats().unwrap().turns;
                    yield_now().await;
                    let turns = reactor.stats().unwrap().turns - before;
                    // tokio has them take turns, and comes back to those that yield in time.
                    assert!(turns <= 100, "{turns} turns while another task was ready");
                }
            }
        });
        other.await.unwrap();
        let until = Deadline::at(reactor.now().unwrap() + 2 * MS);
        let sleep = reactor.wait(&WaitSpec::sleep(until)).await.unwrap();
        assert_eq!(sleep.outcome, Outcome::TimedOut);
        tokio::time::sleep(Duration::from_millis(2)).await;
        waitable_close(event).unwrap();
        flood.await.unwrap();
    });
}

#[test]
fn turns_that_leave_work_let_others_run_in_between() {
    LocalSet::new().block_on(&runtime(), async {
        let (reactor, mut driver) = reactor(&ReactorOptions::default()).unwrap();
        let event = reactor.event().unwrap();
        notify(event, Readiness::READABLE).unwrap();
        for _ in 0..100 {
            reactor.wait_start(&WaitSpec::any(&[watch(event)])).unwrap();
        }
        let ran = Rc::new(Cell::new(0));
        let other = spawn_local({
            let ran = Rc::clone(&ran);
            async move {
                loop {
                    ran.set(ran.get() + 1);
                    yield_now().await;
                }
            }
        });
        let one = Turn { capacity: 1, ..Turn::default() };
        for turn in 0..100 {
            // The first turn comes at once.
            assert!(ran.get() + 1 >= turn, "{} in {turn} turns", ran.get());
            let report = in_time(driver.turn(&one, |_| ())).await.unwrap();
            assert_eq!((report.completions, report.more), (1, turn < 99));
        }
        other.abort();
        end(&reactor, driver).await;
    });
}

/// Ends a reactor whose driver is not spawned.
async fn end(reactor: &Reactor, driver: Driver) {
    reactor.close().unwrap();
    in_time(driver).await.unwrap();
    reactor.free().unwrap();
}

#[test]
fn waits_are_closed_with_the_reactor() {
    run(async |reactor| {
        let event = reactor.event().unwrap();
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let reactor = reactor.clone();
                spawn_local(async move { ready(&reactor, event).await.unwrap().outcome })
            })
            .collect();
        yield_now().await;
        reactor.close().unwrap();
        for task in tasks {
            assert_eq!(in_time(task).await.unwrap(), Outcome::Closed);
        }
        let refused = ready(&reactor, event).await.unwrap_err();
        assert_eq!(refused.status(), Status::Closed);
    });
}

#[test]
fn completions_of_the_host_come_to_whoever_turns() {
    LocalSet::new().block_on(&runtime(), async {
        let (reactor, mut driver) = reactor(&ReactorOptions::default()).unwrap();
        let (one, two) = (reactor.event().unwrap(), reactor.event().unwrap());
        let set = [watch(one), watch(two)];
        reactor.wait_start(&WaitSpec::all(&set).user_data(1)).unwrap();
        let cancelled = reactor.wait_start(&WaitSpec::any(&set[..1]).user_data(2)).unwrap();
        wait_cancel(cancelled).unwrap();
        let mut done = Vec::new();
        while done.is_empty() {
            in_time(driver.turn(&Turn::default(), |it| done.push(it))).await.unwrap();
        }
        assert_eq!((done[0].user_data, done[0].outcome), (2, Outcome::Cancelled));
        notify(one, Readiness::READABLE).unwrap();
        notify(two, Readiness::READABLE).unwrap();
        while done.len() < 2 {
            in_time(driver.turn(&Turn::default(), |it| done.push(it))).await.unwrap();
        }
        assert_eq!(completion_members(&done[1]).unwrap().len(), 2);
        end(&reactor, driver).await;
    });
}

#[test]
fn foreign_waitables_are_watched_by_the_task_that_turns() {
    LocalSet::new().block_on(&runtime(), async {
        let (reactor, mut driver) = reactor(&ReactorOptions::default()).unwrap();
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<u8>(1);
        let channel = reactor.foreign(7, Watching::Once).unwrap();
        let waiting = spawn_local({
            let reactor = reactor.clone();
            async move { ready(&reactor, channel).await.unwrap().outcome }
        });
        spawn_local(async move { sender.send(1).await });
        while !waiting.is_finished() {
            let mut changes = Vec::new();
            let turn = Turn::default();
            tokio::select! {
                report = driver.turn_and_watch(&turn, |_| (), |change| changes.push(change)) => {
                    report.unwrap();
                }
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
            for change in changes {
                assert_eq!((change.handle, change.interest), (7, Readiness::READABLE));
                assert_eq!(in_time(receiver.recv()).await, Some(1));
                notify(change.waitable, Readiness::READABLE).unwrap();
            }
        }
        assert_eq!(waiting.await.unwrap(), Outcome::Ready);
        end(&reactor, driver).await;
    });
}

#[test]
fn it_runs_in_every_runtime_that_keeps_it_on_one_thread() {
    // A runtime that is local as a whole.
    let local =
        Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    local.block_on(async {
        let (reactor, driver) = reactor(&ReactorOptions::default()).unwrap();
        let driver = spawn_local(driver);
        let until = Deadline::at(reactor.now().unwrap() + MS);
        let slept = in_time(reactor.wait(&WaitSpec::sleep(until))).await.unwrap();
        assert_eq!(slept.outcome, Outcome::TimedOut);
        reactor.close().unwrap();
        in_time(driver).await.unwrap().unwrap();
        reactor.free().unwrap();
    });
    // No LocalSet: a part of the future that blocks.
    runtime().block_on(async {
        let (reactor, driver) = reactor(&ReactorOptions::default()).unwrap();
        let event = reactor.event().unwrap();
        let other = std::thread::spawn(move || notify(event, Readiness::READABLE));
        let work = async {
            assert_eq!(ready(&reactor, event).await.unwrap().outcome, Outcome::Ready);
            reactor.close().unwrap();
        };
        let (driven, ()) = in_time(async { tokio::join!(driver, work) }).await;
        driven.unwrap();
        other.join().unwrap().unwrap();
        reactor.free().unwrap();
    });
}

#[test]
fn a_reactor_with_an_alarm_of_its_own_needs_no_timer_of_tokio() {
    if !cfg!(target_os = "linux") {
        return;
    }
    // A runtime without time.
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let options = ReactorOptions { mode: Mode::Nested, ..ReactorOptions::default() };
        let reactor = Reactor::new(&options).unwrap();
        let driver = Driver::new(&reactor).unwrap();
        let driver = spawn_local(driver);
        let until = reactor.now().unwrap() + 2 * MS;
        let slept = reactor.wait(&WaitSpec::sleep(Deadline::at(until))).await.unwrap();
        assert_eq!(slept.outcome, Outcome::TimedOut);
        assert!(reactor.now().unwrap() >= until);
        reactor.close().unwrap();
        driver.await.unwrap().unwrap();
        reactor.free().unwrap();
    });
}

#[test]
fn a_paused_clock_is_the_reactors_if_the_host_gives_it() {
    let paused = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&paused, async {
        let options = ReactorOptions { host_gives_clock: true, ..ReactorOptions::default() };
        let (reactor, driver) = reactor(&options).unwrap();
        let clock = driver.clock();
        let driver = spawn_local(driver);
        let began = tokio::time::Instant::now();
        let hour = Duration::from_secs(3600);
        for hours in 1..=3 {
            let until = clock.after(hour);
            let slept = reactor.wait(&WaitSpec::sleep(until)).await.unwrap();
            assert_eq!(slept.outcome, Outcome::TimedOut);
            assert!(reactor.now().unwrap() >= until.nanoseconds());
            // In order with tokio's own.
            let passed = began.elapsed();
            assert!(passed >= hours * hour && passed < hours * (hour + Duration::from_millis(2)));
        }
        tokio::time::sleep(hour).await;
        let event = reactor.event().unwrap();
        let spec = [watch(event)];
        let wait = reactor.wait(&WaitSpec::any(&spec).until(clock.after(hour)));
        assert!(tokio::time::timeout(hour / 2, wait).await.is_err(), "half an hour has passed");
        reactor.close().unwrap();
        driver.await.unwrap().unwrap();
        reactor.free().unwrap();
    });
}

#[test]
fn under_a_paused_clock_the_reactors_own_goes_on() {
    let paused = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&paused, async {
        let (reactor, driver) = reactor(&ReactorOptions::default()).unwrap();
        let driver = spawn_local(driver);
        let until = reactor.now().unwrap() + 5 * MS;
        let slept = reactor.wait(&WaitSpec::sleep(Deadline::at(until))).await.unwrap();
        assert_eq!(slept.outcome, Outcome::TimedOut);
        assert!(reactor.now().unwrap() >= until);
        reactor.close().unwrap();
        driver.await.unwrap().unwrap();
        reactor.free().unwrap();
    });
}

#[test]
fn an_idle_driver_does_not_turn() {
    run(async |reactor| {
        let event = reactor.event().unwrap();
        let waiting = spawn_local({
            let reactor = reactor.clone();
            async move { ready(&reactor, event).await.unwrap().outcome }
        });
        // Until what is due has been done.
        for _ in 0..10 {
            yield_now().await;
        }
        let before = reactor.stats().unwrap().turns;
        for _ in 0..1000 {
            yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(reactor.stats().unwrap().turns, before);
        notify(event, Readiness::READABLE).unwrap();
        assert_eq!(waiting.await.unwrap(), Outcome::Ready);
    });
}

#[test]
fn a_driver_that_is_dropped_leaves_the_reactor_to_another() {
    LocalSet::new().block_on(&runtime(), async {
        let (reactor, driver) = reactor(&ReactorOptions::default()).unwrap();
        let second = Driver::new(&reactor).err().expect("it has one");
        assert_eq!(second.status(), Status::State);
        let aborted = spawn_local(driver);
        yield_now().await;
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());

        let event = reactor.event().unwrap();
        notify(event, Readiness::READABLE).unwrap();
        let driver = spawn_local(Driver::new(&reactor).unwrap());
        let done = in_time(ready(&reactor, event)).await.unwrap();
        assert_eq!(done.outcome, Outcome::Ready);
        reactor.close().unwrap();
        driver.await.unwrap().unwrap();
        reactor.free().unwrap();
    });
}

#[test]
fn a_driver_that_outlives_its_reactor_says_so() {
    runtime().block_on(async {
        let (reactor, mut driver) = reactor(&ReactorOptions::default()).unwrap();
        reactor.close().unwrap();
        while !in_time(driver.turn(&Turn::default(), |_| ())).await.unwrap().closed {}
        reactor.free().unwrap();
        let gone = in_time(driver.turn(&Turn::default(), |_| ())).await.unwrap_err();
        assert_eq!(gone.status(), Status::Stale);
    });
}

#[test]
fn without_a_runtime_or_in_another_mode_a_sentence_says_what_to_do() {
    let error = reactor(&ReactorOptions::default()).err().expect("there is no runtime");
    assert_eq!(error.status(), Status::State);
    assert!(error.message().contains("block_on"), "{error}");
    runtime().block_on(async {
        let owned = Reactor::new(&ReactorOptions::default()).unwrap();
        let error = Driver::new(&owned).err().expect("it is in owned mode");
        assert_eq!(error.status(), Status::State);
        assert!(error.message().contains("nested mode"), "{error}");
        owned.close().unwrap();
        while !owned.turn(&Turn::default(), |_| ()).unwrap().closed {}
        owned.free().unwrap();
    });
}

#[test]
fn deadlines_and_instants_are_translated() {
    runtime().block_on(async {
        let (reactor, driver) = reactor(&ReactorOptions::default()).unwrap();
        let clock = driver.clock();
        let instant = tokio::time::Instant::now();
        for at in [instant, instant + Duration::from_secs(5)] {
            assert_eq!(clock.instant(clock.deadline(at)), Some(at));
        }
        assert_eq!(clock.instant(Deadline::FOREVER), None);
        assert_eq!(clock.after(Duration::MAX), Deadline::FOREVER);
        let ahead = clock.after(Duration::from_secs(5)).nanoseconds() - reactor.now().unwrap();
        assert!(ahead > 4_000_000_000 && ahead <= 5_100_000_000, "{ahead}");
        end(&reactor, driver).await;
    });
}

#[test]
fn a_local_set_in_a_runtime_with_threads_will_do() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    run_on(&runtime, async |reactor| {
        let event = reactor.event().unwrap();
        let other = tokio::spawn(async move { notify(event, Readiness::READABLE) });
        assert_eq!(ready(&reactor, event).await.unwrap().outcome, Outcome::Ready);
        other.await.unwrap().unwrap();
        let until = Deadline::at(reactor.now().unwrap() + MS);
        let slept = reactor.wait(&WaitSpec::sleep(until)).await.unwrap();
        assert_eq!(slept.outcome, Outcome::TimedOut);
    });
}
