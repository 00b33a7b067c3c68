//! Python programs that use the package of `python/`, with the library of this build.
//!
//! From outside, `AWSGI_PYTHON` names the interpreter; otherwise it is the first `python3` that has what
//! `python/usable.py` looks for.

use super::{c, header};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A command line that begins with Python, and knows the package, the library and what that needs.
pub fn command() -> Command {
    let mut command = Command::new(interpreter());
    command.env("LIBAWSGI", c::library());
    command.env("PYTHONPATH", header::root().join("python"));
    // Nothing is left in the tree.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    // Of what was not closed, or not awaited.
    command.args(["-W", "error"]);
    if let Some(runtime) = c::sanitizer() {
        command.env("LD_PRELOAD", runtime);
        // Python keeps for ever much of what it allocates.
        command.env("ASAN_OPTIONS", "detect_leaks=0");
    }
    command
}

/// An interpreter that has what the package needs.
fn interpreter() -> &'static str {
    static INTERPRETER: OnceLock<String> = OnceLock::new();
    INTERPRETER.get_or_init(|| {
        let named = std::env::var("AWSGI_PYTHON");
        let candidates = match &named {
            Ok(named) => vec![named.as_str()],
            Err(_) => vec!["python3", "/usr/bin/python3"],
        };
        // Its own name for itself: the one that we know may be a script that looks for it.
        candidates.iter().find_map(|name| executable(name)).unwrap_or_else(|| {
            panic!("none of {candidates:?} has cffi, its headers and its library; run: make deps")
        })
    })
}

fn executable(name: &str) -> Option<String> {
    let mut probe = Command::new(name);
    probe.arg(header::root().join("python/usable.py")).stderr(Stdio::null());
    let output = probe.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}
