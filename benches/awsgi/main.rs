//! Measures awsgi beside its peers: `make bench`, or a part with `ONLY=prefix make bench`.
//!
//! docs/benchmarks.md says what each measure is. The same program is, in processes of its own, the
//! peers `bare hyper` and `tokio`, and the synthetic host, and checks the bar of the sleepers.

mod bare_hyper;
mod chain;
mod embed;
mod ffi;
mod http_hello;
mod instructions;
mod jvm;
mod machine;
mod many;
mod measure;
mod memory_exchange;
mod memory_http;
mod notify;
mod plot;
mod programs;
mod python;
mod report;
mod servers;
mod sleepers;
mod statistics;
mod timer;
mod tokio_host;
mod tokio_timers;
mod waiting;

use std::process::ExitCode;

use measure::{Measure, Outcome};

/// Everything that is measured.
const MEASURES: [&[Measure]; 33] = [
    &chain::MULTISHOT,
    &chain::ONESHOT,
    &[instructions::MEASURE],
    &[notify::OWNER, notify::THREADS],
    &[ffi::CALL],
    &timer::REPLACE,
    &[timer::FIRE],
    embed::CHAIN,
    &[embed::DELEGATED],
    embed::DEADLINE,
    embed::NOTIFY,
    &[embed::IDLE],
    &[many::MEMORY],
    &[many::IDLE],
    &[http_hello::MEASURE],
    &http_hello::HOSTED,
    &[memory_http::MEASURE],
    &[memory_exchange::MEASURE],
    &[jvm::BRIDGE],
    &[jvm::CORE],
    &[jvm::CROSSINGS],
    &[jvm::ECHO],
    &[jvm::EPOLL_CTL],
    &[jvm::MEMORY],
    &[jvm::VIRTUAL],
    &[jvm::DEADLINE],
    &[python::HELLO],
    &[python::HELLO_BLOCKING],
    &[python::INSTRUCTIONS],
    &[python::SLEEP],
    &[python::MEMORY],
    &[python::DEADLINE],
    &[python::TABLE],
];

fn main() -> ExitCode {
    // cargo says --bench to every benchmark.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let done = match arguments.first().map(String::as_str) {
        Some("--bare-hyper") => bare_hyper::serve(),
        Some("--exchanges") => memory_exchange::host(&arguments[1..]),
        Some("--tokio-host") => tokio_host::run(&arguments[1..]),
        Some("--tokio-timers") => tokio_timers::run(&arguments[1..]),
        Some("--sleepers") => sleepers::check(arguments.get(1).map(String::as_str)),
        Some(option) if option.starts_with('-') => {
            Err(format!("{option} is no option: give the prefix of a measure, or nothing").into())
        }
        prefix => measure_all(prefix),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("awsgi: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure_all(prefix: Option<&str>) -> Outcome<()> {
    let all = || MEASURES.iter().copied().flatten();
    let wanted = |measure: &&Measure| measure.name.starts_with(prefix.unwrap_or(""));
    let measures: Vec<&'static Measure> = all().filter(wanted).collect();
    if measures.is_empty() {
        let names: Vec<&str> = all().map(|measure| measure.name).collect();
        return Err(format!("no measure begins so; there are: {}", names.join(", ")).into());
    }
    statistics::self_check();
    machine::raise_descriptor_limit()?;
    let mut report = report::Report::open(prefix.is_none())?;
    println!("{}", machine::describe());
    let mut results = Vec::new();
    for measure in measures {
        if let Some(why) = jvm::missing(measure).or_else(|| python::missing(measure)) {
            println!("{} is left out: {why}", measure.name);
            continue;
        }
        let result =
            measure.run(python::absent).map_err(|error| format!("{}: {error}", measure.name))?;
        // At once: what comes after it may fail.
        report.add(&result)?;
        plot::write(&report::directory(), &result)?;
        results.push(result);
    }
    report::print(&results);
    python::print_table();
    println!("\nresults and plots: {}", report::directory().display());
    Ok(())
}
