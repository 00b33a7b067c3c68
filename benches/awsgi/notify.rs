//! `notify/*`: from a notification to its completion.

use crate::measure::{Bar, Better, Kind, Measure, Outcome, Sample, Side};
use crate::programs;

/// On the owner's thread, 64 events for each turn.
pub const OWNER: Measure = Measure {
    name: "notify/owner",
    unit: "ns/event",
    better: Better::Lower,
    peers: &[],
    bars: &[Bar::AtMost(40.0)],
    kind: Kind::Sampled,
    rounds: 25,
    sample: owner,
};

/// From another thread: a thousand handles, each signalled once, and all received before the next
/// round of them begins.
pub const THREADS: Measure = Measure {
    name: "notify/threads",
    unit: "signals/s",
    better: Better::Higher,
    peers: &["libuv"],
    bars: &[Bar::Ahead("libuv")],
    kind: Kind::Sampled,
    rounds: 25,
    sample: threads,
};

fn owner(side: Side) -> Outcome<Sample> {
    Ok(programs::sample(&programs::run(&programs::of(side)?, "owner", 64, 4_000_000)?))
}

fn threads(side: Side) -> Outcome<Sample> {
    let said = programs::run(&programs::of(side)?, "threads", 0, 0)?;
    Ok(Sample { value: said[0], aside: Vec::new() })
}
