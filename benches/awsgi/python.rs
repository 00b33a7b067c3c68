//! `python/*`: WSGI applications, beside the servers that Python programmers know.
//!
//! All run in one virtual environment, with the application of benches/python/wsgi_app.py, in one
//! process that serves. A peer that cannot be installed is left out, and said.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::http_hello::wrk;
use crate::machine::{Process, need_descriptors};
use crate::measure::{Bar, Better, Kind, Measure, Outcome, Sample, Side};
use crate::programs;
use crate::report::directory;
use crate::sleepers::answers;
use crate::statistics::median;
use crate::waiting::{ask, check_waiting, connect, is_answer, read};

const UWSGI: &str = "uwsgi";
const GEVENT: &str = "gunicorn-gevent";
const GRANIAN: &str = "granian";

/// The peers, and what pip calls them.
const PEERS: [(&str, &str, &str); 3] = [
    (UWSGI, "uwsgi", "uwsgi"),
    (GEVENT, "gunicorn[gevent]", "gunicorn"),
    (GRANIAN, "granian", "granian"),
];

/// 1,000 sleeps of a second at once.
pub const SLEEP: Measure = Measure {
    name: "python/sleep",
    unit: "ms",
    better: Better::Lower,
    peers: &[UWSGI, GEVENT],
    bars: &[Bar::AtMost(1100.0), Bar::AsideAtMost("early", 0.0)],
    kind: Kind::Sampled,
    rounds: 1,
    sample: sleep,
};

/// Plain responses a second, on the loop.
pub const HELLO: Measure = Measure {
    name: "python/hello",
    unit: "requests/s",
    better: Better::Higher,
    peers: &[UWSGI, GEVENT, GRANIAN],
    bars: &[Bar::Ahead(GEVENT)],
    kind: Kind::Sampled,
    rounds: 1,
    sample: |side| hello(side, Way::Plain),
};

/// The same on pool threads, which is how applications are run that know nothing of us.
pub const HELLO_BLOCKING: Measure = Measure {
    name: "python/hello/blocking",
    unit: "requests/s",
    better: Better::Higher,
    peers: &[GEVENT],
    bars: &[],
    kind: Kind::Sampled,
    rounds: 1,
    sample: |side| hello(side, Way::Blocking),
};

/// Memory that a suspended request takes.
pub const MEMORY: Measure = Measure {
    name: "python/memory",
    unit: "bytes",
    better: Better::Lower,
    peers: &[UWSGI, GEVENT],
    bars: &[Bar::Ahead(UWSGI), Bar::Ahead(GEVENT)],
    kind: Kind::Sampled,
    rounds: 1,
    sample: memory,
};

/// How late deadlines are while other requests are served.
pub const DEADLINE: Measure = Measure {
    name: "python/deadline",
    unit: "us",
    better: Better::Lower,
    peers: &[UWSGI, GEVENT],
    bars: &[Bar::AsideAtMost("99 of 100 within", 5000.0), Bar::AsideAtMost("early", 0.0)],
    kind: Kind::Sampled,
    rounds: 1,
    sample: deadline,
};

/// How much of what uWSGI is known to get wrong comes out right.
pub const TABLE: Measure = Measure {
    name: "python/table",
    unit: "rows right",
    better: Better::Higher,
    peers: &[UWSGI],
    bars: &[Bar::AsideAtMost("rows wrong", 0.0)],
    kind: Kind::Counted,
    rounds: 1,
    sample: table,
};

/// Where our time goes in a plain response.
pub const INSTRUCTIONS: Measure = Measure {
    name: "python/instructions",
    unit: "instructions/request",
    better: Better::Lower,
    peers: &[],
    bars: &[],
    kind: Kind::Counted,
    rounds: 2,
    sample: |_| instructions(),
};

/// What a server is for: ours runs on the loop, but for `Blocking`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A thousand requests that wait.
    Waiting,
    /// Plain responses, to connections that stay.
    Plain,
    Blocking,
}

/// The interpreter of the virtual environment, with our package; or why there is none.
fn python() -> Result<&'static Path, &'static str> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PYTHON.get_or_init(prepare).as_deref().map_err(String::as_str)
}

/// Makes the environment, and installs what is to be measured into it.
fn prepare() -> Result<PathBuf, String> {
    let environment = directory().join("python");
    let python = environment.join("bin/python");
    if !python.exists() {
        let base = std::env::var_os("AWSGI_PYTHON").unwrap_or_else(|| "python3".into());
        quiet(Command::new(base).args(["-m", "venv"]).arg(&environment))?;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Anew each time: its sources may be.
    let mut install = pip(&python);
    install.env("LIBAWSGI", programs::installed().join("libawsgi.so"));
    quiet(install.args(["--force-reinstall", "--no-deps"]).arg(root.join("python")))?;
    quiet(pip(&python).arg("cffi"))?;
    Ok(python)
}

fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet"]);
    command
}

