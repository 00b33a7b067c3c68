//! Deadlines, timers, and whose clock counts.

use super::*;

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
