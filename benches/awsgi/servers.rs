//! The servers that are measured, each in a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::machine::Process;
use crate::measure::{Outcome, Side};
use crate::programs;

/// Threads that serve, on both sides.
pub const WORKERS: usize = 2;
/// The peer: hyper on tokio without anything of ours.
pub const BARE_HYPER: &str = "bare hyper";

/// A server that serves. It ends when it is dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts a fresh one, at a port of its own.
    pub fn start(side: Side) -> Outcome<Server> {
        let mut command = match side {
            Side::Ours => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_awsgi"));
                command.args(["serve", "--bind", "127.0.0.1:0"]);
                command.args(["--workers", &WORKERS.to_string()]);
                command.arg(demo()?);
                command
            }
            Side::Peer(BARE_HYPER) => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("--bare-hyper");
                command
            }
            // A server of c-examples/hosts without what it hosts.
            Side::Peer(name @ ("evhttp" | "mhd")) => Command::new(programs::path(name)?),
            Side::Peer(other) => return Err(format!("{other} is no server").into()),
        };
        Server::run(&mut command)
    }

    /// Starts a server of c-examples/hosts, with the demo application.
    pub fn hosted(name: &str) -> Outcome<Server> {
        let mut command = Command::new(programs::server(name)?);
        command.args(["-b", "127.0.0.1:0"]).arg(demo()?);
        // As for all programs in C that are measured.
        command.env_remove("LD_LIBRARY_PATH");
        Server::run(&mut command)
    }

    fn run(command: &mut Command) -> Outcome<Server> {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut said = BufReader::new(child.stderr.take().expect("it was piped"));
        let mut before = String::new();
        loop {
            let mut line = String::new();
            if said.read_line(&mut line)? == 0 {
                let _ = child.wait();
                return Err(format!("a server did not start; it said: {before}").into());
            }
            if let Some(address) = line.trim().strip_prefix("listening on http://") {
                let address = address.parse()?;
                // What it still says, it says to the user; and it never waits for a full pipe.
                std::thread::spawn(move || {
                    let mut rest = String::new();
                    let _ = said.read_to_string(&mut rest);
                    eprint!("{rest}");
                });
                return Ok(Server { child, address });
            }
            before += &line;
        }
    }

    pub fn process(&self) -> Process {
        Process(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which whoever talks to it has noticed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The demo application, which answers on our side.
fn demo() -> Outcome<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/examples/demo.so");
    if !path.exists() {
        return Err(format!("{} is missing: run make build", path.display()).into());
    }
    Ok(path)
}
