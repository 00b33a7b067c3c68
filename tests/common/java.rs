//! Java programs of `java/`, with the library of this build.
//!
//! They are built by Maven if they are not, or are older than their sources. From outside, `JAVA_HOME`
//! names the JDK; the newest that is installed is there, too.

use super::{c, header};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

/// Starts in a fraction of the time, and warns of nothing that our programs do.
const OPTIONS: [&str; 6] = [
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
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

/// A command line that begins with a JVM, and knows the classes of the driver of the contract, and the
/// library.
pub fn command(jvm: &Path) -> Command {
    let mut command = Command::new(jvm);
    command.args(OPTIONS);
    command.arg(format!("-Dawsgi.library.path={}", c::library().display()));
    command.arg("-cp").arg(class_path());
    if let Some(runtime) = c::sanitizer() {
        command.env("LD_PRELOAD", runtime);
        // A JVM never frees much of what it allocates, and has a use of its own for faults.
        command.env("ASAN_OPTIONS", "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0");
    }
    command
}

/// What the driver needs, as Maven has written it down.
fn class_path() -> &'static str {
    static CLASS_PATH: OnceLock<String> = OnceLock::new();
    CLASS_PATH.get_or_init(|| {
        let java = header::root().join("java");
        let file = java.join("contract/target/classpath");
        if !is_built(&java, &file) {
            build(&java);
        }
        std::fs::read_to_string(&file).unwrap().trim().to_owned()
    })
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
