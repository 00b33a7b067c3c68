//! The host `tokio` of `latency/*` and `idle/hosts`: what benches/c/embed.c does in those in C.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use awsgi::{Deadline, Reactor, ReactorOptions, Readiness, WaitSpec, Watch, notify};

use crate::measure::Outcome;

pub fn run(arguments: &[String]) -> Outcome<()> {
    let [part, _, events] = arguments else { return Err("which part, how many?".into()) };
    let events: u64 = events.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let (reactor, driver) = awsgi::tokio::reactor(&ReactorOptions::default())?;
        let driver = tokio::task::spawn_local(driver);
        match part.as_str() {
            "deadline" => deadlines(&reactor, events).await?,
            "notify" => notifications(&reactor, events).await?,
            _ => rest(&reactor, events).await?,
        }
        reactor.close()?;
        driver.await??;
        Ok(reactor.free()?)
    })
}

/// Prints the median and the 99th percentile, in microseconds.
fn print(mut latencies: Vec<u64>) {
    latencies.sort_unstable();
    let at = |share: usize| latencies[latencies.len() * share / 100] as f64 / 1000.0;
    println!("{:.3} {:.3}", at(50), at(99));
}

async fn deadlines(reactor: &Reactor, count: u64) -> Outcome<()> {
    let mut latencies = Vec::new();
    let random = Cell::new(1_u64);
    for _ in 0..count {
        // Any numbers will do: between 0.5 and 2.5 milliseconds.
        random.set(random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        let due = reactor.now()? + 500_000 + (random.get() >> 33) % 2_000_000;
        reactor.wait(&WaitSpec::sleep(Deadline::at(due))).await?;
        latencies.push(reactor.now()? - due);
    }
    print(latencies);
    Ok(())
}

async fn notifications(reactor: &Reactor, count: u64) -> Outcome<()> {
    let event = reactor.event()?;
    let set = [Watch { waitable: event, interest: Readiness::READABLE }];
    let began = Instant::now();
    let notified = Arc::new(AtomicU64::new(0));
    let (seen, sees) = mpsc::channel();
    let at = Arc::clone(&notified);
    let other = std::thread::spawn(move || {
        for _ in 0..count {
            // The loop sleeps by then.
            std::thread::sleep(Duration::from_millis(1));
            at.store(began.elapsed().as_nanos() as u64, Ordering::SeqCst);
            if notify(event, Readiness::READABLE).is_err() || sees.recv().is_err() {
                return;
            }
        }
    });
    let mut latencies = Vec::new();
    for _ in 0..count {
        reactor.wait(&WaitSpec::any(&set)).await?;
        latencies.push(began.elapsed().as_nanos() as u64 - notified.load(Ordering::SeqCst));
        awsgi::waitable_take(event)?;
        seen.send(())?;
    }
    other.join().map_err(|_| "the thread that notifies failed")?;
    print(latencies);
    Ok(())
}

/// An event and a sleep of an hour are waited for, and another thread looks on.
async fn rest(reactor: &Reactor, seconds: u64) -> Outcome<()> {
    let event = reactor.event()?;
    let set = [Watch { waitable: event, interest: Readiness::READABLE }];
    let judge = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        let before = usage();
        std::thread::sleep(Duration::from_secs(seconds));
        let after = usage();
        // Its own sleep counts, too.
        println!("{} {:.3}", after.0 - before.0 - 1, (after.1 - before.1).as_nanos() as f64 / 1e3);
        notify(event, Readiness::READABLE)
    });
    let hour = Deadline::at(reactor.now()? + 3_600_000_000_000);
    reactor.wait(&WaitSpec { deadline: hour, ..WaitSpec::any(&set) }).await?;
    judge.join().map_err(|_| "the thread that looks on failed")??;
    Ok(())
}

/// How often this process has given up its processor by itself, and how long it has run.
fn usage() -> (i64, Duration) {
    // SAFETY: zeroes are a valid value, and the kernel writes the rest.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let time = |of: libc::timeval| Duration::new(of.tv_sec as u64, of.tv_usec as u32 * 1000);
    (usage.ru_nvcsw, time(usage.ru_utime) + time(usage.ru_stime))
}
