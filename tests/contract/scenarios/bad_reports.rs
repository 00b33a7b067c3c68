//! A host that breaks the rules of reporting: it gets statuses and counters, and no wait is lost.

use super::Scenario;
use crate::driver::{Driver, Played, fail};
use crate::protocol::Outcome::{Cancelled, TimedOut};

const FOREIGN: &[&str] = &["foreign"];

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a host that reports twice",
        about: "one wait, two reports in one turn: one completion",
        needs: FOREIGN,
        play: |driver| each_kind(driver, twice),
    },
    Scenario {
        name: "a host that reports late",
        about: "after the wait was cancelled: nobody wakes, and it is counted",
        needs: FOREIGN,
        play: |driver| each_kind(driver, late),
    },
    Scenario {
        name: "a host that reports what nobody asked for",
        about: "other bits complete nothing, and the wait is still served",
        needs: FOREIGN,
        play: |driver| each_kind(driver, other_bits),
    },
    Scenario {
        name: "a host that reports what it was told to stop",
        about: "nothing comes of it, and the next wait is not ready by it",
        needs: FOREIGN,
        play: |driver| each_kind(driver, stopped),
    },
    Scenario {
        name: "a host that reports what was closed",
        about: "STALE, also when others were made since",
        needs: FOREIGN,
        play: |driver| each_kind(driver, closed),
    },
    Scenario {
        name: "a host that reports bits that do not exist",
        about: "INVALID, and nothing has happened",
        needs: FOREIGN,
        play: |driver| each_kind(driver, garbage),
    },
    Scenario {
        name: "a report of what tells by itself",
        about: "INVALID for a timer",
        needs: &[],
        play: timer,
    },
    Scenario {
        name: "a host that reports in a flood",
        about: "a thousand reports that nobody waits for do not delay the wait that follows",
        needs: FOREIGN,
        play: |driver| each_kind(driver, flood),
    },
];

/// For every kind that the host has, with an object of the name F_KIND.
fn each_kind(driver: &mut Driver, play: fn(&mut Driver, &str) -> Played) -> Played {
    for kind in driver.foreign_kinds() {
        driver.ok(&format!("foreign F_{kind} {kind}"))?;
        play(driver, kind)?;
    }
    Ok(())
}

/// The object is as before: a wait sees what it has.
fn still_served(driver: &mut Driver, kind: &str) -> Played {
    let wait = format!("Served_{kind}");
    driver.ok(&format!("wait {wait} any F_{kind}:READABLE"))?;
    driver.nothing_of(&wait)?;
    driver.ok(&format!("put F_{kind}"))?;
    driver.ready(&wait, "0:READABLE")?;
    driver.value_is(&format!("take F_{kind}"), 1)
}

fn twice(driver: &mut Driver, kind: &str) -> Played {
    let notify = format!("notify F_{kind} READABLE");
    driver.ok(&format!("wait W_{kind} any F_{kind}:READABLE"))?;
    driver.batch(&[&notify, &notify])?;
    driver.ready(&format!("W_{kind}"), "0:READABLE")?;
    driver.ok(&notify)?;
    driver.nothing_of(&format!("W_{kind}"))?;
    still_served(driver, kind)
}

fn late(driver: &mut Driver, kind: &str) -> Played {
    driver.ok(&format!("wait W_{kind} any F_{kind}:READABLE"))?;
    driver.barrier()?;
    driver.ok(&format!("cancel W_{kind}"))?;
    driver.ends(&format!("W_{kind}"), Cancelled)?;
    let before = driver.stat("spurious")?;
    driver.ok(&format!("notify F_{kind} READABLE"))?;
    driver.nothing_of(&format!("W_{kind}"))?;
    let after = driver.stat("spurious")?;
    if after <= before {
        return fail(format!("spurious above {before} in `stats`"), format!("spurious={after}"));
    }
    still_served(driver, kind)
}

