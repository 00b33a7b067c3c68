//! The command and the demo applications, over real sockets: what a user has, from outside.
//!
//! What is asked as anybody would, is asked through an HTTP client that is not ours (`http.rs`).
//! Bytes that no such client would send, and those whose moment matters, go through `wire.rs`.
//!
//! With AWSGI_DEEP=1 in the environment the sizes are those of the promises: 1 GiB, 10,000
//! failures, 5,000 sleepers.

#[path = "../common/mod.rs"]
mod common;

mod apps;
mod http;
mod pattern;
mod process;
mod server;
mod wire;

mod bad_input;
mod bodies;
mod check;
mod drain;
mod environ;
mod failing;
mod heads;
mod leaks;
mod leaving;
mod limits;
mod listen;
mod pool;
mod protocol;
mod queue;
mod refusals;
mod relay;
mod routes;
mod sleepers;
mod streams;

use std::time::{Duration, Instant};

/// How long anything may take. Only what never happens takes so long.
const BOUND: Duration = Duration::from_secs(20);

/// Waits for what others bring about; answers how long it took.
fn until(what: &str, mut happened: impl FnMut() -> bool) -> Duration {
    let since = Instant::now();
    while !happened() {
        assert!(since.elapsed() < BOUND, "{what}: it did not happen within {BOUND:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    since.elapsed()
}

/// Whether the sizes are to be those of the promises.
fn is_deep() -> bool {
    std::env::var_os("AWSGI_DEEP").is_some_and(|value| value == "1")
}
