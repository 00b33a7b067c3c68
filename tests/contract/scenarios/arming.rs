//! What is ready when a wait is started, and what becomes so later.

use super::Scenario;
use crate::driver::{Driver, Played};
use crate::protocol::Outcome;

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "ready before the wait",
        about: "an event that is notified already completes a wait",
        needs: &[],
        play: before,
    },
    Scenario {
        name: "ready after the wait",
        about: "a wait sleeps until its event is notified",
        needs: &[],
        play: after,
    },
    Scenario {
        name: "ready until it is taken",
        about: "a completion consumes nothing: the next wait completes too, until the event is taken",
        needs: &[],
        play: until_taken,
    },
    Scenario {
        name: "other bits do not complete a wait",
        about: "a wait for WRITABLE sees no READABLE, but it does see HANGUP",
        needs: &[],
        play: other_bits,
    },
    Scenario {
        name: "what is refused has changed nothing",
        about: "impossible waits are answered with a status, and never complete",
        needs: &[],
        play: refused,
    },
    Scenario {
        name: "a thousand rounds of one event",
        about: "wait, notify, take, each in answer to the last completion",
        needs: &[],
        play: rounds,
    },
    Scenario {
        name: "events that notify each other",
        about: "each completion has the next event notified, in a ring of ten",
        needs: &[],
        play: ring,
    },
];

fn before(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("notify E READABLE")?;
    driver.ok("wait W any E:READABLE")?;
    driver.ready("W", "0:READABLE")
}

fn after(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait W any E:READABLE")?;
    driver.nothing_of("W")?;
    driver.ok("notify E READABLE")?;
    driver.ready("W", "0:READABLE")
}

fn until_taken(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("notify E READABLE")?;
    driver.ok("notify E READABLE")?;
    for wait in ["A", "B"] {
        driver.ok(&format!("wait {wait} any E:READABLE"))?;
        driver.ready(wait, "0:READABLE")?;
    }
    driver.value_is("take E", 1)?;
    driver.value_is("take E", 0)?;
    driver.ok("wait C any E:READABLE")?;
    driver.nothing_of("C")?;
    driver.ok("notify E READABLE")?;
    driver.ready("C", "0:READABLE")
}

fn other_bits(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait W any E:WRITABLE")?;
    driver.ok("notify E READABLE")?;
    driver.nothing_of("W")?;
    driver.ok("notify E WRITABLE")?;
    driver.ready("W", "0:WRITABLE")?;
    driver.ok("event F")?;
    driver.ok("wait V any F:WRITABLE")?;
    driver.ok("notify F HANGUP")?;
    driver.ready("V", "0:HANGUP")
}

fn refused(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("event F")?;
    for wait in [
        "wait W any",
        "wait W any E:READABLE E:WRITABLE",
        "wait W 3 E:READABLE F:READABLE",
        "wait W any E:READABLE F:READABLE multishot",
    ] {
        driver.refused(wait, "INVALID")?;
    }
    driver.ok("notify E READABLE")?;
    driver.ok("notify F READABLE")?;
    driver.ok("wait V all E:READABLE F:READABLE")?;
    driver.ready("V", "0:READABLE 1:READABLE")
}

fn rounds(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    for round in 0..1000 {
        let wait = format!("W{round}");
        driver.ok(&format!("wait {wait} any E:READABLE deadline=60000000000"))?;
        driver.ok("notify E READABLE")?;
        driver.ready(&wait, "0:READABLE")?;
        driver.value_is("take E", 1)?;
    }
    Ok(())
}

fn ring(driver: &mut Driver) -> Played {
    for place in 0..10 {
        driver.ok(&format!("event E{place}"))?;
        driver.ok(&format!("wait W{place}_0 any E{place}:READABLE"))?;
    }
    driver.ok("notify E0 READABLE")?;
    for step in 0..100 {
        let (place, lap) = (step % 10, step / 10);
        let done = driver.next_done()?;
        let wait = format!("W{place}_{lap}");
        if done.wait != wait || done.outcome != Outcome::Ready {
            return crate::driver::fail(format!("{wait} is READY"), format!("`{}`", done.line));
        }
        driver.ok(&format!("take E{place}"))?;
        driver.ok(&format!("wait W{place}_{} any E{place}:READABLE", lap + 1))?;
        driver.ok(&format!("notify E{} READABLE", (place + 1) % 10))?;
    }
    // The last notify has completed one more.
    driver.ready("W0_10", "0:READABLE")
}
