//! `embed/*`, `delegated/*`, `latency/*` and `idle/hosts`: what it costs to live in somebody's loop.
//!
//! The loops are those of c-examples/hosts, compiled with benches/c/embed.c as their program.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::measure::{Bar, Better, Kind, Measure, Outcome, Sample, Side};
use crate::programs::{self, Flags};

/// The hosts in C, and what they are linked to.
const HOSTS: [(&str, Flags); 11] = [
    ("owned", Flags::None),
    ("poll", Flags::None),
    ("epoll_level", Flags::None),
    ("epoll_edge", Flags::None),
    ("libuv", Flags::Package("libuv")),
    ("libevent", Flags::Package("libevent_core")),
    ("libev", Flags::Library("-lev")),
    ("glib", Flags::Package("glib-2.0")),
    ("uv_streams", Flags::Package("libuv")),
    ("queue", Flags::None),
    ("watches", Flags::None),
];

/// The hosts in other languages, which have programs of their own.
const OTHERS: [&str; 2] = ["tokio", "asyncio"];

/// Runs a part of embed.c, or of what does the same elsewhere, in a host.
fn run(host: &str, part: &str, count: u64, events: u64) -> Outcome<Vec<f64>> {
    programs::numbers(&mut command(host, part, count, events)?)
}

fn command(host: &str, part: &str, count: u64, events: u64) -> Outcome<Command> {
    let mut command = match host {
        "tokio" => {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("--tokio-host");
            command
        }
        "asyncio" => {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let python = std::env::var("AWSGI_PYTHON").unwrap_or_else(|_| "python3".to_owned());
            let mut command = Command::new(python);
            command.arg("-B").arg(root.join("benches/python/asyncio_host.py"));
            command.env("PYTHONPATH", root.join("python"));
            command.env("LIBAWSGI", programs::installed().join("libawsgi.so"));
            command
        }
        _ => Command::new(programs::host(&HOSTS, host)?),
    };
    command.args([part, &count.to_string(), &events.to_string()]);
    command.env_remove("LD_LIBRARY_PATH");
    Ok(command)
}

const HOPS: u64 = 100_000;
const ROUNDS: usize = 25;

macro_rules! chains {
    ($($name:literal: $host:literal)*) => {
        /// The chain of `chain/multishot/1000` in a host's loop, beside a host without one.
        pub const CHAIN: &[Measure] = &[$(Measure {
            name: concat!("embed/chain/", $name),
            unit: "ns/event",
            better: Better::Lower,
            peers: &["owned"],
            bars: &[Bar::RatioAtMost("owned", 1.25)],
            kind: Kind::Sampled,
            rounds: ROUNDS,
            sample: |side| {
                let host = match side {
                    Side::Ours => $host,
                    Side::Peer(name) => name,
                };
                crate::machine::need_descriptors(2 * 1000 + 50)?;
                Ok(programs::sample(&run(host, "chain", 1000, HOPS)?))
            },
        }),*];
    };
}

// The host with bare epoll is the level-triggered one.
chains!("libuv": "libuv" "libevent": "libevent" "epoll": "epoll_level");

macro_rules! latencies {
    ($($name:ident $part:literal: $($host:literal)*;)*) => {$(
        /// From a moment to its completion in a host that sleeps.
        pub const $name: &[Measure] = &[$(Measure {
            name: concat!("latency/", $part, "/", $host),
            unit: "us",
            better: Better::Lower,
            peers: &[],
            bars: &[],
            kind: Kind::Sampled,
            rounds: 15,
            sample: |_| latency($host, $part),
        }),*];
    )*};
}

latencies! {
    DEADLINE "deadline": "owned" "poll" "epoll_level" "epoll_edge" "libuv" "libevent" "libev" "glib"
        "uv_streams" "queue" "watches" "tokio" "asyncio";
    NOTIFY "notify": "owned" "poll" "epoll_level" "epoll_edge" "libuv" "libevent" "libev" "glib"
        "uv_streams" "queue" "watches" "tokio" "asyncio";
}

fn latency(host: &str, part: &str) -> Outcome<Sample> {
    let said = run(host, part, 0, 100)?;
    Ok(Sample { value: said[0], aside: vec![("99th percentile", said[1], "us")] })
}

/// The wake-ups of the host that had most, while all of them rest for ten seconds.
pub const IDLE: Measure = Measure {
    name: "idle/hosts",
    unit: "wake-ups",
    better: Better::Lower,
    peers: &[],
    bars: &[Bar::AtMost(0.0), Bar::AsideAtMost("processor time", 1000.0)],
    kind: Kind::Counted,
    rounds: 2,
    sample: idle,
};

fn idle(_: Side) -> Outcome<Sample> {
    let mut running: Vec<(&str, Child)> = Vec::new();
    for host in HOSTS.iter().map(|(host, _)| *host).chain(OTHERS) {
        running.push((host, command(host, "idle", 0, 10)?.stdout(Stdio::piped()).spawn()?));
    }
    let (mut most, mut processor) = (0.0_f64, 0.0_f64);
    for (host, child) in running {
        let said =
            programs::said(child.wait_with_output()?).map_err(|why| format!("{host}: {why}"))?;
        if said[0] > 0.0 {
            eprintln!("{host} woke {} times", said[0]);
        }
        most = most.max(said[0]);
        processor = processor.max(said[1]);
    }
    Ok(Sample { value: most, aside: vec![("processor time", processor, "us")] })
}

/// A delegated host reports 64 objects in each iteration, against the same loop without a reactor.
pub const DELEGATED: Measure = Measure {
    name: "delegated/64",
    unit: "ns/event",
    better: Better::Lower,
    peers: &["stub"],
    bars: &[Bar::MoreAtMost("stub", 30.0)],
    kind: Kind::Sampled,
    rounds: ROUNDS,
    sample: delegated,
};

fn delegated(side: Side) -> Outcome<Sample> {
    let part = match side {
        Side::Ours => "reactor",
        Side::Peer(name) => name,
    };
    Ok(programs::sample(&programs::run(&programs::path("delegated")?, part, 64, 8_000_000)?))
}
