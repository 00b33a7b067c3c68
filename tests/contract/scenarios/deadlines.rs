//! Deadlines, sleeps and timers.

use std::time::Instant;

use super::Scenario;
use crate::driver::{Driver, Played, fail};
use crate::protocol::Outcome::{Cancelled, Closed, Ready, TimedOut};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "timeout",
        about: "a wait whose event never comes ends at its deadline, not before",
        needs: &[],
        play: timeout,
    },
    Scenario {
        name: "sleep",
        about: "a wait for nothing, with a deadline",
        needs: &[],
        play: sleep,
    },
    Scenario {
        name: "a deadline that is now",
        about: "the wait asks once: ready, or timed out",
        needs: &[],
        play: now,
    },
    Scenario {
        name: "ready before its deadline",
        about: "the deadline of a wait that is ready is no completion more",
        needs: &[],
        play: ready_in_time,
    },
    Scenario {
        name: "ready and timed out in one turn",
        about: "both are due when the loop goes on: one completion",
        needs: &["stall"],
        play: both,
    },
    Scenario {
        name: "a deadline passed in a stall",
        about: "a loop that was blocked finds what is due",
        needs: &["stall"],
        play: stalled,
    },
    Scenario {
        name: "a deadline moved earlier outside a turn",
        about: "the loop sleeps for a minute, and a wait for 50 ms is started",
        needs: &[],
        play: earlier,
    },
    Scenario {
        name: "a deadline withdrawn",
        about: "the earliest deadline is cancelled, the next one holds",
        needs: &[],
        play: withdrawn,
    },
    Scenario {
        name: "deadlines in random order",
        about: "200 sleeps end in the order of their deadlines, none early",
        needs: &[],
        play: random,
    },
    Scenario {
        name: "timer",
        about: "it is ready until its expiration is taken, and never again",
        needs: &[],
        play: timer,
    },
    Scenario {
        name: "periodic timer",
        about: "it is ready at each expiration",
        needs: &[],
        play: periodic,
    },
    Scenario {
        name: "a timer across a stall",
        about: "it is ready once, and says how many expirations passed",
        needs: &["stall"],
        play: across_a_stall,
    },
    Scenario {
        name: "a timer closed and made anew",
        about: "the wait on the old one is CLOSED, the new one expires",
        needs: &[],
        play: replaced,
    },
];

const MS: u64 = 1_000_000;

fn timeout(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait W any E:READABLE deadline=30000000")?;
    driver.ends("W", TimedOut)?;
    driver.ok("notify E READABLE")?;
    driver.nothing_of("W")
}

fn sleep(driver: &mut Driver) -> Played {
    for (wait, time) in [("Short", 1), ("Medium", 20 * MS), ("Long", 60 * MS)] {
        driver.ok(&format!("wait {wait} any deadline={time}"))?;
    }
    for wait in ["Short", "Medium", "Long"] {
        let done = driver.ends(wait, TimedOut)?;
        if !done.members.is_empty() {
            return fail(format!("{wait} TIMED_OUT without members"), format!("`{}`", done.line));
        }
    }
    Ok(())
}

fn now(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait A any E:READABLE deadline=now")?;
    driver.ends("A", TimedOut)?;
    driver.ok("notify E READABLE")?;
    driver.ok("wait B any E:READABLE deadline=now")?;
    driver.ready("B", "0:READABLE")?;
    driver.ok("wait C any deadline=now")?;
    driver.ends("C", TimedOut).map(drop)
}

fn ready_in_time(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.batch(&[
        "wait W any E:READABLE deadline=20000000",
        "wait Longer any deadline=40000000",
        "notify E READABLE",
    ])?;
    driver.ready("W", "0:READABLE")?;
    driver.ends("Longer", TimedOut)?;
    driver.nothing_of("W")
}

fn both(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.batch(&[
        "wait W any E:READABLE deadline=10000000",
        "stall 30000000",
        "notify E READABLE",
    ])?;
    let done = driver.done("W")?;
    if !matches!(done.outcome, Ready | TimedOut) || done.more {
        return fail("W is READY, or TIMED_OUT", format!("`{}`", done.line));
    }
    driver.nothing_of("W")?;
    driver.value_is("take E", 1)?;
    // Ready first: that stands.
    driver.batch(&[
        "wait V any E:READABLE deadline=10000000",
        "notify E READABLE",
        "stall 30000000",
    ])?;
    driver.ready("V", "0:READABLE")
}

fn stalled(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.batch(&[
        "wait A any E:READABLE deadline=20000000",
        "wait B any deadline=10000000",
        "stall 60000000",
    ])?;
    driver.ends("A", TimedOut)?;
    driver.ends("B", TimedOut)?;
    driver.nothing_of("A")
}

