//! Plays again what the fuzzer found: the sequences of calls that reach the most, and those that
//! once broke a promise. `make fuzz` looks for more.
#![cfg(all(feature = "ffi", target_os = "linux"))]

mod fuzz;

use std::path::Path;

/// Sequences are played one after another, on one thread: each counts the descriptors it leaves.
#[test]
fn every_sequence_keeps_the_promises_of_the_header() {
    // One alone, for who looks for what is wrong with it.
    if let Some(file) = std::env::var_os("AWSGI_FUZZ_FILE") {
        let bytes = std::fs::read(file).unwrap();
        return match std::env::var_os("AWSGI_FUZZ_BAD") {
            Some(_) => fuzz::run_among_bad(&bytes),
            None => fuzz::run(&bytes),
        };
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut played = 0;
    for folder in ["corpus/calls", "regressions"] {
        let mut files: Vec<_> = std::fs::read_dir(root.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            // Told before, so that it can be seen also where the process ends.
            println!("playing {}", file.display());
            fuzz::run(&bytes);
            fuzz::run_among_bad(&bytes);
            played += 1;
        }
    }
    assert!(played > 0, "there is nothing to play");
}
