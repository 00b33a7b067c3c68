//! Every host keeps the contract, and docs/hosts.md says so. `AWSGI_BLESS=1` writes that page.
//!
//! From outside, `AWSGI_TEST_HOSTS` chooses who takes part, by the names of their files or as `c` for
//! all that are written in C, or `java`. With `AWSGI_TEST_SHARE=3` each host plays every third scenario,
//! and each scenario is played by every third host. Then the page is left alone.
//!
//! Hosts in Java are played in the oldest JVM, and a third of the scenarios in each other way: in the
//! newest JVM, and in a thread of the host's own. With `AWSGI_DEEP=1` all are played in all ways. Where
//! there is no JDK this says so, and takes their columns as they are.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{c, header, java, python};
use crate::runner::{example, runner};

/// The columns of the matrix.
const HOSTS: [Host; 17] = [
    Host { name: "owned", source: "c-examples/hosts/owned.c", driver: Driver::C("owned") },
    Host { name: "poll", source: "c-examples/hosts/poll.c", driver: Driver::C("poll") },
    Host {
        name: "epoll_level",
        source: "c-examples/hosts/epoll_level.c",
        driver: Driver::C("epoll_level"),
    },
    Host {
        name: "epoll_edge",
        source: "c-examples/hosts/epoll_edge.c",
        driver: Driver::C("epoll_edge"),
    },
    Host { name: "libuv", source: "c-examples/hosts/libuv.c", driver: Driver::C("libuv") },
    Host { name: "libevent", source: "c-examples/hosts/libevent.c", driver: Driver::C("libevent") },
    Host { name: "libev", source: "c-examples/hosts/libev.c", driver: Driver::C("libev") },
    Host { name: "glib", source: "c-examples/hosts/glib.c", driver: Driver::C("glib") },
    Host {
        name: "libuv streams",
        source: "c-examples/hosts/uv_streams.c",
        driver: Driver::C("uv_streams"),
    },
    Host { name: "queue", source: "c-examples/hosts/queue.c", driver: Driver::C("queue") },
    Host { name: "watches", source: "c-examples/hosts/watches.c", driver: Driver::C("watches") },
    Host { name: "tokio", source: "src/tokio.rs", driver: Driver::Example("contract_tokio") },
    Host {
        name: "asyncio",
        source: "python/libawsgi/reactor.py",
        driver: Driver::Python("python/contract_asyncio.py"),
    },
    Host {
        name: "selector",
        source: "java/awsgi-core/src/main/java/io/awsgi/core/SelectorHost.java",
        driver: Driver::Java(&["selector", "selector-thread"]),
    },
    Host {
        name: "bridge",
        source: "java/contract/src/main/java/io/awsgi/contract/Bridge.java",
        driver: Driver::Java(&["bridge"]),
    },
    Host {
        name: "netty",
        source: "java/awsgi-netty/src/main/java/io/awsgi/netty/NettyHost.java",
        driver: Driver::Java(&["netty"]),
    },
    Host {
        name: "netty epoll",
        source: "java/awsgi-netty/src/main/java/io/awsgi/netty/NettyHost.java",
        driver: Driver::Java(&["netty-epoll"]),
    },
];

struct Host {
    /// As its driver says it.
    name: &'static str,
    /// Where people find it.
    source: &'static str,
    driver: Driver,
}

