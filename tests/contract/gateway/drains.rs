//! Servers that are told to end, by SIGTERM.

use super::{Scenario, get, post};

/// Everything is done long before the time is over.
pub const FINISHED: &[Scenario] = &[
    Scenario {
        name: "drain, without work",
        about: "It ends at once, and closes the connections that idle.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "s200,w5"))?;
            wire.response("GET")?.is(200, "abcde")?;
            server.drain()?;
            wire.is_closed()?;
            server.ends()
        },
    },
    Scenario {
        name: "drain, with an exchange that finishes",
        about: "No more is accepted, what is open is answered, and then it ends.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "t300,s200,w5"))?;
            server.said("A opened")?;
            server.drain()?;
            wire.response("GET")?.is(200, "abcde")?;
            wire.is_closed()?;
            server.ends()
        },
    },
    Scenario {
        name: "drain, with a large response under way",
        about: "All of it arrives before the end.",
        needs: &[],
        play: |server| {
            const MUCH: usize = 32 << 20;
            let mut wire = server.connect()?;
            wire.send(&get("A", &format!("s200,w{MUCH}")))?;
            server.stalled("A")?;
            server.drain()?;
            wire.response("GET")?.has_pattern(MUCH)?;
            server.ends()
        },
    },
    Scenario {
        name: "drain is told to applications",
        about: "Who waits for PRIORITY on its exchange can finish.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "c,s200,w5"))?;
            server.said("A opened")?;
            server.drain()?;
            server.said("A drains")?;
            wire.response("GET")?.is(200, "abcde")?;
            server.ends()
        },
    },
    Scenario {
        name: "drain, with a body that still comes",
        about: "It arrives, and is answered.",
        needs: &["pieces"],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&(post("A", "r,s200,w5", 5) + "he"))?;
            server.said("A read 2")?;
            server.drain()?;
            wire.send("llo")?;
            wire.response("POST")?.is(200, "abcde")?;
            server.ends()
        },
    },
    Scenario {
        name: "drain, with clients that leave",
        about: "It ends as soon as the last has left.",
        needs: &[],
        play: |server| {
            let mut wires = Vec::new();
            for nth in 0..20 {
                let mut wire = server.connect()?;
                wire.send(&get(&format!("N{nth}"), if nth % 2 == 0 { "g" } else { "s200,w5,g" }))?;
                server.said(&format!("N{nth} waits"))?;
                wires.push(wire);
            }
            server.drain()?;
            drop(wires);
            server.ends()
        },
    },
];

/// The time is over before everything is done.
pub const CUT_OFF: &[Scenario] = &[
    Scenario {
        name: "drain, with an exchange that does not finish",
        about: "503 when the time is over, and then it ends.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "g,s200,w5"))?;
            server.said("A waits")?;
            server.drain()?;
            wire.response("GET")?.has_status(503)?;
            wire.is_closed()?;
            server.ends()
        },
    },
    Scenario {
        name: "drain, with a response that does not finish",
        about: "It breaks off when the time is over, and then it ends.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "s200,w5,g,w5"))?;
            server.said("A waits")?;
            server.drain()?;
            wire.response("GET")?.is_broken("abcde")?;
            server.ends()
        },
    },
];
