//! The process of a driver: lines go in, lines come out, and it can be ended.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};

/// How much of its standard error is kept.
const STDERR: usize = 256 << 10;
/// The longest line that is read; a longer one is cut.
const LINE: u64 = 1 << 20;
/// How many lines may be there unread: a driver that says more has to wait for us.
const UNREAD: usize = 4096;
/// How long an ended driver may leave its standard error open, to a process that it has left behind.
const LINGER: Duration = Duration::from_secs(2);

/// What came of reading a line.
pub enum Next {
    Line(String),
    /// It has closed its standard output.
    End,
    /// Nothing came in time.
    Silence,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Status(i32),
    Signal(i32),
    /// It did not end in time, and was killed.
    Killed,
}

impl Exit {
    /// In words, after "the driver ".
    pub fn words(self) -> String {
        match self {
            Exit::Status(status) => format!("ended with the exit status {status}"),
            Exit::Signal(signal) => format!("was ended by signal {signal}"),
            Exit::Killed => "did not end and was killed".to_owned(),
        }
    }
}

/// A process of the driver. Killed, with all that it started, when this is dropped.
pub struct Process {
    child: Child,
    exit: Option<Exit>,
    /// None: its input has ended.
    input: Option<Sender<String>>,
    output: Receiver<String>,
    errors: Arc<Mutex<Vec<u8>>>,
    errors_ended: Receiver<()>,
}

impl Process {
    pub fn start(command: &[String]) -> io::Result<Process> {
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that nothing of it is left behind.
            .process_group(0)
            .spawn()?;
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        let (input, lines) = mpsc::channel();
        thread::spawn(move || write_lines(stdin, &lines));
        let (sender, output) = mpsc::sync_channel(UNREAD);
        thread::spawn(move || read_lines(stdout, &sender));
        let errors = Arc::new(Mutex::new(Vec::new()));
        let (ended, errors_ended) = mpsc::channel();
        let kept = Arc::clone(&errors);
        thread::spawn(move || {
            keep_errors(stderr, &kept);
            drop(ended);
        });
        Ok(Process { child, exit: None, input: Some(input), output, errors, errors_ended })
    }

    /// Has a line written. Never waits: a driver that does not read is found when it does not answer.
    pub fn write(&self, line: &str) {
        if let Some(input) = &self.input {
            // Whoever has closed its input ends, which is seen when we read.
            let _ = input.send(format!("{line}\n"));
        }
    }

    /// Ends its standard input.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    pub fn read(&self, until: Instant) -> Next {
        match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => Next::Line(line),
            Err(RecvTimeoutError::Timeout) => Next::Silence,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        }
    }

    /// Waits for its end, and kills it when that does not come in time.
    pub fn wait(&mut self, until: Instant) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        // There is no waiting with a limit. It is about to end: this takes no time.
        while !self.has_ended() {
            if Instant::now() >= until {
                return self.kill();
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.reap().map_or(Exit::Killed, Exit::from)
    }

    /// Kills it and what it started, if it is there; answers how it ended.
    pub fn kill(&mut self) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        let _ = self.reap();
        Exit::Killed
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let _ = kill_process(self.pid(), Signal::TERM);
    }

    pub fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        !matches!(waitid(WaitId::Pid(self.pid()), options), Ok(None))
    }

    /// Kills what is left of its group, and takes its exit status.
    fn reap(&mut self) -> Option<ExitStatus> {
        // Before the status is taken: until then the number is nobody else's. Nobody may be left.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let status = self.child.wait().ok();
        self.exit = Some(status.map_or(Exit::Killed, Exit::from));
        // What it wrote last may still be on its way.
        let _ = self.errors_ended.recv_timeout(LINGER);
        status
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What it wrote to its standard error so far.
    pub fn errors(&self) -> String {
        let errors = self.errors.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        String::from_utf8_lossy(&errors).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Exit {
        match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Status(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Killed,
        }
    }
}

fn write_lines(mut stdin: impl Write, lines: &Receiver<String>) {
    for line in lines {
        if stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

fn read_lines(stdout: impl Read, lines: &SyncSender<String>) {
    let mut stdout = BufReader::new(stdout);
    loop {
        let mut bytes = Vec::new();
        match (&mut stdout).take(LINE).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        // The last line of who died is no line: it is shown with a sign that it was cut.
        let line = match bytes.strip_suffix(b"\n") {
            Some(line) => String::from_utf8_lossy(line).into_owned(),
            None => String::from_utf8_lossy(&bytes).into_owned() + " (cut)",
        };
        if lines.send(line).is_err() {
            return;
        }
    }
}

/// Keeps the beginning, where the cause is.
fn keep_errors(mut stderr: impl Read, errors: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 4096];
    loop {
        match stderr.read(&mut bytes) {
            Ok(0) => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
            Ok(count) => {
                let mut errors = errors.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                let room = STDERR.saturating_sub(errors.len());
                errors.extend_from_slice(&bytes[..count.min(room)]);
            }
        }
    }
}
