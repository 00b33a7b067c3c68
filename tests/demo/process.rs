//! A child process: what it says is collected, and it does not outlive its owner.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::{BOUND, until};

/// What a child has written so far.
#[derive(Clone, Default)]
pub struct Written(Arc<(Mutex<Text>, Condvar)>);

#[derive(Default)]
struct Text {
    text: String,
    ended: bool,
}

impl Written {
    fn collect(from: impl Read + Send + 'static) -> (Written, JoinHandle<()>) {
        let written = Written::default();
        let shared = written.clone();
        let thread = std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                shared.0.0.lock().unwrap().text.push_str(&String::from_utf8_lossy(&line));
                shared.0.1.notify_all();
                line.clear();
            }
            shared.0.0.lock().unwrap().ended = true;
            shared.0.1.notify_all();
        });
        (written, thread)
    }

    pub fn text(&self) -> String {
        self.0.0.lock().unwrap().text.clone()
    }

    /// Waits for a line that begins with this; answers its rest. `None` if the child ends first.
    pub fn line(&self, start: &str) -> Option<String> {
        let (text, changed) = &*self.0;
        let mut text = text.lock().unwrap();
        let since = Instant::now();
        loop {
            let found = text.text.lines().find_map(|line| line.strip_prefix(start));
            if let Some(rest) = found {
                return Some(rest.to_owned());
            }
            if text.ended {
                return None;
            }
            let left = BOUND.saturating_sub(since.elapsed());
            assert!(!left.is_zero(), "no line `{start}...` came, but\n{}", text.text);
            text = changed.wait_timeout(text, left).unwrap().0;
        }
    }
}

/// A running child. Killed when it is dropped, and what it wrote to stderr shown if a test failed.
pub struct Process {
    child: Child,
    shown: String,
    pub stdout: Written,
    pub stderr: Written,
    collectors: Vec<JoinHandle<()>>,
    /// Closed before it is killed: some end by that alone.
    pub stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts it; its standard input is what the command says.
    pub fn start(command: &mut Command) -> Process {
        let shown = format!("{command:?}");
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{shown}: {error}"));
        let stdin = child.stdin.take();
        let (stdout, out) = Written::collect(child.stdout.take().unwrap());
        let (stderr, err) = Written::collect(child.stderr.take().unwrap());
        Process { child, shown, stdout, stderr, collectors: vec![out, err], stdin }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
        assert!(sent.unwrap().success(), "{}: cannot be sent SIG{name}", self.shown);
    }

    /// Waits until it has ended and all it wrote is collected.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        let shown = self.shown.clone();
        until(&format!("the end of {shown}"), || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        for collector in self.collectors.drain(..) {
            collector.join().unwrap();
        }
        status.unwrap()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Its resident memory, in bytes.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:") << 10
    }

    pub fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// The same when they have not changed for a while: clients that left are gone.
    pub fn settled_descriptors(&self) -> usize {
        let mut count = (self.descriptors(), Instant::now());
        until("an unchanging number of descriptors", || {
            let now = self.descriptors();
            if now != count.0 {
                count = (now, Instant::now());
            }
            count.1.elapsed() > Duration::from_millis(100)
        });
        count.0
    }

    /// Its time on processors so far, in clock ticks.
    pub fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1;
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
        for collector in self.collectors.drain(..) {
            let _ = collector.join();
        }
        if std::thread::panicking() {
            eprintln!("---- {}\n{}----", self.shown, self.stderr.text());
        }
    }
}
