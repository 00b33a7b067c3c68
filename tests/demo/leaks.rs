//! Failures by the thousand leave nothing behind.

use std::net::TcpListener;

use crate::http;
use crate::server::{Demo, Server, serve_demo};
use crate::{is_deep, until};

const FAILURES: [&str; 9] = [
    "/garbage",
    "/long-head?bytes=20000",
    "/die?after=head",
    "/die?after=half",
    "/die?after=1000",
    "/reset?after=head",
    "/reset?after=1000",
    "/stall-body?after=1000",
    "/stall",
];

fn count() -> usize {
    if is_deep() { 10_000 } else { 1_000 }
}

/// Asks for all of `paths`, over and over, on four threads.
fn fail(server: &Server, paths: &[String], count: usize) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let agent = http::agent();
                for nth in (thread..count).step_by(4) {
                    let path = &paths[nth % paths.len()];
                    let got = http::get_with(&agent, server, path);
                    assert!(got.status >= 500 || got.body.is_err(), "{path}: {}", got.status);
                }
            });
        }
    });
}

#[test]
fn failed_relays_leave_no_descriptor_open() {
    let demo = Demo::with_timeout(20, &[]);
    let paths: Vec<String> = FAILURES
        .iter()
        .flat_map(|path| [format!("/relay{path}"), format!("/relay-blocking{path}")])
        .collect();
    fail(&demo, &paths, 2 * paths.len());
    // The connections of the clients have ended with them.
    let before = demo.settled_descriptors();
    fail(&demo, &paths, count());
    until("as few descriptors as before", || demo.descriptors() <= before);
    demo.assert_all_closed();
}

#[test]
fn refused_relays_leave_no_descriptor_open() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("127.0.0.2:{}", taken.local_addr().unwrap().port());
    let server = serve_demo(&nobody, 5000, &[]);
    let paths = ["/relay".to_owned(), "/relay-blocking".to_owned()];
    fail(&server, &paths, 20);
    let before = server.settled_descriptors();
    fail(&server, &paths, count());
    until("as few descriptors as before", || server.descriptors() <= before);
    server.assert_all_closed();
}
