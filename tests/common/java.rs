//! Java programs of `java/`, with the library of this build.
//!
//! They are built by Maven if they are not, or are older than their sources. From outside, `JAVA_HOME`
//! names the JDK; the newest that is installed is there, too.

use super::{c, header};
use std::fs::File;
#[cfg(unix)]
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

/// Starts in a fraction of the time, and warns of nothing that our programs do.
const OPTIONS: [&str; 7] = [
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    // Of archives that cannot be used.
    "-Xlog:disable",
    "--enable-native-access=ALL-UNNAMED",
    // A word of it about native code fails whoever reads the standard error.
    "-Xcheck:jni",
    "-XX:+DisplayVMOutputToStderr",
    "-ea",
];

/// The JVMs of this machine that can run the classes: the oldest and the newest. Or why there are none.
///
/// # Errors
///
/// What is missing, and how to get it.
pub fn jvms() -> Result<&'static [PathBuf], String> {
    static JVMS: OnceLock<Result<Vec<PathBuf>, String>> = OnceLock::new();
    let found = JVMS.get_or_init(|| {
        if c::sanitizer().is_some() {
            // The JVM needs other options then, and has tests of its own for that.
            return Err("a sanitizer looks at Java in the stage jvm of `make test-deep`".to_owned());
        }
        let java = match std::env::var_os("JAVA_HOME") {
            Some(home) => Path::new(&home).join("bin/java"),
            None => "java".into(),
        };
        for (tool, argument) in [(java.as_path(), "-version"), (Path::new("mvn"), "-version")] {
            let mut probe = Command::new(tool);
            probe.arg(argument).stdout(Stdio::null()).stderr(Stdio::null());
            if !probe.status().is_ok_and(|status| status.success()) {
                return Err(format!("{} is missing; run: make deps", tool.display()));
            }
        }
        let newest = c::succeed(&mut Command::new(header::root().join("java/newest-jdk")));
        let newest = Some(newest.trim()).filter(|path| !path.is_empty()).map(PathBuf::from);
        Ok([java].into_iter().chain(newest).collect())
    });
    found.as_deref().map_err(Clone::clone)
}

/// The driver of the contract with a host, in a JVM, with the library of this build.
pub fn driver(jvm: &Path, host: &str) -> Command {
    let mut command = Command::new(jvm);
    command.arg(format!("-XX:SharedArchiveFile={}", archive(jvm, host).display()));
    command.args(arguments(host));
    command
}

fn arguments(host: &str) -> Vec<String> {
    let mut arguments: Vec<String> = OPTIONS.map(str::to_owned).into();
    arguments.push(format!("-Dawsgi.library.path={}", c::library().display()));
    arguments.extend(["-cp", class_path(), "io.awsgi.contract.Driver", host].map(str::to_owned));
    arguments
}

/// What a driver does whose classes are archived: some of everything, where it can.
const REHEARSAL: &str = "\
event E
wait W any E:READABLE deadline=60000000000
threads T 1 1 E READABLE
join T
take E
pipe P
wait V any P:READABLE multishot
put P
foreign F level
wait U any F:READABLE
put F
foreign G once
wait S any G:READABLE
put G
stall 10000000
wait R any deadline=1000000
timer C 1000000 0
wait Q all C:READABLE E:READABLE
batch 2
notify E READABLE
notify E READABLE
stall 10000000
take F
take G
close F
close G
stats
cancel V
quit
";

/// The classes of a driver as the JVM has them in its memory, by which one starts in half the time. A
/// JVM that finds something changed does not use it.
fn archive(jvm: &Path, host: &str) -> PathBuf {
    let of = jvm.display().to_string().replace('/', "_");
    let archive = c::scratch().join(format!("{host}{of}.jsa"));
    let classes = header::root().join("java/contract/target/classpath");
    if class_path().is_empty() || (archive.exists() && modified(&archive) > modified(&classes)) {
        return archive;
    }
    let rehearsal = c::scratch().join("rehearsal");
    std::fs::write(&rehearsal, REHEARSAL).unwrap();
    let _ = std::fs::remove_file(&archive);
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"exec "$@" <"$0""#]).arg(rehearsal).arg(jvm);
    shell.arg(format!("-XX:ArchiveClassesAtExit={}", archive.display())).args(arguments(host));
    c::succeed(&mut shell);
    archive
}

/// What the driver needs, as Maven has written it down.
fn class_path() -> &'static str {
    static CLASS_PATH: OnceLock<String> = OnceLock::new();
    CLASS_PATH.get_or_init(|| {
        let java = header::root().join("java");
        let file = java.join("contract/target/classpath");
        // Cargo locks nothing that is Maven's.
        alone(&java.join("pom.xml"), || {
            if !is_built(&java, &file) {
                build(&java);
            }
        });
        let listed = std::fs::read_to_string(&file).unwrap();
        // Of what lies in folders, no archive can be made.
        let jar = concat!("/contract/target/contract-", env!("CARGO_PKG_VERSION"), ".jar");
        listed.trim().replace("/contract/target/classes", jar)
    })
}

/// Does something while no other thread or process does so that names the same file.
pub fn alone<R>(file: &Path, work: impl FnOnce() -> R) -> R {
    let held = File::open(file).unwrap();
    #[cfg(unix)]
    // SAFETY: a call for a descriptor that is open.
    while unsafe { libc::flock(held.as_raw_fd(), libc::LOCK_EX) } != 0 {
        let error = std::io::Error::last_os_error();
        assert_eq!(error.kind(), std::io::ErrorKind::Interrupted, "flock: {error}");
    }
    let done = work();
    drop(held);
    done
}

/// Whether everything is there, and newer than what it was made of.
fn is_built(java: &Path, class_path: &Path) -> bool {
    let Ok(listed) = std::fs::read_to_string(class_path) else { return false };
    let mut sources = vec![java.join("pom.xml")];
    for module in ["awsgi-core", "awsgi-netty", "contract"] {
        sources.extend([java.join(module).join("pom.xml"), java.join(module).join("src/main")]);
    }
    let built = modified(class_path);
    sources.iter().all(|source| newest(source) <= built)
        && listed.trim().split(':').all(|entry| Path::new(entry).exists())
}

fn build(java: &Path) {
    let mut maven = Command::new("mvn");
    maven.current_dir(java).args(["--batch-mode", "--no-transfer-progress", "--quiet"]);
    maven.args(["--projects", "contract", "--also-make", "-Dmaven.test.skip", "package"]);
    // Which it would have cargo build otherwise.
    maven.arg(format!("-Dawsgi.library={}", c::library().display()));
    c::succeed(&mut maven);
}

fn modified(file: &Path) -> SystemTime {
    file.metadata().and_then(|file| file.modified()).unwrap()
}

/// When the newest file of a folder was modified, or the file itself.
fn newest(path: &Path) -> SystemTime {
    if !path.is_dir() {
        return modified(path);
    }
    let entries = std::fs::read_dir(path).unwrap().map(|entry| newest(&entry.unwrap().path()));
    entries.chain([modified(path)]).max().unwrap()
}
