//! Many at once, and none at all.

use std::thread;
use std::time::Duration;

use super::Scenario;
use super::sockets::connect;
use crate::driver::{Driver, Played, fail};
use crate::protocol::Outcome::TimedOut;

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a thousand waits at once",
        about: "on a thousand events, all notified between two turns",
        needs: &[],
        play: thousand,
    },
    Scenario {
        name: "a thousand waits on one event",
        about: "one notify completes all of them",
        needs: &[],
        play: on_one,
    },
    Scenario {
        name: "a thousand sleeps at once",
        about: "all end, none early",
        needs: &[],
        play: sleeps,
    },
    Scenario {
        name: "a hundred foreign objects",
        about: "all are watched, reported, and watched no longer when they are closed",
        needs: &["foreign"],
        play: hundred_objects,
    },
    Scenario {
        name: "idle",
        about: "with waits outstanding and nothing ready, the host does not turn",
        needs: &[],
        play: idle,
    },
    Scenario {
        name: "idle with a foreign object that nobody wants",
        about: "an object that stays ready costs no turns when nobody waits for it",
        needs: &["foreign"],
        play: idle_unwanted,
    },
    Scenario {
        name: "idle with a pipe that nobody wants",
        about: "what stays readable, or is closed, costs no turns when nobody waits for it",
        needs: &["descriptors"],
        play: idle_pipes,
    },
    Scenario {
        name: "idle with a socket that can be written",
        about: "which somebody waited for once, and now only to read",
        needs: &["socket", "descriptors"],
        play: idle_socket,
    },
    Scenario {
        name: "idle after a thread has notified",
        about: "what woke the host does so once",
        needs: &["threads"],
        play: idle_notified,
    },
    Scenario {
        name: "short sleeps",
        about: "a timeout is rounded up: the host does not turn again and again until the deadline",
        needs: &[],
        play: short_sleeps,
    },
];

fn lines(count: usize, line: impl Fn(usize) -> String) -> Vec<String> {
    (0..count).map(line).collect()
}

fn thousand(driver: &mut Driver) -> Played {
    driver.batch(&lines(1000, |place| format!("event E{place}")))?;
    driver.batch(&lines(1000, |place| format!("wait W{place} any E{place}:READABLE")))?;
    driver.batch(&lines(1000, |place| format!("notify E{} READABLE", 999 - place)))?;
    for place in (0..1000).rev() {
        driver.ready(&format!("W{place}"), "0:READABLE")?;
    }
    Ok(())
}

fn on_one(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.batch(&lines(1000, |place| format!("wait W{place} any E:READABLE")))?;
    driver.ok("notify E READABLE")?;
    for place in 0..1000 {
        driver.ready(&format!("W{place}"), "0:READABLE")?;
    }
    Ok(())
}

fn sleeps(driver: &mut Driver) -> Played {
    driver.batch(&lines(1000, |place| {
        format!("wait W{place} any deadline={}", 10_000_000 + place % 50 * 1_000_000)
    }))?;
    for place in 0..1000 {
        driver.ends(&format!("W{place}"), TimedOut)?;
    }
    Ok(())
}

fn hundred_objects(driver: &mut Driver) -> Played {
    let kind = driver.foreign_kind();
    for place in 0..100 {
        driver.ok(&format!("foreign F{place} {kind}"))?;
    }
    driver.batch(&lines(100, |place| format!("wait W{place} any F{place}:READABLE")))?;
    for place in 0..100 {
        driver.watched(&format!("F{place}"), "READABLE")?;
    }
    for place in (0..100).rev() {
        driver.ok(&format!("put F{place}"))?;
    }
    for place in 0..100 {
        driver.ready(&format!("W{place}"), "0:READABLE")?;
        driver.value_is(&format!("take F{place}"), 1)?;
    }
    driver.batch(&lines(100, |place| format!("wait V{place} any F{place}:READABLE")))?;
    driver.barrier()?;
    driver.batch(&lines(50, |place| format!("close F{place}")))?;
    for place in 0..50 {
        driver.ends(&format!("V{place}"), crate::protocol::Outcome::Closed)?;
        driver.stopped(&format!("F{place}"))?;
    }
    Ok(())
}

