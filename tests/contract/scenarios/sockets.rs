//! A TCP socket that an application opens: this is the server.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::Scenario;
use crate::driver::{Driver, Played, fail};
use crate::protocol::Outcome::{Cancelled, Ready};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "an application's TCP connection",
        about: "it connects, and bytes go both ways",
        needs: &["socket"],
        play: both_ways,
    },
    Scenario {
        name: "a refused connection",
        about: "the wait for WRITABLE completes, with ERROR",
        needs: &["socket", "socket_ends"],
        play: refused,
    },
    Scenario {
        name: "a peer that closes",
        about: "the wait for READABLE completes, with READ_CLOSED",
        needs: &["socket", "socket_ends", "descriptors"],
        play: peer_closes,
    },
    Scenario {
        name: "a connection that fails, or ends",
        about: "waits for WRITABLE and READABLE complete, be it as that",
        needs: &["socket"],
        play: over,
    },
    Scenario {
        name: "a socket read and written by two waits",
        about: "one is ready at once, is cancelled or forgotten, and leaves the other",
        needs: &["socket"],
        play: two_waits,
    },
    Scenario {
        name: "foreign object and socket in one set",
        about: "all of an object of the host's, and a connection of the application's",
        needs: &["socket", "foreign"],
        play: with_foreign,
    },
];

fn local<T>(what: &str, result: std::io::Result<T>) -> Played<T> {
    result.or_else(|error| fail(what, error.to_string()))
}