fn earlier(driver: &mut Driver) -> Played {
    driver.ok("wait Minute any deadline=60000000000")?;
    driver.barrier()?;
    driver.ok("wait Soon any deadline=50000000")?;
    driver.ends("Soon", TimedOut)?;
    driver.ok("timer T 50000000 0")?;
    driver.ok("wait W any T:READABLE")?;
    driver.ready("W", "0:READABLE")
}

fn withdrawn(driver: &mut Driver) -> Played {
    driver.ok("wait First any deadline=100000000")?;
    driver.ok("wait Second any deadline=150000000")?;
    driver.batch(&["wait Third any deadline=10000000", "cancel Third"])?;
    driver.ends("Third", Cancelled)?;
    // Unless this machine is so slow that it has ended.
    let in_time = driver.in_time("cancel First")?;
    driver.ends("First", if in_time { Cancelled } else { TimedOut })?;
    driver.ends("Second", TimedOut)?;
    Ok(())
}

fn random(driver: &mut Driver) -> Played {
    const COUNT: u64 = 200;
    // A permutation: 77 and 200 have no common divisor.
    let time = |place: u64| 5 * MS + (place * 77 % COUNT) * MS;
    let commands: Vec<String> =
        (0..COUNT).map(|place| format!("wait W{place} any deadline={}", time(place))).collect();
    let began = Instant::now();
    driver.batch(&commands)?;
    // Two that were started within this time may have their deadlines in the other order.
    let spread = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let mut latest: Option<(u64, String)> = None;
    for _ in 0..COUNT {
        let done = driver.next_done()?;
        let place: u64 = done.wait[1..].parse().unwrap_or_default();
        if done.outcome != TimedOut {
            return fail("sleeps that end TimedOut", format!("`{}`", done.line));
        }
        let its = time(place);
        match &latest {
            Some((late, wait)) if its.saturating_add(spread) < *late => {
                return fail(
                    format!("{} ({its} ns) before {wait} ({late} ns)", done.wait),
                    format!("`{}` after it", done.line),
                );
            }
            Some((late, _)) if *late >= its => {}
            _ => latest = Some((its, done.wait)),
        }
    }
    Ok(())
}

fn timer(driver: &mut Driver) -> Played {
    let began = Instant::now();
    driver.ok("timer T 30000000 0")?;
    driver.ok("wait W any T:READABLE")?;
    // The timer is older than the wait by this at most.
    let before = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let done = driver.done("W")?;
    if done.outcome != Ready || done.after.saturating_add(before) < 30 * MS {
        return fail("W is READY when 30 ms have passed", format!("`{}`", done.line));
    }
    driver.ok("wait V any T:READABLE")?;
    driver.ready("V", "0:READABLE")?;
    driver.value_is("take T", 1)?;
    driver.value_is("take T", 0)?;
    driver.ok("wait Never any T:READABLE deadline=30000000")?;
    driver.ends("Never", TimedOut)?;
    Ok(())
}

fn periodic(driver: &mut Driver) -> Played {
    let began = Instant::now();
    driver.ok("timer T 10000000 10000000")?;
    let mut expired = 0;
    for round in 0..5 {
        driver.ok(&format!("wait W{round} any T:READABLE"))?;
        driver.ready(&format!("W{round}"), "0:READABLE")?;
        expired += driver.value("take T")?;
    }
    let passed = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX) / (10 * MS);
    if expired < 5 || expired > passed {
        return fail(
            format!("5 to {passed} expirations, as many as periods have passed"),
            expired.to_string(),
        );
    }
    Ok(())
}

fn across_a_stall(driver: &mut Driver) -> Played {
    driver.ok("timer T 10000000 10000000")?;
    driver.ok("wait W any T:READABLE")?;
    driver.ok("stall 105000000")?;
    driver.ready("W", "0:READABLE")?;
    driver.batch(&["take T", "stall 100000000"])?;
    driver.ok("wait V any T:READABLE")?;
    driver.ready("V", "0:READABLE")?;
    let expired = driver.value("take T")?;
    if expired < 10 {
        return fail("`ok 10` or more to `take T`: 100 ms have passed", format!("`ok {expired}`"));
    }
    Ok(())
}

fn replaced(driver: &mut Driver) -> Played {
    driver.ok("timer T 60000000000 0")?;
    driver.ok("wait Old any T:READABLE")?;
    driver.batch(&["close T", "timer U 20000000 0", "wait New any U:READABLE"])?;
    driver.ends("Old", Closed)?;
    driver.ready("New", "0:READABLE")
}
