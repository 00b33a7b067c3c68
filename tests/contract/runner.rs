//! The runner finds what is wrong, and says it. The driver in `wrong.rs` breaks the contract in the
//! way that its argument names.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::common::c;

/// The runner, which people who write hosts use.
pub fn runner() -> Command {
    Command::new(env!("CARGO_BIN_EXE_awsgi-contract"))
}

/// A driver that is an example of cargo's, of this build.
pub fn example(name: &str) -> PathBuf {
    // TARGET/[TRIPLE/]PROFILE/deps/contract-HASH
    let binary = std::env::current_exe().unwrap();
    let directory = binary.parent().and_then(Path::parent).unwrap();
    let profile = directory.file_name().and_then(OsStr::to_str).unwrap();
    let above = directory.parent().unwrap();
    let name_above = above.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let is_triple = name_above.starts_with(&format!("{}-", std::env::consts::ARCH));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(["build", "--quiet", "--all-features", "--example", name]);
    if is_triple {
        cargo.args(["--target", name_above]);
    }
    let target = if is_triple { above.parent().unwrap() } else { above };
    cargo.arg("--target-dir").arg(target);
    cargo.args(["--profile", if profile == "debug" { "dev" } else { profile }]);
    c::succeed(&mut cargo);
    directory.join("examples").join(name)
}

fn wrong() -> &'static Path {
    static WRONG: OnceLock<PathBuf> = OnceLock::new();
    WRONG.get_or_init(|| example("contract_wrong"))
}

struct Run {
    status: Option<i32>,
    out: String,
    err: String,
}

