//! Every host keeps the contract, and the runner that says so is not fooled.
#![cfg(feature = "cli")]

mod common;

#[path = "contract/matrix.rs"]
mod matrix;
#[path = "contract/runner.rs"]
mod runner;
#[path = "contract/servers.rs"]
mod servers;
