//! The peer `tokio` of `timer/*`: what benches/c/bench.h does with the others, in tokio's terms.
//!
//! A timer is a `Sleep`, started by its first poll and forgotten by dropping it. They lie in one
//! array, so that none is allocated, and the runtime has no task and no descriptors.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::measure::Outcome;

pub fn run(arguments: &[String]) -> Outcome<()> {
    let [part, count, events] = arguments else { return Err("which part, how many?".into()) };
    let (count, events) = (count.parse()?, events.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    // Unconstrained: tokio would otherwise stop after 128 polls, to be fair to other tasks.
    runtime.block_on(tokio::task::unconstrained(async {
        match part.as_str() {
            "timer" => replace(count, events).await,
            _ => fire(count).await,
        }
    }));
    Ok(())
}

/// As in bench.h.
const REPLACED_PER_TURN: u64 = 1024;

/// When the measured part began, by the clock and by what the one thread has run.
struct Begin(std::time::Instant, Duration);

impl Begin {
    fn now() -> Begin {
        Begin(std::time::Instant::now(), Begin::ran())
    }

    fn ran() -> Duration {
        let mut ran = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: a place to write to.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut ran) };
        Duration::new(ran.tv_sec as u64, ran.tv_nsec as u32)
    }

    /// The nanoseconds since, for each of so many: by the clock, and of the thread.
    fn each(&self, count: u64) -> (f64, f64) {
        let each = |time: Duration| time.as_nanos() as f64 / count as f64;
        (each(self.0.elapsed()), each(Begin::ran() - self.1))
    }
}

struct Random(u64);

impl Random {
    fn new() -> Random {
        Random(0x9e37_79b9_7f4a_7c15)
    }

    /// xorshift64*, as in bench.h.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) * limit) >> 32
    }
}

/// Sleeps that stay where they are.
struct Sleeps(Box<[Option<Sleep>]>);

impl Sleeps {
    fn new(count: usize) -> Sleeps {
        Sleeps((0..count).map(|_| None).collect())
    }

    fn at(&mut self, at: usize) -> Pin<&mut Option<Sleep>> {
        // SAFETY: the array is never moved out of, and drops what is in it.
        unsafe { Pin::new_unchecked(&mut self.0[at]) }
    }

    fn start(&mut self, at: usize, deadline: Instant, waker: &Waker) {
        let mut place = self.at(at);
        place.set(Some(tokio::time::sleep_until(deadline)));
        assert!(!self.is_over(at, waker));
    }

    fn is_over(&mut self, at: usize, waker: &Waker) -> bool {
        let sleep = self.at(at).as_pin_mut().expect("a sleep");
        sleep.poll(&mut Context::from_waker(waker)).is_ready()
    }
}

async fn replace(count: u64, operations: u64) {
    let mut random = Random::new();
    let mut sleeps = Sleeps::new(count as usize);
    let delay = |random: &mut Random| Duration::from_micros(10_000_000 + random.below(60_000_000));
    let from = Instant::now();
    for at in 0..count as usize {
        sleeps.start(at, from + delay(&mut random), Waker::noop());
    }
    let mut took = (0.0, 0.0);
    // A tenth of it first, to be warm.
    for operations in [operations / 10, operations] {
        let turns = operations.div_ceil(REPLACED_PER_TURN);
        let begin = Begin::now();
        for _ in 0..turns {
            let from = Instant::now();
            for _ in 0..REPLACED_PER_TURN {
                let at = random.below(count) as usize;
                sleeps.at(at).set(None);
                sleeps.start(at, from + delay(&mut random), Waker::noop());
            }
            // It comes back once the timers were looked at.
            tokio::task::yield_now().await;
        }
        took = begin.each(turns * REPLACED_PER_TURN);
    }
    println!("{:.3} {:.3} 0", took.0, took.1);
}

thread_local! {
    /// The sleeps that are over, and were not looked at yet.
    static OVER: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// A waker that is no more than the position of its sleep.
fn waker(at: usize) -> Waker {
    const TABLE: RawWakerVTable =
        RawWakerVTable::new(|data| RawWaker::new(data, &TABLE), wake, wake, |_| {});
    fn wake(data: *const ()) {
        OVER.with_borrow_mut(|over| over.push(data as usize));
    }
    // SAFETY: the data is no pointer, so there is nothing to keep or to free; and the runtime has
    // one thread.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::without_provenance(at), &TABLE)) }
}

async fn fire(count: u64) {
    let mut random = Random::new();
    let mut sleeps = Sleeps::new(count as usize);
    let from = Instant::now();
    for at in 0..count as usize {
        let deadline = from + Duration::from_micros(1 + random.below(100_000));
        let mut place = sleeps.at(at);
        place.set(Some(tokio::time::sleep_until(deadline)));
        sleeps.is_over(at, &waker(at));
    }
    std::thread::sleep(Duration::from_millis(120));
    let (fired, longest) = (Cell::new(0), Cell::new(Duration::ZERO));
    let begin = Begin::now();
    let mut before = Begin::ran();
    let mut over = Vec::new();
    while fired.get() < count {
        tokio::task::yield_now().await;
        OVER.with_borrow_mut(|all| std::mem::swap(all, &mut over));
        for at in over.drain(..) {
            assert!(sleeps.is_over(at, Waker::noop()));
            fired.set(fired.get() + 1);
        }
        let after = Begin::ran();
        longest.set(longest.get().max(after - before));
        before = after;
    }
    let took = begin.each(count);
    println!("{:.3} {:.3} {:.3}", took.0, took.1, longest.get().as_nanos() as f64 / 1000.0);
}
