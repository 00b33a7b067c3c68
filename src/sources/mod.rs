//! Where readiness comes from: the selector, descriptors, the signal of other threads, the clock.
//!
//! The system calls of the reactor are all here.

pub(crate) mod clock;
pub(crate) mod descriptors;
pub(crate) mod fork;
#[cfg(feature = "server")]
pub(crate) mod inherit;
pub(crate) mod owner;
pub(crate) mod selector;
pub(crate) mod shell;
pub(crate) mod signal;
pub mod thread;
pub(crate) mod watcher;
