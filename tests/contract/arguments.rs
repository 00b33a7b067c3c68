//! What can be said on the command line.

use std::time::Duration;

use clap::Parser;

use super::gateway;

const HELP: &str = "\
The driver is a program: the host, with an interpreter for the lines of docs/contract.md in the place
of its applications.

Each scenario is told in a line, in order: pass, FAIL with what was expected, or n/a with the reason
why it cannot be seen on this host. The exit status is 0 if nothing failed, 1 if something did, and 2 if
the driver cannot be started, speaks another version, or this command line is wrong.

Examples:
  awsgi-contract ./my-driver
  awsgi-contract --only fork --trace ./my-driver
  awsgi-contract valgrind --quiet --error-exitcode=99 ./my-driver
  awsgi-contract --gateway --cannot 'early=it reads a body first' ./my-server -d {drain} ./application.so";

/// Checks that a host keeps the contract.
#[derive(Debug, Parser)]
#[command(name = "awsgi-contract", version, after_help = HELP)]
pub struct Arguments {
    /// Print the scenarios, and what each needs
    #[arg(long)]
    pub list: bool,
    /// Play the scenario of this name, or those that have this in their names; may be repeated
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Print every line that is spoken, one scenario after the other
    #[arg(long)]
    pub trace: bool,
    /// System calls are made to fail from outside: a scenario ends with the first that does
    #[arg(long)]
    pub faults: bool,
    /// Print host, scenario, result and reason, with tabs between them
    #[arg(long)]
    pub table: bool,
    /// How long a scenario may take
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub timeout: Duration,
    /// How many scenarios are played at the same time; 0: one for each processor
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub jobs: usize,
    /// The driver is a server, which serves the application of the contract: see docs/contract.md
    #[arg(long)]
    pub gateway: bool,
    /// What the server is called in tables
    #[arg(long, value_name = "NAME", requires = "gateway")]
    pub name: Option<String>,
    /// What the server cannot do, and why; may be repeated
    #[arg(long, value_name = "THING=REASON", requires = "gateway", value_parser = gateway::cannot)]
    pub cannot: Vec<(String, String)>,
    /// The driver, and its arguments
    #[arg(value_name = "DRIVER", required_unless_present = "list", trailing_var_arg = true)]
    #[arg(allow_hyphen_values = true)]
    pub driver: Vec<String>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| !time.is_zero() && *time < Duration::from_secs(1_000_000))
        .ok_or_else(|| "write a number of seconds, as 30 or 0.5".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_arguments_make_sense_to_clap() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_follows_the_driver_is_the_drivers() {
        let arguments = parse("awsgi-contract --only a --only b valgrind -q ./d --trace").unwrap();
        assert_eq!(arguments.only, ["a", "b"]);
        assert_eq!(arguments.driver, ["valgrind", "-q", "./d", "--trace"]);
        assert!(!arguments.trace);
    }

    #[test]
    fn only_the_list_needs_no_driver() {
        assert!(parse("awsgi-contract --list").is_ok());
        assert!(parse("awsgi-contract --trace").is_err());
        assert!(parse("awsgi-contract --timeout 0 ./d").is_err());
        assert!(parse("awsgi-contract --timeout 0.5 ./d").is_ok());
    }
}
