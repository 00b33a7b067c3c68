//! `jvm/*`: what a host in Java costs, beside plain NIO and Netty.
//!
//! The programs are in java/bench, as Maven has built them, and run in the newest JDK that is
//! installed, each sample in a virtual machine of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use crate::machine::{Process, need_descriptors};
use crate::measure::{Bar, Better, Kind, Measure, Outcome, Sample, Side};
use crate::programs;
use crate::report::directory;

/// A virtual machine, and what it is told to find the programs.
struct Java {
    path: PathBuf,
    release: u32,
    classes: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The virtual machine; or why there is none.
fn java() -> Result<&'static Java, &'static str> {
    static JAVA: OnceLock<Result<Java, String>> = OnceLock::new();
    JAVA.get_or_init(find).as_ref().map_err(String::as_str)
}

fn find() -> Result<Java, String> {
    let path = match std::env::var_os("AWSGI_JAVA") {
        Some(path) => PathBuf::from(path),
        None => newest(),
    };
    let asked = Command::new(&path).arg("-XshowSettings:properties").arg("-version").output();
    let said = match asked {
        Ok(output) if output.status.success() => output.stderr,
        _ => return Err(format!("there is no JDK: {} does not start", path.display())),
    };
    let said = String::from_utf8_lossy(&said);
    let release = said.lines().find_map(|line| {
        line.trim().strip_prefix("java.specification.version = ")?.trim().parse().ok()
    });
    let release = release.ok_or("java does not say which release it is")?;
    let classes = root().join("java/bench/target/classpath");
    let classes = fs::read_to_string(&classes)
        .map_err(|_| "the programs in Java were not built; make bench does, with mvn".to_owned())?;
    Ok(Java { path, release, classes: classes.trim().to_owned() })
}

/// The newest JDK, if that is newer than the oldest that will do.
fn newest() -> PathBuf {
    let found = Command::new(root().join("java/newest-jdk")).output();
    let said = found.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    match said {
        Ok(path) if !path.is_empty() => PathBuf::from(path),
        _ => PathBuf::from("java"),
    }
}

/// Why a measure cannot be taken here.
pub fn missing(measure: &Measure) -> Option<String> {
    if !measure.name.starts_with("jvm/") {
        return None;
    }
    match java() {
        Err(why) => Some(why.to_owned()),
        Ok(java) if measure.name == VIRTUAL.name && java.release < 21 => {
            Some(format!("this is JDK {}, and virtual threads come with 21", java.release))
        }
        Ok(_) => None,
    }
}

/// A program of java/bench, with one of our libraries.
fn program(library: &Path, class: &str, arguments: &[&str]) -> Outcome<Command> {
    let java = java()?;
    let mut command = Command::new(&java.path);
    command.arg("--enable-native-access=ALL-UNNAMED");
    command.arg(format!("-Dawsgi.library.path={}", library.display()));
    command.args(["-cp", &java.classes, class]).args(arguments);
    Ok(command)
}

/// The library as it is installed.
fn library() -> PathBuf {
    programs::installed().join("libawsgi.so")
}

/// The library whose natives have no core behind them: benches/jvm/stub.rs.
fn stub() -> PathBuf {
    root().join("target/release/examples/libjvm_stub.so")
}

fn run(library: &Path, class: &str, arguments: &[&str]) -> Outcome<Vec<f64>> {
    programs::numbers(&mut program(library, class, arguments)?)
}

/// 64 events through the bridge, without a core, beside a selector that finds as many.
pub const BRIDGE: Measure = Measure {
    name: "jvm/bridge/64",
    unit: "ns/event",
    better: Better::Lower,
    peers: &["selector"],
    bars: &[Bar::AtMost(4.0), Bar::RatioAtMost("selector", 0.05)],
    kind: Kind::Sampled,
    rounds: 15,
    sample: bridge,
};

fn bridge(side: Side) -> Outcome<Sample> {
    if side == Side::Ours {
        let said = run(&stub(), "io.awsgi.core.Crossings", &["2000000"])?;
        let host = run(&stub(), "io.awsgi.core.Turns", &["host", "1000000"])?;
        let mut sample = programs::sample(&said);
        sample.aside.push(("a host's whole round", host[0], "ns"));
        return Ok(sample);
    }
    Ok(programs::sample(&run(&library(), "io.awsgi.bench.SelectorLoop", &["50000"])?))
}

/// The same with the core, to sinks, in a million turns.
pub const CORE: Measure = Measure {
    name: "jvm/core/64",
    unit: "ns/event",
    better: Better::Lower,
    peers: &[],
    bars: &[Bar::AtMost(45.0), Bar::AsideAtMost("allocated", 0.0)],
    kind: Kind::Sampled,
    rounds: 15,
    sample: |_| {
        let said = run(&library(), "io.awsgi.core.Turns", &["core", "1000000"])?;
        let mut sample = programs::sample(&said);
        sample.aside.push(("allocated", said[2], "bytes"));
        Ok(sample)
    },
};

/// Crossings in each iteration of a `SelectorHost`'s loop.
pub const CROSSINGS: Measure = Measure {
    name: "jvm/crossings",
    unit: "crossings",
    better: Better::Lower,
    peers: &[],
    bars: &[Bar::AtMost(1.0), Bar::AsideAtMost("most when interest changes", 2.0)],
    kind: Kind::Counted,
    rounds: 2,
    sample: |_| {
        let steady = run(&library(), RHYTHM, &["once", "20000"])?;
        let change = run(&library(), RHYTHM, &["change", "20000"])?;
        // The most in one of them, of which the mean cannot be less.
        let aside = vec![("most when interest changes", change[1], "crossings")];
        Ok(Sample { value: steady[1], aside })
    },
};

const RHYTHM: &str = "io.awsgi.core.Rhythm";

/// Messages a second of an echo server with 1,000 connections.
pub const ECHO: Measure = Measure {
    name: "jvm/echo/1000",
    unit: "messages/s",
    better: Better::Higher,
    peers: &["nio", "netty-nio"],
    bars: &[Bar::RatioAtLeast("nio", 0.97), Bar::Ahead("netty-nio")],
    kind: Kind::Sampled,
    rounds: 15,
    sample: echo,
};

/// A program that says something, line by line, and ends when it is dropped.
struct Talker {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Talker {
    fn start(command: &mut Command) -> Outcome<Talker> {
        let mut child = command.env_remove("LD_LIBRARY_PATH").stdout(Stdio::piped()).spawn()?;
        let said = BufReader::new(child.stdout.take().ok_or("its output was piped")?);
        Ok(Talker { child, said })
    }

