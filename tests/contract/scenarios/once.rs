//! Objects whose host reports once for each watch change.

use super::Scenario;
use super::foreign::{
    after, before, closed, coalesced, ends_unready, hangup, read_to_the_end, two_waits,
};
use crate::driver::{Driver, Played, fail};
use crate::protocol::Outcome::Cancelled;

const ONCE: &[&str] = &["foreign", "once"];
const CHANGES: &[&str] = &["foreign", "once", "once_changes"];

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "ONCE, ready before the wait",
        about: "the object is watched when a wait asks for it, and reported at once",
        needs: ONCE,
        play: |driver| before(driver, "once"),
    },
    Scenario {
        name: "ONCE, ready after the wait",
        about: "the object is reported when it becomes readable",
        needs: ONCE,
        play: |driver| after(driver, "once"),
    },
    Scenario {
        name: "ONCE, deadline and cancel",
        about: "waits on an object that is not ready end as others do, and the watch with them",
        needs: ONCE,
        play: |driver| ends_unready(driver, "once"),
    },
    Scenario {
        name: "ONCE, the other side closes",
        about: "HANGUP or READ_CLOSED completes the wait",
        needs: ONCE,
        play: |driver| hangup(driver, "once"),
    },
    Scenario {
        name: "ONCE, nothing more can be read",
        about: "when the other side has closed, each wait for READABLE completes, be it as READABLE",
        needs: ONCE,
        play: |driver| read_to_the_end(driver, "once"),
    },
    Scenario {
        name: "ONCE, two waits on one object",
        about: "their interest is merged, and one that goes leaves the other",
        needs: ONCE,
        play: |driver| two_waits(driver, "once"),
    },
    Scenario {
        name: "ONCE, changes are coalesced",
        about: "several arms and cancels between two turns are one watch change, or none",
        needs: CHANGES,
        play: |driver| coalesced(driver, "once"),
    },
    Scenario {
        name: "ONCE, closed while watched",
        about: "the wait completes as CLOSED, and the host is told to stop",
        needs: ONCE,
        play: |driver| closed(driver, "once"),
    },
    Scenario {
        name: "ONCE, a watch for each wait",
        about: "each wait is asked for with one watch change, and answered with one report",
        needs: CHANGES,
        play: watch_for_each,
    },
    Scenario {
        name: "ONCE, a report that leaves others waiting",
        about: "the host is asked again, for what they wait for",
        needs: CHANGES,
        play: leaves_others,
    },
    Scenario {
        name: "ONCE, nothing is reported unasked",
        about: "an object that stays ready is not reported again before the next watch",
        needs: ONCE,
        play: unasked,
    },
    Scenario {
        name: "ONCE, nothing is reported after a stop",
        about: "an object that becomes ready when nobody waits any more is not reported",
        needs: CHANGES,
        play: after_a_stop,
    },
];

fn no_more(driver: &mut Driver) -> Played {
    driver.barrier()?;
    match driver.changes("F").first() {
        Some(change) => fail("no watch change more", format!("{change:?}")),
        None => Ok(()),
    }
}

fn watch_for_each(driver: &mut Driver) -> Played {
    driver.ok("foreign F once")?;
    for round in 0..20 {
        let wait = format!("W{round}");
        driver.ok(&format!("wait {wait} any F:READABLE"))?;
        driver.watched("F", "READABLE")?;
        driver.ok("put F")?;
        driver.ready(&wait, "0:READABLE")?;
        driver.value_is("take F", 1)?;
    }
    no_more(driver)?;
    // Another wait for the same is another watch; one report is for both.
    driver.ok("wait A any F:READABLE")?;
    driver.watched("F", "READABLE")?;
    driver.ok("wait B any F:READABLE")?;
    driver.watched("F", "READABLE")?;
    driver.ok("put F")?;
    driver.ready("A", "0:READABLE")?;
    driver.ready("B", "0:READABLE")?;
    no_more(driver)
}

fn leaves_others(driver: &mut Driver) -> Played {
    driver.ok("foreign F once")?;
    driver.batch(&["wait Read any F:READABLE", "wait Urgent any F:PRIORITY"])?;
    driver.watched("F", "READABLE,PRIORITY")?;
    driver.ok("put F")?;
    driver.ready("Read", "0:READABLE")?;
    driver.watched("F", "PRIORITY")?;
    driver.ok("cancel Urgent")?;
    driver.ends("Urgent", Cancelled)?;
    driver.stopped("F")
}

fn unasked(driver: &mut Driver) -> Played {
    driver.ok("foreign F once")?;
    driver.ok("wait W any F:READABLE")?;
    driver.ok("put F")?;
    driver.ready("W", "0:READABLE")?;
    driver.barrier()?;
    let spurious = driver.stat("spurious")?;
    driver.ok("put F")?;
    driver.barrier()?;
    driver.barrier()?;
    let more = driver.stat("spurious")? - spurious;
    if more != 0 {
        return fail("no report without a watch", format!("{more} (`spurious` of `stats`)"));
    }
    driver.ok("wait V any F:READABLE")?;
    driver.ready("V", "0:READABLE")?;
    driver.take_all("F", 2)
}

fn after_a_stop(driver: &mut Driver) -> Played {
    driver.ok("foreign F once")?;
    driver.ok("wait W any F:READABLE")?;
    driver.watched("F", "READABLE")?;
    driver.ok("cancel W")?;
    driver.ends("W", Cancelled)?;
    driver.stopped("F")?;
    let spurious = driver.stat("spurious")?;
    driver.ok("put F")?;
    driver.barrier()?;
    driver.barrier()?;
    let more = driver.stat("spurious")? - spurious;
    if more != 0 {
        return fail("no report after a stop", format!("{more} (`spurious` of `stats`)"));
    }
    driver.ok("wait V any F:READABLE")?;
    driver.ready("V", "0:READABLE")?;
    driver.take_all("F", 1)
}
