//! Where readiness comes from: the selector, descriptors, the signal of other threads, the clock.
//!
//! The system calls of the reactor are all here. What differs between systems lies behind the same few
//! functions: small things in one file, others in a file for each mechanism. Linux has epoll, eventfd
//! and timerfd; elsewhere what mio offers everywhere takes their place (docs/platforms.md).

#[cfg(all(feature = "tokio", unix))]
pub(crate) mod async_fd;
pub(crate) mod clock;
pub(crate) mod descriptors;
pub(crate) mod fork;
pub(crate) mod handle;
#[cfg(all(feature = "server", unix))]
pub(crate) mod inherit;
pub(crate) mod owner;
pub(crate) mod selector;
#[cfg(target_os = "linux")]
pub(crate) mod shell;
#[cfg(not(target_os = "linux"))]
#[path = "shell/portable.rs"]
pub(crate) mod shell;
pub(crate) mod signal;
pub mod thread;
pub(crate) mod watcher;
