//! What can be said on the command line.

use std::path::PathBuf;
use std::time::Duration;

use awsgi::server::{Limits, Listen};
use clap::{Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  awsgi serve ./app.so
      serves app.so at http://127.0.0.1:8080
  awsgi serve --bind 0.0.0.0:80 --workers 4 --access-log ./app.so -- upstream=10.0.0.7:9000
      on four workers, with a line for each exchange, and an argument for the application
  awsgi serve --bind unix:/run/app.sock --mount /old=./old.so --max-body 1G ./app.so
      at a Unix socket, with another application below /old, and bodies of up to 1 GiB
  awsgi check ./app.so
      says what app.so is, or what is wrong with it";

const SERVE_HELP: &str = "\
When it serves, it says so in one line on stderr: \"listening on http://127.0.0.1:8080\". The access
log goes to stdout, diagnostics to stderr.

SIGTERM and SIGINT drain: nothing more is accepted, exchanges finish, and the exit status is 0. A
second signal ends at once, with the exit status 128 plus its number. What keeps it from starting
is one sentence on stderr, with the exit status 1.";

/// Serves applications that suspend.
#[derive(Debug, Parser)]
#[command(name = "awsgi", version, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve an application over HTTP
    Serve(Box<Serve>),
    /// Load an application, and say what it is
    Check(Check),
}

#[derive(Debug, Args)]
pub struct Check {
    /// The application, a shared library
    #[arg(value_name = "APP.SO")]
    pub application: PathBuf,
    /// What it is given as it is loaded, joined by spaces
    #[arg(last = true)]
    pub args: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = SERVE_HELP)]
pub struct Serve {
    /// The application, a shared library
    #[arg(value_name = "APP.SO")]
    pub application: PathBuf,
    /// What every application is given as it is loaded, joined by spaces
    #[arg(last = true)]
    pub args: Vec<String>,

    /// Where to listen: ADDRESS:PORT (port 0: any that is free), or unix:PATH
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub bind: String,
    /// Listen at this descriptor, an open socket that listens, instead
    #[arg(long, value_name = "N", conflicts_with = "bind")]
    pub fd: Option<i32>,
    /// Threads that serve; 0: one for each processor
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub workers: usize,
    /// Another application below a path; may be repeated
    #[arg(long, value_name = "/PREFIX=APP.SO", value_parser = mount)]
    pub mount: Vec<(String, PathBuf)>,
    /// Threads for each blocking application in each worker; 0: the default of the gateway
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub pool_threads: u32,

    #[command(flatten)]
    pub limits: LimitArguments,

    /// Write a line for each exchange to stdout
    #[arg(long)]
    pub access_log: bool,
    /// How long exchanges may take to finish after SIGTERM or SIGINT
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub drain_timeout: Duration,
    /// Which diagnostics are written to stderr
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = Level::Info)]
    pub log_level: Level,
}

impl Serve {
    pub fn listen(&self) -> awsgi::Result<Listen> {
        match self.fd {
            Some(number) => Ok(Listen::Inherited(number)),
            None => self.bind.parse(),
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits (sizes in bytes, or with K, M, G)")]
pub struct LimitArguments {
    /// The head of a request; 431 beyond it
    #[arg(long, value_name = "SIZE", default_value = "32K", value_parser = size)]
    pub max_header_bytes: u64,
    /// Header fields of a request; 431 beyond it
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub max_headers: usize,
    /// For the head of a request to arrive; 408 after it
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub header_timeout: Duration,
    /// The body of a request, or "unlimited"; 413 beyond it
    #[arg(long, value_name = "SIZE", default_value = "16M", value_parser = body_size)]
    pub max_body: Bodies,
    /// For a client that sends nothing, or takes nothing
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub idle_timeout: Duration,
    /// Exchanges at once; more are queued
    #[arg(long, value_name = "N", default_value_t = 16384)]
    pub max_exchanges: u32,
    /// Requests in the queue; 503 beyond it
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub max_queued: u32,
    /// In the queue; 503 after it
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub queue_timeout: Duration,
}

impl LimitArguments {
    pub fn limits(&self) -> Limits {
        Limits {
            // More than fits into memory is refused by the server, whatever it is.
            max_header_bytes: usize::try_from(self.max_header_bytes).unwrap_or(usize::MAX),
            max_headers: self.max_headers,
            header_time: self.header_timeout,
            max_body: self.max_body.0,
            idle_time: self.idle_timeout,
            max_exchanges: self.max_exchanges,
            max_queued: self.max_queued,
            queue_time: self.queue_timeout,
        }
    }
}

/// How large bodies may be. A type of its own, because an `Option` means something else to clap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bodies(Option<u64>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes() {
        [digits @ .., b'k' | b'K'] => (digits.len(), 10),
        [digits @ .., b'm' | b'M'] => (digits.len(), 20),
        [digits @ .., b'g' | b'G'] => (digits.len(), 30),
        digits => (digits.len(), 0),
    };
    // `parse` alone would take a sign.
    let digits = Some(&text[..digits]).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse::<u64>().ok())
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| "write a number of bytes, as 65536, 64K, 16M or 1G".to_string())
}

