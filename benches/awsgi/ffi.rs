//! `ffi/*`: what it costs to cross the C ABI.

use crate::measure::{Bar, Better, Kind, Measure, Outcome, Sample, Side};
use crate::programs;

/// A getter of a reactor, less a call of a function that does nothing.
pub const CALL: Measure = Measure {
    name: "ffi/call",
    unit: "ns",
    better: Better::Lower,
    peers: &[],
    bars: &[Bar::AtMost(5.0)],
    kind: Kind::Sampled,
    rounds: 25,
    sample: call,
};

fn call(_: Side) -> Outcome<Sample> {
    let said = programs::run(&programs::path("call")?, "fd", 0, 10_000_000)?;
    let mut sample = programs::sample(&said);
    sample.aside.push(("the empty call", said[2], "ns"));
    Ok(sample)
}