enum Driver {
    /// A host of `c-examples/hosts`, which is linked to `tests/contract/driver*.c`.
    C(&'static str),
    /// An example of cargo's.
    Example(&'static str),
    /// A program in Python.
    Python(&'static str),
    /// What the driver in `java/contract` calls the host. Further names are other ways to run it.
    Java(&'static [&'static str]),
}

/// A driver that plays a host.
struct Way {
    command: Command,
    /// What distinguishes it from the first, for people.
    name: String,
    /// Of so many scenarios it plays one, from this place on.
    part: Option<(usize, usize)>,
}

/// A row of `--table`.
#[derive(Clone)]
struct Row {
    host: String,
    scenario: String,
    result: String,
    reason: String,
}

impl Host {
    /// Whether it was asked for.
    fn takes_part(&self) -> bool {
        let Ok(chosen) = std::env::var("AWSGI_TEST_HOSTS") else { return true };
        let stem = Path::new(self.source).file_stem().and_then(OsStr::to_str).unwrap();
        let kind = match self.driver {
            Driver::C(_) => "c",
            Driver::Java(_) => "java",
            _ => "",
        };
        chosen.split_whitespace().any(|name| name == stem || name == kind)
    }

    /// Why it cannot be played on this machine, if it cannot.
    fn absent(&self) -> Option<String> {
        match self.driver {
            Driver::Java(_) => java::jvms().err(),
            _ => None,
        }
    }

    /// What is to be run. The first way is that of the matrix, and the others answer the same.
    fn ways(&self) -> Vec<Way> {
        let way = |command| Way { command, name: String::new(), part: None };
        match self.driver {
            Driver::C(name) => {
                let program = c::drivers().join(name);
                assert!(
                    program.exists(),
                    "{} was not built, for want of a library it needs: run `make deps`",
                    self.source
                );
                vec![way(c::runner(&program))]
            }
            Driver::Example(name) => vec![way(Command::new(example(name)))],
            Driver::Python(file) => {
                let mut python = python::command();
                python.arg(header::root().join(file));
                vec![way(python)]
            }
            Driver::Java(names) => {
                let jvms = java::jvms().expect("this host is not absent");
                let ways = jvms.iter().flat_map(|jvm| names.iter().map(move |name| (jvm, name)));
                let sampled = |place| (place > 0 && !is_deep()).then_some((3, place % 3));
                ways.enumerate()
                    .map(|(place, (jvm, name))| {
                        let command = java::driver(jvm, name);
                        let name = format!(" ({name} in {})", jvm.display());
                        Way { command, name, part: sampled(place) }
                    })
                    .collect()
            }
        }
    }

    fn play(&self) -> Vec<Row> {
        let mut ways = self.ways().into_iter();
        let first = ways.next().expect("there is one");
        let mut rows = self.play_so(&first, share().map(|share| (share, self.place())));
        for way in ways.filter(|_| share().is_none()) {
            for row in self.play_so(&way, way.part) {
                let known = rows.iter_mut().find(|known| known.scenario == row.scenario);
                let known = known.expect("all were played in the first way");
                if row.result != known.result || row.reason != known.reason {
                    known.reason = format!("{}{}: {}", row.result, way.name, row.reason);
                    "FAIL".clone_into(&mut known.result);
                }
            }
        }
        rows
    }

    fn place(&self) -> usize {
        HOSTS.iter().position(|host| host.name == self.name).unwrap()
    }

    /// Plays one of so many scenarios, beginning somewhere; all, if no part is given.
    fn play_so(&self, way: &Way, part: Option<(usize, usize)>) -> Vec<Row> {
        let driver = &way.command;
        let mut runner = runner();
        // Most of them wait most of the time.
        runner.args(["--table", "--jobs", "6", "--timeout", "120"]);
        if let Some((of, place)) = part {
            let list = c::succeed(crate::runner::runner().arg("--list"));
            let scenarios = list.lines().filter(|line| !line.starts_with(' ')).enumerate();
            for (_, scenario) in scenarios.filter(|(index, _)| (index + place) % of == 0) {
                runner.args(["--only", scenario]);
            }
        }
        runner.arg(driver.get_program()).args(driver.get_args());
        for (name, value) in driver.get_envs() {
            runner.env(name, value.map_or_else(OsString::new, Into::into));
        }
        let output = runner.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let rows = String::from_utf8(output.stdout).unwrap();
        let row = |line: &str| {
            let words: Vec<&str> = line.split('\t').collect();
            let [host, scenario, result, reason] = words.as_slice() else { panic!("{line}") };
            let [host, scenario, result, reason] =
                [host, scenario, result, reason].map(|word| (*word).to_owned());
            Row { host, scenario, result, reason }
        };
        let rows: Vec<Row> = rows.lines().map(row).collect();
        assert!(!rows.is_empty(), "{}: {errors}", self.name);
        assert!(rows.iter().all(|row| row.host == self.name), "{} is {}", self.name, rows[0].host);
        rows
    }
}

fn is_deep() -> bool {
    std::env::var_os("AWSGI_DEEP").is_some_and(|value| value == "1")
}

/// The results of all hosts that take part, from one run for all tests.
fn results() -> &'static [Vec<Row>] {
    static RESULTS: OnceLock<Vec<Vec<Row>>> = OnceLock::new();
    RESULTS.get_or_init(|| {
        let hosts = HOSTS.iter().filter(|host| host.takes_part());
        let results: Vec<_> = hosts
            .map(|host| match host.absent() {
                None => host.play(),
                Some(why) => {
                    // Past the harness, which shows what a test prints only if that fails.
                    let line = format!("not checked: the host {}: {why}\n", host.name);
                    let _ = std::io::stderr().write_all(line.as_bytes());
                    committed(host)
                }
            })
            .collect();
        assert!(!results.is_empty(), "AWSGI_TEST_HOSTS names no host");
        results
    })
}

/// What the page says of a host that cannot be played here.
fn committed(host: &Host) -> Vec<Row> {
    let page = std::fs::read_to_string(header::root().join("docs/hosts.md")).unwrap_or_default();
    let reason = |number: &str| {
        let begin = format!("{number}. ");
        page.lines().find_map(|line| line.strip_prefix(&begin)).unwrap_or_default().to_owned()
    };
    let mut table = page.lines().filter(|line| line.starts_with('|'));
    let titles: Vec<&str> = table.next().unwrap_or_default().split(" |").collect();
    let its = format!(" [{}](../{})", host.name, host.source);
    let column = titles.iter().position(|title| *title == its);
    let column = column.unwrap_or_else(|| panic!("docs/hosts.md has no column for {}", host.name));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (result, reason) = match cells[column + 1].split_once(' ') {
            Some((result, number)) => (result, reason(number)),
            None => (cells[column + 1], String::new()),
        };
        let [host, scenario, result] = [host.name, cells[1], result].map(str::to_owned);
        Row { host, scenario, result, reason }
    };
    table.skip(1).map(row).collect()
}

