//! Every server keeps the gateway's contract, and docs/servers.md says so. `AWSGI_BLESS=1` writes that page.
//!
//! From outside, `AWSGI_TEST_HOSTS` chooses who takes part, by the names of their files, or as `c` for those
//! that are written in C. With `AWSGI_TEST_SHARE=3` each plays every third scenario. Then the page is left
//! alone.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::common::{c, header};
use crate::runner::runner;

/// The columns of the page.
const SERVERS: [Server; 3] = [
    Server { name: "awsgi serve", source: "src/bin/awsgi.rs", kind: Kind::Bundled, cannot: &[] },
    Server {
        name: "evhttp",
        source: "c-examples/hosts/evhttp.c",
        kind: Kind::C("evhttp"),
        cannot: &[
            "pieces=evhttp 2.1 has the whole body before it calls its handler",
            "early=evhttp 2.1 has the whole body before it calls its handler",
            "middle=evhttp 2.1 has the whole body before it calls its handler",
            "continue=evhttp 2.1 says 100 Continue by itself",
        ],
    },
    Server {
        name: "libmicrohttpd",
        source: "c-examples/hosts/mhd.c",
        kind: Kind::C("mhd"),
        cannot: &[
            "middle=libmicrohttpd takes an answer before it has read of the body, or when it has all",
            "limit=it bounds no body: the application reads as much of it as it wants",
        ],
    },
];

struct Server {
    /// As tables have it.
    name: &'static str,
    /// Where people find it.
    source: &'static str,
    kind: Kind,
    /// What it cannot do.
    cannot: &'static [&'static str],
}

enum Kind {
    Bundled,
    /// A program of `c-examples/hosts`.
    C(&'static str),
}

/// A row of `--table`.
struct Row {
    scenario: String,
    result: String,
    reason: String,
}

impl Server {
    fn takes_part(&self) -> bool {
        let Ok(chosen) = std::env::var("AWSGI_TEST_HOSTS") else { return true };
        match self.kind {
            Kind::Bundled => chosen.split_whitespace().any(|name| name == "awsgi"),
            Kind::C(stem) => chosen.split_whitespace().any(|name| name == stem || name == "c"),
        }
    }

    /// Which serves the application, at a port that the kernel chooses.
    fn command(&self) -> Command {
        match self.kind {
            Kind::Bundled => {
                let mut command = c::server();
                command.args(["serve", "--bind", "127.0.0.1:0", "--drain-timeout", "{drain}"]);
                command.args(["--workers", "2", "--max-body", "100M"]).arg(application());
                command
            }
            Kind::C(name) => {
                let program = c::examples().join("hosts").join(name);
                let lacking = "was not built, for want of a library it needs: run `make deps`";
                assert!(program.exists(), "{} {lacking}", self.source);
                let mut command = c::runner(&program);
                command.args(["-b", "127.0.0.1:0", "-d", "{drain}"]).arg(application());
                command
            }
        }
    }

    fn play(&self) -> Vec<Row> {
        let mut runner = runner();
        runner.args([
            "--gateway",
            "--table",
            "--jobs",
            "4",
            "--timeout",
            "120",
            "--name",
            self.name,
        ]);
        for thing in self.cannot {
            runner.args(["--cannot", thing]);
        }
        if let Some(share) = share() {
            let list = c::succeed(crate::runner::runner().args(["--gateway", "--list"]));
            let names = list.lines().filter(|line| !line.starts_with(' '));
            for name in names.step_by(share) {
                runner.args(["--only", name]);
            }
        }
        let command = self.command();
        runner.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            runner.env(name, value.map_or_else(OsString::new, Into::into));
        }
        let output = runner.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let rows = String::from_utf8(output.stdout).unwrap();
        let row = |line: &str| {
            let words: Vec<&str> = line.split('\t').collect();
            let [_, scenario, result, reason] = words.as_slice() else { panic!("{line}") };
            let [scenario, result, reason] =
                [scenario, result, reason].map(|word| (*word).to_owned());
            Row { scenario, result, reason }
        };
        let rows: Vec<Row> = rows.lines().map(row).collect();
        assert!(!rows.is_empty(), "{}: {errors}", self.name);
        rows
    }
}

/// The application of the contract.
fn application() -> &'static Path {
    static APPLICATION: OnceLock<PathBuf> = OnceLock::new();
    APPLICATION.get_or_init(|| {
        let source = header::root().join("tests/contract/gateway/application.c");
        c::Compiler::c().shared("contract_application.so", &[source])
    })
}

fn share() -> Option<usize> {
    let share = std::env::var("AWSGI_TEST_SHARE").ok()?;
    Some(share.parse().ok().filter(|share| *share > 0).expect("AWSGI_TEST_SHARE is a number"))
}

