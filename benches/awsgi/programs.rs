//! The programs in C that are measured, one for each library: benches/c.
//!
//! They are compiled here, at the first use, with what the distribution has of the peers, and with
//! our library as `make install` puts it down.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::measure::{Outcome, Sample, Side};
use crate::report::directory;

/// The programs, and where their compiler's flags come from.
const PROGRAMS: [(&str, Flags); 11] = [
    ("awsgi", Flags::Installed),
    ("awsgi_many", Flags::Installed),
    ("call", Flags::Installed),
    ("delegated", Flags::Installed),
    ("echo", Flags::None),
    ("epoll", Flags::None),
    ("libuv", Flags::Package("libuv")),
    ("libevent", Flags::Package("libevent_core")),
    ("libev", Flags::Library("-lev")),
    ("evhttp", Flags::Package("libevent")),
    ("mhd", Flags::Package("libmicrohttpd")),
];

/// The servers of c-examples/hosts.
const SERVERS: [(&str, Flags); 2] =
    [("evhttp", Flags::Package("libevent")), ("mhd", Flags::Package("libmicrohttpd"))];

/// What a program is compiled with.
#[derive(Clone, Copy)]
pub enum Flags {
    None,
    /// pkg-config knows them.
    Package(&'static str),
    /// pkg-config does not know it.
    Library(&'static str),
    /// Ours, from where `make bench` installs it.
    Installed,
}

/// A program, compiled.
pub fn path(name: &str) -> Outcome<PathBuf> {
    static COMPILED: OnceLock<Result<(), String>> = OnceLock::new();
    COMPILED
        .get_or_init(|| {
            std::fs::create_dir_all(directory()).map_err(|error| error.to_string())?;
            PROGRAMS.iter().try_for_each(|(name, flags)| {
                let source = format!("benches/c/{name}.c");
                compile(name, &[&source], &[*flags]).map_err(|error| format!("{source}: {error}"))
            })
        })
        .clone()?;
    Ok(directory().join(name))
}

/// A host of c-examples/hosts with embed.c as its program, compiled with the others of them.
pub fn host(hosts: &[(&str, Flags)], name: &str) -> Outcome<PathBuf> {
    static COMPILED: OnceLock<Result<(), String>> = OnceLock::new();
    let program = |name: &str| format!("host_{name}");
    COMPILED
        .get_or_init(|| {
            std::fs::create_dir_all(directory()).map_err(|error| error.to_string())?;
            hosts.iter().try_for_each(|(name, flags)| {
                let source = format!("c-examples/hosts/{name}.c");
                let sources = [&source, "benches/c/embed.c"];
                compile(&program(name), &sources, &[Flags::Installed, *flags])
                    .map_err(|error| format!("{source}: {error}"))
            })
        })
        .clone()?;
    Ok(directory().join(program(name)))
}

/// A server of c-examples/hosts, compiled.
pub fn server(name: &str) -> Outcome<PathBuf> {
    static COMPILED: OnceLock<Result<(), String>> = OnceLock::new();
    let program = |name: &str| format!("server_{name}");
    COMPILED
        .get_or_init(|| {
            std::fs::create_dir_all(directory()).map_err(|error| error.to_string())?;
            SERVERS.iter().try_for_each(|(name, flags)| {
                let source = format!("c-examples/hosts/{name}.c");
                compile(&program(name), &[&source], &[Flags::Installed, *flags])
                    .map_err(|error| format!("{source}: {error}"))
            })
        })
        .clone()?;
    Ok(directory().join(program(name)))
}

/// Where `make bench` installs our library.
pub fn installed() -> PathBuf {
    directory().join("install/usr/local/lib")
}

/// The program of a side.
pub fn of(side: Side) -> Outcome<PathBuf> {
    path(match side {
        Side::Ours => "awsgi",
        Side::Peer(name) if name.starts_with("epoll-") => "epoll",
        Side::Peer(name) => name,
    })
}

/// Runs a part of a program; answers the numbers that it prints.
pub fn run(program: &Path, part: &str, count: u64, events: u64) -> Outcome<Vec<f64>> {
    numbers(Command::new(program).args([part, &count.to_string(), &events.to_string()]))
}

/// A sample of what a program prints: its figure, and how long its thread ran.
pub fn sample(said: &[f64]) -> Sample {
    Sample { value: said[0], aside: vec![("processor time", said[1], "ns")] }
}

/// Runs a command; answers the numbers that it prints.
pub fn numbers(command: &mut Command) -> Outcome<Vec<f64>> {
    // cargo names its own folders there, and the library that lies in them would be taken in place
    // of the one that is installed.
    command.env_remove("LD_LIBRARY_PATH");
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    said(output).map_err(|error| format!("{command:?} {error}").into())
}

/// The numbers that a program printed.
pub fn said(output: Output) -> Outcome<Vec<f64>> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("ended with {}: {said}", output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
}

fn compile(name: &str, sources: &[&str], flags: &[Flags]) -> Outcome<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("cc");
    command.args(["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]);
    command.arg("-I").arg(root.join("c-examples/hosts"));
    command.arg("-o").arg(directory().join(name));
    command.args(sources.iter().map(|source| root.join(source)));
    flags.iter().try_for_each(|flags| link(&mut command, *flags))?;
    words(&mut command).map(drop)
}

fn link(command: &mut Command, flags: Flags) -> Outcome<()> {
    match flags {
        Flags::None => {}
        Flags::Library(library) => drop(command.arg(library)),
        Flags::Package(package) => {
            let mut ask = Command::new("pkg-config");
            command.args(words(ask.args(["--cflags", "--libs", package]))?);
        }
        Flags::Installed => {
            let (root, libraries) = (directory().join("install"), installed());
            let mut ask = Command::new("pkg-config");
            ask.args(["--cflags", "--libs", "awsgi"]);
            ask.env("PKG_CONFIG_PATH", libraries.join("pkgconfig"));
            ask.env("PKG_CONFIG_SYSROOT_DIR", &root);
            command.args(words(&mut ask)?);
            command.arg(format!("-Wl,-rpath,{}", libraries.display()));
        }
    }
    Ok(())
}

/// Runs a command; answers the words that it prints.
fn words(command: &mut Command) -> Outcome<Vec<String>> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{said}: run make deps SCOPE=bench, then make bench").into());
    }
    Ok(String::from_utf8(output.stdout)?.split_whitespace().map(str::to_owned).collect())
}