fn body_size(text: &str) -> Result<Bodies, String> {
    match text {
        "unlimited" => Ok(Bodies(None)),
        _ => match size(text) {
            Ok(size) => Ok(Bodies(Some(size))),
            Err(error) => Err(format!("{error}, or unlimited")),
        },
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "write a number of seconds, as 30 or 0.5".to_string())
}

fn mount(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((prefix, path)) if prefix.starts_with('/') && !path.is_empty() => {
            Ok((prefix.to_string(), path.into()))
        }
        _ => Err("write a path and an application, as /old=./old.so".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_make_sense_to_clap() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    fn parse(line: &str) -> Serve {
        match Arguments::try_parse_from(line.split(' ')).unwrap().command {
            Command::Serve(serve) => *serve,
            Command::Check(_) => panic!("not a check"),
        }
    }

    #[test]
    fn without_arguments_the_limits_are_the_servers() {
        assert_eq!(parse("awsgi serve ./app.so").limits.limits(), Limits::default());
    }

    #[test]
    fn sizes_have_suffixes() {
        assert_eq!(size("0"), Ok(0));
        assert_eq!(size("100"), Ok(100));
        assert_eq!(size("64k"), Ok(64 << 10));
        assert_eq!(size("16M"), Ok(16 << 20));
        assert_eq!(size("1G"), Ok(1 << 30));
        for text in ["", "K", "-1", "+1", "1T", "1.5M", "99999999999G", "1 K", "\u{e9}"] {
            assert!(size(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn bodies_may_be_unlimited() {
        assert_eq!(parse("awsgi serve --max-body unlimited a").limits.limits().max_body, None);
        assert_eq!(parse("awsgi serve --max-body 1G a").limits.limits().max_body, Some(1 << 30));
        assert!(body_size("infinite").unwrap_err().contains("unlimited"));
    }

    #[test]
    fn times_are_seconds_and_parts_of_them() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for text in ["", "-1", "NaN", "inf", "1e300", "1s"] {
            assert!(seconds(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_follows_the_dashes_is_the_applications() {
        let serve = parse("awsgi serve --mount /a=a.so --mount /b=b.so ./app.so -- x --y z=1");
        assert_eq!(serve.args, ["x", "--y", "z=1"]);
        assert_eq!(serve.application, PathBuf::from("./app.so"));
        assert_eq!(serve.mount, [("/a".into(), "a.so".into()), ("/b".into(), "b.so".into())]);
    }

    #[test]
    fn a_mount_has_a_path_and_an_application() {
        for text in ["", "a.so", "a=b.so", "/a", "/a="] {
            assert!(mount(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_descriptor_takes_the_place_of_an_address() {
        assert!(matches!(parse("awsgi serve --fd 3 a").listen(), Ok(Listen::Inherited(3))));
        let both = ["awsgi", "serve", "--fd", "3", "--bind", "127.0.0.1:1", "a"];
        assert!(Arguments::try_parse_from(both).is_err());
    }
}
