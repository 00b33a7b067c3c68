//! Every order of events: random operations on the core with a simulated clock, and a naive model
//! beside it. After each operation the two are compared, and the promises are checked.
//!
//! * `AWSGI_SIM_OPS` and `AWSGI_SIM_SEED` say how many operations there are, and which.
//! * A failure prints a list of operations that was made small. In a file, `AWSGI_SIM_REPLAY=FILE`
//!   does the same again.
//!
//! The core is private to the crate, so it is compiled into this test.

#[allow(dead_code, unused_imports)]
#[path = "../../src/core/mod.rs"]
mod core;
#[allow(dead_code)]
#[path = "../../src/error.rs"]
mod error;

mod core_subject;
mod generator;
mod histogram;
mod model;
mod operation;
mod run;
mod subject;
mod syntax;
mod tokens;
mod world;

use core_subject::CoreSubject;
use operation::Op;
use world::World;

type Core = World<CoreSubject>;

/// Enough for every transition to be seen often.
const FULL: u64 = 20_000_000;
/// How often each has to be seen in that.
const OFTEN: u64 = 1_000;

fn number(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return default };
    text.replace('_', "").parse().unwrap_or_else(|_| panic!("{name}={text} is not a number"))
}

fn fail(failure: run::Failure<Op>, after: &str) -> ! {
    println!("seed {} breaks a promise {after}:\n{}\n", failure.seed, failure.message);
    println!("Made small, with AWSGI_SIM_REPLAY=FILE to do it again:\n");
    let small = run::shrink::<Core>(failure);
    println!("{}", run::text(&small));
    panic!("{}", small.message);
}

#[test]
fn the_core_does_what_the_model_says() {
    let ops = number("AWSGI_SIM_OPS", 250_000);
    let seed = number("AWSGI_SIM_SEED", 1);
    let report = run::run::<Core>(seed, ops);
    println!(
        "{} operations in {:.1} s: {:.0} a second\n\n{}",
        report.ops,
        report.seconds,
        report.ops as f64 / report.seconds,
        report.histogram
    );
    if let Some(failure) = report.failure {
        fail(failure, &format!("within {} operations", report.ops));
    }
    let (rarest, times) = report.histogram.rarest();
    assert!(
        ops < FULL || times >= OFTEN,
        "{rarest} was seen only {times} times: the operations do not reach it often enough"
    );
}

#[test]
fn a_list_of_operations_replays() {
    let recorded = include_str!("recorded.txt");
    let text = match std::env::var("AWSGI_SIM_REPLAY") {
        Ok(path) => std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}")),
        Err(_) => recorded.to_owned(),
    };
    let (seed, ops) = run::parse::<Op>(&text).unwrap();
    let list = run::Failure { seed, ops, message: String::new() };
    assert_eq!(run::parse(&run::text(&list)), Ok((list.seed, list.ops.clone())));
    if let Err(failure) = run::replay::<Core>(list.seed, &list.ops) {
        println!("{}", run::text(&failure));
        panic!("{}", failure.message);
    }
}
