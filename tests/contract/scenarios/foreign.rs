//! Objects that the host watches. What holds for both kinds is written here once, and stands in the
//! table of each.

use super::Scenario;
use crate::driver::{Driver, Played, fail};
use crate::protocol::Outcome::{Cancelled, Closed, Ready, TimedOut};

const LEVEL: &[&str] = &["foreign", "level"];

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "LEVEL, ready before the wait",
        about: "the object is watched when a wait asks for it, and reported at once",
        needs: LEVEL,
        play: |driver| before(driver, "level"),
    },
    Scenario {
        name: "LEVEL, ready after the wait",
        about: "the object is reported when it becomes readable",
        needs: LEVEL,
        play: |driver| after(driver, "level"),
    },
    Scenario {
        name: "LEVEL, deadline and cancel",
        about: "waits on an object that is not ready end as others do",
        needs: LEVEL,
        play: |driver| ends_unready(driver, "level"),
    },
    Scenario {
        name: "LEVEL, the other side closes",
        about: "HANGUP or READ_CLOSED completes the wait",
        needs: &["foreign", "level", "level_ends"],
        play: |driver| hangup(driver, "level"),
    },
    Scenario {
        name: "LEVEL, nothing more can be read",
        about: "when the other side has closed, each wait for READABLE completes, be it as READABLE",
        needs: LEVEL,
        play: |driver| read_to_the_end(driver, "level"),
    },
    Scenario {
        name: "LEVEL, two waits on one object",
        about: "their interest is merged, and one that goes leaves the other",
        needs: LEVEL,
        play: |driver| two_waits(driver, "level"),
    },
    Scenario {
        name: "LEVEL, changes are coalesced",
        about: "several arms and cancels between two turns are one watch change, or none",
        needs: LEVEL,
        play: |driver| coalesced(driver, "level"),
    },
    Scenario {
        name: "LEVEL, closed while watched",
        about: "the wait completes as CLOSED, and the host is told to stop",
        needs: LEVEL,
        play: |driver| closed(driver, "level"),
    },
    Scenario {
        name: "LEVEL, a rhythm needs no changes",
        about: "a wait that is armed anew before the next message costs no watch change",
        needs: LEVEL,
        play: rhythm,
    },
    Scenario {
        name: "LEVEL, reports that nobody wants",
        about: "an object that stays ready is watched no longer, until a wait asks again",
        needs: LEVEL,
        play: unwanted,
    },
    Scenario {
        name: "LEVEL, a wait off the loop",
        about: "the host stops watching as soon as the wait has ended",
        needs: LEVEL,
        play: off_loop,
    },
];

pub fn before(driver: &mut Driver, kind: &str) -> Played {
    driver.ok(&format!("foreign F {kind}"))?;
    driver.ok("put F")?;
    driver.ok("put F")?;
    driver.ok("wait W any F:READABLE")?;
    driver.watched("F", "READABLE")?;
    driver.ready("W", "0:READABLE")?;
    driver.ok("wait V any F:READABLE")?;
    driver.ready("V", "0:READABLE")?;
    driver.take_all("F", 2)?;
    driver.value_is("take F", 0)?;
    driver.ok("wait Empty any F:READABLE")?;
    driver.nothing_of("Empty")
}

pub fn after(driver: &mut Driver, kind: &str) -> Played {
    driver.ok(&format!("foreign F {kind}"))?;
    driver.barrier()?;
    if let Some(change) = driver.changes("F").first() {
        return fail("no watch before a wait", format!("{change:?}"));
    }
    for round in 0..20 {
        let wait = format!("W{round}");
        driver.ok(&format!("wait {wait} any F:READABLE"))?;
        driver.nothing_of(&wait)?;
        driver.ok("put F")?;
        driver.ready(&wait, "0:READABLE")?;
        driver.value_is("take F", 1)?;
    }
    Ok(())
}

pub fn ends_unready(driver: &mut Driver, kind: &str) -> Played {
    driver.ok(&format!("foreign F {kind}"))?;
    driver.ok("wait Late any F:READABLE deadline=30000000")?;
    driver.ends("Late", TimedOut)?;
    driver.ok("wait Gone any F:READABLE")?;
    driver.ok("wait Lost any F:READABLE")?;
    driver.ok("forget Lost")?;
    driver.ok("cancel Gone")?;
    driver.ends("Gone", Cancelled)?;
    driver.ok("put F")?;
    driver.nothing_of("Lost")?;
    // Sooner or later nothing is watched: what is ready now is nobody's.
    driver.barrier()?;
    driver.stopped("F")?;
    driver.ok("wait W any F:READABLE")?;
    driver.ready("W", "0:READABLE")
}

pub fn hangup(driver: &mut Driver, kind: &str) -> Played {
    driver.ok(&format!("foreign F {kind}"))?;
    driver.ok("wait W any F:READABLE")?;
    driver.nothing_of("W")?;
    driver.ok("hangup F")?;
    driver.ok("wait V any F:READABLE")?;
    for wait in ["W", "V"] {
        let done = driver.ends(wait, Ready)?;
        if !done.members.iter().any(|(_, bits)| bits.has("HANGUP") || bits.has("READ_CLOSED")) {
            return fail(
                format!("{wait} READY with HANGUP or READ_CLOSED"),
                format!("`{}`", done.line),
            );
        }
    }
    driver.value_is("take F", 0)?;
    driver.ok("close F").map(drop)
}

