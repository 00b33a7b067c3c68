//! Turns that are small: a budget, and room for few completions.

use super::Scenario;
use crate::driver::{Driver, Played, fail};
use crate::protocol::Outcome::{Ready, TimedOut};

const BUDGET: &[&str] = &["budget"];

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "budget exhausted",
        about: "more is ready than a turn may take: all of it comes, in order of readiness",
        needs: BUDGET,
        play: |driver| in_order(driver, &["budget 1"]),
    },
    Scenario {
        name: "budget exhausted by what nobody waits for",
        about: "a turn may return nothing and leave work: the host turns again",
        needs: &["budget", "threads"],
        play: for_nobody,
    },
    Scenario {
        name: "room for one completion",
        about: "more is ready than fits into a turn: all of it comes, in order of readiness",
        needs: BUDGET,
        play: |driver| in_order(driver, &["room 1"]),
    },
    Scenario {
        name: "small budget and little room",
        about: "events, deadlines and timers all come",
        needs: BUDGET,
        play: mixed,
    },
    Scenario {
        name: "a small budget for pipes",
        about: "more pipes are ready than a turn may take: all of them come",
        needs: &["budget", "descriptors"],
        play: pipes,
    },
    Scenario {
        name: "a small budget at the end",
        about: "a hundred waits are outstanding, and every turn has room for one",
        needs: BUDGET,
        play: at_the_end,
    },
    Scenario {
        name: "a flood does not starve a deadline",
        about: "an object is reported in every turn, and a sleep ends all the same",
        needs: &["budget", "foreign", "level"],
        play: flood,
    },
];

/// What is made ready in a batch completes in that order.
fn in_order(driver: &mut Driver, limits: &[&str]) -> Played {
    const COUNT: usize = 50;
    for place in 0..COUNT {
        driver.ok(&format!("event E{place}"))?;
        driver.ok(&format!("wait W{place} any E{place}:READABLE"))?;
    }
    for limit in limits {
        driver.ok(limit)?;
    }
    // 17 and 50 have no common divisor.
    let order: Vec<usize> = (0..COUNT).map(|place| place * 17 % COUNT).collect();
    let notifies: Vec<String> =
        order.iter().map(|place| format!("notify E{place} READABLE")).collect();
    driver.batch(&notifies)?;
    for place in order {
        let done = driver.next_done()?;
        if done.wait != format!("W{place}") || done.outcome != Ready {
            return fail(format!("W{place} READY as the next"), format!("`{}`", done.line));
        }
    }
    driver.ok("budget 0")?;
    driver.ok("room 64").map(drop)
}

/// Only the last of what threads notified has a wait.
fn for_nobody(driver: &mut Driver) -> Played {
    const COUNT: usize = 20;
    driver.ok("budget 1")?;
    let mut commands = Vec::new();
    for place in 0..COUNT {
        driver.ok(&format!("event E{place}"))?;
        commands.push(format!("threads T{place} 1 1 E{place} READABLE"));
        commands.push(format!("join T{place}"));
    }
    driver.ok(&format!("wait W any E{}:READABLE", COUNT - 1))?;
    driver.batch(&commands)?;
    driver.ready("W", "0:READABLE")
}

fn mixed(driver: &mut Driver) -> Played {
    driver.ok("budget 1")?;
    driver.ok("room 1")?;
    for place in 0..20 {
        driver.ok(&format!("event E{place}"))?;
        driver.ok(&format!("timer T{place} 20000000 0"))?;
        driver.ok(&format!("wait E_W{place} any E{place}:READABLE"))?;
        driver.ok(&format!("wait T_W{place} any T{place}:READABLE"))?;
        driver.ok(&format!("wait Sleep{place} any deadline=20000000"))?;
    }
    let notifies: Vec<String> = (0..20).map(|place| format!("notify E{place} READABLE")).collect();
    driver.batch(&notifies)?;
    for place in 0..20 {
        driver.ready(&format!("E_W{place}"), "0:READABLE")?;
        driver.ready(&format!("T_W{place}"), "0:READABLE")?;
        driver.ends(&format!("Sleep{place}"), TimedOut)?;
    }
    Ok(())
}

fn pipes(driver: &mut Driver) -> Played {
    driver.ok("budget 1")?;
    driver.ok("room 1")?;
    let all = |line: fn(usize) -> String| (0..30).map(line).collect::<Vec<_>>();
    driver.batch(&all(|place| format!("pipe P{place}")))?;
    driver.batch(&all(|place| format!("wait W{place} any P{place}:READABLE")))?;
    driver.batch(&all(|place| format!("put P{place}")))?;
    for place in 0..30 {
        driver.ready(&format!("W{place}"), "0:READABLE")?;
    }
    Ok(())
}

fn at_the_end(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    for place in 0..100 {
        driver.ok(&format!("wait W{place} any E:READABLE"))?;
    }
    driver.ok("budget 1")?;
    driver.ok("room 1").map(drop)
}

fn flood(driver: &mut Driver) -> Played {
    driver.ok("budget 1")?;
    driver.ok("foreign F level")?;
    driver.ok("event E")?;
    driver.ok("wait Event any E:READABLE")?;
    driver.ok("wait Sleep any deadline=50000000")?;
    driver.ok("wait Flood any F:READABLE multishot")?;
    driver.ok("put F")?;
    driver.ready_more("Flood", "0:READABLE")?;
    driver.ends("Sleep", TimedOut)?;
    driver.ok("notify E READABLE")?;
    driver.ready("Event", "0:READABLE")?;
    driver.value_is("take F", 1)
}
