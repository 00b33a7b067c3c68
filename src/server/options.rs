//! What a server is made of: where it listens, what it serves, its limits.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::listener::Listen;
use super::mounts;
use crate::error::{Error, Result, Status};
use crate::gateway::Application;
use crate::reactor::Log;

/// Takes one line of the access log, without its end of line. It is called on the workers'
/// threads and must not wait.
pub type AccessLog = Arc<dyn Fn(&str) + Send + Sync>;

/// Called by [`Server::run`](super::Server::run), once, when every worker serves.
pub type Ready = Arc<dyn Fn() + Send + Sync>;

/// What a [`Server`](super::Server) is made of.
pub struct ServerOptions {
    /// Where it listens.
    pub listen: Listen,
    /// How many workers serve: a thread, a runtime and a reactor each; at most 256. 0 takes one for
    /// each processor that this process may use.
    pub workers: usize,
    /// Answers what no mount answers.
    pub application: Arc<dyn Application>,
    /// Applications below a path: a request goes to the longest prefix that its path begins with
    /// at the end of a segment, so that `/a` takes `/a` and `/a/b`, not `/ab`. A prefix is
    /// compared with the path as it was sent, before any decoding.
    pub mounts: Vec<(String, Arc<dyn Application>)>,
    /// The limits.
    pub limits: Limits,
    /// How many threads run blocking applications, in each worker and for each application;
    /// 0 leaves it to the gateway.
    pub pool_threads: u32,
    /// Takes a line for each exchange; `None` writes none.
    pub access_log: Option<AccessLog>,
    /// Takes what the server and its reactors have to say; `None` leaves it to `tracing`. It is
    /// called on the workers' threads and must not wait.
    pub log: Option<Log>,
    /// Told when every worker serves.
    pub ready: Option<Ready>,
}

impl ServerOptions {
    /// A server for `application` at `listen`, everything else at its default.
    pub fn new(listen: Listen, application: Arc<dyn Application>) -> ServerOptions {
        ServerOptions {
            listen,
            workers: 0,
            application,
            mounts: Vec::new(),
            limits: Limits::default(),
            pool_threads: 0,
            access_log: None,
            log: None,
            ready: None,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.workers > MAX_WORKERS {
            return Err(Error::new(
                Status::Invalid,
                format!(
                    "{} workers are more than 256: a few times the number of processors is plenty",
                    self.workers
                ),
            ));
        }
        self.limits.check()?;
        mounts::check(self.mounts.iter().map(|(prefix, _)| prefix.as_str()))
    }

    pub(super) fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, |count| count.get()),
            count => count,
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("listen", &self.listen)
            .field("workers", &self.workers)
            .field("application", &self.application.name())
            .field("mounts", &self.mounts.iter().map(|(prefix, _)| prefix).collect::<Vec<_>>())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// How much of everything a client may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the head of a request, its first line included; more is answered with 431.
    /// 32 KiB.
    pub max_header_bytes: usize,
    /// Header fields of a request; more is answered with 431. 100.
    pub max_headers: usize,
    /// From the first byte of a head to its last; later is answered with 408. A connection that
    /// sends nothing at first is closed after the same time. 10 s.
    pub header_time: Duration,
    /// Bytes of the body of a request; more is answered with 413. `None` takes any. 16 MiB.
    pub max_body: Option<u64>,
    /// How long a connection may idle between requests, how long a client may send nothing of
    /// a body that the application waits for (408), and how long it may take nothing of a
    /// response (closed). Also how long an application may go on after its response has been
    /// delivered. 60 s.
    pub idle_time: Duration,
    /// Exchanges at once, in all workers together. 16384.
    pub max_exchanges: u32,
    /// Requests that may wait, first come first served, for one of these exchanges to end; one
    /// more is answered with 503. 1024.
    pub max_queued: u32,
    /// How long they may wait; later is answered with 503. 5 s.
    pub queue_time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_header_bytes: 32 << 10,
            max_headers: 100,
            header_time: Duration::from_secs(10),
            max_body: Some(16 << 20),
            idle_time: Duration::from_secs(60),
            max_exchanges: 16384,
            max_queued: 1024,
            queue_time: Duration::from_secs(5),
        }
    }
}

/// Far more than machines have processors, and well below the number of reactors of a process.
const MAX_WORKERS: usize = 256;

/// The longest time a limit may have. It is far from where sums of nanoseconds overflow.
const MAX_TIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Limits {
    fn check(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::new(Status::Invalid, what.to_string()));
        if self.max_header_bytes < 256 || self.max_header_bytes > 16 << 20 {
            return refuse(
                "max_header_bytes (--max-header-bytes) is outside 256 bytes to 16 MiB: choose a number between",
            );
        }
        if self.max_headers == 0 || self.max_headers > 10_000 {
            return refuse(
                "max_headers (--max-headers) is outside 1 to 10000: choose a number between",
            );
        }
        if self.max_exchanges == 0 || self.max_exchanges > 1 << 22 {
            return refuse(
                "max_exchanges (--max-exchanges) is outside 1 to 4194304: choose a number between",
            );
        }
        for (name, time) in [("header_time", self.header_time), ("idle_time", self.idle_time)] {
            if time.is_zero() || time > MAX_TIME {
                return refuse(&format!("{name} must be more than 0 and at most 10 years"));
            }
        }
        if self.queue_time > MAX_TIME {
            return refuse("queue_time must be at most 10 years");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        Limits::default().check().unwrap();
    }

    #[test]
    fn a_limit_that_serves_nobody_is_refused_by_name() {
        let limits = Limits { max_exchanges: 0, ..Limits::default() };
        assert!(limits.check().unwrap_err().message().contains("max_exchanges"));
        let limits = Limits { idle_time: Duration::ZERO, ..Limits::default() };
        assert!(limits.check().unwrap_err().message().contains("idle_time"));
        let limits = Limits { max_header_bytes: 1, ..Limits::default() };
        assert!(limits.check().unwrap_err().message().contains("max_header_bytes"));
    }
}
