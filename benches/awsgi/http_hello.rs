//! `http/hello`, `evhttp/hello`, `mhd/hello`: how many plain responses a second a server gives.
//!
//! wrk keeps connections busy for a short burst, against a server that was started for it and is
//! warm. On a machine with few processors wrk and the server share them: its cost and the
//! kernel's are in both figures, and the time of the processor that the server itself took for a
//! request is printed beside them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::measure::{Bar, Better, Kind, Measure, Outcome, Sample, Side};
use crate::servers::{BARE_HYPER, Server};

pub const MEASURE: Measure = Measure {
    name: "http/hello",
    unit: "requests/s",
    better: Better::Higher,
    peers: &[BARE_HYPER],
    bars: &[Bar::RatioAtLeast(BARE_HYPER, 0.9)],
    kind: Kind::Sampled,
    rounds: 35,
    sample,
};

/// The servers in C of c-examples/hosts, beside the same answering by themselves.
pub const HOSTED: [Measure; 2] = [
    Measure {
        name: "evhttp/hello",
        peers: &["evhttp"],
        bars: &[Bar::RatioAtLeast("evhttp", 0.85)],
        sample: |side| hosted("evhttp", side),
        ..MEASURE
    },
    Measure {
        name: "mhd/hello",
        peers: &["mhd"],
        bars: &[Bar::RatioAtLeast("mhd", 0.85)],
        sample: |side| hosted("mhd", side),
        ..MEASURE
    },
];

/// wrk: threads, connections, seconds to warm up and to measure.
const THREADS: u32 = 2;
const CONNECTIONS: u32 = 64;
const WARM_UP: u32 = 1;
const BURST: u32 = 2;

fn sample(side: Side) -> Outcome<Sample> {
    burst(&Server::start(side)?)
}

fn hosted(name: &str, side: Side) -> Outcome<Sample> {
    burst(&match side {
        Side::Ours => Server::hosted(name)?,
        peer => Server::start(peer)?,
    })
}

fn burst(server: &Server) -> Outcome<Sample> {
    check_answer(server.address)?;
    wrk(server.address, WARM_UP)?;
    let before = server.process().cpu()?;
    let (requests, per_second) = wrk(server.address, BURST)?;
    let cpu = server.process().cpu()? - before;
    let each = cpu.as_secs_f64() * 1e6 / requests;
    Ok(Sample {
        value: per_second,
        aside: vec![("processor time of the server", each, "us a request")],
    })
}

/// Both sides have to answer the same: as many bytes, the same fields.
fn check_answer(address: SocketAddr) -> Outcome<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET /hello HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let mut lines: Vec<&str> =
        answer.lines().filter(|line| !line.to_ascii_lowercase().starts_with("date:")).collect();
    lines[1..].sort_unstable();
    let expected = [
        "HTTP/1.1 200 OK",
        "",
        "cache-control: no-store",
        "connection: close",
        "content-length: 6",
        "content-type: text/plain; charset=utf-8",
        "hello",
    ];
    match lines.iter().map(|line| line.to_ascii_lowercase()).eq(expected.map(str::to_lowercase)) {
        true => Ok(()),
        false => Err(format!("a server answers something else than its peer: {answer:?}").into()),
    }
}

/// Runs wrk for so many seconds; answers how many requests were answered, and how many a second.
pub fn wrk(address: SocketAddr, seconds: u32) -> Outcome<(f64, f64)> {
    let output = Command::new("wrk")
        .args(["--threads", &THREADS.to_string(), "--connections", &CONNECTIONS.to_string()])
        .args(["--duration", &seconds.to_string(), &format!("http://{address}/hello")])
        .output()
        .map_err(|error| format!("wrk: {error}: run make deps SCOPE=bench"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("Socket errors") || text.contains("Non-2xx") {
        return Err(format!("wrk met errors:\n{text}").into());
    }
    // "  12345 requests in 2.00s, 1.84MB read", and "Requests/sec:   6172.50".
    let requests =
        text.lines().find_map(|line| line.split_once(" requests in ")?.0.trim().parse().ok());
    let per_second =
        text.lines().find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok());
    match (requests, per_second) {
        (Some(requests), Some(per_second)) => Ok((requests, per_second)),
        _ => Err(format!("wrk said something unexpected:\n{text}").into()),
    }
}
