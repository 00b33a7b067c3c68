//! C programs compiled against the headers and the library, and run.
//!
//! From outside, `CC` and `CXX` name the compilers, `AWSGI_TEST_CFLAGS` adds flags to everything that
//! is compiled and linked (`-fsanitize=address,undefined`), `AWSGI_TEST_RUNNER` stands before every C
//! program that is run (`valgrind --error-exitcode=99`), and `AWSGI_TEST_LIBRARY` is the shared library
//! that they are linked to, in place of the one of this build.

use super::header;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What every C source of this repository is compiled with.
pub const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// How long a program may run; only one that hangs takes so long.
const PATIENCE: Duration = Duration::from_secs(300);

/// A compiler.
#[derive(Clone, Debug)]
pub struct Compiler {
    command: Vec<String>,
}

impl Compiler {
    /// The C compiler of this machine.
    pub fn c() -> Compiler {
        Compiler::named(&std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()))
    }

    /// The C++ compiler of this machine.
    pub fn cxx() -> Compiler {
        Compiler::named(&std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned()))
    }

    /// The compiler of this name.
    pub fn named(command: &str) -> Compiler {
        Compiler { command: command.split_whitespace().map(str::to_owned).collect() }
    }

    /// Whether it is installed.
    pub fn exists(&self) -> bool {
        let probe =
            self.command().arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        probe.is_ok_and(|status| status.success())
    }

    /// A command line that begins with it, knows where the headers are, and has the flags that were
    /// asked for from outside.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).arg("-g").arg("-I").arg(header::root().join("include"));
        command.args(flags_from_outside());
        command
    }

    /// Compiles without linking; `standard` as in `c11`.
    pub fn check(&self, standard: &str, source: &Path) {
        let mut command = self.command();
        command.arg(format!("-std={standard}")).args(STRICT).arg("-fsyntax-only").arg(source);
        succeed(&mut command);
    }

    /// Compiles and links a program with the library; answers where it is.
    pub fn program(&self, name: &str, sources: &[PathBuf]) -> PathBuf {
        let program = scratch().join(name);
        let mut command = self.command();
        command.arg("-std=c11").args(STRICT).arg("-I").arg(header::root().join("c-examples"));
        command.args(sources).arg("-o").arg(&program);
        command.arg("-pthread").args(link_flags());
        succeed(&mut command);
        program
    }

    /// Compiles a shared library that links nothing, as an application is; answers where it is.
    pub fn shared(&self, name: &str, sources: &[PathBuf]) -> PathBuf {
        let library = scratch().join(name);
        let mut command = self.command();
        command.arg("-std=c11").args(STRICT).args(["-shared", "-fPIC", "-fvisibility=hidden"]);
        command.args(sources).arg("-o").arg(&library);
        succeed(&mut command);
        library
    }
}

/// The flags with which a program finds libawsgi when it is linked and when it runs.
pub fn link_flags() -> Vec<String> {
    let directory = library_directory().display().to_string();
    vec![format!("-L{directory}"), format!("-Wl,-rpath,{directory}"), "-lawsgi".to_owned()]
}

/// Runs a program with the runner that was asked for from outside; answers its standard output.
/// Panics with all it said if it fails, or hangs.
pub fn run(program: &Path, arguments: &[&OsStr]) -> String {
    succeed(runner(program).args(arguments))
}

/// A command line that begins with a program, and the runner that was asked for from outside.
pub fn runner(program: &Path) -> Command {
    let runner = std::env::var("AWSGI_TEST_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let mut command = match words.next() {
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(program);
            command
        }
        None => Command::new(program),
    };
    // Of our own programs we want to know what they leak.
    command.env("ASAN_OPTIONS", "detect_leaks=1");
    command
}

