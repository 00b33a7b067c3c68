//! Requests: their heads, and their bodies on the way to the application.

use std::time::Duration;

use super::server::Server;
use super::{Scenario, bytes, get, post, receipt, request};
use crate::driver::{Played, fail};

/// What a server may hold of a body that nobody reads, with all that the kernel holds on both sides.
const HELD: usize = 16 << 20;

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a head as it was sent",
        about: "Method, target, query, protocol and fields reach the environ; fields of one name are joined.",
        needs: &[],
        play: |server| {
            let keys = [
                "REQUEST_METHOD",
                "PATH_INFO",
                "SERVER_PROTOCOL",
                "HTTP_X_A",
                "HTTP_COOKIE",
                "CONTENT_TYPE",
            ];
            let script = keys.iter().fold("s200".to_owned(), |script, key| script + ",e" + key);
            let fields =
                "X-A: 1\r\nCookie: b=1\r\nx-a: 2\r\nCookie: c=2\r\nContent-Type: text/odd\r\n";
            let mut wire = server.connect()?;
            wire.send(&request("DELETE", "A", &script, fields))?;
            wire.response("DELETE")?.is(200, "DELETE\n/play\nHTTP/1.1\n1,2\nb=1; c=2\ntext/odd\n")
        },
    },
    Scenario {
        name: "a target as it was sent",
        about: "REQUEST_URI is the target, with its escapes; PATH_INFO has them undone.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            let script = "s200,eREQUEST_URI,ePATH_INFO,eQUERY_STRING";
            wire.send(&format!("GET /pl%61y?A={script}&b=%20+ HTTP/1.1\r\nHost: a\r\n\r\n"))?;
            let query = format!("A={script}&b=%20+");
            // The last operation reads the rest of the query as the name of a variable.
            let body = format!("/pl%61y?{query}\n/play\n\n");
            wire.response("GET")?.is(200, &body)
        },
    },
    Scenario {
        name: "addresses",
        about: "REMOTE_ADDR, REMOTE_PORT and SERVER_PORT are those of the connection.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "s200,eREMOTE_ADDR,eREMOTE_PORT,eSERVER_PORT"))?;
            let (client, at) = wire.addresses();
            wire.response("GET")?.is(200, &format!("127.0.0.1\n{client}\n{at}\n"))
        },
    },
    Scenario {
        name: "one request after another",
        about: "A connection serves several, also those that were sent at once; each is answered in its place.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&get("A", "s200,w3"))?;
            wire.response("GET")?.is(200, "abc")?;
            let body = post("C", "r,s200,d", 5) + "hello";
            wire.send(&(get("B", "t20,s200,w1") + &body + &get("D", "s200,w2")))?;
            wire.response("GET")?.is(200, "a")?;
            wire.response("POST")?.is(200, &receipt(b"hello"))?;
            wire.response("GET")?.is(200, "ab")
        },
    },
    Scenario {
        name: "a request without a body",
        about: "Its end can be read at once.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&(get("A", "r,s200,d") + &post("B", "r,s200,d", 0)))?;
            wire.response("GET")?.is(200, &receipt(b""))?;
            wire.response("POST")?.is(200, &receipt(b""))
        },
    },
    Scenario {
        name: "a body with its length",
        about: "All of it arrives, and CONTENT_LENGTH.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&(post("A", "r,s200,d,eCONTENT_LENGTH", 5) + "hello"))?;
            wire.response("POST")?.is(200, &(receipt(b"hello") + "5\n"))
        },
    },
    Scenario {
        name: "a body in chunks",
        about: "All of it arrives, and nothing of its framing.",
        needs: &[],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&request("POST", "A", "r,s200,d", "Transfer-Encoding: chunked\r\n"))?;
            wire.send("3\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: dropped\r\n\r\n")?;
            wire.send(&get("B", "s200,w1"))?;
            wire.response("POST")?.is(200, &receipt(b"hello"))?;
            wire.response("GET")?.is(200, "a")
        },
    },
    Scenario {
        name: "a body larger than every buffer",
        about: "Four megabytes arrive, in their order.",
        needs: &[],
        play: |server| {
            let body = bytes(4 << 20);
            let mut wire = server.connect()?;
            wire.send(&post("A", "r,s200,d", body.len()))?;
            wire.send_if_taken(&body);
            wire.response("POST")?.is(200, &receipt(&body))
        },
    },
    Scenario {
        name: "a body in pieces",
        about: "The application has each before the next is sent.",
        needs: &["pieces"],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&(post("A", "r,s200,d", 5) + "he"))?;
            server.said("A read 2")?;
            wire.send("l")?;
            server.said("A read 3")?;
            wire.send("lo")?;
            wire.response("POST")?.is(200, &receipt(b"hello"))
        },
    },
    Scenario {
        name: "chunks in pieces",
        about: "The same, when each is a chunk, or a part of one.",
        needs: &["pieces"],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&request("POST", "A", "r,s200,d", "Transfer-Encoding: chunked\r\n"))?;
            wire.send("3\r\nh")?;
            server.said("A read 1")?;
            wire.send("el\r\n2")?;
            server.said("A read 3")?;
            wire.send("\r\nlo\r\n0\r\n\r\n")?;
            wire.response("POST")?.is(200, &receipt(b"hello"))
        },
    },
    Scenario {
        name: "a body that is not read stops its client",
        about: "The server takes no more than it has room for, until the application reads.",
        needs: &["pieces"],
        play: |server| {
            let body = bytes(HELD * 2);
            let mut wire = server.connect()?;
            wire.send(&post("A", "g,r,s200,d", body.len()))?;
            let sent = wire.fill(&body);
            if sent > HELD {
                return fail(format!("at most {HELD} bytes taken"), format!("{sent}"));
            }
            server.go("A")?;
            wire.send_if_taken(&body[sent..]);
            wire.response("POST")?.is(200, &receipt(&body))
        },
    },
    Scenario {
        name: "a body that nobody reads",
        about: "The answer comes all the same; then the next request, or the end of the connection.",
        needs: &[],
        play: |server| {
            let body = bytes(100_000);
            let mut wire = server.connect()?;
            wire.send(&post("A", "s200,w2", body.len()))?;
            wire.send_if_taken(&body);
            let response = wire.response("POST")?;
            response.is(200, "ab")?;
            wire.send_if_taken(get("B", "s200,w1").as_bytes());
            if response.closes() || !wire.hears_bytes() {
                return Ok(());
            }
            wire.response("GET")?.is(200, "a")
        },
    },
    Scenario {
        name: "an answer before the body came",
        about: "Who reads nothing of it is not kept waiting for it.",
        needs: &["early"],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&(post("A", "s200,w2", 100_000) + "only this"))?;
            wire.response("POST")?.is(200, "ab")
        },
    },
    Scenario {
        name: "an answer in the middle of the body",
        about: "Nor is who has read enough.",
        needs: &["middle"],
        play: |server| {
            let mut wire = server.connect()?;
            wire.send(&(post("A", "r4,s200,w2", 100_000) + "only this"))?;
            wire.response("POST")?.is(200, "ab")
        },
    },
    Scenario {
        name: "100 Continue when the body is wanted",
        about: "It is sent when the application begins to read, and not before.",
        needs: &["continue"],
        play: |server| {
            let mut wire = server.connect()?;
            let fields = "Content-Length: 5\r\nExpect: 100-continue\r\n";
            wire.send(&request("POST", "A", "g,r,s200,d", fields))?;
            server.said("A waits")?;
            if wire.hears(Duration::from_millis(100)) {
                return fail("nothing before the application reads", "bytes");
            }
            server.go("A")?;
            wire.response("POST")?.has_status(100)?;
            wire.send("hello")?;
            wire.response("POST")?.is(200, &receipt(b"hello"))
        },
    },
    Scenario {
        name: "no 100 Continue for who does not read",
        about: "The answer comes in its place.",
        needs: &["continue", "early"],
        play: |server| {
            let mut wire = server.connect()?;
            let fields = "Content-Length: 5\r\nExpect: 100-continue\r\n";
            wire.send(&request("POST", "A", "s403,w1", fields))?;
            wire.response("POST")?.is(403, "a")
        },
    },
    Scenario {
        name: "a body that is too large",
        about: "413, and no exchange.",
        needs: &["limit"],
        play: |server: &mut Server| -> Played {
            let mut wire = server.connect()?;
            wire.send(&post("A", "r,s200,d", 1 << 30))?;
            wire.send_if_taken(&bytes(1000));
            wire.response("POST")?.has_status(413)?;
            match server.has_said("A read all") {
                true => fail("nothing of it in the application", "all of it"),
                false => Ok(()),
            }
        },
    },
];
