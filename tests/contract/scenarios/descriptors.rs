//! Descriptors that an application waits for, by the example of pipes.

use super::Scenario;
use crate::driver::{Driver, Played, fail};
use crate::protocol::Outcome::{Cancelled, Closed, Ready, TimedOut};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a pipe ready before the wait",
        about: "what is there already completes a wait",
        needs: &["descriptors"],
        play: before,
    },
    Scenario {
        name: "a pipe ready after the wait",
        about: "the loop sleeps until a byte comes",
        needs: &["descriptors"],
        play: after,
    },
    Scenario {
        name: "a pipe is ready until it is read",
        about: "level semantics: the next wait completes too, until everything was read",
        needs: &["descriptors"],
        play: until_read,
    },
    Scenario {
        name: "a pipe and its deadline",
        about: "an empty pipe ends at the deadline, one with a byte does not",
        needs: &["descriptors"],
        play: deadline,
    },
    Scenario {
        name: "a pipe whose writers are gone",
        about: "READ_CLOSED and HANGUP complete the wait; after the data, if there is some",
        needs: &["descriptors"],
        play: hangup,
    },
    Scenario {
        name: "cancel and forget on a pipe",
        about: "a wait that was cancelled leaves the other on the same pipe",
        needs: &["descriptors"],
        play: cancelled,
    },
    Scenario {
        name: "close a pipe while waiting",
        about: "the waits complete as CLOSED; a pipe made later, with the same number, is another",
        needs: &["descriptors"],
        play: close,
    },
    Scenario {
        name: "a thousand rounds of one pipe",
        about: "wait, write, read: a one-shot wait is armed anew a thousand times",
        needs: &["descriptors"],
        play: rounds,
    },
    Scenario {
        name: "a hundred pipes",
        about: "all are ready at once, and then one after the other",
        needs: &["descriptors"],
        play: hundred,
    },
];

fn before(driver: &mut Driver) -> Played {
    driver.ok("pipe P")?;
    driver.ok("put P")?;
    driver.ok("wait W any P:READABLE")?;
    driver.ready("W", "0:READABLE")?;
    driver.value_is("take P", 1)
}

fn after(driver: &mut Driver) -> Played {
    driver.ok("pipe P")?;
    driver.ok("wait W any P:READABLE")?;
    driver.descriptor_barrier()?;
    driver.nothing_of("W")?;
    driver.ok("put P")?;
    driver.ready("W", "0:READABLE")?;
    driver.value_is("take P", 1)
}

fn until_read(driver: &mut Driver) -> Played {
    driver.ok("pipe P")?;
    driver.ok("put P")?;
    driver.ok("put P")?;
    for wait in ["A", "B"] {
        driver.ok(&format!("wait {wait} any P:READABLE"))?;
        driver.ready(wait, "0:READABLE")?;
    }
    driver.value_is("take P", 2)?;
    driver.ok("wait C any P:READABLE")?;
    driver.descriptor_barrier()?;
    driver.nothing_of("C")?;
    driver.ok("put P")?;
    driver.ready("C", "0:READABLE")
}

fn deadline(driver: &mut Driver) -> Played {
    driver.ok("pipe P")?;
    driver.ok("wait Empty any P:READABLE deadline=30000000")?;
    driver.ends("Empty", TimedOut)?;
    driver.ok("wait W any P:READABLE deadline=60000000000")?;
    driver.ok("put P")?;
    driver.ready("W", "0:READABLE")
}

fn hangup(driver: &mut Driver) -> Played {
    driver.ok("pipe P")?;
    driver.ok("wait Early any P:READABLE")?;
    driver.ok("wait Alone any P:HANGUP")?;
    driver.ok("put P")?;
    driver.ready("Early", "0:READABLE")?;
    driver.descriptor_barrier()?;
    driver.nothing_of("Alone")?;
    driver.ok("hangup P")?;
    driver.ready("Alone", "0:HANGUP")?;
    driver.value_is("take P", 1)?;
    driver.ok("wait End any P:READABLE")?;
    let done = driver.ends("End", Ready)?;
    if !done.members.first().is_some_and(|(_, bits)| bits.has("READ_CLOSED") && bits.has("HANGUP"))
    {
        return fail("End READY with READ_CLOSED and HANGUP", format!("`{}`", done.line));
    }
    driver.value_is("take P", 0)
}

fn cancelled(driver: &mut Driver) -> Played {
    driver.ok("pipe P")?;
    for wait in ["A", "B", "C"] {
        driver.ok(&format!("wait {wait} any P:READABLE"))?;
    }
    driver.ok("cancel A")?;
    driver.ends("A", Cancelled)?;
    driver.ok("forget B")?;
    driver.descriptor_barrier()?;
    driver.ok("put P")?;
    driver.ready("C", "0:READABLE")?;
    driver.nothing_of("B")
}

fn close(driver: &mut Driver) -> Played {
    driver.ok("pipe P")?;
    driver.ok("wait Old any P:READABLE")?;
    driver.descriptor_barrier()?;
    driver.ok("close P")?;
    driver.ends("Old", Closed)?;
    for round in 0..20 {
        driver.ok(&format!("pipe P{round}"))?;
        driver.ok(&format!("wait W{round} any P{round}:READABLE"))?;
        driver.ok(&format!("put P{round}"))?;
        driver.ready(&format!("W{round}"), "0:READABLE")?;
        driver.ok(&format!("wait V{round} any P{round}:WRITABLE"))?;
        driver.ok(&format!("close P{round}"))?;
        driver.ends(&format!("V{round}"), Closed)?;
    }
    Ok(())
}

fn rounds(driver: &mut Driver) -> Played {
    driver.ok("pipe P")?;
    for round in 0..1000 {
        let wait = format!("W{round}");
        driver.ok(&format!("wait {wait} any P:READABLE deadline=60000000000"))?;
        driver.ok("put P")?;
        driver.ready(&wait, "0:READABLE")?;
        driver.value_is("take P", 1)?;
    }
    Ok(())
}

fn hundred(driver: &mut Driver) -> Played {
    const COUNT: usize = 100;
    let all = |line: fn(usize) -> String| (0..COUNT).map(line).collect::<Vec<_>>();
    driver.batch(&all(|place| format!("pipe P{place}")))?;
    driver.batch(&all(|place| format!("wait W{place} any P{place}:READABLE")))?;
    driver.batch(&all(|place| format!("put P{place}")))?;
    for place in 0..COUNT {
        driver.ready(&format!("W{place}"), "0:READABLE")?;
        driver.value_is(&format!("take P{place}"), 1)?;
    }
    driver.batch(&all(|place| format!("wait V{place} any P{place}:READABLE")))?;
    for place in (0..COUNT).rev() {
        driver.ok(&format!("put P{place}"))?;
        driver.ready(&format!("V{place}"), "0:READABLE")?;
    }
    Ok(())
}
