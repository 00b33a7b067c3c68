//! `timer/*`: many timers. Ours are sleeps: waits for nothing but their deadline.

use std::process::Command;

use crate::measure::{Bar, Better, Kind, Measure, Outcome, Sample, Side};
use crate::programs;

const PEERS: &[&str] = &["libuv", "libevent", "libev", TOKIO];
const TOKIO: &str = "tokio";

/// Forgetting one of those that are outstanding, and starting another in its place.
pub const REPLACE: [Measure; 3] = [
    replace("timer/1k", &bars(40.0), 35, sample_replace::<1000>),
    replace("timer/100k", &bars(80.0), 25, sample_replace::<100_000>),
    replace("timer/1m", &bars(120.0), 15, sample_replace::<1_000_000>),
];

/// All of a million are due when the loop is turned, until the last has fired.
pub const FIRE: Measure = Measure {
    name: "timer/fire/1m",
    unit: "ns/timer",
    better: Better::Lower,
    peers: PEERS,
    bars: &[
        Bar::Ahead("libuv"),
        Bar::Ahead("libevent"),
        Bar::Ahead("libev"),
        Bar::Ahead(TOKIO),
        // Ten times as many take ten times as long: each costs as much, but for the caches that
        // so many no longer fit.
        Bar::AsideAtMost(GROWTH, 2.0),
        // A turn takes no more than fit its array, which are 1,024, whatever is due.
        Bar::AsideAtMost(LONGEST, 5000.0),
    ],
    kind: Kind::Sampled,
    rounds: 15,
    sample: sample_fire,
};

const GROWTH: &str = "times the cost of each of 100,000";
const LONGEST: &str = "longest turn";
const OPERATIONS: u64 = 1_000_000;

const fn bars(at_most: f64) -> [Bar; 5] {
    [
        Bar::Ahead("libuv"),
        Bar::Ahead("libevent"),
        Bar::Ahead("libev"),
        Bar::Ahead(TOKIO),
        Bar::AtMost(at_most),
    ]
}

const fn replace(
    name: &'static str,
    bars: &'static [Bar],
    rounds: usize,
    sample: fn(Side) -> Outcome<Sample>,
) -> Measure {
    Measure {
        name,
        unit: "ns/timer",
        better: Better::Lower,
        peers: PEERS,
        bars,
        kind: Kind::Sampled,
        rounds,
        sample,
    }
}

fn run(side: Side, part: &str, count: u64, events: u64) -> Outcome<Vec<f64>> {
    match side {
        Side::Peer(TOKIO) => programs::numbers(
            Command::new(std::env::current_exe()?)
                .args(["--tokio-timers", part])
                .args([count.to_string(), events.to_string()]),
        ),
        side => programs::run(&programs::of(side)?, part, count, events),
    }
}

fn sample_replace<const COUNT: u64>(side: Side) -> Outcome<Sample> {
    Ok(programs::sample(&run(side, "timer", COUNT, OPERATIONS)?))
}

fn sample_fire(side: Side) -> Outcome<Sample> {
    let (few, many) = (run(side, "fire", 100_000, 0)?, run(side, "fire", 1_000_000, 0)?);
    let mut sample = programs::sample(&many);
    sample.aside.extend([(GROWTH, many[0] / few[0], ""), (LONGEST, many[2], "us")]);
    Ok(sample)
}
