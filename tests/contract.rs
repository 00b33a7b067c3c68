//! The program `awsgi-contract`.
#![cfg(feature = "cli")]

use std::process::Command;

#[test]
fn the_scenarios_are_listed() {
    let runner = env!("CARGO_BIN_EXE_awsgi-contract");
    let output = Command::new(runner).arg("--list").output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(listed.lines().any(|line| line == "fork"), "{listed}");
}
