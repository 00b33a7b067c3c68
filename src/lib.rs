//! One readiness core, one small vocabulary, any host.
//!
//! An application says *what* it is waiting for; the host that runs it may be a server with a loop
//! of its own, a JVM whose channels have no integer behind them, or the bundled server. Neither
//! knows the other.
//!
//! - [`Reactor`]: the readiness core. Waits on waitables complete in its turn.
//! - [`gateway`]: exchanges between hosts, which speak HTTP, and applications, which may suspend.
//! - `tokio` (feature `tokio`): any waitable is a future in a tokio runtime.
//! - `server` (feature `server`): the bundled HTTP server.
//! - `ffi` (feature `ffi`): the C ABI of `include/awsgi.h`, and the loader of applications.
//! - `jni` (feature `jni`): the JVM bridge, for the Java classes of `io.awsgi.core`. It offers nothing
//!   to Rust.
//!
//! # Example
//!
//! Waits for an event that another thread notifies, for a second at most:
//!
//! ```
//! use awsgi::{Deadline, Outcome, Reactor, ReactorOptions, Readiness, Turn, WaitSpec, Watch, notify};
//!
//! # fn main() -> awsgi::Result<()> {
//! let reactor = Reactor::new(&ReactorOptions::default())?;
//! let event = reactor.event()?;
//! let set = [Watch { waitable: event, interest: Readiness::READABLE }];
//! let until = Deadline::at(reactor.now()? + 1_000_000_000);
//! reactor.wait_start(&WaitSpec::any(&set).until(until).user_data(7))?;
//!
//! let other = std::thread::spawn(move || notify(event, Readiness::READABLE));
//!
//! let mut done = Vec::new();
//! while done.is_empty() {
//!     let turn = Turn { deadline: Deadline::FOREVER, ..Turn::default() };
//!     reactor.turn(&turn, |completion| done.push(completion))?;
//! }
//! assert_eq!((done[0].user_data, done[0].outcome), (7, Outcome::Ready));
//! other.join().unwrap()?;
//!
//! // The end takes two steps: what is open completes as closed, then the reactor is freed.
//! reactor.close()?;
//! while !reactor.turn(&Turn::default(), |_| ())?.closed {}
//! reactor.free()
//! # }
//! ```
#![deny(unsafe_code)]

mod core;
mod error;
#[cfg(feature = "ffi")]
#[allow(unsafe_code)]
pub mod ffi;
pub mod gateway;
#[cfg(feature = "jni")]
#[allow(unsafe_code)]
mod jni;
mod reactor;
#[cfg(feature = "server")]
pub mod server;
#[allow(unsafe_code)]
mod sources;
#[cfg(all(feature = "tokio", unix))]
pub mod tokio;

pub use crate::core::{
    Completion, Deadline, Kind, Member, Outcome, Readiness, Token, WaitSpec, Watch,
};
pub use crate::error::{Error, Result, Status};
pub use crate::reactor::{
    Log, Mode, Reactor, ReactorOptions, Released, Report, Spawn, Stats, Stopper, Turn, Waiting,
    Wake, WatchChange, Watching, completion_members, level, notify, wait_cancel, wait_forget,
    wait_rearm, waitable_close, waitable_describe, waitable_label, waitable_take,
};
pub use crate::sources::handle::OsHandle;
