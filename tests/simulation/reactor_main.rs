//! The same for a whole reactor, through the crate's public functions: on pipes, socket pairs and
//! eventfds, with notices from another thread, in every mode. What the kernel says of a descriptor
//! is asked of poll(2); everything else says the model.
//!
//! * `AWSGI_SIM_OPS` and `AWSGI_SIM_SEED` say how many operations there are, and which.
//! * A failure prints a list of operations that was made small. In a file, `AWSGI_SIM_REPLAY=FILE`
//!   does the same again.

#[allow(dead_code)]
mod generator;
#[allow(dead_code)]
mod histogram;
#[allow(dead_code)]
mod model;
#[allow(dead_code)]
mod operation;
mod reactor;
#[allow(dead_code)]
mod run;
mod syntax;

use reactor::World;
use reactor::operation::Op;

fn number(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return default };
    text.replace('_', "").parse().unwrap_or_else(|_| panic!("{name}={text} is not a number"))
}

#[test]
fn the_reactor_does_what_the_model_says() {
    let ops = number("AWSGI_SIM_OPS", 100_000);
    let seed = number("AWSGI_SIM_SEED", 1);
    let report = run::run::<World>(seed, ops);
    println!(
        "{} operations in {:.1} s: {:.0} a second\n",
        report.ops,
        report.seconds,
        report.ops as f64 / report.seconds
    );
    println!("{}", reactor::seen());
    if let Some(failure) = report.failure {
        println!(
            "seed {} breaks a promise within {} operations:\n{}\n",
            failure.seed, report.ops, failure.message
        );
        println!("Made small, with AWSGI_SIM_REPLAY=FILE to do it again:\n");
        let small = run::shrink::<World>(failure);
        println!("{}", run::text(&small));
        panic!("{}", small.message);
    }
}

#[test]
fn a_list_of_operations_on_a_reactor_replays() {
    let recorded = include_str!("reactor/recorded.txt");
    let text = match std::env::var("AWSGI_SIM_REPLAY") {
        Ok(path) => std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}")),
        Err(_) => recorded.to_owned(),
    };
    let (seed, ops) = run::parse::<Op>(&text).unwrap();
    if let Err(failure) = run::replay::<World>(seed, &ops) {
        println!("{}", run::text(&failure));
        panic!("{}", failure.message);
    }
}
