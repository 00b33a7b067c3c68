//! What the runner prints.

use std::io::Write;

use super::play::{Failure, Verdict};

/// How much of a driver's standard error is shown.
const ERRORS: usize = 40;
/// How many characters of a line are shown.
const LINE: usize = 1000;

/// The sum of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    pub passed: usize,
    pub failed: usize,
    pub not_applicable: usize,
}

impl Sum {
    pub fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Pass => self.passed += 1,
            Verdict::Fail(_) => self.failed += 1,
            Verdict::NotApplicable(_) => self.not_applicable += 1,
        }
    }

    pub fn line(&self, host: &str) -> String {
        let Sum { passed, failed, not_applicable } = self;
        format!("{host}: {passed} pass, {failed} FAIL, {not_applicable} n/a")
    }
}

/// Prints a line. Who reads no further, as `head` does, ends the run.
pub fn print(line: &str) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(1);
    }
}

/// For people.
pub fn line(scenario: &str, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Pass => format!("{scenario}: pass"),
        Verdict::NotApplicable(reason) => format!("{scenario}: n/a: {reason}"),
        Verdict::Fail(failure) => {
            format!("{scenario}: FAIL: {}{}", sentence(failure), details(failure))
        }
    }
}

/// For programs: host, scenario, result and reason, with tabs between them.
pub fn row(host: &str, scenario: &str, verdict: &Verdict) -> String {
    let (result, reason) = match verdict {
        Verdict::Pass => ("pass", String::new()),
        Verdict::NotApplicable(reason) => ("n/a", reason.clone()),
        Verdict::Fail(failure) => ("FAIL", sentence(failure)),
    };
    [host, scenario, result, &reason].map(|text| text.replace(['\t', '\n'], " ")).join("\t")
}

/// For `--list`.
pub fn listed(name: &str, about: &str, needs: &[&str]) -> String {
    match needs {
        [] => format!("{name}\n    {about}"),
        needs => format!("{name}\n    {about}\n    needs {}", needs.join(", ")),
    }
}

pub fn sentence(failure: &Failure) -> String {
    format!("expected {}, got {}", cut(&failure.expected), cut(&failure.got))
}

/// As much of a line as people read: who breaks the protocol may write one without an end.
fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}... ({} bytes)", &line[..end], line.len()),
        None => line.to_owned(),
    }
}

/// What was spoken last, and what the driver wrote to its standard error, each line below the other.
pub fn details(failure: &Failure) -> String {
    let mut text = String::new();
    for line in &failure.spoken {
        text.push_str(&format!("\n    {}", cut(line)));
    }
    let errors: Vec<&str> = failure.errors.lines().collect();
    if !errors.is_empty() {
        text.push_str("\n    its standard error:");
    }
    for line in errors.iter().take(ERRORS) {
        text.push_str(&format!("\n      {}", cut(line)));
    }
    if errors.len() > ERRORS {
        text.push_str(&format!("\n      ... and {} lines more", errors.len() - ERRORS));
    }
    text
}
