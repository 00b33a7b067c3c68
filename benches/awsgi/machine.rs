//! The machine, and what the kernel tells of a process.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::measure::Outcome;

/// A process, by what /proc tells of it.
#[derive(Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    fn read(self, file: &str) -> Outcome<String> {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path).map_err(|error| format!("{path}: {error}").into())
    }

    /// The bytes of a line "NAME: N kB".
    fn kilobytes(self, file: &str, name: &str) -> Outcome<u64> {
        let text = self.read(file)?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number =
            line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        match number {
            Some(number) => Ok(number * 1024),
            None => Err(format!("/proc/{}/{file} has no {name}", self.0).into()),
        }
    }

    /// The bytes of its memory that are resident.
    pub fn resident(self) -> Outcome<u64> {
        self.kilobytes("smaps_rollup", "Rss")
    }

    /// The most that was resident so far, in bytes.
    pub fn peak_resident(self) -> Outcome<u64> {
        self.kilobytes("status", "VmHWM")
    }

    /// How many threads it has.
    pub fn threads(self) -> Outcome<usize> {
        Ok(fs::read_dir(format!("/proc/{}/task", self.0))?.count())
    }

    /// The time its threads have run, in kernel and user space; to the nanosecond, where
    /// /proc/PID/stat counts ticks of 10 ms. What ended threads had used is not in it: our
    /// processes end none while they are measured.
    pub fn cpu(self) -> Outcome<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.0))? {
            let task = task?.file_name();
            let text = self.read(&format!("task/{}/schedstat", task.to_string_lossy()))?;
            let ran = text.split(' ').next().and_then(|number| number.parse::<u64>().ok());
            nanoseconds += ran.ok_or("schedstat does not begin with a number")?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Waits until it does nothing any more: no time of the processor in a third of a second.
    pub fn settle(self) -> Outcome<()> {
        const PERIOD: Duration = Duration::from_millis(30);
        let until = Instant::now() + Duration::from_secs(60);
        let (mut before, mut quiet) = (self.cpu()?, 0);
        while quiet < 11 {
            if Instant::now() > until {
                return Err(
                    "a server that should only wait did not come to rest in a minute".into()
                );
            }
            std::thread::sleep(PERIOD);
            let now = self.cpu()?;
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
        }
        Ok(())
    }
}

/// Raises the limit of descriptors of this process, and so of the peers it starts, as far as it
/// may.
pub fn raise_descriptor_limit() -> Outcome<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// Refuses to begin what needs more descriptors than there are.
pub fn need_descriptors(count: u64) -> Outcome<()> {
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < count => Err(format!(
            "{count} descriptors are needed, and this process may open {limit}: raise the hard \
             limit (ulimit -Hn)"
        )
        .into()),
        _ => Ok(()),
    }
}

/// What the figures were measured on, in one line.
pub fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.trim_start().strip_prefix(':'))
        .unwrap_or("unknown processor");
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?");
    format!(
        "{} x {}, Linux {}, load {load} at the start",
        processors,
        model.trim(),
        read("/proc/sys/kernel/osrelease").trim()
    )
}
