//! `awsgi serve` with an application, and the upstream of the demo's relay.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use crate::common::c;
use crate::http;
use crate::process::Process;

/// A server that listens.
pub struct Server {
    /// Where, as `http://127.0.0.1:4711`.
    pub url: String,
    process: Process,
}

impl Deref for Server {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Server {
    /// Serves `application` at a free port, with these options and the words of `options` after
    /// `--` as its arguments.
    pub fn start(application: &Path, options: &[&str]) -> Server {
        let mut command = serve(application, options);
        Server::run(&mut command)
    }

    /// Runs a command that becomes a server, and waits until it listens.
    pub fn run(command: &mut Command) -> Server {
        let process = Process::start(command.stdin(Stdio::null()));
        Server::listening(process)
    }

    /// Waits until a server that was started listens.
    pub fn listening(process: Process) -> Server {
        match process.stderr.line("listening on ") {
            Some(url) => Server { url, process },
            None => panic!("it does not listen:\n{}", process.stderr.text()),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.url.strip_prefix("http://").unwrap().parse().unwrap()
    }

    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The demo's counters.
    pub fn counters(&self) -> HashMap<String, u64> {
        let text = http::get(self, "/counters").text();
        text.lines()
            .map(|line| {
                let (name, value) = line.split_once(' ').unwrap();
                (name.to_owned(), value.parse().unwrap())
            })
            .collect()
    }

    pub fn counter(&self, name: &str) -> u64 {
        self.counters()[name]
    }

    /// Holds if every exchange but the one that asks was closed once, and none twice. The
    /// exchange before it may still be about to be closed.
    pub fn assert_all_closed(&self) {
        let routes = ["index", "hello", "sleep", "relay", "upload", "stream", "events", "other"];
        let mut last = HashMap::new();
        crate::until("the end of every exchange", || {
            last = self.counters();
            for route in routes {
                let (opened, closed) = counts(&last, route);
                assert!(closed <= opened, "{route}: {closed} of {opened} were closed");
            }
            routes.iter().all(|route| counts(&last, route).0 == counts(&last, route).1)
        });
    }
}

fn counts(counters: &HashMap<String, u64>, route: &str) -> (u64, u64) {
    (counters[&format!("{route}.opened")], counters[&format!("{route}.closed")])
}

/// The command line that serves `application` at a free port.
pub fn serve(application: &Path, options: &[&str]) -> Command {
    let mut command = c::server();
    command.args(["serve", "--bind", "127.0.0.1:0"]);
    let (options, config) = match options.iter().position(|option| *option == "--") {
        Some(at) => options.split_at(at),
        None => (options, &[][..]),
    };
    command.args(options).arg(application).args(config);
    command
}

/// The server that the relay asks.
pub struct Upstream {
    pub address: SocketAddr,
    _process: Process,
}

impl Upstream {
    pub fn start() -> Upstream {
        let mut command = Command::new(c::examples().join("upstream"));
        let process = Process::start(command.arg("--until-eof").stdin(Stdio::piped()));
        match process.stdout.line("listening on ") {
            Some(address) => Upstream { address: address.parse().unwrap(), _process: process },
            None => panic!("the upstream does not listen:\n{}", process.stderr.text()),
        }
    }
}

/// The demo as `make serve` starts it: both relays, an upstream, bodies of any size.
pub struct Demo {
    server: Server,
    _upstream: Upstream,
}

impl Deref for Demo {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Demo {
    /// One of its own for a test that counts, or that has other limits.
    pub fn start(options: &[&str]) -> Demo {
        Demo::with_timeout(5000, options)
    }

    /// The same with a relay that waits for so many milliseconds.
    pub fn with_timeout(timeout: u32, options: &[&str]) -> Demo {
        let upstream = Upstream::start();
        let address = upstream.address.to_string();
        let server = serve_demo(&address, timeout, options);
        Demo { server, _upstream: upstream }
    }

    /// The one that the tests share which leave nothing behind; it ends with the last of them.
    pub fn shared() -> Arc<Demo> {
        static SHARED: Mutex<Weak<Demo>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let demo = Arc::new(Demo::start(&[]));
            *shared = Arc::downgrade(&demo);
            demo
        })
    }

    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }
}

/// The demo with an upstream that is somewhere else, or nowhere.
pub fn serve_demo(upstream: &str, timeout: u32, options: &[&str]) -> Server {
    let mount = format!("/relay-blocking={}", blocking().display());
    let timeout = format!("timeout={timeout}");
    let mut all = vec!["--mount", &mount];
    if !options.contains(&"--max-body") {
        all.extend(["--max-body", "unlimited"]);
    }
    all.extend(options);
    all.extend(["--", upstream, &timeout]);
    Server::start(&demo(), &all)
}

pub fn demo() -> PathBuf {
    c::examples().join("demo.so")
}

pub fn blocking() -> PathBuf {
    c::examples().join("relay_blocking.so")
}
