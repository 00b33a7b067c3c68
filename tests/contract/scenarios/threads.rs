//! Notifies from other threads.

use super::Scenario;
use crate::driver::{Driver, Played, fail};

const THREADS: &[&str] = &["threads"];

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a thread wakes the loop",
        about: "the loop sleeps, and nothing but a notify on another thread happens",
        needs: THREADS,
        play: wakes,
    },
    Scenario {
        name: "ten threads notify a counter",
        about: "ten thousand notifies, none lost",
        needs: THREADS,
        play: counter,
    },
    Scenario {
        name: "ten threads and a multishot wait",
        about: "no notify is lost between a completion and its take",
        needs: THREADS,
        play: multishot,
    },
    Scenario {
        name: "threads while the loop is blocked",
        about: "what they notified meanwhile is one completion, and all of it is counted",
        needs: THREADS,
        play: blocked,
    },
    Scenario {
        name: "twenty threads, each with its event",
        about: "each wakes its own wait",
        needs: THREADS,
        play: twenty,
    },
    Scenario {
        name: "threads report a foreign object",
        about: "reports may come from any thread",
        needs: &["threads", "foreign"],
        play: foreign,
    },
];

fn wakes(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    for round in 0..50 {
        driver.ok(&format!("wait W{round} any E:READABLE"))?;
        driver.ok(&format!("threads T{round} 1 1 E READABLE"))?;
        driver.ready(&format!("W{round}"), "0:READABLE")?;
        driver.ok(&format!("join T{round}"))?;
        driver.value_is("take E", 1)?;
    }
    Ok(())
}

fn counter(driver: &mut Driver) -> Played {
    const NOTIFIES: u64 = 10_000;
    driver.ok("counter C")?;
    driver.ok("threads T 10 1000 C READABLE")?;
    let mut counted = 0;
    let mut round = 0;
    while counted < NOTIFIES {
        driver.ok(&format!("wait W{round} any C:READABLE"))?;
        driver.ready(&format!("W{round}"), "0:READABLE")?;
        counted += driver.value("take C")?;
        round += 1;
    }
    driver.ok("join T")?;
    counted += driver.value("take C")?;
    if counted != NOTIFIES {
        return fail(format!("{NOTIFIES} notifies"), counted.to_string());
    }
    Ok(())
}

fn multishot(driver: &mut Driver) -> Played {
    const NOTIFIES: u64 = 10_000;
    driver.ok("counter C")?;
    driver.ok("wait W any C:READABLE multishot")?;
    driver.ok("threads T 10 1000 C READABLE")?;
    let mut counted = 0;
    while counted < NOTIFIES {
        driver.ready_more("W", "0:READABLE")?;
        counted += driver.value("take C")?;
    }
    driver.ok("join T")?;
    counted += driver.value("take C")?;
    if counted != NOTIFIES {
        return fail(format!("{NOTIFIES} notifies"), counted.to_string());
    }
    Ok(())
}

fn blocked(driver: &mut Driver) -> Played {
    driver.ok("counter C")?;
    driver.ok("event E")?;
    driver.ok("wait WC any C:READABLE")?;
    driver.ok("wait WE any E:READABLE")?;
    driver.batch(&[
        "threads T 10 100 C READABLE",
        "threads U 10 100 E READABLE",
        "join T",
        "join U",
    ])?;
    driver.ready("WC", "0:READABLE")?;
    driver.ready("WE", "0:READABLE")?;
    driver.value_is("take C", 1000)?;
    driver.value_is("take E", 1)?;
    driver.ok("wait Empty any C:READABLE E:READABLE")?;
    driver.nothing_of("Empty")
}

fn twenty(driver: &mut Driver) -> Played {
    for place in 0..20 {
        driver.ok(&format!("event E{place}"))?;
        driver.ok(&format!("wait W{place} any E{place}:WRITABLE"))?;
    }
    for place in 0..20 {
        driver.ok(&format!("threads T{place} 1 10 E{place} WRITABLE"))?;
    }
    for place in 0..20 {
        driver.ready(&format!("W{place}"), "0:WRITABLE")?;
        driver.ok(&format!("join T{place}"))?;
        driver.value_is(&format!("take E{place}"), 1)?;
    }
    Ok(())
}

fn foreign(driver: &mut Driver) -> Played {
    for kind in driver.foreign_kinds() {
        driver.ok(&format!("foreign F_{kind} {kind}"))?;
        for round in 0..10 {
            let wait = format!("W_{kind}{round}");
            driver.ok(&format!("wait {wait} any F_{kind}:READABLE"))?;
            driver.ok(&format!("threads T_{kind}{round} 4 25 F_{kind} READABLE"))?;
            driver.ready(&wait, "0:READABLE")?;
            driver.ok(&format!("join T_{kind}{round}"))?;
            driver.nothing_of(&wait)?;
        }
    }
    Ok(())
}
