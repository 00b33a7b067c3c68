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
#[allow(dead_code)] // Until a reactor can be delegated.
pub(crate) mod signal;
pub mod thread;
#[allow(dead_code)] // Until a reactor can be delegated.
pub(crate) mod watcher;
