//! The Rust examples do what they say.

// Each is a program: its `main` is not used here.
#[allow(dead_code)]
#[path = "../examples/futures.rs"]
mod futures;
#[cfg(all(feature = "tokio", unix))]
#[allow(dead_code)]
#[path = "../examples/tokio.rs"]
mod on_tokio;
#[allow(dead_code)]
#[path = "../examples/turns.rs"]
mod turns;

#[test]
fn turns_sees_its_sleep_its_event_and_its_socket() {
    let mut lines = turns::run().unwrap();
    lines.sort();
    assert_eq!(lines, ["event: notified", "sleep: its time has come", "socket: 1 byte"]);
}

#[test]
fn futures_receives_what_it_sends() {
    let expected = ["received 1", "received 2", "received 3", "the other side has closed"];
    assert_eq!(futures::run().unwrap(), expected);
}

#[cfg(all(feature = "tokio", unix))]
#[test]
fn tokio_serves_what_waits_in_its_reactor() {
    let expected = [
        "you said hello",
        "a thread has notified",
        "three ticks or more",
        "a descriptor is READABLE",
        "the server stops",
        "the server stops",
    ];
    assert_eq!(on_tokio::run().unwrap(), expected);
}

#[test]
fn every_example_is_run() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let line = format!("#[path = \"../examples/{name}\"]");
        assert!(include_str!("examples.rs").contains(&line), "no test runs examples/{name}");
    }
}
