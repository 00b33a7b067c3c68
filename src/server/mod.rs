//! The bundled HTTP server: HTTP/1.1 by hyper, on tokio, for applications that suspend.
//!
//! It is a host like any other. Each worker is a thread with a runtime and a reactor in nested
//! mode, turned by one task; connections are tasks of the same runtime, and an exchange is a
//! gateway's, driven through the host's half that every host has. Workers share nothing but the
//! listening socket and the count of exchanges.
//!
//! ```no_run
//! # fn main() -> awsgi::Result<()> {
//! # let application: std::sync::Arc<dyn awsgi::gateway::Application> = todo!();
//! use awsgi::server::{Server, ServerOptions};
//!
//! let server = Server::new(ServerOptions::new("127.0.0.1:8080".parse()?, application))?;
//! println!("listening on {}", server.local_addr());
//! server.run()?; // until another thread calls `server.drain`
//! # Ok(())
//! # }
//! ```
//!
//! # What a client meets
//!
//! Keep-alive, pipelining, chunked bodies both ways, HEAD and `Expect: 100-continue` are served.
//! A request that the server refuses itself gets one line of text: 400 (malformed, or without
//! exactly one valid Host), 408 (its head or its body too slow), 413 and 431 (too large), 414
//! (target too long), 501 (CONNECT), 503 (full, or being stopped). All but 503 when full close
//! the connection.
//!
//! A client that closes its connection is noticed at once, also behind bytes that nobody reads.
//! One that only stops sending (half-closes) counts as gone after 20 ms without output, which is
//! enough for its response if the application answers at once.

mod accept;
mod admission;
mod body;
mod calendar;
mod connection;
mod deadlines;
mod diagnostics;
mod exchange;
mod hub;
mod inbound;
mod io;
mod link;
mod listener;
mod log;
mod mounts;
mod options;
mod refusal;
mod response;
mod service;
#[cfg(test)]
mod tests;
mod worker;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub use listener::{Address, Listen};
pub use options::{AccessLog, Limits, Ready, ServerOptions};

use self::admission::Admission;
use self::diagnostics::Diagnostics;
use self::listener::Listener;
use self::worker::{Order, Shared};
use crate::error::{Error, Result, Status};

/// An HTTP server. It listens from the moment it is made, and answers while it runs.
pub struct Server {
    shared: Arc<Shared>,
    /// Until it runs.
    idle: Mutex<Option<Idle>>,
    running: AtomicBool,
}

struct Idle {
    listener: Listener,
    ready: Option<Ready>,
}

impl Server {
    /// Binds the socket and checks the options. Connections are kept waiting until
    /// [`run`](Server::run).
    ///
    /// # Errors
    ///
    /// [`Status::Os`] if it cannot listen there; [`Status::Invalid`] if an option has no sense.
    pub fn new(options: ServerOptions) -> Result<Server> {
        options.check()?;
        let workers = options.worker_count();
        let listener = Listener::bind(options.listen)?;
        let shared = Shared {
            orders: watch::Sender::new(Order::Prepare),
            admission: Admission::new(&options.limits),
            limits: options.limits,
            access_log: options.access_log,
            diagnostics: Diagnostics::new(options.log),
            address: listener.address().clone(),
            application: options.application,
            mounts: options.mounts,
            workers,
            pool_threads: options.pool_threads,
        };
        Ok(Server {
            shared: Arc::new(shared),
            idle: Mutex::new(Some(Idle { listener, ready: options.ready })),
            running: AtomicBool::new(false),
        })
    }

    /// Where it listens, with the port that was chosen for port 0.
    pub fn local_addr(&self) -> &Address {
        &self.shared.address
    }

    /// How many workers it has.
    pub fn workers(&self) -> usize {
        self.shared.workers
    }

    /// Whether a thread is in [`run`](Server::run).
    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// Serves until it has been drained, on threads of its own that take no signals. Can be
    /// called once.
    ///
    /// # Errors
    ///
    /// [`Status::State`] if it was called before; otherwise why a worker could not start or had
    /// to end, after the others have ended too.
    pub fn run(&self) -> Result<()> {
        let idle = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.is_some() {
                self.running.store(true, Ordering::Release);
            }
            idle.take()
        };
        let Some(idle) = idle else {
            return Err(Error::new(
                Status::State,
                "the server has been run before: make another one to serve again",
            ));
        };
        let outcome = self.run_workers(idle);
        self.running.store(false, Ordering::Release);
        outcome
    }

    fn run_workers(&self, Idle { listener, ready }: Idle) -> Result<()> {
        let mut outcome = Ok(());
        let (sender, starts) = mpsc::channel();
        let mut threads = Vec::with_capacity(self.shared.workers);
        for index in 0..self.shared.workers {
            match self.start(index, &listener, sender.clone()) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        drop(sender);
        // A copy of the socket here would keep it listening while the workers drain, and clients
        // waiting that nobody accepts.
        let path = listener.hand_over();
        for start in starts {
            outcome = outcome.and(start);
        }
        if outcome.is_err() {
            self.drain(Duration::ZERO);
        } else {
            // An order to drain that came in the meantime stands.
            self.shared.orders.send_if_modified(|order| {
                let waiting = *order == Order::Prepare;
                if waiting {
                    *order = Order::Serve;
                }
                waiting
            });
            if let Some(ready) = ready {
                ready();
            }
        }
        for thread in threads {
            let ended = thread.join().unwrap_or_else(|_| {
                Err(Error::new(Status::Panic, "a worker of the server panicked: this is our error"))
            });
            if ended.is_err() {
                self.drain(Duration::ZERO);
            }
            outcome = outcome.and(ended);
        }
        drop(path);
        outcome
    }

    fn start(
        &self,
        index: usize,
        listener: &Listener,
        starts: mpsc::Sender<Result<()>>,
    ) -> Result<std::thread::JoinHandle<Result<()>>> {
        let socket = listener.share()?;
        let shared = Arc::clone(&self.shared);
        let run = move || {
            // It takes the sender with it: `run` waits until the last one is gone.
            let result = worker::run(&shared, socket, move |started| {
                // Nobody listens only if `run` has been left by a panic.
                let _ = starts.send(started);
            });
            if result.is_err() {
                // The others could go on, but with less than was asked for: end all, say why.
                drain(&shared, Duration::ZERO);
            }
            result
        };
        crate::sources::thread::spawn(format!("awsgi-{index}"), run)
            .map_err(|error| Error::os("start a worker", &error))
    }

    /// Ends the server, from any thread: nothing more is accepted, idle connections are closed,
    /// exchanges finish, and [`run`](Server::run) returns. What is not done `within` that time is
    /// cut off. A second call can shorten the time, down to zero, not lengthen it.
    pub fn drain(&self, within: Duration) {
        drain(&self.shared, within);
    }
}

fn drain(shared: &Shared, within: Duration) {
    let now = Instant::now();
    // Longer than the clock reaches is as good as a year.
    let until = now.checked_add(within).unwrap_or(now + Duration::from_secs(365 * 24 * 3600));
    shared.orders.send_modify(|order| {
        *order = match *order {
            Order::Drain(earlier) => Order::Drain(earlier.min(until)),
            Order::Prepare | Order::Serve => Order::Drain(until),
        };
    });
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.shared.address)
            .field("workers", &self.shared.workers)
            .finish_non_exhaustive()
    }
}
