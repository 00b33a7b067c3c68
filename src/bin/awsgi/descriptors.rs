//! The limit of descriptors, which belongs to the process and therefore to the command.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a worker needs beside its connections.
const PER_WORKER: u64 = 16;
/// What the process needs beside its workers.
const PER_PROCESS: u64 = 32;

/// Raises the soft limit to the hard one, and warns if that is too low for so many exchanges:
/// each has a connection.
pub fn raise(max_exchanges: u32, workers: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum {
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of descriptors could not be raised");
        }
    }
    let Some(available) = getrlimit(Resource::Nofile).current else { return };
    let needed = needed(max_exchanges, workers);
    if available < needed {
        tracing::warn!(
            "this process may open {available} files, and {max_exchanges} exchanges need {needed} \
             and those that the application opens: raise the limit (ulimit -n) or lower \
             --max-exchanges"
        );
    }
}

fn needed(max_exchanges: u32, workers: usize) -> u64 {
    u64::from(max_exchanges) + workers as u64 * PER_WORKER + PER_PROCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise(1, 1);
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }

    #[test]
    fn every_exchange_and_worker_counts() {
        assert!(needed(1000, 2) > 1000);
        assert!(needed(1000, 3) > needed(1000, 2));
    }
}
