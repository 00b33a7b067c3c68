//! The words of the protocol.

use std::fmt::Write as _;
use std::io::Write as _;

use awsgi::{Outcome, Readiness, Status};

const BITS: [(&str, Readiness); 6] = [
    ("READABLE", Readiness::READABLE),
    ("WRITABLE", Readiness::WRITABLE),
    ("PRIORITY", Readiness::PRIORITY),
    ("HANGUP", Readiness::HANGUP),
    ("ERROR", Readiness::ERROR),
    ("READ_CLOSED", Readiness::READ_CLOSED),
];

/// Writes a line.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        // Nobody listens.
        std::process::exit(1);
    }
}

/// A promise was seen to be broken.
pub fn broken(why: &str) {
    say(&format!("broken {why}"));
}

/// Reads a set of bits.
pub fn bits(text: &str) -> Option<Readiness> {
    text.split(',').try_fold(Readiness::NONE, |sum, word| {
        let (_, bit) = BITS.iter().find(|(name, _)| *name == word)?;
        Some(sum | *bit)
    })
}

/// A set of bits in words.
pub fn of_bits(bits: Readiness) -> String {
    let mut text = String::new();
    for (name, bit) in BITS {
        if bits.contains(bit) {
            let comma = if text.is_empty() { "" } else { "," };
            let _ = write!(text, "{comma}{name}");
        }
    }
    text
}

/// How a wait ended, in a word.
pub fn of_outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ready => "READY",
        Outcome::TimedOut => "TIMED_OUT",
        Outcome::Cancelled => "CANCELLED",
        Outcome::Closed => "CLOSED",
        Outcome::Failed => "FAILED",
    }
}

/// A status without its prefix.
pub fn of_status(status: Status) -> &'static str {
    status.name().trim_start_matches("AWSGI_E_")
}