fn other_bits(driver: &mut Driver, kind: &str) -> Played {
    driver.ok(&format!("wait W_{kind} any F_{kind}:READABLE"))?;
    for _ in 0..5 {
        driver.ok(&format!("notify F_{kind} PRIORITY"))?;
    }
    driver.nothing_of(&format!("W_{kind}"))?;
    driver.ok(&format!("put F_{kind}"))?;
    driver.ready(&format!("W_{kind}"), "0:READABLE")?;
    driver.value_is(&format!("take F_{kind}"), 1)?;
    still_served(driver, kind)
}

fn stopped(driver: &mut Driver, kind: &str) -> Played {
    let notify = format!("notify F_{kind} READABLE");
    driver.ok(&format!("wait W_{kind} any F_{kind}:READABLE"))?;
    driver.watched(&format!("F_{kind}"), "READABLE")?;
    driver.ok(&format!("cancel W_{kind}"))?;
    driver.ends(&format!("W_{kind}"), Cancelled)?;
    for _ in 0..3 {
        driver.ok(&notify)?;
    }
    driver.stopped(&format!("F_{kind}"))?;
    driver.ok(&notify)?;
    driver.barrier()?;
    if let Some(change) = driver.changes(&format!("F_{kind}")).first() {
        return fail("no change after the stop", format!("{change:?}"));
    }
    driver.ok(&format!("wait V_{kind} any F_{kind}:READABLE deadline=30000000"))?;
    driver.ends(&format!("V_{kind}"), TimedOut)?;
    still_served(driver, kind)
}

fn closed(driver: &mut Driver, kind: &str) -> Played {
    driver.ok(&format!("wait W_{kind} any F_{kind}:READABLE"))?;
    driver.watched(&format!("F_{kind}"), "READABLE")?;
    driver.ok(&format!("close F_{kind}"))?;
    driver.ends(&format!("W_{kind}"), crate::protocol::Outcome::Closed)?;
    driver.refused(&format!("notify_closed F_{kind} READABLE"), "STALE")?;
    driver.stopped(&format!("F_{kind}"))?;
    driver.ok(&format!("foreign G_{kind} {kind}"))?;
    driver.ok(&format!("wait V_{kind} any G_{kind}:READABLE"))?;
    driver.refused(&format!("notify_closed F_{kind} READABLE,HANGUP"), "STALE")?;
    driver.nothing_of(&format!("V_{kind}"))
}

fn garbage(driver: &mut Driver, kind: &str) -> Played {
    driver.ok(&format!("wait W_{kind} any F_{kind}:READABLE"))?;
    for bits in ["0", "64", "2147483649", "4294967295"] {
        driver.refused(&format!("notify F_{kind} {bits}"), "INVALID")?;
    }
    driver.nothing_of(&format!("W_{kind}"))?;
    driver.ok(&format!("put F_{kind}"))?;
    driver.ready(&format!("W_{kind}"), "0:READABLE")?;
    driver.value_is(&format!("take F_{kind}"), 1)
}

fn timer(driver: &mut Driver) -> Played {
    driver.ok("timer T 30000000 0")?;
    driver.ok("wait W any T:READABLE")?;
    driver.refused("notify T READABLE", "INVALID")?;
    driver.ready("W", "0:READABLE")?;
    driver.value_is("take T", 1)
}

fn flood(driver: &mut Driver, kind: &str) -> Played {
    let reports = vec![format!("notify F_{kind} READABLE"); 1000];
    driver.batch(&reports)?;
    driver.ok(&format!("wait W_{kind} any F_{kind}:READABLE"))?;
    driver.watched(&format!("F_{kind}"), "READABLE")?;
    driver.nothing_of(&format!("W_{kind}"))?;
    driver.ok(&format!("put F_{kind}"))?;
    driver.ready(&format!("W_{kind}"), "0:READABLE")?;
    driver.value_is(&format!("take F_{kind}"), 1)
}
