//! The Python package of `python/`, against the library of this build.
#![cfg(feature = "ffi")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use common::{c, header, python};

/// What `python/cdef.py` writes.
const DECLARATIONS: &str = "python/libawsgi/_cdef.py";

#[test]
fn the_declarations_of_the_package_are_what_the_header_says() {
    let wanted = c::succeed(python::command().arg(header::root().join("python/cdef.py")));
    if std::env::var_os("AWSGI_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(header::root().join(DECLARATIONS), &wanted).unwrap();
        return;
    }
    assert!(
        header::read(DECLARATIONS) == wanted,
        "{DECLARATIONS} differs from include/awsgi.h; to write it anew:\n\
         AWSGI_BLESS=1 cargo test --all-features --test python"
    );
}

/// A part of `python/tests`, by how the names of its files go on after `test_`. The parts run at once: much of what they
/// do is waiting.
fn keeps_its_promises(part: impl Fn(&str) -> bool) {
    let tests = header::root().join("python/tests");
    let mut modules: Vec<String> = std::fs::read_dir(&tests)
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().into_string().ok()?.strip_suffix(".py").map(String::from)
        })
        .filter(|name| name.strip_prefix("test_").is_some_and(&part))
        .collect();
    modules.sort();
    assert!(!modules.is_empty());
    let mut command = python::command();
    let packages = header::root().join("python");
    command.env("PYTHONPATH", std::env::join_paths([packages, tests]).unwrap());
    command.env("LIBAWSGI_BUILT", built());
    // The command of the same build hosts it, too.
    if let Some(awsgi) = option_env!("CARGO_BIN_EXE_awsgi") {
        command.env("AWSGI_COMMAND", awsgi);
    }
    // So do the servers in C.
    command.env("AWSGI_SERVERS", c::examples().join("hosts"));
    // Memory that is misused, and calls of asyncio on a thread that is not its own.
    c::succeed(command.args(["-X", "dev", "-m", "unittest"]).args(modules));
}

/// What is compiled for this interpreter, if that is not there yet.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
        let mut build = python::command();
        c::succeed(build.arg(header::root().join("python/build.py")).arg("--into").arg(&built));
        built
    })
}

fn is_of_the_engine(name: &str) -> bool {
    name.starts_with("wsgi")
}

fn is_of_acceptance(name: &str) -> bool {
    name.starts_with("acceptance")
}

#[test]
fn the_engine_keeps_its_promises() {
    keeps_its_promises(is_of_the_engine);
}

#[test]
fn applications_are_served_as_the_drafts_say() {
    keeps_its_promises(is_of_acceptance);
}

#[test]
fn the_package_keeps_its_promises() {
    keeps_its_promises(|name| !is_of_the_engine(name) && !is_of_acceptance(name));
}