/// What every host can see of an end.
pub fn read_to_the_end(driver: &mut Driver, kind: &str) -> Played {
    driver.ok(&format!("foreign F {kind}"))?;
    driver.ok("put F")?;
    driver.ok("wait W any F:READABLE")?;
    driver.ends("W", Ready)?;
    driver.take_all("F", 1)?;
    driver.ok("wait End any F:READABLE")?;
    driver.nothing_of("End")?;
    driver.ok("hangup F")?;
    driver.ends("End", Ready)?;
    driver.ok("wait Again any F:READABLE")?;
    driver.ends("Again", Ready)?;
    driver.value_is("take F", 0)?;
    driver.ok("close F").map(drop)
}

pub fn two_waits(driver: &mut Driver, kind: &str) -> Played {
    driver.ok(&format!("foreign F {kind}"))?;
    driver.ok("wait Read any F:READABLE")?;
    driver.watched("F", "READABLE")?;
    driver.ok("wait Urgent any F:PRIORITY")?;
    driver.watched("F", "READABLE,PRIORITY")?;
    driver.ok("wait Second any F:READABLE")?;
    driver.ok("cancel Urgent")?;
    driver.ends("Urgent", Cancelled)?;
    driver.ok("forget Second")?;
    driver.nothing_of("Read")?;
    driver.ok("put F")?;
    driver.ready("Read", "0:READABLE")?;
    driver.nothing_of("Second")
}

pub fn coalesced(driver: &mut Driver, kind: &str) -> Played {
    driver.ok(&format!("foreign F {kind}"))?;
    driver.batch(&["wait Never any F:READABLE", "cancel Never"])?;
    driver.ends("Never", Cancelled)?;
    driver.batch(&["wait Nor any F:READABLE", "forget Nor"])?;
    driver.barrier()?;
    if let Some(change) = driver.changes("F").first() {
        return fail(
            "no change for what was armed and withdrawn in a batch",
            format!("{change:?}"),
        );
    }
    driver.batch(&[
        "wait A any F:READABLE",
        "wait B any F:PRIORITY",
        "cancel A",
        "wait C any F:READABLE",
        "forget B",
        "wait D any F:READABLE",
    ])?;
    driver.ends("A", Cancelled)?;
    driver.watched("F", "READABLE")?;
    driver.barrier()?;
    if let Some(change) = driver.changes("F").first() {
        return fail("one change for a batch", format!("{change:?} too"));
    }
    driver.ok("put F")?;
    driver.ready("C", "0:READABLE")?;
    driver.ready("D", "0:READABLE")
}

pub fn closed(driver: &mut Driver, kind: &str) -> Played {
    driver.ok(&format!("foreign F {kind}"))?;
    driver.ok("wait W any F:READABLE")?;
    driver.watched("F", "READABLE")?;
    driver.ok("close F")?;
    driver.ends("W", Closed)?;
    driver.stopped("F")?;
    // Closed before anything was asked of the host.
    driver.ok(&format!("foreign G {kind}"))?;
    driver.batch(&["wait V any G:READABLE", "close G"])?;
    driver.ends("V", Closed)?;
    driver.barrier()?;
    match driver.changes("G").first() {
        Some(change) => fail("no change for what was never watched", format!("{change:?}")),
        None => Ok(()),
    }
}

fn rhythm(driver: &mut Driver) -> Played {
    driver.ok("foreign F level")?;
    driver.ok("wait W0 any F:READABLE")?;
    driver.watched("F", "READABLE")?;
    for round in 0..20 {
        // The object itself is never ready: a host that repeats its reports would be in the way.
        driver.ok("notify F READABLE")?;
        driver.ready(&format!("W{round}"), "0:READABLE")?;
        driver.ok(&format!("wait W{} any F:READABLE", round + 1))?;
    }
    driver.barrier()?;
    match driver.changes("F").first() {
        Some(change) => fail("no change after the first", format!("{change:?}")),
        None => Ok(()),
    }
}

fn unwanted(driver: &mut Driver) -> Played {
    driver.ok("foreign F level")?;
    driver.ok("wait W any F:READABLE")?;
    driver.watched("F", "READABLE")?;
    driver.ok("put F")?;
    driver.ready("W", "0:READABLE")?;
    // Each command may be the occasion of a report in vain.
    driver.barrier()?;
    driver.stopped("F")?;
    driver.barrier()?;
    if let Some(change) = driver.changes("F").first() {
        return fail("no change after the stop", format!("{change:?}"));
    }
    driver.ok("wait V any F:READABLE")?;
    driver.watched("F", "READABLE")?;
    driver.ready("V", "0:READABLE")
}

fn off_loop(driver: &mut Driver) -> Played {
    driver.ok("foreign F level")?;
    driver.ok("wait W any F:READABLE off_loop")?;
    driver.watched("F", "READABLE")?;
    driver.ok("put F")?;
    driver.ready("W", "0:READABLE")?;
    // In the same turn, and so before the completion: nothing more has to happen.
    match driver.changes("F").as_slice() {
        [change] if change.bits.is_none() => Ok(()),
        other => fail("`stop F` with the completion of W", format!("{other:?}")),
    }
}
