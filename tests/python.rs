//! The Python package of `python/`, against the library of this build.
#![cfg(feature = "ffi")]

mod common;

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

#[test]
fn the_package_keeps_its_promises() {
    // What is compiled for this interpreter, if that is not there yet.
    let built = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let mut build = python::command();
    c::succeed(build.arg(header::root().join("python/build.py")).arg("--into").arg(&built));

    let mut command = python::command();
    command.env("LIBAWSGI_BUILT", built);
    // The command of the same build hosts it, too.
    if let Some(awsgi) = option_env!("CARGO_BIN_EXE_awsgi") {
        command.env("AWSGI_COMMAND", awsgi);
    }
    // Memory that is misused, and calls of asyncio on a thread that is not its own.
    command.args(["-X", "dev", "-m", "unittest", "discover", "--start-directory"]);
    c::succeed(command.arg(header::root().join("python/tests")));
}
