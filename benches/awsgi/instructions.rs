//! `instructions/chain/1000`: instructions in user space for each event of the chain.
//!
//! valgrind's callgrind counts them below `measured`, in the same programs: those of the library,
//! of the handler, and of the C library's read and write. The kernel's are in no figure.

use std::fs;
use std::process::Command;

use crate::measure::{Bar, Better, Kind, Measure, Outcome, Sample, Side};
use crate::programs;
use crate::report::directory;

pub const MEASURE: Measure = Measure {
    name: "instructions/chain/1000",
    unit: "instructions/event",
    better: Better::Lower,
    peers: &["libuv", "libevent", "libev"],
    bars: &[Bar::Ahead("libuv"), Bar::Ahead("libevent"), Bar::Ahead("libev")],
    kind: Kind::Counted,
    rounds: 2,
    sample,
};

const PAIRS: u64 = 1000;
const HOPS: u64 = 20_000;

fn sample(side: Side) -> Outcome<Sample> {
    let program = programs::of(side)?;
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    // It stays, for callgrind_annotate.
    let profile = directory().join(format!("callgrind.{name}"));
    let said = programs::numbers(
        Command::new("valgrind")
            .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
            // Compilers may add to the name of what they specialise.
            .arg("--toggle-collect=measured*")
            .arg(format!("--callgrind-out-file={}", profile.display()))
            .arg(&program)
            .args(["multishot", &PAIRS.to_string(), &HOPS.to_string()]),
    )?;
    let text = fs::read_to_string(&profile)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals:")?.trim().parse().ok());
    let total: f64 = total.ok_or("callgrind wrote no totals")?;
    Ok(Sample { value: total / said[2], aside: Vec::new() })
}
