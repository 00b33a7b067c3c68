//! The command `awsgi`: serves applications, and checks them.

#[path = "awsgi/access_log.rs"]
mod access_log;
#[path = "awsgi/arguments.rs"]
mod arguments;
#[path = "awsgi/descriptors.rs"]
mod descriptors;
#[path = "awsgi/serve.rs"]
mod serve;

use std::process::ExitCode;

use clap::Parser;

use self::arguments::{Arguments, Check, Command};

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Serve(arguments) => serve::serve(&arguments),
        Command::Check(arguments) => check(&arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("awsgi: {}", error.message());
            ExitCode::FAILURE
        }
    }
}

fn check(arguments: &Check) -> awsgi::Result<ExitCode> {
    let application = awsgi::ffi::load(&arguments.application, config(&arguments.args).as_deref())?;
    let style = match application.style() {
        awsgi::gateway::Style::Steps => "steps",
        awsgi::gateway::Style::Blocking => "blocking",
    };
    println!("name:  {}", application.name());
    println!("style: {style}");
    println!("abi:   {}", awsgi::ffi::abi());
    Ok(ExitCode::SUCCESS)
}

/// What applications are given of the arguments after `--`.
fn config(args: &[String]) -> Option<String> {
    (!args.is_empty()).then(|| args.join(" "))
}
