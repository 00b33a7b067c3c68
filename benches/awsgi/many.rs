//! `memory/wait` and `idle`: what many waits take while nothing happens.

use crate::machine::need_descriptors;
use crate::measure::{Bar, Better, Kind, Measure, Outcome, Sample, Side};
use crate::programs;

/// Bytes that become resident for each of a million waits on one event.
pub const MEMORY: Measure = Measure {
    name: "memory/wait",
    unit: "bytes",
    better: Better::Lower,
    peers: &[],
    bars: &[Bar::AtMost(128.0)],
    kind: Kind::Sampled,
    rounds: 15,
    sample: memory,
};

/// How often a turn that blocks for ten seconds wakes, among a million foreign waitables, 8,000
/// descriptors and a million sleeps of which none becomes ready.
pub const IDLE: Measure = Measure {
    name: "idle",
    unit: "wake-ups",
    better: Better::Lower,
    peers: &[],
    bars: &[Bar::AtMost(0.0), Bar::AsideAtMost(PROCESSOR_TIME, 1000.0)],
    kind: Kind::Counted,
    rounds: 1,
    sample: idle,
};

const PROCESSOR_TIME: &str = "processor time";
const MANY: u64 = 1_000_000;
const SECONDS: u64 = 10;

fn memory(_: Side) -> Outcome<Sample> {
    let said = programs::run(&programs::path("awsgi_many")?, "memory", MANY, 0)?;
    Ok(Sample { value: said[0], aside: vec![("handed out by malloc", said[1], "bytes")] })
}

fn idle(_: Side) -> Outcome<Sample> {
    need_descriptors(8050)?;
    let said = programs::run(&programs::path("awsgi_many")?, "idle", MANY, SECONDS)?;
    Ok(Sample { value: said[0], aside: vec![(PROCESSOR_TIME, said[1], "us")] })
}
