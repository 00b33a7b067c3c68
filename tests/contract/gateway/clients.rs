//! Clients that leave, at each point.

use super::server::Server;
use super::{Scenario, bytes, get, post};
use crate::driver::{Played, fail};

/// More than the kernel holds between two sockets, and any server.
const MUCH: usize = 64 << 20;

/// Who waits for its client is told by one more step; nobody else gets one. And the next is served.
fn ends(server: &mut Server, name: &str, told: bool) -> Played {
    server.closed(name)?;
    if server.has_said(&format!("{name} hangup")) != told {
        return fail(format!("{name} is told: {told}"), format!("the lines {:?}", server.lines()));
    }
    let mut wire = server.connect()?;
    wire.send(&get("Next", "s200,w1"))?;
    wire.response("GET")?.is(200, "a")
}

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "gone before the answer",
        about: "An exchange that waits for something else ends, without a further step.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "g,s200,w5"))?;
            server.said("A waits")?;
            drop(wire);
            ends(server, "A", false)?;
            match server.closed("A")? {
                1 => Ok(()),
                steps => fail("one step", format!("{steps}")),
            }
        },
    },
    Scenario {
        name: "gone while the application waits for it",
        about: "One more step, with HANGUP.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "s200,w5,c"))?;
            wire.read_to("abcde")?;
            drop(wire);
            ends(server, "A", true)
        },
    },
    Scenario {
        name: "gone while the application waits for it, unanswered",
        about: "The same, before there is a head.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "y,c,s200"))?;
            server.said("A opened")?;
            drop(wire);
            ends(server, "A", true)
        },
    },
    Scenario {
        name: "gone between two pieces",
        about: "An exchange that waits for something else ends.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "s200,w5,g,w5"))?;
            wire.read_to("abcde")?;
            drop(wire);
            ends(server, "A", false)
        },
    },
    Scenario {
        name: "gone while it takes nothing",
        about: "The application that waits for room is told.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", &format!("s200,w{MUCH}")))?;
            server.stalled("A")?;
            drop(wire);
            ends(server, "A", true)
        },
    },
    Scenario {
        name: "gone in the middle of a response",
        about: "The same, when it had begun to read.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", &format!("l{MUCH},s200,w{MUCH}")))?;
            wire.read_to("abcdefghijklmnopqrstuvwxyz")?;
            drop(wire);
            ends(server, "A", true)
        },
    },
    Scenario {
        name: "gone with its body half sent",
        about: "The application that reads is told.",
        needs: &["pieces"],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&(post("A", "r,s200,d", 100) + "hello"))?;
            server.said("A read 5")?;
            drop(wire);
            ends(server, "A", true)
        },
    },
    Scenario {
        name: "gone while its body waits for room",
        about: "Its exchange ends, though nobody reads the rest.",
        needs: &["pieces"],
        play: |server| {
            // More than is held for the application, and no more than the kernel holds, too: or it could not
            // tell of the end.
            let mut wire = server.connect()?;
            wire.send(&post("A", "r1,g,r,s200,d", MUCH))?;
            wire.send_if_taken(&bytes(120_000));
            server.said("A waits")?;
            drop(wire);
            ends(server, "A", false)
        },
    },
    Scenario {
        name: "gone behind bytes that nobody reads",
        about: "What it sent ahead does not hide that it left.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&(get("A", "g,s200,w5") + "GET /never HTTP/1.1\r\n"))?;
            server.said("A waits")?;
            drop(wire);
            ends(server, "A", false)
        },
    },
    Scenario {
        name: "gone when its answer is ready",
        about: "The exchange ends, whichever comes first.",
        needs: &[],
        play: |server| {
            for nth in 0..100 {
                let mut wire = server.connect()?;
                wire.send(&get(&format!("N{nth}"), &format!("t{},s200,w5", nth % 4)))?;
                server.said(&format!("N{nth} opened"))?;
                drop(wire);
            }
            for nth in 0..100 {
                server.closed(&format!("N{nth}"))?;
            }
            Ok(())
        },
    },
    Scenario {
        name: "a client that sends no more, and gets its answer",
        about: "Half a connection is enough for an answer that comes at once.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "s200,w5"))?;
            wire.finish();
            wire.response("GET")?.is(200, "abcde")
        },
    },
    Scenario {
        name: "a hundred that leave together",
        about: "Each is closed once, and nobody else is disturbed.",
        needs: &[],
        play: |server| {
            let mut stays = server.connect()?;
            stays.send(&get("A", "s200,w5,g,w5"))?;
            stays.read_to("abcde")?;
            let mut wires = Vec::new();
            for nth in 0..100 {
                let mut wire = server.connect()?;
                let script = ["g,s200", "y,c", "s200,w5,g", "s200,w5,c"][nth % 4];
                wire.send(&get(&format!("N{nth}"), script))?;
                wires.push(wire);
            }
            for nth in 0..100 {
                server.said(&format!("N{nth} opened"))?;
            }
            drop(wires);
            for nth in 0..100 {
                server.closed(&format!("N{nth}"))?;
            }
            server.go("A")?;
            stays.read_to("0\r\n\r\n").map(drop)
        },
    },
];
