//! One readiness core, one small vocabulary, any host.
//!
//! An application says *what* it is waiting for; the host that runs it may be a server with a loop
//! of its own, a JVM whose channels have no integer behind them, or the bundled server. Neither
//! knows the other.
//!
//! - [`Reactor`]: the readiness core. Waits on waitables complete in its turn.
//! - [`gateway`]: exchanges between hosts, which speak HTTP, and applications, which may suspend.
//! - `server` (feature `server`): the bundled HTTP server.
//! - `ffi` (feature `ffi`): the C ABI of `include/awsgi.h`, and the loader of applications.
#![deny(unsafe_code)]

mod core;
mod error;
#[cfg(feature = "ffi")]
#[allow(unsafe_code)]
pub mod ffi;
pub mod gateway;
mod reactor;
#[cfg(feature = "server")]
pub mod server;
#[allow(unsafe_code)]
mod sources;

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
