//! `chain/*`: what it costs to be told that a descriptor is ready.
//!
//! The idea is that of bench.c of libevent: bytes hop from socket pair to socket pair, a hundred at
//! once among many that are quiet. A handler reads a byte, and writes one to the next pair. So each
//! event is a read, a write and its share of asking the kernel, and the rest is the library's.

use crate::measure::{Bar, Better, Kind, Measure, Outcome, Sample, Side};
use crate::programs;

const EPOLL_EDGE: &str = "epoll-et";
const EPOLL_ONESHOT: &str = "epoll-oneshot";

/// Interest that stays: multishot waits here, edge-triggered epoll and the persistent watchers of
/// the libraries there.
pub const MULTISHOT: [Measure; 3] = [
    multishot("chain/multishot/100", sample::<100, true>),
    multishot("chain/multishot/1000", sample::<1000, true>),
    multishot("chain/multishot/8000", sample::<8000, true>),
];

/// Interest that has to be renewed for each event: a new wait here, EPOLL_CTL_MOD there.
pub const ONESHOT: [Measure; 3] = [
    oneshot("chain/oneshot/100", sample::<100, false>),
    oneshot("chain/oneshot/1000", sample::<1000, false>),
    oneshot("chain/oneshot/8000", sample::<8000, false>),
];

/// A sample takes a fraction of a second, so that the sides of a round meet the same machine.
const HOPS: u64 = 100_000;
const ROUNDS: usize = 25;

type Take = fn(Side) -> Outcome<Sample>;

const fn multishot(name: &'static str, sample: Take) -> Measure {
    Measure {
        name,
        unit: "ns/event",
        better: Better::Lower,
        peers: &[EPOLL_EDGE, "libuv", "libevent", "libev"],
        bars: &[
            Bar::RatioAtMost(EPOLL_EDGE, 1.05),
            Bar::Ahead("libuv"),
            Bar::Ahead("libevent"),
            Bar::Ahead("libev"),
        ],
        kind: Kind::Sampled,
        rounds: ROUNDS,
        sample,
    }
}

const fn oneshot(name: &'static str, sample: Take) -> Measure {
    Measure {
        name,
        unit: "ns/event",
        better: Better::Lower,
        peers: &[EPOLL_ONESHOT],
        bars: &[Bar::RatioAtMost(EPOLL_ONESHOT, 1.05)],
        kind: Kind::Sampled,
        rounds: ROUNDS,
        sample,
    }
}

fn sample<const PAIRS: u64, const MULTISHOT: bool>(side: Side) -> Outcome<Sample> {
    crate::machine::need_descriptors(2 * PAIRS + 50)?;
    let part = if MULTISHOT { "multishot" } else { "oneshot" };
    Ok(programs::sample(&programs::run(&programs::of(side)?, part, PAIRS, HOPS)?))
}