fn share() -> Option<usize> {
    let share = std::env::var("AWSGI_TEST_SHARE").ok()?;
    Some(share.parse().ok().filter(|share| *share > 0).expect("AWSGI_TEST_SHARE is a number"))
}

/// Only then can something be said of them together.
fn all_take_part() -> bool {
    HOSTS.iter().all(Host::takes_part) && share().is_none()
}

const INTRODUCTION: &str = "\
# Hosts

What the hosts of this repository answer to [the contract](contract.md). Scenarios are rows, hosts are columns: `pass`,
`FAIL`, or `n/a` where it cannot be seen on that host, with the number of the reason below.

A test fails when this page is not what a run says. `AWSGI_BLESS=1 cargo test --all-features --test contract` writes it.
What a scenario does is in `awsgi-contract --list`.

The hosts in Java play all scenarios in the oldest JVM that is installed. In the newest they play a third of them, the same ones
in each run, and so does a `SelectorHost` in a thread of its own; `make test-deep ONLY=contract` has all of them play all. One column is
for all these ways, and the test fails when they differ.
";

/// The page, from what was run.
fn page(results: &[Vec<Row>]) -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut reasons: Vec<&str> = Vec::new();
    page.push_str("\n| |");
    for host in &HOSTS {
        write!(page, " [{}](../{}) |", host.name, host.source).unwrap();
    }
    page.push_str("\n| --- |");
    page.push_str(&" --- |".repeat(HOSTS.len()));
    for (place, first) in results[0].iter().enumerate() {
        write!(page, "\n| {} |", first.scenario).unwrap();
        for rows in results {
            let row = &rows[place];
            assert_eq!(row.scenario, first.scenario, "the runner plays in one order");
            if row.result != "n/a" {
                write!(page, " {} |", row.result).unwrap();
                continue;
            }
            let known = reasons.iter().position(|reason| *reason == row.reason);
            let number = known.unwrap_or_else(|| {
                reasons.push(&row.reason);
                reasons.len() - 1
            });
            write!(page, " n/a {} |", number + 1).unwrap();
        }
    }
    page.push('\n');
    if !reasons.is_empty() {
        page.push_str("\nNot applicable, because\n\n");
    }
    for (number, reason) in reasons.iter().enumerate() {
        writeln!(page, "{}. {reason}", number + 1).unwrap();
    }
    page
}

#[test]
fn every_host_keeps_the_contract() {
    let mut broken = String::new();
    for row in results().iter().flatten().filter(|row| row.result == "FAIL") {
        writeln!(broken, "{}: {}: {}", row.host, row.scenario, row.reason).unwrap();
    }
    assert!(broken.is_empty(), "\n{broken}play one with awsgi-contract --only NAME --trace DRIVER");
}

#[test]
fn the_matrix_is_what_a_run_says() {
    if !all_take_part() {
        return;
    }
    let path = header::root().join("docs/hosts.md");
    let page = page(results());
    if std::env::var_os("AWSGI_BLESS").is_some() {
        std::fs::write(&path, page).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(committed.lines()).find(|(run, read)| run != read);
    assert!(
        page == committed,
        "docs/hosts.md is not what a run says: {differs:?}\nAWSGI_BLESS=1 has this test write it"
    );
}

#[test]
fn no_host_is_left_out_of_the_matrix() {
    let folder = header::root().join("c-examples/hosts");
    let files: BTreeSet<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let listed: BTreeSet<PathBuf> =
        HOSTS.iter().map(|host| header::root().join(host.source)).collect();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ext| ext == "c")) {
        // A program that the hosts serve is none.
        let is_host = std::fs::read_to_string(file).unwrap().contains("const struct host host");
        assert!(!is_host || listed.contains(file), "{} is not in HOSTS", file.display());
    }
    assert!(listed.iter().all(|file| Path::exists(file)), "{listed:?}");
}

#[cfg(unix)]
#[test]
fn one_at_a_time_builds_what_is_shared() {
    let file = header::root().join("java/pom.xml");
    let inside = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    java::alone(&file, || {
                        assert!(!inside.swap(true, Ordering::SeqCst));
                        std::thread::yield_now();
                        inside.store(false, Ordering::SeqCst);
                    });
                }
            });
        }
    });
}

#[test]
fn a_scenario_is_played_on_some_host_at_least() {
    if !all_take_part() {
        return;
    }
    for (place, first) in results()[0].iter().enumerate() {
        let played = results().iter().any(|rows| rows[place].result != "n/a");
        assert!(played, "no host can do what {:?} needs", first.scenario);
    }
}
