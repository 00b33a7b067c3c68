//! How the reactor is turned, where, by whom, and until when.

use super::*;

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