/// How long nothing happens.
const SILENCE: Duration = Duration::from_millis(400);
/// What two commands may cost: the loop is told of each, and may turn before and after it.
const TURNS: u64 = 10;

fn silent(driver: &mut Driver) -> Played {
    driver.barrier()?;
    let before = driver.stat("turns")?;
    thread::sleep(SILENCE);
    let turns = driver.stat("turns")?.saturating_sub(before);
    if turns > TURNS {
        return fail(format!("{TURNS} turns at most in {SILENCE:?} of silence"), turns.to_string());
    }
    Ok(())
}

fn idle(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("timer T 60000000000 1000000000")?;
    driver.ok("wait Event any E:READABLE")?;
    driver.ok("wait Timer any T:READABLE")?;
    driver.ok("wait Sleep any deadline=60000000000")?;
    driver.ok("wait Withdrawn any deadline=100000000")?;
    driver.in_time("cancel Withdrawn")?;
    driver.done("Withdrawn")?;
    if driver.has("descriptors") {
        driver.ok("pipe P")?;
        driver.ok("wait Pipe any P:READABLE")?;
    }
    if driver.has("foreign") {
        let kind = driver.foreign_kind();
        driver.ok(&format!("foreign F {kind}"))?;
        driver.ok("wait Foreign any F:READABLE")?;
    }
    silent(driver)
}

fn idle_unwanted(driver: &mut Driver) -> Played {
    for kind in driver.foreign_kinds() {
        driver.ok(&format!("foreign F_{kind} {kind}"))?;
        driver.ok(&format!("wait W_{kind} any F_{kind}:READABLE"))?;
        driver.ok(&format!("put F_{kind}"))?;
        driver.ready(&format!("W_{kind}"), "0:READABLE")?;
        driver.barrier()?;
    }
    silent(driver)
}

fn idle_pipes(driver: &mut Driver) -> Played {
    for pipe in ["Read", "Closed"] {
        driver.ok(&format!("pipe {pipe}"))?;
        driver.ok(&format!("wait {pipe}_W any {pipe}:READABLE"))?;
        driver.ok(&format!("put {pipe}"))?;
        driver.ready(&format!("{pipe}_W"), "0:READABLE")?;
    }
    driver.ok("pipe Ended")?;
    driver.ok("wait Ended_W any Ended:READABLE deadline=1000000")?;
    driver.ends("Ended_W", TimedOut)?;
    driver.batch(&["close Closed", "hangup Ended"])?;
    driver.descriptor_barrier()?;
    silent(driver)
}

fn idle_socket(driver: &mut Driver) -> Played {
    let peer = connect(driver)?;
    driver.ok("wait Read any X:READABLE")?;
    driver.ok("wait Write any X:WRITABLE")?;
    driver.ready("Write", "0:WRITABLE")?;
    silent(driver)?;
    drop(peer);
    driver.done("Read").map(drop)
}

fn idle_notified(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait W any E:READABLE")?;
    driver.ok("threads T 1 1 E READABLE")?;
    driver.ready("W", "0:READABLE")?;
    driver.ok("join T")?;
    silent(driver)
}

/// Less than what most loops count in, so that it may be rounded.
const SLEEP: u64 = 900_000;
const SLEEPS: u64 = 50;

fn short_sleeps(driver: &mut Driver) -> Played {
    let before = driver.stat("turns")?;
    for place in 0..SLEEPS {
        driver.ok(&format!("wait W{place} any deadline={SLEEP}"))?;
        driver.ends(&format!("W{place}"), TimedOut)?;
    }
    let turns = driver.stat("turns")?.saturating_sub(before);
    if turns > SLEEPS * TURNS {
        let expected = format!("{} turns at most in {SLEEPS} sleeps", SLEEPS * TURNS);
        return fail(expected, turns.to_string());
    }
    Ok(())
}