/// What the runner says of the wrong driver.
fn run(options: &[&str], what_is_wrong: &str) -> Run {
    let mut runner = runner();
    runner.args(options).arg(wrong()).arg(what_is_wrong);
    let Output { status, stdout, stderr } = runner.output().unwrap();
    Run {
        status: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// A scenario fails, with a sentence that has these words.
#[track_caller]
fn found(what_is_wrong: &str, scenario: &str, words: &[&str]) {
    let run = run(&["--timeout", "20", "--only", scenario], what_is_wrong);
    let line = run.out.lines().next().unwrap_or_default();
    assert_eq!(run.status, Some(1), "{what_is_wrong}: {}{}", run.out, run.err);
    assert!(line.starts_with(&format!("{scenario}: FAIL: expected ")), "{what_is_wrong}: {line}");
    for word in words {
        assert!(line.contains(word), "{what_is_wrong}: {word:?} is not in: {line}");
    }
}

/// What the wrong driver can do when it does nothing wrong.
const ABLE: [&str; 8] = [
    "ready before the wait",
    "ready after the wait",
    "ready until it is taken",
    "timeout",
    "cancel",
    "foreign objects watched at the end",
    "the end of the input",
    "idle with a foreign object that nobody wants",
];

#[test]
fn a_driver_that_does_nothing_wrong_passes() {
    let mut options = vec![];
    for scenario in ABLE {
        options.extend(["--only", scenario]);
    }
    let run = run(&options, "nothing");
    assert_eq!(run.status, Some(0), "{}{}", run.out, run.err);
    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!(lines.last(), Some(&"a wrong one: 8 pass, 0 FAIL, 0 n/a"));
    assert!(lines[..8].iter().all(|line| line.ends_with(": pass")), "{}", run.out);
}

#[test]
fn what_is_delivered_twice_is_found() {
    let words = ["exactly one (last) completion of each wait", "got `done W READY after="];
    found("completes twice", "ready before the wait", &words);
}

#[test]
fn what_is_lost_is_found_and_so_is_silence() {
    let limited = ["--timeout", "1", "--only", "ready before the wait"];
    let run = run(&limited, "loses a completion");
    assert_eq!(run.status, Some(1));
    let expected = "FAIL: expected a completion of W within 1 s, got silence";
    assert!(run.out.contains(expected), "{}", run.out);
}

#[test]
fn a_driver_that_hangs_is_found_and_killed() {
    let run = run(&["--timeout", "1", "--only", "ready before the wait"], "hangs");
    assert_eq!(run.status, Some(1));
    let expected = "FAIL: expected an answer to `event E` within 1 s, got silence";
    assert!(run.out.contains(expected), "{}", run.out);
    let pid = run.out.lines().find_map(|line| line.trim().strip_prefix("pid "));
    let pid = pid.expect("its standard error is shown");
    assert!(!Path::new("/proc").join(pid).exists(), "{pid} is still there");
}

#[test]
fn a_driver_that_does_not_end_is_found() {
    let run = run(&["--timeout", "1", "--only", "ready before the wait"], "does not end");
    assert_eq!(run.status, Some(1));
    let expected = "FAIL: expected the end of the driver within 1 s, got silence";
    assert!(run.out.contains(expected), "{}", run.out);
}

#[test]
fn what_comes_early_is_found() {
    found("comes early", "timeout", &["TIMED_OUT never early: after=30000000 or more", "after=2"]);
}

#[test]
fn what_comes_of_nothing_is_found() {
    let scenario = "other bits do not complete a wait";
    found("wakes for anything", scenario, &["no bits but those asked for, HANGUP and ERROR"]);
    found("invents a wait", "ready before the wait", &["completions of waits that were started"]);
}

#[test]
fn a_wait_that_is_not_forgotten_is_found() {
    found("does not forget", "forget", &["`error STALE` to `forget Early`", "got ok"]);
    let scenario = "one wait on a waitable goes, the other stays";
    found("does not forget", scenario, &["nothing of a wait that was forgotten"]);
}

#[test]
fn a_wait_that_lives_after_its_end_is_found() {
    found("knows no end", "cancel", &["`error STALE` to `cancel W`", "got ok"]);
}

#[test]
fn what_is_left_at_the_end_is_found() {
    let watched = "foreign objects watched at the end";
    found("never stops", watched, &["`stop G` before `freed`"]);
    found("closes nothing", "the end of the input", &["before `freed`"]);
    found(
        "is never freed",
        "cancel",
        &["`freed`", "its end: the driver ended with the exit status 0"],
    );
    found("speaks after its end", "cancel", &["nothing after `freed`", "`ok`"]);
    found("ends with another status", "cancel", &["the exit status 0", "the exit status 7"]);
    let report = ["no report of a sanitizer or of a JVM", "AddressSanitizer: heap-use-after-free"];
    found("reports an error of memory", "cancel", &report);
    let report = ["no report of a sanitizer or of a JVM", "JNI call made with exception pending"];
    found("misuses the JVM", "cancel", &report);
}

#[test]
fn a_driver_that_dies_is_found() {
    let answer = "expected an answer to `event E`, got its end";
    found("dies", "cancel", &[answer, "was ended by signal 6"]);
    found("exits", "cancel", &[answer, "ended with the exit status 3"]);
}

#[test]
fn a_driver_that_speaks_garbage_is_found() {
    let words = ["an answer to `event E`", "`okay`, which is no line of docs/contract.md"];
    found("speaks garbage", "cancel", &words);
    found("is lost for words", "cancel", &["an answer to `event E`", "`unknown what that is`"]);
    found("answers twice", "cancel", &["got `ok`, unasked"]);
}

#[test]
fn a_line_without_an_end_is_found_and_not_shown_to_its_end() {
    let run = run(&["--timeout", "20", "--only", "cancel"], "speaks at length");
    assert_eq!(run.status, Some(1));
    assert!(run.out.contains("got `okay okay") && run.out.len() < 10_000, "{}", run.out.len());
}

#[test]
fn a_host_that_is_never_idle_is_found() {
    found("turns all the time", "idle with a foreign object that nobody wants", &["turns at most"]);
}

#[test]
fn what_it_cannot_do_is_not_applicable_and_the_reason_is_told() {
    let told = run(&["--only", "fork"], "nothing");
    assert_eq!(told.status, Some(0));
    assert_eq!(told.out.lines().next(), Some("fork: n/a: it has no process"));
    // Its end is looked at all the same.
    let run = run(&["--only", "fork"], "ends with another status");
    assert_eq!(run.status, Some(1), "{}", run.out);
}

#[test]
fn nothing_is_checked_with_what_is_no_driver() {
    let run_it = |options: &[&str], wrong: &str, words: &str| {
        let run = run(options, wrong);
        assert_eq!(run.status, Some(2), "{}{}", run.out, run.err);
        assert!(run.err.contains(words), "{}", run.err);
    };
    run_it(&[], "speaks another version", "expected `contract 1`");
    run_it(&[], "refuses", "there is no memory for a reactor");
    run_it(&["--only", "no such thing"], "nothing", "awsgi-contract --list has the names");
    run_it(&["--no-such-option"], "nothing", "--no-such-option");
    let output = runner().arg("./no/such/driver").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("./no/such/driver cannot be started"), "{said}");
}

#[test]
fn under_faults_a_refusal_passes_and_a_broken_promise_does_not() {
    let scenario = ["--only", "ready before the wait"];
    let faults = ["--faults", "--only", "ready before the wait"];
    assert_eq!(run(&scenario, "fails").status, Some(1));
    assert_eq!(run(&faults, "fails").status, Some(0));
    assert_eq!(run(&faults, "nothing").status, Some(0));
    assert_eq!(run(&faults, "refuses").status, Some(0));
    assert_eq!(run(&faults, "refuses without a word").status, Some(1));
    assert_eq!(run(&faults, "completes twice").status, Some(1));
    assert_eq!(run(&faults, "dies").status, Some(1));
}

#[test]
fn the_table_has_a_row_for_each_scenario() {
    let run = run(&["--table", "--only", "fork", "--only", "cancel"], "knows no end");
    let rows: Vec<Vec<&str>> = run.out.lines().map(|line| line.split('\t').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 4 && row[0] == "a wrong one"), "{rows:?}");
    assert!(rows.contains(&vec!["a wrong one", "fork", "n/a", "it has no process"]), "{rows:?}");
    let failed = rows.iter().find(|row| row[1] == "cancel").expect("it was played");
    assert!(failed[2] == "FAIL" && failed[3].starts_with("expected "), "{failed:?}");
}

#[test]
fn the_trace_has_every_line() {
    let run = run(&["--trace", "--only", "cancel"], "nothing");
    for line in ["  < contract 1", "  > event E", "  > cancel W", "  < error STALE", "  < freed"] {
        assert!(run.out.lines().any(|said| said == line), "{line:?} is not in\n{}", run.out);
    }
}

#[test]
fn the_list_has_the_scenarios_and_what_they_need() {
    let output = runner().arg("--list").output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = listed.lines().collect();
    let fork = lines.iter().position(|line| *line == "fork").expect("it is there");
    assert_eq!(lines[fork + 2], "    needs fork");
    assert!(output.status.success());
}
