//! What a server owes to the exchanges that it hosts: `awsgi-contract --gateway`.
//!
//! A server is a program that serves the application of `gateway/application.c`, and says where it listens.
//! The runner is its client: what the application does is in the target of each request, and what happened
//! to it stands in the server's standard error.

mod clients;
mod drains;
mod failures;
mod requests;
mod responses;
mod server;
mod wire;

use self::server::Server;
use super::driver::{Manner, Played, Stop};
use super::play::{Failure, Verdict, is_report};

/// What a server may not be able to do, for a reason that it gives.
pub const THINGS: [&str; 5] = ["pieces", "early", "middle", "continue", "limit"];

/// Stands in the command of a server for the seconds that it gives exchanges to finish when it drains.
const DRAIN: &str = "{drain}";

/// What has to hold in every server that can do what it needs.
#[derive(Debug)]
pub struct Scenario {
    /// The row of the matrix.
    pub name: &'static str,
    /// In one line.
    pub about: &'static str,
    /// What the server has to offer.
    pub needs: &'static [&'static str],
    play: fn(&mut Server) -> Played,
}

/// All of them, in the order of the matrix.
pub fn all() -> Vec<&'static Scenario> {
    let subjects = [
        requests::SCENARIOS,
        responses::SCENARIOS,
        failures::SCENARIOS,
        clients::SCENARIOS,
        drains::FINISHED,
        drains::CUT_OFF,
    ];
    subjects.into_iter().flatten().collect()
}

/// A thing that a server cannot do, and why: `THING=REASON`.
pub fn cannot(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((thing, reason)) if THINGS.contains(&thing) && !reason.is_empty() => {
            Ok((thing.to_owned(), reason.to_owned()))
        }
        _ => Err(format!("write THING=REASON, where THING is one of {}", THINGS.join(", "))),
    }
}

/// The command with what it is to give exchanges that finish: so long that no slow machine decides; others, little.
fn started(command: &[String], scenario: &Scenario) -> Vec<String> {
    let is_cut_off = drains::CUT_OFF.iter().any(|it| it.name == scenario.name);
    let seconds = if is_cut_off { "1" } else { "600" };
    command.iter().map(|word| word.replace(DRAIN, seconds)).collect()
}

/// Plays one, with a process of its own.
pub fn play(
    command: &[String],
    manner: Manner,
    cannot: &[(String, String)],
    scenario: &Scenario,
) -> Verdict {
    let lacks = |(thing, _): &&(String, String)| scenario.needs.contains(&thing.as_str());
    if let Some((_, reason)) = cannot.iter().find(lacks) {
        return Verdict::NotApplicable(reason.clone());
    }
    let failed = |expected: String, got: String, errors: String| {
        Verdict::Fail(Failure { expected, got, spoken: Vec::new(), errors })
    };
    let mut server = match Server::start(&started(command, scenario), manner) {
        Ok(Ok(server)) => server,
        Ok(Err((expected, errors))) => {
            return failed(expected, "its end, or silence".into(), errors);
        }
        Err(error) => {
            return failed("a server that starts".into(), error.to_string(), String::new());
        }
    };
    let played = (scenario.play)(&mut server).and_then(|()| server.finish());
    let errors = server.errors();
    match played {
        Err(Stop::Fail { expected, got }) => failed(expected, got, errors),
        Err(Stop::Fault) => failed("no fault".into(), "one".into(), errors),
        Ok(()) => match errors.lines().find(|line| is_report(line)) {
            Some(line) => failed("no report of a sanitizer".into(), format!("`{line}`"), errors),
            None => Verdict::Pass,
        },
    }
}

/// A request for the application to do this.
fn get(name: &str, script: &str) -> String {
    request("GET", name, script, "")
}

/// The same with another method, and with further fields, each with its CR LF.
fn request(method: &str, name: &str, script: &str, fields: &str) -> String {
    format!("{method} /play?{name}={script} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

/// The same with a body of so many bytes, which follows.
fn post(name: &str, script: &str, length: usize) -> String {
    request("POST", name, script, &format!("Content-Length: {length}\r\n"))
}

/// Bytes of a body.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at % 251) as u8).collect()
}

/// What the application says of a body.
fn receipt(body: &[u8]) -> String {
    let sum = body.iter().fold(14_695_981_039_346_656_037_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(1_099_511_628_211)
    });
    format!("{} {sum:016x}\n", body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_what_is_needed_can_be_refused() {
        let mut names: Vec<&str> = all().iter().map(|scenario| scenario.name).collect();
        assert!(names.iter().all(|name| name.len() < 60 && !name.contains(['|', '\t', ':'])));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "two scenarios have one name");
        assert!(all().iter().flat_map(|it| it.needs).all(|thing| THINGS.contains(thing)));
    }

    #[test]
    fn only_what_is_cut_off_is_given_little_time() {
        let command = ["serve".to_owned(), "--drain={drain}".to_owned()];
        let hurried = |it: &&&Scenario| started(&command, it) == ["serve", "--drain=1"];
        let all = all();
        let names: Vec<&str> = all.iter().filter(hurried).map(|it| it.name).collect();
        assert!(!names.is_empty() && names.iter().all(|name| name.ends_with("does not finish")));
    }

    #[test]
    fn what_it_cannot_do_needs_a_reason() {
        assert_eq!(cannot("early=it reads all first").unwrap().1, "it reads all first");
        assert!(cannot("early").is_err() && cannot("early=").is_err() && cannot("fly=no").is_err());
    }
}
