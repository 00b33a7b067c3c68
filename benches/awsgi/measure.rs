//! What a measure is, and the rounds in which it is taken.

use std::error::Error;
use std::io::IsTerminal;

use crate::statistics::{Estimate, extremes, median, median_interval};

/// What may fail while measuring, and why.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Ours,
    /// The peer of this name.
    Peer(&'static str),
}

/// Which way is better.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Lower,
    Higher,
}

/// What was promised.
#[derive(Clone, Copy)]
pub enum Bar {
    /// Ours ÷ the peer's is at least so much.
    RatioAtLeast(&'static str, f64),
    /// Ours ÷ the peer's is at most so much.
    RatioAtMost(&'static str, f64),
    /// Better than the peer: the whole interval of the ratio is on that side of 1.
    Ahead(&'static str),
    /// Ours is at most so much more than the peer's.
    MoreAtMost(&'static str, f64),
    /// Ours is at most so much.
    AtMost(f64),
    /// What is told beside our figure by this name is at most so much: the whole interval is. Such
    /// a bar says that something is bounded, so it does not matter how precisely it is known.
    AsideAtMost(&'static str, f64),
}

impl Bar {
    /// The peer it compares with.
    pub fn peer(&self) -> Option<&'static str> {
        match *self {
            Bar::RatioAtLeast(peer, _)
            | Bar::RatioAtMost(peer, _)
            | Bar::Ahead(peer)
            | Bar::MoreAtMost(peer, _) => Some(peer),
            Bar::AtMost(_) | Bar::AsideAtMost(..) => None,
        }
    }
}

/// How the values of several rounds become one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// They vary by chance: their median, with its interval.
    Sampled,
    /// They are counted, and hardly vary: the interval is from the least to the most, so that
    /// every round has to keep a bar, and few rounds are enough.
    Counted,
}

/// One figure, and what else is worth knowing about it: a name, a value and its unit.
pub struct Sample {
    pub value: f64,
    pub aside: Vec<(&'static str, f64, &'static str)>,
}

/// Something that is measured, on our side and on its peers'.
pub struct Measure {
    pub name: &'static str,
    pub unit: &'static str,
    pub better: Better,
    pub peers: &'static [&'static str],
    pub bars: &'static [Bar],
    pub kind: Kind,
    /// How many rounds; in each, every side is measured once.
    pub rounds: usize,
    /// Takes one sample. Nothing outlives it, so that each begins with fresh processes.
    pub sample: fn(Side) -> Outcome<Sample>,
}

/// All samples of a measure, in the order of the rounds.
pub struct Samples {
    pub measure: &'static Measure,
    pub ours: Vec<Sample>,
    pub peers: Vec<(&'static str, Vec<Sample>)>,
}

/// How a bar and what was measured compare.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Met,
    NotMet,
    /// The interval is too wide to tell. It counts as not met.
    Undecided,
}

impl Measure {
    /// Takes all rounds. The order of the sides is turned around in every other round: with one
    /// peer it is ours, peer, peer, ours, ours, peer, ... so that a machine that becomes slower
    /// or faster meanwhile favours nobody.
    pub fn run(&'static self) -> Outcome<Samples> {
        let mut sides = vec![Side::Ours];
        sides.extend(self.peers.iter().map(|peer| Side::Peer(peer)));
        let mut samples = Samples {
            measure: self,
            ours: Vec::new(),
            peers: self.peers.iter().map(|peer| (*peer, Vec::new())).collect(),
        };
        let watched = std::io::stderr().is_terminal();
        for round in 0..self.rounds {
            if watched {
                eprint!("\r{}: round {} of {} ", self.name, round + 1, self.rounds);
            }
            for side in &sides {
                let sample = (self.sample)(*side)?;
                match side {
                    Side::Ours => samples.ours.push(sample),
                    Side::Peer(name) => {
                        let of = samples.peers.iter_mut().find(|(peer, _)| peer == name);
                        of.expect("a peer of this measure").1.push(sample);
                    }
                }
            }
            sides.reverse();
        }
        if watched {
            eprintln!();
        }
        Ok(samples)
    }
}

/// A figure as people read it: small ones with a digit behind the point.
pub fn figure(value: f64) -> String {
    if value.abs() < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn figures(of: &Estimate) -> String {
    format!("{} [{}, {}]", figure(of.median), figure(of.low), figure(of.high))
}

fn values(samples: &[Sample]) -> Vec<f64> {
    samples.iter().map(|sample| sample.value).collect()
}

impl Samples {
    /// Our values, in the order of the rounds.
    pub fn our_values(&self) -> Vec<f64> {
        values(&self.ours)
    }

    /// The values of each peer.
    pub fn peer_values(&self) -> impl Iterator<Item = (&'static str, Vec<f64>)> + '_ {
        self.peers.iter().map(|(name, samples)| (*name, values(samples)))
    }

    fn estimate(&self, values: &[f64]) -> Estimate {
        match self.measure.kind {
            Kind::Sampled => median_interval(values),
            Kind::Counted => extremes(values),
        }
    }

    fn paired(&self, peer: &str, how: impl Fn(f64, f64) -> f64) -> Estimate {
        let (_, peers) = self.peers.iter().find(|(name, _)| *name == peer).expect("a peer");
        let pairs = self.ours.iter().zip(peers);
        self.estimate(&pairs.map(|(ours, peer)| how(ours.value, peer.value)).collect::<Vec<_>>())
    }

    /// Ours ÷ the peer's, of the values of each round.
    pub fn ratio(&self, peer: &str) -> Estimate {
        self.paired(peer, |ours, peer| ours / peer)
    }

    /// Whether a bar is met, and what it is, in words.
    pub fn verdict(&self, bar: &Bar) -> (Verdict, String) {
        // What the whole interval says is certain enough, however wide it is. Where only a part of
        // it reaches the bar, that is enough if it is narrow, and tells nothing otherwise.
        let judge = |part: bool, whole: bool, precise: &Estimate| match (part, whole) {
            (_, true) => Verdict::Met,
            (false, _) => Verdict::NotMet,
            (true, false) if precise.is_narrow() => Verdict::Met,
            (true, false) => Verdict::Undecided,
        };
        // Counts have to stay within the bar in all rounds.
        let counted = self.measure.kind == Kind::Counted;
        let at_most = |of: &Estimate, bar: f64, precise: &Estimate| {
            judge(of.low <= bar && !counted, of.high <= bar, precise)
        };
        let at_least = |of: &Estimate, bar: f64, precise: &Estimate| {
            judge(of.high >= bar && !counted, of.low >= bar, precise)
        };
        match *bar {
            Bar::RatioAtLeast(peer, bar) => {
                let ratio = self.ratio(peer);
                (at_least(&ratio, bar, &ratio), format!(">= {bar} x {peer}"))
            }
            Bar::RatioAtMost(peer, bar) => {
                let ratio = self.ratio(peer);
                (at_most(&ratio, bar, &ratio), format!("<= {bar} x {peer}"))
            }
            Bar::Ahead(peer) => {
                let ratio = self.ratio(peer);
                let (part, whole) = match self.measure.better {
                    Better::Lower => (ratio.low < 1.0, ratio.high < 1.0),
                    Better::Higher => (ratio.high > 1.0, ratio.low > 1.0),
                };
                // A tie is not ahead, however narrow.
                let part = part && !ratio.is_narrow();
                (judge(part, whole, &ratio), format!("ahead of {peer}"))
            }
            Bar::MoreAtMost(peer, bar) => {
                // A difference may be near zero, where no share of it is narrow: what has to be
                // known precisely is how the two compare.
                let more = self.paired(peer, |ours, peer| ours - peer);
                let text = format!(
                    "<= {peer} + {bar}; is {:+.0} [{:+.0}, {:+.0}]",
                    more.median, more.low, more.high
                );
                (at_most(&more, bar, &self.ratio(peer)), text)
            }
            Bar::AtMost(bar) => {
                let ours = self.estimate(&self.our_values());
                let text = format!("<= {bar}; is {}", figures(&ours));
                (at_most(&ours, bar, &ours), text)
            }
            Bar::AsideAtMost(name, bar) => {
                let aside = |sample: &Sample| {
                    sample
                        .aside
                        .iter()
                        .find(|(other, ..)| *other == name)
                        .map(|(_, value, _)| *value)
                };
                let values: Vec<f64> = self.ours.iter().filter_map(aside).collect();
                let estimate = self.estimate(&values);
                let met = if estimate.high <= bar { Verdict::Met } else { Verdict::NotMet };
                (met, format!("{name} <= {bar}; is {}", figures(&estimate)))
            }
        }
    }

    /// The medians of what else was learned, a line for each side.
    pub fn asides(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = |who: &str, samples: &[Sample]| {
            let Some(first) = samples.first() else { return };
            let parts: Vec<String> = (0..first.aside.len())
                .map(|at| {
                    let (name, _, unit) = first.aside[at];
                    let values: Vec<f64> = samples.iter().map(|one| one.aside[at].1).collect();
                    format!("{name} {} {unit}", figure(median(&values)))
                })
                .collect();
            if !parts.is_empty() {
                lines.push(format!("{}, {who}: {}", self.measure.name, parts.join(", ")));
            }
        };
        line("awsgi", &self.ours);
        for (name, samples) in &self.peers {
            line(name, samples);
        }
        lines
    }
}