fn results() -> &'static [(&'static Server, Vec<Row>)] {
    static RESULTS: OnceLock<Vec<(&Server, Vec<Row>)>> = OnceLock::new();
    RESULTS.get_or_init(|| {
        let servers = SERVERS.iter().filter(|server| server.takes_part());
        servers.map(|server| (server, server.play())).collect()
    })
}

const INTRODUCTION: &str = "\
# Servers

What the servers of this repository owe to the exchanges that they host, and whether they keep it:
[the gateway's contract](contract.md#servers). Scenarios are rows, servers are columns: `pass`, `FAIL`, or `n/a` where
the server cannot do what the scenario is about, with the number of the reason below. [hosting.md](hosting.md) goes through
one of them.

A test fails when this page is not what a run says. `AWSGI_BLESS=1 cargo test --all-features --test contract servers`
writes it. What a scenario does is in `awsgi-contract --gateway --list`.
";

fn page(results: &[(&Server, Vec<Row>)]) -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut reasons: Vec<&str> = Vec::new();
    page.push_str("\n| |");
    for (server, _) in results {
        write!(page, " [{}](../{}) |", server.name, server.source).unwrap();
    }
    page.push_str("\n| --- |");
    page.push_str(&" --- |".repeat(results.len()));
    for place in 0..results[0].1.len() {
        write!(page, "\n| {} |", results[0].1[place].scenario).unwrap();
        for (_, rows) in results {
            let row = &rows[place];
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
    page.push_str("\n\nNot applicable, because\n\n");
    for (number, reason) in reasons.iter().enumerate() {
        writeln!(page, "{}. {reason}", number + 1).unwrap();
    }
    page
}

#[test]
fn every_server_keeps_the_contract() {
    let mut broken = String::new();
    for (server, rows) in results() {
        for row in rows.iter().filter(|row| row.result == "FAIL") {
            writeln!(broken, "{}: {}: {}", server.name, row.scenario, row.reason).unwrap();
        }
    }
    let hint = "play one with awsgi-contract --gateway --only NAME --trace SERVER";
    assert!(broken.is_empty(), "\n{broken}{hint}");
}

#[test]
fn the_page_of_the_servers_is_what_a_run_says() {
    if !SERVERS.iter().all(Server::takes_part) || share().is_some() {
        return;
    }
    let path = header::root().join("docs/servers.md");
    let page = page(results());
    if std::env::var_os("AWSGI_BLESS").is_some() {
        std::fs::write(&path, page).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(committed.lines()).find(|(run, read)| run != read);
    assert!(
        page == committed,
        "docs/servers.md is not what a run says: {differs:?}\nAWSGI_BLESS=1 has this test write it"
    );
}

#[test]
fn no_server_is_left_out_of_the_page() {
    for entry in std::fs::read_dir(header::root().join("c-examples/hosts")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = header::read(&format!("c-examples/hosts/{name}"));
        let source = format!("c-examples/hosts/{name}");
        let listed = SERVERS.iter().any(|server| server.source == source);
        assert!(listed || !text.contains("#include \"server.h\""), "{name} is not in SERVERS");
    }
}

#[test]
fn servers_to_be_copied_are_short() {
    for server in &SERVERS {
        if let Kind::C(_) = server.kind {
            let lines = header::read(server.source).lines().count();
            assert!(
                lines < 300,
                "{} has {lines} lines: it was to have fewer than 300",
                server.source
            );
        }
    }
}

/// What the runner says of something that is no good server.
fn found(server: &[&str], scenario: &str, words: &str) {
    let mut runner = runner();
    runner.args(["--gateway", "--timeout", "10", "--only", scenario, "--"]).args(server);
    let output = runner.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("{scenario}: FAIL: expected ")) && said.contains(words),
        "{said}"
    );
}

#[test]
fn a_server_that_breaks_the_contract_is_found() {
    let bundled = SERVERS[0].command();
    let bundled: Vec<String> = std::iter::once(bundled.get_program())
        .chain(bundled.get_args())
        .map(|word| word.to_str().unwrap().to_owned())
        .collect();
    // One with another application, one that does not listen, and one that does not end as it should.
    let hello = c::examples().join("hello.so");
    let mut other: Vec<&str> = bundled.iter().map(String::as_str).collect();
    *other.last_mut().unwrap() = hello.to_str().unwrap();
    found(&other, "a head as it was given", "the status 207");
    found(&other, "an application that fails at once", "the status 500");
    found(&other, "gone before the answer", "the application says `A waits`");
    found(&["sleep", "0"], "a head as it was given", "listening on http://ADDRESS:PORT");
    let patient: Vec<&str> =
        bundled.iter().map(|word| if word == "{drain}" { "600" } else { word.as_str() }).collect();
    found(&patient, "drain, with an exchange that does not finish", "silence");
}
