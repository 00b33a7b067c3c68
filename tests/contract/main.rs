//! The command `awsgi-contract`: checks that a host keeps the contract, as docs/contract.md has it.

mod arguments;
mod driver;
mod gateway;
mod ledger;
mod play;
mod process;
mod protocol;
mod report;
mod scenarios;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use self::arguments::Arguments;
use self::driver::Manner;
use self::play::Verdict;
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
    let manner =
        Manner { limit: arguments.timeout, trace: arguments.trace, faults: arguments.faults };
    let jobs = jobs(arguments);
    if arguments.gateway {
        let scenarios = chosen(&arguments.only, &gateway::all(), |it| it.name)?;
        if arguments.list {
            scenarios.iter().for_each(|it| list(it.name, it.about, it.needs));
            return Ok(Sum::default());
        }
        let mut teller = Teller::new(arguments, server(arguments));
        let play = |scenario: &gateway::Scenario| {
            trace(arguments, scenario.name);
            gateway::play(&arguments.driver, manner, &arguments.cannot, scenario)
        };
        play::all(jobs, &scenarios, play, |it, verdict| teller.tell(it.name, &verdict));
        return Ok(teller.end());
    }
    let scenarios = chosen(&arguments.only, &scenarios::all(), |it| it.name)?;
    if arguments.list {
        scenarios.iter().for_each(|it| list(it.name, it.about, it.needs));
        return Ok(Sum::default());
    }
    let mut teller = Teller::new(arguments, host(arguments, manner)?);
    let play = |scenario: &Scenario| {
        trace(arguments, scenario.name);
        play::one(&arguments.driver, manner, scenario)
    };
    play::all(jobs, &scenarios, play, |it, verdict| teller.tell(it.name, &verdict));
    Ok(teller.end())
}

fn list(name: &str, about: &str, needs: &[&str]) {
    report::print(&report::listed(name, about, needs));
}

/// What is traced stands below the name of its scenario.
fn trace(arguments: &Arguments, scenario: &str) {
    if arguments.trace {
        report::print(scenario);
    }
}

/// Prints what came of each scenario, and counts.
struct Teller {
    host: String,
    table: bool,
    sum: Sum,
}

impl Teller {
    fn new(arguments: &Arguments, host: String) -> Teller {
        Teller { host, table: arguments.table, sum: Sum::default() }
    }

    fn tell(&mut self, scenario: &str, verdict: &Verdict) {
        self.sum.add(verdict);
        report::print(&match self.table {
            true => report::row(&self.host, scenario, verdict),
            false => report::line(scenario, verdict),
        });
    }

    fn end(self) -> Sum {
        if !self.table {
            report::print(&self.sum.line(&self.host));
        }
        self.sum
    }
}

/// What a server is called, if nobody says it.
fn server(arguments: &Arguments) -> String {
    let program = Path::new(&arguments.driver[0]).file_name();
    let program = program.map(|name| name.to_string_lossy().into_owned());
    arguments.name.clone().or(program).unwrap_or_default()
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
fn chosen<S>(
    names: &[String],
    all: &[&'static S],
    name_of: impl Fn(&S) -> &'static str,
) -> Result<Vec<&'static S>, String> {
    let has =
        |scenario: &S, name: &str| name_of(scenario).to_lowercase().contains(&name.to_lowercase());
    for name in names {
        if !all.iter().any(|scenario| has(scenario, name)) {
            return Err(format!(
                "no scenario has {name:?} in its name; awsgi-contract --list has the names"
            ));
        }
    }
    // A whole name is that scenario, though others may have it in theirs.
    let is_name = |name: &str| all.iter().any(|scenario| name_of(scenario) == name);
    let meant = |scenario: &S| {
        names
            .iter()
            .any(|name| if is_name(name) { name_of(scenario) == name } else { has(scenario, name) })
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
