//! Plays scenarios, each with a process of its own.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::driver::{Driver, Manner, Played, Stop, fail};
use super::process::Process;
use super::protocol::Greeting;
use super::scenarios::Scenario;

/// How a scenario went.
#[derive(Debug)]
pub enum Verdict {
    Pass,
    NotApplicable(String),
    Fail(Failure),
}

#[derive(Debug)]
pub struct Failure {
    pub expected: String,
    pub got: String,
    /// The last lines that were spoken.
    pub spoken: Vec<String>,
    /// What the driver wrote to its standard error.
    pub errors: String,
}

/// What begins a report of a sanitizer, of valgrind, or of a JVM that checks its natives.
const REPORTS: [&str; 7] = [
    "ERROR: ",
    "runtime error: ",
    "WARNING: ThreadSanitizer",
    "definitely lost: ",
    "WARNING in native method",
    "FATAL ERROR in native method",
    "WARNING: JNI local refs",
];

/// Starts the driver for what it says of itself, and ends it.
pub fn introduce(command: &[String], manner: Manner) -> io::Result<Result<Greeting, Failure>> {
    let mut driver = Driver::new(Process::start(command)?, manner);
    let greeting = driver.greet();
    Ok(match greeting {
        Ok(greeting) => Ok(greeting),
        Err(stop) => Err(failure(&driver, stop)),
    })
}

/// Plays scenarios, some at a time, and tells of each in their order.
pub fn all<S: Sync>(
    jobs: usize,
    scenarios: &[&S],
    play: impl Fn(&S) -> Verdict + Sync,
    mut tell: impl FnMut(&S, Verdict),
) {
    let next = AtomicUsize::new(0);
    let (sender, verdicts) = mpsc::channel();
    // The place of the scenario that may be told of next, and those that were quicker.
    let early: Mutex<Vec<Option<Verdict>>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, scenarios.len().max(1)) {
            let (next, sender, play) = (&next, sender.clone(), &play);
            scope.spawn(move || {
                while let Some((place, scenario)) = {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    scenarios.get(place).map(|scenario| (place, scenario))
                } {
                    if sender.send((place, play(scenario))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut early = early.lock().expect("nobody else has it");
        early.resize_with(scenarios.len(), || None);
        let mut told = 0;
        for (place, verdict) in verdicts {
            early[place] = Some(verdict);
            while let Some(verdict) = early.get_mut(told).and_then(Option::take) {
                tell(scenarios[told], verdict);
                told += 1;
            }
        }
    });
}

/// Plays one scenario.
pub fn one(command: &[String], manner: Manner, scenario: &Scenario) -> Verdict {
    let process = match Process::start(command) {
        Ok(process) => process,
        Err(error) => {
            return Verdict::Fail(Failure {
                expected: "the driver starts again".into(),
                got: error.to_string(),
                spoken: Vec::new(),
                errors: String::new(),
            });
        }
    };
    let mut driver = Driver::new(process, manner);
    let played = match play(&mut driver, scenario) {
        Err(Stop::Fault) => driver.finish_after_fault().map(|()| None),
        other => other,
    };
    let played = played.and_then(|reason| {
        let errors = driver.errors();
        match errors.lines().find(|line| is_report(line)) {
            Some(line) => fail("no report of a sanitizer or of a JVM", format!("`{line}`")),
            None => Ok(reason),
        }
    });
    match played {
        Ok(None) => Verdict::Pass,
        Ok(Some(reason)) => Verdict::NotApplicable(reason),
        Err(stop) => Verdict::Fail(failure(&driver, stop)),
    }
}

/// Answers why it cannot be played, if it cannot.
fn play(driver: &mut Driver, scenario: &Scenario) -> Played<Option<String>> {
    let greeting = driver.greet()?;
    let reason = scenario.needs.iter().find_map(|thing| greeting.reason(thing));
    if reason.is_none() {
        (scenario.play)(driver)?;
    }
    // Also a host that cannot do this has to end as it should.
    driver.finish()?;
    Ok(reason)
}

fn failure(driver: &Driver, stop: Stop) -> Failure {
    let (expected, got) = match stop {
        Stop::Fail { expected, got } => (expected, got),
        Stop::Fault => ("a driver that begins".into(), "its end, with a sentence".into()),
    };
    Failure { expected, got, spoken: driver.spoken(), errors: driver.errors() }
}

/// Whether a line of standard error is the beginning of a report, and not its sum.
pub fn is_report(line: &str) -> bool {
    REPORTS.iter().any(|report| line.contains(report)) && !line.contains("definitely lost: 0 bytes")
}
