//! `memory/http`: bytes of memory that a request takes while it is suspended.
//!
//! What becomes resident in the server between no request and many, divided by how many there are:
//! connection, buffers, task and exchange, and the share of every table that grew. What sockets
//! take in the kernel is in neither figure.

use crate::machine::need_descriptors;
use crate::measure::{Bar, Better, Kind, Measure, Outcome, Sample, Side};
use crate::servers::{BARE_HYPER, Server};
use crate::waiting::{ask, check_waiting, connect, is_answer, read};

pub const MEASURE: Measure = Measure {
    name: "memory/http",
    unit: "bytes",
    better: Better::Lower,
    peers: &[BARE_HYPER],
    bars: &[Bar::MoreAtMost(BARE_HYPER, 1024.0)],
    kind: Kind::Sampled,
    rounds: 15,
    sample,
};

const REQUESTS: usize = 5000;
/// Longer than a round takes, whatever else the machine does.
const MILLISECONDS: u64 = 300_000;

fn sample(side: Side) -> Outcome<Sample> {
    need_descriptors(REQUESTS as u64 + 100)?;
    let server = Server::start(side)?;
    let process = server.process();
    // What is made once, and the pages of the code, are there before it begins.
    for mut stream in connect(server.address, 64)? {
        ask(&mut stream, 1)?;
        let text = read(&mut stream)?;
        if !is_answer(&text) {
            return Err(format!("a server answers something else than its peer: {text:?}").into());
        }
    }
    process.settle()?;
    let before = process.resident()?;
    let mut streams = connect(server.address, REQUESTS)?;
    for stream in &mut streams {
        ask(stream, MILLISECONDS)?;
    }
    process.settle()?;
    let grown = process.resident()? as f64 - before as f64;
    check_waiting(&streams)?;
    Ok(Sample { value: grown / REQUESTS as f64, aside: Vec::new() })
}
