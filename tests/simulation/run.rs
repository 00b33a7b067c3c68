//! Runs lists of operations, many of them beside each other, and makes the list of a failure small.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

use crate::generator::Random;
use crate::histogram::Histogram;
use crate::syntax::Operation;

/// What is simulated: a life, which a seed and a list of operations decide.
pub trait Life: Sized {
    type Op: Operation;
    /// Where operations come from.
    type Source;
    /// How many operations it has.
    fn length(seed: u64) -> u64;
    fn begin(seed: u64) -> Self;
    fn source(seed: u64) -> Self::Source;
    fn next(&self, source: &mut Self::Source) -> Self::Op;
    /// Panics if a promise is broken.
    fn apply(&mut self, op: &Self::Op);
    /// All that was begun comes to its end.
    fn finish(&mut self);
    /// What it has come to see.
    fn count(&self, histogram: &mut Histogram);
}

/// A list of operations after which a promise was broken.
#[derive(Clone)]
pub struct Failure<Op> {
    pub seed: u64,
    pub ops: Vec<Op>,
    pub message: String,
}

thread_local! {
    /// What the last panic of this thread said; none: it is told as usual.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does something that may panic, and answers with what the panic said.
fn quietly<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let quiet = SAID.with_borrow_mut(|said| {
                let quiet = said.is_some();
                *said = said.is_some().then(|| info.to_string());
                quiet
            });
            if !quiet {
                usual(info);
            }
        }));
    });
    SAID.set(Some(String::new()));
    let done = panic::catch_unwind(AssertUnwindSafe(what));
    let said = SAID.take();
    done.map_err(|_| said.unwrap_or_default())
}

/// The operations of one seed.
pub fn life<L: Life>(seed: u64, histogram: &mut Histogram) -> Result<(), Failure<L::Op>> {
    let mut ops: Vec<L::Op> = Vec::with_capacity(L::length(seed) as usize);
    let mut world: Option<L> = None;
    let result = quietly(|| {
        let world = world.insert(L::begin(seed));
        let mut source = L::source(seed);
        for _ in 0..L::length(seed) {
            ops.push(world.next(&mut source));
            world.apply(ops.last().expect("one was pushed"));
        }
        world.finish();
    });
    if let Some(world) = world {
        world.count(histogram);
    }
    result.map_err(|message| Failure { seed, ops, message })
}

/// The same operations again. A failure has only those up to it.
pub fn replay<L: Life>(seed: u64, ops: &[L::Op]) -> Result<(), Failure<L::Op>> {
    let mut done = 0;
    let result = quietly(|| {
        let mut world = L::begin(seed);
        for op in ops {
            done += 1;
            world.apply(op);
        }
        world.finish();
    });
    result.map_err(|message| Failure { seed, ops: ops[..done].to_vec(), message })
}

/// What waits for something in vain takes its time, again and again.
const PATIENCE: Duration = Duration::from_secs(40);

/// The smallest list that was found to fail, whatever it breaks (delta debugging).
pub fn shrink<L: Life>(failure: Failure<L::Op>) -> Failure<L::Op> {
    let mut best = failure;
    let mut tries = 20_000;
    let began = Instant::now();
    let mut improved = true;
    while improved {
        improved = false;
        let mut chunk = best.ops.len() / 2;
        while chunk > 0 && tries > 0 {
            // From the end, because what comes late depends on what comes early.
            let mut end = best.ops.len();
            while end > 0 && tries > 0 {
                let start = end.saturating_sub(chunk);
                let fewer = [&best.ops[..start], &best.ops[end.min(best.ops.len())..]].concat();
                tries -= 1;
                if began.elapsed() > PATIENCE {
                    tries = 0;
                }
                if let Err(smaller) = replay::<L>(best.seed, &fewer) {
                    best = smaller;
                    improved = true;
                }
                end = start.min(best.ops.len());
            }
            chunk /= 2;
        }
        for at in 0..best.ops.len() {
            let Some(op) = best.ops.get(at) else { break };
            for simpler in op.simpler() {
                let mut ops = best.ops.clone();
                ops[at] = simpler;
                if tries == 0 || began.elapsed() > PATIENCE {
                    return best;
                }
                tries -= 1;
                match replay::<L>(best.seed, &ops) {
                    Err(smaller) if tries > 0 => {
                        best = smaller;
                        improved = true;
                        break;
                    }
                    _ => {}
                }
            }
        }
        improved &= tries > 0;
    }
    best
}

/// The text of a list: its seed, then an operation a line.
pub fn text<Op: Operation>(failure: &Failure<Op>) -> String {
    let mut text = format!("seed={}\n", failure.seed);
    for op in &failure.ops {
        text += &format!("{op}\n");
    }
    text
}

/// The list of a text.
pub fn parse<Op: Operation>(text: &str) -> Result<(u64, Vec<Op>), String> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let seed = first.strip_prefix("seed=").and_then(|seed| seed.parse().ok());
    let seed = seed.ok_or(format!("the first line is seed=NUMBER, not '{first}'"))?;
    Ok((seed, lines.map(str::parse).collect::<Result<_, _>>()?))
}

/// What came of many lives.
pub struct Report<Op> {
    pub ops: u64,
    pub seconds: f64,
    pub histogram: Histogram,
    pub failure: Option<Failure<Op>>,
}

/// Runs `ops` operations of `seed` on every processor. The same seed and number do the same.
pub fn run<L: Life>(seed: u64, ops: u64) -> Report<L::Op> {
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let seed_of = |number: u64| Random::new(seed ^ number << 24).next();
    let mut lives = 0;
    let mut planned = 0;
    while planned < ops {
        planned += L::length(seed_of(lives));
        lives += 1;
    }
    let failed = AtomicBool::new(false);
    let report = Mutex::new((Histogram::default(), None::<Failure<L::Op>>));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut histogram = Histogram::default();
                let mut failure = None;
                while failure.is_none() && !failed.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= lives {
                        break;
                    }
                    let seed = seed_of(number);
                    failure = life::<L>(seed, &mut histogram).err();
                    let length = failure.as_ref().map_or(L::length(seed), |f| f.ops.len() as u64);
                    done.fetch_add(length, Ordering::Relaxed);
                }
                let mut report = report.lock().expect("nobody panics with it");
                report.0.add(&histogram);
                if let Some(failure) = failure {
                    failed.store(true, Ordering::Relaxed);
                    report.1.get_or_insert(failure);
                }
            });
        }
    });
    let (histogram, failure) = report.into_inner().expect("nobody panics with it");
    let ops = done.into_inner();
    Report { ops, seconds: began.elapsed().as_secs_f64(), histogram, failure }
}
