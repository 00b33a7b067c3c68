//! The command `awsgi-contract`: checks that a host keeps the contract, as docs/contract.md has it.

mod arguments;
mod driver;
mod ledger;
mod play;
mod process;
mod protocol;
mod report;
mod scenarios;

use std::process::ExitCode;

use clap::Parser;

use self::arguments::Arguments;
use self::driver::Manner;
use self::report::Sum;
use self::scenarios::Scenario;

/// Nothing was checked.
const NOT_STARTED: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(sum) if sum.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("awsgi-contract: {why}");
            ExitCode::from(NOT_STARTED)
        }
    }
}

fn run(arguments: &Arguments) -> Result<Sum, String> {
    let scenarios = chosen(&arguments.only)?;
    let mut sum = Sum::default();
    if arguments.list {
        for scenario in scenarios {
            report::print(&report::listed(scenario));
        }
        return Ok(sum);
    }
    let manner =
        Manner { limit: arguments.timeout, trace: arguments.trace, faults: arguments.faults };
    let host = host(arguments, manner)?;
    play::all(&arguments.driver, manner, jobs(arguments), &scenarios, |scenario, verdict| {
        sum.add(&verdict);
        if arguments.table {
            report::print(&report::row(&host, scenario, &verdict));
        } else {
            report::print(&report::line(scenario, &verdict));
        }
    });
    if !arguments.table {
        report::print(&sum.line(&host));
    }
    Ok(sum)
}

/// The name of the host, from a driver that is started for that.
fn host(arguments: &Arguments, manner: Manner) -> Result<String, String> {
    let program = &arguments.driver[0];
    let introduced = play::introduce(&arguments.driver, Manner { trace: false, ..manner });
    match introduced {
        Err(error) => {
            let here = match program.contains('/') {
                true => String::new(),
                false => format!("; one in this directory as ./{program}"),
            };
            Err(format!(
                "{program} cannot be started: {error}. Name a program that can be executed{here}"
            ))
        }
        Ok(Ok(greeting)) => Ok(greeting.host),
        // That it refuses to begin is what may come of it.
        Ok(Err(_)) if arguments.faults => Ok(program.clone()),
        Ok(Err(failure)) => Err(format!(
            "{program} does not begin as docs/contract.md has it: {}{}",
            report::sentence(&failure),
            report::details(&failure)
        )),
    }
}

/// The scenarios that were asked for: all, if none was.
fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>, String> {
    let all = scenarios::all();
    for name in names {
        if !all.iter().any(|scenario| scenario.is_called(name)) {
            return Err(format!(
                "no scenario has {name:?} in its name; awsgi-contract --list has the names"
            ));
        }
    }
    // A whole name is that scenario, though others may have it in theirs.
    let is_name = |name: &str| all.iter().any(|scenario| scenario.name == name);
    let meant = |scenario: &Scenario| {
        names.iter().any(|name| {
            if is_name(name) { scenario.name == name } else { scenario.is_called(name) }
        })
    };
    Ok(all.iter().copied().filter(|it| names.is_empty() || meant(it)).collect())
}

fn jobs(arguments: &Arguments) -> usize {
    match arguments.jobs {
        // Lines that are printed as they are spoken are read one scenario after the other.
        _ if arguments.trace => 1,
        0 => std::thread::available_parallelism().map_or(1, Into::into),
        jobs => jobs,
    }
}
