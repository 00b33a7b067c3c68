//! Applications that fail, at each point, and responses that are not what their heads say.

use super::server::Server;
use super::{Scenario, get, post};
use crate::driver::Played;

/// 500, and the next request is served.
fn is_500(server: &mut Server, script: &str) -> Played {
    let mut wire = server.connect()?;
    wire.send(&get("A", script))?;
    let response = wire.response("GET")?;
    response.has_status(500)?;
    if response.closes() {
        wire = server.connect()?;
    }
    wire.send(&get("B", "s200,w1"))?;
    wire.response("GET")?.is(200, "a")
}

/// The client has the beginning, and sees that there is no end.
fn breaks_off(server: &mut Server, begin: &str) -> Played {
    let mut wire = server.connect()?;
    wire.send(&get("A", &format!("{begin}s200,w5,g,f")))?;
    server.go("A")?;
    wire.response("GET")?.is_broken("abcde")?;
    wire.is_closed()?;
    let mut wire = server.connect()?;
    wire.send(&get("B", "s200,w1"))?;
    wire.response("GET")?.is(200, "a")
}

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "an application that fails at once",
        about: "500, and the next request is served.",
        needs: &[],
        play: |server| is_500(server, "f"),
    },
    Scenario {
        name: "an application that fails after a wait",
        about: "The same.",
        needs: &[],
        play: |server| is_500(server, "t10,f"),
    },
    Scenario {
        name: "an application that answers nonsense",
        about: "The same, for a result that means nothing, and for a suspension with nothing to wait for.",
        needs: &[],
        play: |server| {
            is_500(server, "x")?;
            let mut wire = server.connect()?;
            wire.send(&get("C", "n"))?;
            wire.response("GET")?.has_status(500)
        },
    },
    Scenario {
        name: "an application that is done without a head",
        about: "The same.",
        needs: &[],
        play: |server| is_500(server, ""),
    },
    Scenario {
        name: "an application that fails with its head unsent",
        about: "500 in the place of what it had begun.",
        needs: &[],
        play: |server| is_500(server, "h,s200,w5,f"),
    },
    Scenario {
        name: "an application that fails with its head sent",
        about: "The client has what there was, and no end: in chunks, and with a length.",
        needs: &[],
        play: |server| breaks_off(server, ""),
    },
    Scenario {
        name: "the same with a declared length",
        about: "The connection closes before the length is there.",
        needs: &[],
        play: |server| breaks_off(server, "l10,"),
    },
    Scenario {
        name: "the same in HTTP/1.0",
        about: "Without length and chunks, a reset says that it is not complete.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send("GET /play?A=s200,w5,g,f HTTP/1.0\r\n\r\n")?;
            wire.read_to("abcde")?;
            server.go("A")?;
            wire.is_reset()
        },
    },
    Scenario {
        name: "an application that fails while its body comes",
        about: "500, or the end of the connection; others are served.",
        needs: &["middle"],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&(post("A", "r2,f", 100) + "hello"))?;
            wire.response("POST")?.has_status(500)?;
            let mut wire = server.connect()?;
            wire.send(&get("B", "s200,w1"))?;
            wire.response("GET")?.is(200, "a")
        },
    },
    Scenario {
        name: "fewer bytes than declared, unsent",
        about: "500: the promise was not kept, and nobody has seen it.",
        needs: &[],
        play: |server| is_500(server, "l10,s200,w5"),
    },
    Scenario {
        name: "fewer bytes than declared, sent",
        about: "The connection closes before the length is there.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "l10,s200,w5,g"))?;
            server.go("A")?;
            wire.response("GET")?.is_broken("abcde")?;
            wire.is_closed()
        },
    },
    Scenario {
        name: "more bytes than declared",
        about: "They are refused to the application; the client never gets them.",
        needs: &[],
        play: |server| {
            is_500(server, "l3,s200,w5")?;
            server.said("A write AWSGI_E_INVALID")?;
            let mut wire = server.connect()?;
            wire.send(&get("C", "l6,s200,w5,g,w5"))?;
            server.go("C")?;
            wire.response("GET")?.is_broken("abcde")
        },
    },
    Scenario {
        name: "a hundred that fail beside one that does not",
        about: "Each is a 500, and the one is answered.",
        needs: &[],
        play: |server| {
            let mut one = server.connect()?;
            one.send(&get("A", "s200,w5,g,w5"))?;
            one.read_to("abcde")?;
            let mut wire = server.connect()?;
            for nth in 0..100 {
                wire.send(&get(&format!("F{nth}"), if nth % 2 == 0 { "f" } else { "y,f" }))?;
                let response = wire.response("GET")?;
                response.has_status(500)?;
                if response.closes() {
                    wire = server.connect()?;
                }
            }
            server.go("A")?;
            one.read_to("0\r\n\r\n").map(drop)
        },
    },
];