/// Runs a command that says nothing unless it fails.
fn quiet(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.trim_end().lines().next_back().unwrap_or("it says nothing").to_owned();
    Err(format!("{:?} failed: {last}", command.get_program()))
}

/// Why a measure cannot be taken here.
pub fn missing(measure: &Measure) -> Option<String> {
    if !measure.name.starts_with("python/") {
        return None;
    }
    python().err().map(str::to_owned)
}

/// Why a peer cannot take part here.
pub fn absent(peer: &'static str) -> Option<String> {
    static TRIED: Mutex<Vec<(&str, Option<String>)>> = Mutex::new(Vec::new());
    let (_, package, program) = PEERS.iter().find(|(name, ..)| *name == peer)?;
    let python = python().ok()?;
    let mut tried = TRIED.lock().expect("nobody panics with it");
    if let Some((_, why)) = tried.iter().find(|(name, _)| *name == peer) {
        return why.clone();
    }
    let there = python.with_file_name(program).exists();
    let why = if there { None } else { quiet(pip(python).arg(package)).err() };
    tried.push((peer, why.clone()));
    why
}

/// A server that serves. It and what it has started end when it is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(side: Side, way: Way, module: &str) -> Outcome<Server> {
        Server::start_in(Command::new("env"), side, way, module)
    }

    /// The same as an argument of another program.
    fn start_in(mut within: Command, side: Side, way: Way, module: &str) -> Outcome<Server> {
        let python = python()?;
        // Nobody else takes it in so short a time, and not all of them can say which they took.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        match side {
            Side::Ours => {
                within.arg(python).args(["-m", "libawsgi", "serve", module]);
                within.args(["--bind", &address.to_string()]);
                if way != Way::Blocking {
                    within.arg("--suspending");
                }
            }
            Side::Peer(peer) => {
                let program = PEERS.iter().find(|(name, ..)| *name == peer).ok_or("no server")?.2;
                within.arg(python.with_file_name(program));
                arguments(&mut within, peer, way, address, module);
            }
        }
        within.env("SERVER", if let Side::Peer(peer) = side { peer } else { "awsgi" });
        within.env_remove("LD_LIBRARY_PATH");
        within.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/python"));
        let log = directory().join("python.log");
        within.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
        let mut server = Server { child: within.spawn()?, address };
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(address).is_err() {
            let over = server.child.try_wait()?.is_some() || Instant::now() > until;
            if over {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("a server did not start; it said: {said}").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if module == APP {
            // Some listen before they can serve.
            hello_of(address)?;
        }
        Ok(server)
    }

    /// Drains it, and waits until it has ended.
    fn terminate(&mut self) -> Outcome<()> {
        kill(self.child.id(), rustix::process::Signal::TERM);
        match self.child.wait()?.success() {
            true => Ok(()),
            false => Err("a server did not end well".into()),
        }
    }

    /// The process that serves: the last that it has started, or itself.
    fn process(&self) -> Process {
        Process(children(self.child.id()).last().copied().unwrap_or(self.child.id()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let children = children(self.child.id());
        let _ = self.child.kill();
        for pid in children {
            kill(pid, rustix::process::Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// Whoever has ended already has noticed.
fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid as i32).expect("it is no 0");
    let _ = rustix::process::kill_process(pid, signal);
}

fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Each side has to say the same.
fn hello_of(address: SocketAddr) -> Outcome<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET /hello HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    while !(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nhello\n")) {
        let part = read(&mut stream)?;
        if part.is_empty() || answer.len() > 10_000 {
            return Err(format!("a server answers something else than its peer: {answer:?}").into());
        }
        answer += &part;
    }
    Ok(())
}

/// One process that serves, and room for what all measures need.
fn arguments(command: &mut Command, peer: &str, way: Way, address: SocketAddr, module: &str) {
    let (file, application) = (format!("{module}.py"), format!("{module}:application"));
    let bind = address.to_string();
    match peer {
        UWSGI => {
            if way == Way::Waiting {
                // With as many cores as there are requests at once: when it has none left, it spins.
                let cores = if module == TABLE_APP { "100" } else { "1100" };
                command.args(["--http-socket", &bind, "--async", cores]);
            } else {
                // A connection that stays takes a thread, and with --async it crashes the server.
                command.args(["--http11-socket", &bind, "--threads", "70"]);
            }
            command.args(["--listen", "1024"]);
            command.args(["--wsgi-file", &file, "--need-app", "--disable-logging"]);
        }
        GEVENT => {
            command.args(["--bind", &bind, "--worker-class", "gevent", "--workers", "1"]);
            command.args(["--worker-connections", "2000", "--backlog", "2048"]);
            command.arg(&application);
        }
        _ => {
            command.args(["--interface", "wsgi", "--host", "127.0.0.1"]);
            command.args(["--port", &address.port().to_string(), "--workers", "1"]);
            command.args(["--backlog", "2048", &application]);
        }
    }
}

const APP: &str = "wsgi_app";
const TABLE_APP: &str = "table_app";

/// What callgrind calls the files that code comes from, and what they are to us.
const PARTS: [(&str, &str); 4] = [
    ("libawsgi.so", "libawsgi.so"),
    ("_engine", "the compiled engine"),
    ("_cffi_backend", "cffi"),
    ("python", "Python"),
];

/// The instructions that a request takes in user space, and in whose code: the difference between
/// few requests and more, so that the start is in neither.
fn instructions() -> Outcome<Sample> {
    const FEW: u32 = 200;
    const MORE: u32 = 1000;
    let (few, more) = (counted(FEW)?, counted(FEW + MORE)?);
    let each = |at: usize| (more[at] - few[at]) / f64::from(MORE);
    let mut aside: Vec<_> =
        PARTS.iter().enumerate().map(|(at, (_, name))| (*name, each(at), "")).collect();
    aside.push(("the C library and the rest", each(PARTS.len()), ""));
    Ok(Sample { value: (0..=PARTS.len()).map(each).sum(), aside })
}

/// The instructions of so many requests, by part.
fn counted(requests: u32) -> Outcome<Vec<f64>> {
    let profile = directory().join("callgrind.python");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--quiet"]);
    valgrind.arg(format!("--callgrind-out-file={}", profile.display()));
    let mut server = Server::start_in(valgrind, Side::Ours, Way::Waiting, APP)?;
    let mut stream = TcpStream::connect(server.address)?;
    for _ in 0..requests {
        write!(stream, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        while !answer.ends_with("\r\n\r\nhello\n") {
            let part = read(&mut stream)?;
            if part.is_empty() {
                return Err("a connection was closed before its answer".into());
            }
            answer += &part;
        }
    }
    drop(stream);
    server.terminate()?;
    by_part(&fs::read_to_string(&profile)?)
}

/// Adds up what a profile says, by part: PARTS, and the rest.
fn by_part(profile: &str) -> Outcome<Vec<f64>> {
    let mut sums = vec![0.0; PARTS.len() + 1];
    let mut parts = HashMap::new();
    let mut part = PARTS.len();
    let mut is_call = false;
    for line in profile.lines() {
        // Names are given once, with a number that stands for them afterwards.
        if let Some(object) = line.strip_prefix("ob=").or_else(|| line.strip_prefix("cob=")) {
            let (number, name) = object.split_once(' ').unwrap_or((object, ""));
            if !name.is_empty() {
                let file = name.rsplit('/').next().unwrap_or(name);
                let found = PARTS.iter().position(|(begin, _)| file.contains(begin));
                parts.insert(number.to_owned(), found.unwrap_or(PARTS.len()));
            }
            if line.starts_with("ob=") {
                part = *parts.get(number).ok_or("callgrind names a file that it never named")?;
            }
        } else if line.starts_with("calls=") {
            // What follows is what was called, which is counted where it is.
            is_call = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            let cost = line.split_whitespace().nth(1).and_then(|cost| cost.parse::<f64>().ok());
            if !std::mem::take(&mut is_call) {
                sums[part] += cost.unwrap_or(0.0);
            }
        }
    }
    Ok(sums)
}

const SLEEPERS: usize = 1000;
const SECOND: Duration = Duration::from_secs(1);

fn sleep(side: Side) -> Outcome<Sample> {
    need_descriptors(SLEEPERS as u64 + 100)?;
    let server = Server::start(side, Way::Waiting, APP)?;
    let mut streams = connect(server.address, SLEEPERS)?;
    let mut asked = Vec::with_capacity(SLEEPERS);
    for stream in &mut streams {
        asked.push(Instant::now());
        ask(stream, 1000)?;
    }
    let took = answers(streams, &asked)?;
    let milliseconds = |took: &Duration| took.as_secs_f64() * 1e3;
    let early = took.iter().filter(|took| **took < SECOND).count();
    let earliest = took.iter().min().expect("there are a thousand");
    let latest = took.iter().max().expect("there are a thousand");
    let aside = vec![
        ("early", early as f64, "of 1,000"),
        ("the first after", milliseconds(earliest), "ms"),
        ("median", median(&took.iter().map(milliseconds).collect::<Vec<_>>()), "ms"),
    ];
    Ok(Sample { value: milliseconds(latest), aside })
}

/// Seconds to warm up and to measure.
const WARM_UP: u32 = 1;
const BURST: u32 = 2;

fn hello(side: Side, way: Way) -> Outcome<Sample> {
    let server = Server::start(side, way, APP)?;
    wrk(server.address, WARM_UP)?;
    let before = server.process().cpu()?;
    let (requests, per_second) = wrk(server.address, BURST)?;
    let cpu = server.process().cpu()?.saturating_sub(before);
    let each = cpu.as_secs_f64() * 1e6 / requests;
    Ok(Sample {
        value: per_second,
        aside: vec![("processor time of the server", each, "us a request")],
    })
}

fn memory(side: Side) -> Outcome<Sample> {
    need_descriptors(SLEEPERS as u64 + 100)?;
    let server = Server::start(side, Way::Waiting, APP)?;
    let process = server.process();
    // What is made once is there before it begins.
    for mut stream in connect(server.address, 64)? {
        ask(&mut stream, 0)?;
        let mut text = String::new();
        while !is_answer(&text) {
            let part = read(&mut stream)?;
            if part.is_empty() {
                return Err(format!("a connection was closed before its answer: {text:?}").into());
            }
            text += &part;
        }
    }
    std::thread::sleep(Duration::from_secs(1));
    let before = process.resident()?;
    let mut streams = connect(server.address, SLEEPERS)?;
    for stream in &mut streams {
        ask(stream, 300_000)?;
    }
    // Long enough for all of them, whoever serves; some look at something each second, and never rest.
    std::thread::sleep(Duration::from_secs(2));
    let grown = process.resident()? as f64 - before as f64;
    check_waiting(&streams)?;
    Ok(Sample { value: grown / SLEEPERS as f64, aside: Vec::new() })
}

const DEADLINES: usize = 200;

fn deadline(side: Side) -> Outcome<Sample> {
    let server = Server::start(side, Way::Waiting, APP)?;
    let address = server.address;
    let load = std::thread::spawn(move || {
        Command::new("wrk")
            .args(["--threads", "1", "--connections", "8", "--duration", "3"])
            .arg(format!("http://{address}/hello"))
            .output()
            .map(drop)
    });
    std::thread::sleep(Duration::from_millis(300));
    let mut streams = connect(address, DEADLINES)?;
    for stream in &mut streams {
        // Spread over a second, so that they begin at all parts of one.
        std::thread::sleep(SECOND / DEADLINES as u32);
        write!(stream, "GET /late?ms=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    }
    let mut late = Vec::with_capacity(DEADLINES);
    for stream in &mut streams {
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut text = String::new();
        while !text.contains("\r\n\r\n") || !text.ends_with('\n') || text.ends_with("\r\n\r\n") {
            let part = read(stream)?;
            if part.is_empty() {
                return Err(format!("a connection was closed before its answer: {text:?}").into());
            }
            text += &part;
        }
        late.push(text.lines().next_back().unwrap_or_default().trim().parse::<f64>()?);
    }
    load.join().map_err(|_| "the load panicked")??;
    late.sort_by(f64::total_cmp);
    let early = late.iter().filter(|late| **late < 0.0).count();
    let aside = vec![
        ("99 of 100 within", late[DEADLINES * 99 / 100 - 1], "us"),
        ("early", early as f64, "of 200"),
        ("the first", late[0], "us"),
        ("the last", late[DEADLINES - 1], "us"),
    ];
    Ok(Sample { value: median(&late), aside })
}

/// A row of the table: whether it came out right, what was looked for, what was seen.
type Row = (bool, String, String);

/// What each side made of the table.
static TABLES: Mutex<Vec<(&str, Vec<Row>)>> = Mutex::new(Vec::new());

fn table(side: Side) -> Outcome<Sample> {
    let server = Server::start(side, Way::Waiting, TABLE_APP)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/python/table.py");
    let mut command = Command::new(python()?);
    command.arg(script).args([server.address.to_string(), server.process().0.to_string()]);
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let rows: Vec<Row> = text
        .lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, '\t');
            Some((parts.next()? == "1", parts.next()?.to_owned(), parts.next()?.to_owned()))
        })
        .collect();
    let right = rows.iter().filter(|(right, ..)| *right).count();
    let wrong = rows.len() - right;
    let name = if let Side::Peer(peer) = side { peer } else { "awsgi" };
    TABLES.lock().expect("nobody panics with it").push((name, rows));
    Ok(Sample { value: right as f64, aside: vec![("rows wrong", wrong as f64, "rows")] })
}

/// Prints what became of each row, on each side.
pub fn print_table() {
    let tables = TABLES.lock().expect("nobody panics with it");
    for (name, rows) in tables.iter() {
        println!("\npython/table, {name}:");
        for (right, what, seen) in rows {
            println!("  {}  {what:<62}  {seen}", if *right { "ok   " } else { "WRONG" });
        }
    }
}