    fn numbers<T: FromStr>(&mut self) -> Outcome<Vec<T>> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        let numbers: Option<Vec<T>> =
            line.split_whitespace().map(|word| word.parse().ok()).collect();
        numbers
            .filter(|numbers| !numbers.is_empty())
            .ok_or_else(|| format!("it said {line:?}").into())
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn echo(side: Side) -> Outcome<Sample> {
    const CONNECTIONS: u64 = 1000;
    /// Until the virtual machine has compiled what is measured: its compilers run beside the server.
    const WARM_SECONDS: usize = 5;
    need_descriptors(CONNECTIONS + 100)?;
    let who = match side {
        Side::Ours => "awsgi",
        Side::Peer(name) => name,
    };
    let mut server = Talker::start(&mut program(&library(), "io.awsgi.bench.EchoServer", &[who])?)?;
    let port = server.numbers::<u16>()?[0];
    let arguments = ["messages", &CONNECTIONS.to_string(), &port.to_string()];
    let mut client = Talker::start(Command::new(programs::path("echo")?).args(arguments))?;
    for _ in 0..WARM_SECONDS {
        client.numbers::<f64>()?;
    }
    let process = Process(server.child.id());
    let before = process.cpu()?;
    let rate = client.numbers::<f64>()?;
    let ran: Duration = process.cpu()?.saturating_sub(before);
    let each = ran.as_secs_f64() * 1e9 / rate[1];
    Ok(Sample { value: rate[0], aside: vec![("processor time", each, "ns/message")] })
}

/// Calls of `epoll_ctl` for each request and response, once there was one.
pub const EPOLL_CTL: Measure = Measure {
    name: "jvm/epoll_ctl",
    unit: "calls",
    better: Better::Lower,
    peers: &[],
    bars: &[Bar::AtMost(0.0), Bar::AsideAtMost("off the loop", 2.0)],
    kind: Kind::Counted,
    rounds: 2,
    sample: |_| {
        let off = vec![("off the loop", calls_each("off", 0)?, "calls")];
        Ok(Sample { value: calls_each("once", 1)?, aside: off })
    },
};

/// What each of a thousand requests brings after the first ones.
fn calls_each(waits: &str, first: u32) -> Outcome<f64> {
    const MORE: u32 = 1000;
    let before = calls(waits, first)?;
    Ok((calls(waits, first + MORE)? - before) / f64::from(MORE))
}

fn calls(waits: &str, requests: u32) -> Outcome<f64> {
    let table = directory().join("epoll_ctl");
    let java = program(&library(), RHYTHM, &[waits, &requests.to_string()])?;
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-c", "-U", "calls,name", "-e", "trace=epoll_ctl", "-o"]);
    programs::numbers(strace.arg(&table).arg(java.get_program()).args(java.get_args()))?;
    let text = fs::read_to_string(&table)?;
    let line = text.lines().find_map(|line| line.trim().strip_suffix("epoll_ctl"));
    let count = line.and_then(|line| line.trim().parse().ok());
    Ok(count.ok_or_else(|| format!("strace counted no epoll_ctl: {text}"))?)
}

/// Bytes of heap for each of 100,000 waits on 5,000 channels.
pub const MEMORY: Measure = Measure {
    name: "jvm/memory/wait",
    unit: "bytes",
    better: Better::Lower,
    peers: &[],
    bars: &[Bar::AtMost(300.0)],
    kind: Kind::Counted,
    rounds: 2,
    sample: |_| {
        need_descriptors(5100)?;
        let said = run(&library(), "io.awsgi.bench.WaitMemory", &["100000", "5000"])?;
        let aside =
            vec![("without arrays", said[1], "bytes"), ("all of the heap", said[2], "bytes")];
        Ok(Sample { value: said[0], aside })
    },
};

/// How often one of 100,000 virtual threads that wait pins its carrier.
pub const VIRTUAL: Measure = Measure {
    name: "jvm/virtual",
    unit: "pinned",
    better: Better::Lower,
    peers: &[],
    bars: &[Bar::AtMost(0.0)],
    kind: Kind::Counted,
    rounds: 2,
    sample: |_| {
        need_descriptors(5100)?;
        let said = run(&library(), "io.awsgi.bench.VirtualThreads", &["100000", "5000"])?;
        let aside = vec![
            ("until it waits", said[1], "us/thread"),
            ("until it has ended", said[2], "us/thread"),
            ("heap, its stack included", said[3], "bytes/thread"),
        ];
        Ok(Sample { value: said[0], aside })
    },
};

/// From a deadline to its completion.
pub const DEADLINE: Measure = Measure {
    name: "jvm/deadline",
    unit: "us",
    better: Better::Lower,
    peers: &[],
    bars: &[Bar::AsideAtMost("early", 0.0), Bar::AsideAtMost("99th percentile", 2500.0)],
    kind: Kind::Sampled,
    rounds: 15,
    sample: |_| {
        let said = run(&library(), "io.awsgi.bench.Deadlines", &["400"])?;
        let aside = vec![
            ("99th percentile", said[1], "us"),
            ("the latest", said[2], "us"),
            ("early", said[3], "deadlines"),
        ];
        Ok(Sample { value: said[0], aside })
    },
};
