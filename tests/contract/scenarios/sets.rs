//! Sets: any, all, n; and several waits on one waitable.

use super::Scenario;
use crate::driver::{Driver, Played, fail};
use crate::protocol::{Bits, Outcome};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "any of a set",
        about: "the first member that is ready completes the wait, and is named",
        needs: &[],
        play: any,
    },
    Scenario {
        name: "all of a set",
        about: "the wait completes when the last member is ready, and names all",
        needs: &[],
        play: all,
    },
    Scenario { name: "n of a set", about: "two of three", needs: &[], play: two_of_three },
    Scenario {
        name: "all of a set, too late",
        about: "a wait for all that times out says who was there",
        needs: &[],
        play: too_late,
    },
    Scenario {
        name: "a member counts from its first readiness",
        about: "also if it was taken before the others were ready",
        needs: &[],
        play: first_readiness,
    },
    Scenario {
        name: "event, timer and pipe in one set",
        about: "all of three kinds",
        needs: &["descriptors"],
        play: three_kinds,
    },
    Scenario {
        name: "foreign object and pipe in one set",
        about: "all of what the host watches, and what the library watches",
        needs: &["foreign", "descriptors"],
        play: foreign_and_pipe,
    },
    Scenario {
        name: "two waits on one waitable",
        about: "both complete",
        needs: &[],
        play: two_waits,
    },
    Scenario {
        name: "one wait on a waitable goes, the other stays",
        about: "reading is cancelled or forgotten, writing is not disturbed",
        needs: &[],
        play: one_goes,
    },
];

fn events(driver: &mut Driver, names: &[&str]) -> Played {
    names.iter().try_for_each(|name| driver.ok(&format!("event {name}")).map(drop))
}

fn any(driver: &mut Driver) -> Played {
    events(driver, &["A", "B", "C"])?;
    driver.ok("wait W any A:READABLE B:READABLE C:READABLE")?;
    driver.ok("notify B READABLE")?;
    driver.ready("W", "1:READABLE")?;
    driver.ok("notify C READABLE")?;
    driver.ok("wait V any A:READABLE B:READABLE C:READABLE")?;
    driver.ready("V", "1:READABLE 2:READABLE")
}

fn all(driver: &mut Driver) -> Played {
    events(driver, &["A", "B", "C"])?;
    driver.ok("notify C READABLE")?;
    driver.ok("wait W all A:READABLE B:WRITABLE C:READABLE")?;
    driver.ok("notify B WRITABLE")?;
    driver.nothing_of("W")?;
    driver.ok("notify A READABLE")?;
    driver.ready("W", "0:READABLE 1:WRITABLE 2:READABLE")
}

fn two_of_three(driver: &mut Driver) -> Played {
    events(driver, &["A", "B", "C"])?;
    driver.ok("wait W 2 A:READABLE B:READABLE C:READABLE")?;
    driver.ok("notify C READABLE")?;
    driver.nothing_of("W")?;
    driver.ok("notify C READABLE")?;
    driver.nothing_of("W")?;
    driver.ok("notify A READABLE")?;
    driver.ready("W", "0:READABLE 2:READABLE")
}

fn too_late(driver: &mut Driver) -> Played {
    events(driver, &["A", "B"])?;
    driver.batch(&["wait W all A:READABLE B:READABLE deadline=30000000", "notify B READABLE"])?;
    let done = driver.ends("W", Outcome::TimedOut)?;
    if done.members != [(1, Bits::parse("READABLE").expect("it is a bit"))] {
        return fail("W TIMED_OUT with 1:READABLE", format!("`{}`", done.line));
    }
    Ok(())
}

fn first_readiness(driver: &mut Driver) -> Played {
    events(driver, &["A", "B"])?;
    driver.ok("wait W all A:READABLE B:READABLE")?;
    driver.ok("notify A READABLE")?;
    driver.value_is("take A", 1)?;
    driver.nothing_of("W")?;
    driver.ok("notify B READABLE")?;
    driver.ready("W", "0:READABLE 1:READABLE")
}

fn three_kinds(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("pipe P")?;
    driver.ok("timer T 20000000 0")?;
    driver.ok("wait W all E:READABLE T:READABLE P:READABLE")?;
    driver.ok("wait T_alone any T:READABLE")?;
    driver.ready("T_alone", "0:READABLE")?;
    driver.ok("put P")?;
    driver.descriptor_barrier()?;
    driver.nothing_of("W")?;
    driver.ok("notify E READABLE")?;
    driver.ready("W", "0:READABLE 1:READABLE 2:READABLE")
}

fn foreign_and_pipe(driver: &mut Driver) -> Played {
    let kind = driver.foreign_kind();
    driver.ok(&format!("foreign F {kind}"))?;
    driver.ok("pipe P")?;
    driver.ok("wait W all F:READABLE P:READABLE")?;
    driver.ok("put P")?;
    driver.descriptor_barrier()?;
    driver.nothing_of("W")?;
    driver.ok("put F")?;
    driver.ready("W", "0:READABLE 1:READABLE")?;
    driver.value_is("take F", 1)?;
    driver.value_is("take P", 1)
}

fn two_waits(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait A any E:READABLE")?;
    driver.ok("wait B any E:READABLE,WRITABLE")?;
    driver.ok("notify E READABLE")?;
    driver.ready("A", "0:READABLE")?;
    driver.ready("B", "0:READABLE")
}

fn one_goes(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait Read any E:READABLE")?;
    driver.ok("wait Write any E:WRITABLE")?;
    driver.ok("cancel Read")?;
    driver.ends("Read", Outcome::Cancelled)?;
    driver.ok("wait Again any E:READABLE")?;
    driver.ok("forget Again")?;
    driver.ok("notify E READABLE")?;
    driver.nothing_of("Write")?;
    driver.ok("notify E WRITABLE")?;
    driver.ready("Write", "0:WRITABLE")
}
