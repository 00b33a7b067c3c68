//! Responses: their heads, their bodies, and those that have none.

use super::{Scenario, get, request};
use crate::driver::fail;

/// More than the kernel holds between two sockets, and any server.
const MUCH: usize = 32 << 20;
/// What an application may have written whose client takes nothing.
const HELD: u64 = 20 << 20;

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a head as it was given",
        about: "The status, and every field with its value, also two of one name.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "h,s207,w2"))?;
            let response = wire.response("GET")?;
            response.is(207, "ab")?;
            response.has_field("X-Twice", &["1", "2"])?;
            response.has_field("X-Odd", &["a \"b\", c"])
        },
    },
    Scenario {
        name: "a length that is known at the end",
        about: "A response that is complete when its head leaves has a Content-Length.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&(get("A", "s200,w5") + &get("B", "s404")))?;
            let response = wire.response("GET")?;
            response.is(200, "abcde")?;
            response.has_field("Content-Length", &["5"])?;
            let response = wire.response("GET")?;
            response.is(404, "")?;
            response.has_field("Content-Length", &["0"])
        },
    },
    Scenario {
        name: "a response in pieces",
        about: "The client has each before the next is written; without a length they are chunks.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&(get("A", "s200,w5,g,w5") + &get("B", "s200,w1")))?;
            let mut early = wire.read_to("abcde")?;
            server.go("A")?;
            early += &wire.read_to("0\r\n\r\n")?;
            if !early.to_lowercase().contains("transfer-encoding: chunked")
                || !early.contains("fghij")
            {
                return fail("chunks", early);
            }
            wire.response("GET")?.is(200, "a")
        },
    },
    Scenario {
        name: "a declared length, in pieces",
        about: "It is sent as it was declared, without chunks.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&(get("A", "l10,s200,w5,g,w5") + &get("B", "s200,w1")))?;
            server.go("A")?;
            let response = wire.response("GET")?;
            response.is(200, "abcdefghij")?;
            response.has_field("Content-Length", &["10"])?;
            wire.response("GET")?.is(200, "a")
        },
    },
    Scenario {
        name: "a head that leaves before its body",
        about: "The client has it while the application waits with no byte written.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "h,s200,g,w2"))?;
            let head = wire.read_to("\r\n\r\n")?;
            if !head.to_lowercase().contains("x-odd: a") {
                return fail("the head", head);
            }
            server.go("A")?;
            wire.read_to("0\r\n\r\n").map(drop)
        },
    },
    Scenario {
        name: "a large response",
        about: "Every byte of 32 megabytes in its place, in chunks and by its length.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", &format!("s200,w{MUCH}")))?;
            wire.response("GET")?.has_pattern(MUCH)?;
            wire.send(&get("B", &format!("l{MUCH},s200,w{MUCH}")))?;
            wire.response("GET")?.has_pattern(MUCH)
        },
    },
    Scenario {
        name: "a client that is slow stops the application",
        about: "It is held up while its client takes nothing, and others are not; then all arrives.",
        needs: &[],
        play: |server| {
            let mut slow = server.connect()?;
            slow.send(&get("A", &format!("s200,w{MUCH}")))?;
            let held = server.stalled("A")?;
            if held > HELD {
                return fail(format!("at most {HELD} bytes written"), format!("{held}"));
            }
            let mut other = server.connect()?;
            other.send(&get("B", "s200,w5"))?;
            other.response("GET")?.is(200, "abcde")?;
            slow.response("GET")?.has_pattern(MUCH)
        },
    },
    Scenario {
        name: "HTTP/1.0, without a length",
        about: "The end of the connection is the end of the response.",
        needs: &[],
        play: |server| {
            for fields in ["", "Connection: keep-alive\r\n"] {
                let mut wire = server.connect()?;
                let name = if fields.is_empty() { "A" } else { "B" };
                wire.send(&format!("GET /play?{name}=s200,w5,t20,w5 HTTP/1.0\r\n{fields}\r\n"))?;
                let response = wire.response("GET")?;
                response.is(200, "abcdefghij")?;
                response.has_field("Transfer-Encoding", &[])?;
            }
            Ok(())
        },
    },
    Scenario {
        name: "HEAD",
        about: "The head of GET, its length included, and no byte of a body.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            for (name, script, length) in [
                ("A", "s200,w5", "5"),
                ("B", "l1000,s200", "1000"),
                ("C", "l5,s200,w3,t10,w2", "5"),
            ] {
                wire.send(&request("HEAD", name, script, ""))?;
                let response = wire.response("HEAD")?;
                response.has_status(200)?;
                response.has_field("Content-Length", &[length])?;
            }
            // Without a length a server may have to close.
            wire.send(&request("HEAD", "D", "s200,w5,t10,w5", ""))?;
            let response = wire.response("HEAD")?;
            response.has_status(200)?;
            if response.closes() {
                wire.is_closed()?;
                wire = server.connect()?;
            }
            wire.send(&get("E", "s200,w1"))?;
            wire.response("GET")?.is(200, "a")
        },
    },
    Scenario {
        name: "204 and 304",
        about: "No body, whatever is written, and the next request is answered.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&(get("A", "s204,w5") + &get("B", "s304,w5,t10,w5")))?;
            let response = wire.response("GET")?;
            response.has_status(204)?;
            response.has_field("Content-Length", &[])?;
            response.has_field("Transfer-Encoding", &[])?;
            let response = wire.response("GET")?;
            response.has_status(304)?;
            if response.closes() {
                wire.is_closed()?;
                wire = server.connect()?;
            }
            wire.send(&get("C", "s200,w1"))?;
            wire.response("GET")?.is(200, "a")
        },
    },
    Scenario {
        name: "an application that yields",
        about: "It goes on without anything that wakes the server.",
        needs: &[],
        play: |server| {
            let script = "y,".repeat(50) + "s200,w1," + &"y,".repeat(50) + "w1";
            let mut wire = server.connect()?;
            wire.send(&get("A", &script))?;
            wire.response("GET")?.is(200, "ab")
        },
    },
    Scenario {
        name: "two hundred at once",
        about: "They wait without a thread for each, and all are answered.",
        needs: &[],
        play: |server| {
            let mut wires = Vec::new();
            for nth in 0..200 {
                let mut wire = server.connect()?;
                wire.send(&get(&format!("N{nth}"), "g,s200,w3"))?;
                wires.push(wire);
            }
            for nth in 0..200 {
                server.said(&format!("N{nth} waits"))?;
            }
            let threads = server.threads();
            if threads > 32 {
                return fail("at most 32 threads", format!("{threads}"));
            }
            for (nth, wire) in wires.iter_mut().enumerate() {
                server.go(&format!("N{nth}"))?;
                wire.response("GET")?.is(200, "abc")?;
            }
            Ok(())
        },
    },
];
