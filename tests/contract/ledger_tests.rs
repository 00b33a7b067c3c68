//! Conversations that break something, and what the ledger says.

use super::Ledger;
use crate::protocol::{Said, said};

/// What the first line that breaks something is told, in a conversation.
fn told(lines: &[&str]) -> Option<String> {
    let mut ledger = Ledger::default();
    let mut command = "";
    lines.iter().find_map(|line| {
        if let Some(spoken) = line.strip_prefix("> ") {
            command = spoken;
            return None;
        }
        let result = match said(line).expect("it is a line of the contract") {
            Said::Answer(answer) => ledger.answered(command, &answer),
            Said::Event(event) => ledger.happened(&event),
        };
        result.err().map(|broken| broken.expected)
    })
}

/// The last line breaks what is expected.
#[track_caller]
fn breaks(beginning: &[&str], end: &[&str], expected: &str) {
    let lines = [beginning, end].concat();
    let words = told(&lines).unwrap_or_else(|| panic!("{lines:?} broke nothing"));
    assert!(words.contains(expected), "{words:?}");
    assert_eq!(told(&lines[..lines.len() - 1]), None);
}

const WAIT: [&str; 4] = ["> event E", "ok", "> wait W any E:READABLE", "ok"];
const WATCH: [&str; 3] = ["> foreign F level", "ok", "watch F READABLE"];
const QUIT: [&str; 3] = ["> quit", "ok", "freed"];

#[test]
fn what_is_right_breaks_nothing() {
    let lines = [
        "done W READY after=5 0:READABLE",
        "> cancel W",
        "error STALE",
        "> wait V any E:READABLE multishot deadline=7",
        "ok",
        "done V READY MORE after=1 0:HANGUP",
        "done V TIMED_OUT after=7",
        "> foreign F level",
        "ok",
        "> wait U any F:READABLE",
        "ok",
        "watch F READABLE",
        "> close F",
        "ok",
        "stop F",
        "done U CLOSED after=1",
        "> wait T all E:READABLE E2:WRITABLE",
        "ok",
        "> quit",
        "ok",
        "done T CLOSED after=1 0:READABLE",
        "freed",
    ];
    assert_eq!(told(&[WAIT.as_slice(), &lines].concat()), None);
}

#[test]
fn a_completion_has_its_reason() {
    breaks(&WAIT, &["done W TIMED_OUT after=5"], "a wait with a deadline");
    breaks(&WAIT, &["done W CANCELLED after=5"], "a wait that was cancelled");
    breaks(&WAIT, &["done W CLOSED after=5"], "a member or the reactor was closed");
    breaks(&WAIT, &["done W FAILED after=5"], "no wait that fails");
    breaks(&WAIT, &["done W READY after=5"], "READY with at least 1");
    breaks(&WAIT, &["done W READY MORE after=5 0:READABLE"], "MORE only");
    breaks(&WAIT, &["done W READY after=5 1:READABLE"], "members below 1");
    breaks(&WAIT, &["done W READY after=5 0:READABLE 0:READABLE"], "each member once");
    breaks(&WAIT, &["done W READY after=5 0:WRITABLE"], "no bits but those asked for");
    breaks(&WAIT, &["done V READY after=5 0:READABLE"], "waits that were started");
    let two = ["> wait V 2 A:READABLE B:READABLE", "ok", "done V READY after=1 1:READABLE"];
    breaks(&[], &two, "at least 2");
    let late = ["> wait V any A:READABLE deadline=7", "ok", "done V TIMED_OUT after=6"];
    breaks(&[], &late, "never early");
}

#[test]
fn a_wait_is_stale_after_its_end_and_not_before() {
    let done = "done W READY after=5 0:READABLE";
    breaks(&WAIT, &["> cancel W", "error STALE"], "was not delivered yet");
    breaks(&WAIT, &[done, "> forget W", "ok"], "which has ended");
    breaks(&WAIT, &[done, done], "exactly one");
    breaks(&WAIT, &["> forget W", "ok", done], "forgotten");
}

#[test]
fn a_watch_change_changes_something() {
    breaks(&WATCH, &["watch F READABLE"], "no change that changes nothing");
    breaks(&WATCH, &["stop F", "stop F"], "no stop for what is not watched");
    breaks(&WATCH, &["> close F", "ok", "watch F WRITABLE"], "what was closed");
    breaks(&WAIT, &["watch E READABLE"], "changes for foreign objects");
    breaks(&[], &["stop F"], "changes for foreign objects");
}

#[test]
fn what_is_watched_is_stopped_before_the_end() {
    let closed = ["> close F", "ok", "> quit", "ok", "freed"];
    breaks(&WATCH, &QUIT, "`stop F` before `freed`");
    breaks(&WATCH, &closed, "`stop F` before `freed`");
    let once = ["> foreign F once", "ok", "watch F READABLE"];
    breaks(&once, &QUIT, "`stop F` before `freed`");
    // The one report of such a host ends its watch.
    let reported = [once.as_slice(), &["> put F", "ok"], &QUIT].concat();
    assert_eq!(told(&reported), None);
    // That may be one of a thread's, as long as it runs.
    let threads = ["> foreign F once", "ok", "> threads T 4 25 F READABLE", "ok"];
    let (watch, join) = (["watch F READABLE"], ["> join T", "ok"]);
    let reported = [threads.as_slice(), &watch, &join, &QUIT].concat();
    assert_eq!(told(&reported), None);
    breaks(&[threads.as_slice(), &join, &watch].concat(), &QUIT, "`stop F` before `freed`");
}

#[test]
fn the_end_is_the_end() {
    breaks(&[], &["freed"], "no `freed` before `quit`");
    breaks(&QUIT, &["freed"], "nothing after `freed`");
    breaks(&WAIT, &QUIT, "a completion of W before `freed`");
}
