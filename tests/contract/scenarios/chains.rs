//! What an application does where its completions are delivered: it goes on, and nothing else will wake
//! the host for that.

use super::Scenario;
use crate::driver::{Driver, Played};
use crate::protocol::Outcome::{Cancelled, Closed, TimedOut};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a completion that notifies",
        about: "an event, for which another wait is outstanding",
        needs: &[],
        play: notifies,
    },
    Scenario {
        name: "a completion that starts a wait",
        about: "which is ready already, or will be by its deadline",
        needs: &[],
        play: starts,
    },
    Scenario {
        name: "a completion that cancels and closes",
        about: "waits that are outstanding end by that",
        needs: &[],
        play: ends,
    },
    Scenario {
        name: "a completion that waits for a pipe",
        about: "which is readable already",
        needs: &["descriptors"],
        play: pipe,
    },
    Scenario {
        name: "a completion that closes a foreign object",
        about: "which the host was told to watch in the same turn: that comes first",
        needs: &["foreign"],
        play: foreign,
    },
];

/// Has something done in completions: of an event that was notified in the loop, and of a deadline by
/// which the host slept.
fn in_each(
    driver: &mut Driver,
    play: impl Fn(&mut Driver, &str, &dyn Fn(&mut Driver, &str) -> Played) -> Played,
) -> Played {
    play(driver, "Notified", &|driver, command| {
        driver.ok("event Now")?;
        driver.ok("wait Notified any Now:READABLE")?;
        let when = format!("when Notified {command}");
        driver.batch(&["notify Now READABLE", &when])?;
        driver.ready("Notified", "0:READABLE")?;
        driver.ok("close Now").map(drop)
    })?;
    play(driver, "Slept", &|driver, command| {
        let when = format!("when Slept {command}");
        driver.batch(&["wait Slept any deadline=5000000", &when])?;
        driver.ends("Slept", TimedOut).map(drop)
    })
}

fn notifies(driver: &mut Driver) -> Played {
    in_each(driver, |driver, by, completes| {
        driver.ok("event E")?;
        driver.ok(&format!("wait By{by} any E:READABLE"))?;
        completes(driver, "notify E READABLE")?;
        driver.ready(&format!("By{by}"), "0:READABLE")?;
        driver.ok("close E").map(drop)
    })
}

fn starts(driver: &mut Driver) -> Played {
    driver.ok("wait Minute any deadline=60000000000")?;
    driver.ok("event E")?;
    driver.ok("notify E READABLE")?;
    in_each(driver, |driver, by, completes| {
        completes(driver, &format!("wait Ready{by} any E:READABLE"))?;
        driver.ready(&format!("Ready{by}"), "0:READABLE")?;
        completes(driver, &format!("wait Soon{by} any deadline=20000000"))?;
        driver.ends(&format!("Soon{by}"), TimedOut)?;
        completes(driver, &format!("wait Now{by} any deadline=now"))?;
        driver.ends(&format!("Now{by}"), TimedOut).map(drop)
    })
}

fn ends(driver: &mut Driver) -> Played {
    in_each(driver, |driver, by, completes| {
        driver.ok("event E")?;
        driver.ok(&format!("wait First{by} any E:READABLE"))?;
        completes(driver, &format!("cancel First{by}"))?;
        driver.ends(&format!("First{by}"), Cancelled)?;
        driver.ok(&format!("wait Second{by} any E:READABLE"))?;
        completes(driver, "close E")?;
        driver.ends(&format!("Second{by}"), Closed).map(drop)
    })
}

fn pipe(driver: &mut Driver) -> Played {
    driver.ok("pipe P")?;
    driver.ok("put P")?;
    in_each(driver, |driver, by, completes| {
        completes(driver, &format!("wait Read{by} any P:READABLE"))?;
        driver.ready(&format!("Read{by}"), "0:READABLE")
    })
}

fn foreign(driver: &mut Driver) -> Played {
    for kind in driver.foreign_kinds() {
        driver.ok(&format!("foreign F {kind}"))?;
        driver.ok("event E")?;
        driver.ok("wait W any E:READABLE")?;
        driver.batch(&["wait V any F:READABLE", "notify E READABLE", "when W close F"])?;
        driver.ready("W", "0:READABLE")?;
        driver.ends("V", Closed)?;
        driver.watched("F", "READABLE")?;
        driver.stopped("F")?;
        driver.ok("close E")?;
    }
    Ok(())
}