/// What the driver has connected, as X, and our end of it.
pub fn connect(driver: &mut Driver) -> Played<TcpStream> {
    let listener = local("a listener of the runner's", TcpListener::bind("127.0.0.1:0"))?;
    let port = local("its port", listener.local_addr())?.port();
    driver.ok(&format!("socket X {port}"))?;
    driver.ok("wait Connected any X:WRITABLE")?;
    driver.ready("Connected", "0:WRITABLE")?;
    local("a listener that does not block", listener.set_nonblocking(true))?;
    // It is there already, unless the driver has not connected to us.
    let peer = loop {
        match listener.accept() {
            Ok((peer, _)) => break peer,
            Err(error)
                if error.kind() == ErrorKind::WouldBlock && Instant::now() < driver.until() =>
            {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return fail(format!("a connection to port {port}"), error.to_string()),
        }
    };
    let left = driver.until().saturating_duration_since(Instant::now());
    let limit = Some(left.max(Duration::from_millis(1)));
    local("a peer that blocks", peer.set_nonblocking(false))?;
    local("a peer with a limit", peer.set_read_timeout(limit))?;
    local("a peer with a limit", peer.set_write_timeout(limit))?;
    Ok(peer)
}

fn send(peer: &mut TcpStream) -> Played {
    local("a byte to the driver", peer.write_all(b"x"))
}

fn receive(peer: &mut TcpStream) -> Played {
    local("a byte from the driver", peer.read_exact(&mut [0]))
}

fn both_ways(driver: &mut Driver) -> Played {
    let mut peer = connect(driver)?;
    for round in 0..20 {
        let wait = format!("W{round}");
        driver.ok(&format!("wait {wait} any X:READABLE deadline=60000000000"))?;
        driver.ok("put X")?;
        receive(&mut peer)?;
        send(&mut peer)?;
        driver.ready(&wait, "0:READABLE")?;
        driver.value_is("take X", 1)?;
    }
    driver.ok("close X")?;
    match peer.read(&mut [0]) {
        Ok(0) => Ok(()),
        other => fail("the end of the connection after `close X`", format!("{other:?}")),
    }
}

/// Where nobody listens: the port of a connection, which is in use as long as that is there.
fn nowhere() -> Played<(TcpStream, u16)> {
    let listener = local("a listener of the runner's", TcpListener::bind("127.0.0.1:0"))?;
    let address = local("its address", listener.local_addr())?;
    let busy = local("a connection of the runner's", TcpStream::connect(address))?;
    let port = local("its port", busy.local_addr())?.port();
    Ok((busy, port))
}

fn refused(driver: &mut Driver) -> Played {
    let (_busy, port) = nowhere()?;
    driver.ok(&format!("socket X {port}"))?;
    driver.ok("wait W any X:WRITABLE deadline=60000000000")?;
    let done = driver.ends("W", Ready)?;
    if !done.members.first().is_some_and(|(_, bits)| bits.has("ERROR")) {
        return fail("W READY with ERROR", format!("`{}`", done.line));
    }
    driver.ok("close X").map(drop)
}

/// What every host can see of it.
fn over(driver: &mut Driver) -> Played {
    let (_busy, port) = nowhere()?;
    driver.ok(&format!("socket Refused {port}"))?;
    driver.ok("wait Never any Refused:WRITABLE deadline=60000000000")?;
    driver.ends("Never", Ready)?;
    driver.ok("close Refused")?;
    let mut peer = connect(driver)?;
    driver.ok("wait Read any X:READABLE")?;
    send(&mut peer)?;
    driver.ends("Read", Ready)?;
    driver.value_is("take X", 1)?;
    driver.ok("wait End any X:READABLE")?;
    driver.nothing_of("End")?;
    drop(peer);
    driver.ends("End", Ready)?;
    driver.value_is("take X", 0)
}

fn peer_closes(driver: &mut Driver) -> Played {
    let mut peer = connect(driver)?;
    driver.ok("wait W any X:READABLE")?;
    driver.ok("wait End any X:READ_CLOSED")?;
    send(&mut peer)?;
    driver.ready("W", "0:READABLE")?;
    driver.value_is("take X", 1)?;
    driver.descriptor_barrier()?;
    driver.nothing_of("End")?;
    driver.ok("wait Read any X:READABLE")?;
    drop(peer);
    for wait in ["End", "Read"] {
        let done = driver.ends(wait, Ready)?;
        if !done.members.first().is_some_and(|(_, bits)| bits.has("READ_CLOSED")) {
            return fail(format!("{wait} READY with READ_CLOSED"), format!("`{}`", done.line));
        }
    }
    driver.value_is("take X", 0)
}

fn two_waits(driver: &mut Driver) -> Played {
    let mut peer = connect(driver)?;
    driver.ok("wait Read any X:READABLE")?;
    driver.ok("wait Write any X:WRITABLE")?;
    driver.ready("Write", "0:WRITABLE")?;
    driver.ok("wait Urgent any X:PRIORITY")?;
    driver.ok("wait Forgotten any X:PRIORITY")?;
    driver.ok("cancel Urgent")?;
    driver.ends("Urgent", Cancelled)?;
    driver.ok("forget Forgotten")?;
    driver.nothing_of("Read")?;
    send(&mut peer)?;
    driver.ready("Read", "0:READABLE")?;
    driver.ok("wait Both any X:READABLE,WRITABLE")?;
    let done = driver.ends("Both", Ready)?;
    // It may be told of one before the other.
    if done.members.first().is_some_and(|(_, bits)| bits.has("READABLE") || bits.has("WRITABLE")) {
        return Ok(());
    }
    fail("Both READY with READABLE, WRITABLE or both", format!("`{}`", done.line))
}

fn with_foreign(driver: &mut Driver) -> Played {
    let mut peer = connect(driver)?;
    let kind = driver.foreign_kind();
    driver.ok(&format!("foreign F {kind}"))?;
    driver.ok("wait W all F:READABLE X:READABLE")?;
    driver.ok("wait One any X:READABLE")?;
    send(&mut peer)?;
    driver.ready("One", "0:READABLE")?;
    driver.nothing_of("W")?;
    driver.ok("put F")?;
    driver.ready("W", "0:READABLE 1:READABLE")?;
    driver.value_is("take X", 1)?;
    driver.value_is("take F", 1)
}