/// Runs a command that must succeed; answers its standard output. Panics with all it said if it
/// does not, or if it hangs: then it and what it started are killed.
pub fn succeed(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    // A group of its own, so that nothing of it is left behind.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
    let collect = |mut from: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = from.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = collect(Box::new(child.stdout.take().unwrap()));
    let err = collect(Box::new(child.stderr.take().unwrap()));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if started.elapsed() > PATIENCE {
            let group = format!("-{}", child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let (out, err) = (out.join().unwrap(), err.join().unwrap());
    match status {
        Some(status) if status.success() => out,
        Some(status) => panic!("{shown}\nended with {status}\n{out}{err}"),
        None => panic!("{shown}\nwas killed after {PATIENCE:?}\n{out}{err}"),
    }
}

/// The command `awsgi`. `AWSGI_TEST_PRELOAD` names what it needs loaded before itself, when only the
/// applications were compiled with a sanitizer.
pub fn server() -> Command {
    let Some(awsgi) = option_env!("CARGO_BIN_EXE_awsgi") else {
        panic!("the command is not built: run with --all-features");
    };
    let mut command = Command::new(awsgi);
    command.env("ASAN_OPTIONS", "detect_leaks=1");
    if let Some(library) = std::env::var_os("AWSGI_TEST_PRELOAD") {
        command.env("LD_PRELOAD", library);
    }
    command
}

fn flags_from_outside() -> Vec<String> {
    let flags = std::env::var("AWSGI_TEST_CFLAGS").unwrap_or_default();
    flags.split_whitespace().map(str::to_owned).collect()
}

/// Where the tests of this process may write.
pub fn scratch() -> PathBuf {
    // One for each test binary: they may run at the same time.
    let binary = std::env::current_exe().unwrap();
    let name = binary.file_stem().unwrap().to_string_lossy().into_owned();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// The shared library of this build, with all features.
pub fn library() -> PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY
        .get_or_init(|| {
            if let Some(library) = std::env::var_os("AWSGI_TEST_LIBRARY") {
                return library.into();
            }
            // target/<profile>/deps/<test>: cargo leaves the library beside it.
            let binary = std::env::current_exe().unwrap();
            let library = binary.with_file_name("libawsgi.so");
            if library.exists() && exports_the_abi(&library) { library } else { build_library() }
        })
        .clone()
}

/// A build with fewer features puts its library into the same place: then it is of no use here.
fn exports_the_abi(library: &Path) -> bool {
    super::elf::exported(library).iter().any(|name| name.starts_with("awsgi_reactor_"))
}

fn build_library() -> PathBuf {
    let target = scratch().join("library");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(header::root()).args(["rustc", "--quiet", "--lib", "--all-features"]);
    cargo.args(["--crate-type", "cdylib", "--target-dir"]).arg(&target);
    succeed(&mut cargo);
    target.join("debug/libawsgi.so")
}

/// The runtime of AddressSanitizer, if the library was compiled with it: it has to be loaded before
/// everything else, and programs that are not ours do not.
pub fn sanitizer() -> Option<String> {
    if !super::elf::imports(&library(), "__asan_init") {
        return None;
    }
    let mut ask = Command::new("cc");
    Some(succeed(ask.arg("-print-file-name=libasan.so")).trim().to_owned())
}

/// A directory that holds the library under the names by which it is linked and loaded.
pub fn library_directory() -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY
        .get_or_init(|| {
            let library = library();
            let directory = scratch().join("lib");
            std::fs::create_dir_all(&directory).unwrap();
            let soname = super::elf::soname(&library).unwrap_or_else(|| "libawsgi.so.0".to_owned());
            for name in ["libawsgi.so", &soname] {
                let link = directory.join(name);
                let _ = std::fs::remove_file(&link);
                std::os::unix::fs::symlink(&library, &link).unwrap();
            }
            directory
        })
        .clone()
}

/// Builds the C examples with every warning an error; answers the directory with `demo.so`,
/// `upstream` and the others, and in its folder `hosts` the hosts that serve echoes.
pub fn examples() -> PathBuf {
    static EXAMPLES: OnceLock<PathBuf> = OnceLock::new();
    EXAMPLES.get_or_init(|| make_examples("examples", &["all"])).clone()
}

/// Builds the hosts of `c-examples/hosts` with the driver of the contract in them, with every
/// warning an error; answers the directory with `poll`, `libuv` and the others.
pub fn drivers() -> PathBuf {
    static DRIVERS: OnceLock<PathBuf> = OnceLock::new();
    DRIVERS
        .get_or_init(|| {
            let contract = header::root().join("tests/contract");
            let mut sources: Vec<String> = std::fs::read_dir(&contract)
                .unwrap()
                .map(|entry| entry.unwrap().path().display().to_string())
                .filter(|path| path.ends_with(".c"))
                .collect();
            sources.sort();
            let program = format!("PROGRAM={}", sources.join(" "));
            make_examples("drivers", &["loops", &program]).join("hosts")
        })
        .clone()
}

/// Builds one of the hosts with a program of the tests; answers where it is.
pub fn host(name: &str, program: &Path) -> PathBuf {
    let out = format!("hosts_of_{}", program.file_stem().unwrap().to_string_lossy());
    let made = scratch().join(&out).join("hosts").join(name);
    let program = format!("PROGRAM={}", program.display());
    make_examples(&out, &[&made.display().to_string(), &program]);
    made
}

/// Calls the Makefile of the examples; answers the directory with what it has made.
fn make_examples(out: &str, arguments: &[&str]) -> PathBuf {
    let out = scratch().join(out);
    let flags = format!("-g -O1 -Werror {}", flags_from_outside().join(" "));
    let mut make = Command::new("make");
    // What the Makefile above us was told is not meant for this one.
    make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    // The flags may have changed since the last time.
    let jobs = std::thread::available_parallelism().map_or(1, |count| count.get());
    make.arg(format!("--jobs={jobs}")).args(["--always-make", "--silent", "-C"]);
    make.arg(header::root().join("c-examples")).args(arguments);
    make.arg(format!("OUT={}", out.display())).arg(format!("CFLAGS={flags}"));
    make.arg(format!("AWSGI_CFLAGS=-I{}", header::root().join("include").display()));
    make.arg(format!("AWSGI_LIBS={}", link_flags().join(" ")));
    if let Ok(compiler) = std::env::var("CC") {
        make.arg(format!("CC={compiler}"));
    }
    succeed(&mut make);
    out
}
