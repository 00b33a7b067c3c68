//! How waits end before they are ready: cancel, forget, close, and the end of the reactor.

use super::Scenario;
use crate::driver::{Driver, Played};
use crate::protocol::Outcome::{Cancelled, Closed};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "cancel",
        about: "the completion comes, and then the wait is stale",
        needs: &[],
        play: cancel,
    },
    Scenario {
        name: "cancel when it was ready",
        about: "the first decision stands: it completes READY",
        needs: &[],
        play: cancel_ready,
    },
    Scenario {
        name: "forget",
        about: "nothing comes any more, nor what is queued",
        needs: &[],
        play: forget,
    },
    Scenario {
        name: "close while waiting",
        about: "every wait on the waitable completes as CLOSED, and the token is stale",
        needs: &[],
        play: close,
    },
    Scenario {
        name: "close a member of a set",
        about: "a set with a member that was closed completes as CLOSED, and the others are not disturbed",
        needs: &[],
        play: close_member,
    },
    Scenario {
        name: "cancel, close and notify in one batch",
        about: "each wait ends by what came first",
        needs: &[],
        play: batch,
    },
    Scenario {
        name: "a wait of every kind outstanding at the end",
        about: "the end of the reactor completes all of them as CLOSED",
        needs: &[],
        play: outstanding,
    },
    Scenario {
        name: "ready and undelivered at the end",
        about: "what was ready before the reactor was closed completes READY, the rest CLOSED",
        needs: &[],
        play: ready_at_the_end,
    },
    Scenario {
        name: "foreign objects watched at the end",
        about: "the host is told to stop before the reactor is freed",
        needs: &["foreign"],
        play: foreign_at_the_end,
    },
    Scenario {
        name: "pipes outstanding at the end",
        about: "waits on descriptors complete as CLOSED",
        needs: &["descriptors"],
        play: pipes_at_the_end,
    },
    Scenario {
        name: "the end of the input",
        about: "the driver's input ends while it waits: as quit",
        needs: &[],
        play: end_of_input,
    },
    Scenario {
        name: "fork",
        about: "a child's calls answer FORKED, and the parent is not disturbed",
        needs: &["fork"],
        play: fork,
    },
];

fn cancel(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait W any E:READABLE deadline=60000000000")?;
    driver.ok("cancel W")?;
    driver.ends("W", Cancelled)?;
    driver.refused("cancel W", "STALE")?;
    driver.ok("notify E READABLE")?;
    driver.nothing_of("W")
}

fn cancel_ready(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait W any E:READABLE")?;
    driver.batch(&["notify E READABLE", "cancel W", "cancel W"])?;
    driver.ready("W", "0:READABLE")?;
    driver.refused("cancel W", "STALE")
}

fn forget(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait Early any E:READABLE")?;
    driver.ok("forget Early")?;
    driver.refused("forget Early", "STALE")?;
    driver.ok("wait Queued any E:READABLE")?;
    driver.batch(&["notify E READABLE", "forget Queued"])?;
    driver.batch(&["wait Ready any E:READABLE", "forget Ready"])?;
    driver.batch(&["wait Slept any deadline=20000000", "forget Slept"])?;
    driver.ok("wait Longer any deadline=40000000")?;
    driver.ends("Longer", crate::protocol::Outcome::TimedOut)?;
    for wait in ["Early", "Queued", "Ready", "Slept"] {
        driver.nothing_of(wait)?;
    }
    driver.refused("cancel Queued", "STALE")
}

fn close(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("timer T 60000000000 0")?;
    driver.ok("wait A any E:READABLE")?;
    driver.ok("wait B any E:WRITABLE deadline=60000000000")?;
    driver.ok("wait C any T:READABLE")?;
    driver.ok("close E")?;
    driver.ends("A", Closed)?;
    driver.ends("B", Closed)?;
    driver.nothing_of("C")?;
    driver.ok("close T")?;
    driver.ends("C", Closed)?;
    driver.refused("notify_closed E READABLE", "STALE")
}

fn close_member(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("event F")?;
    driver.ok("wait Both all E:READABLE F:READABLE")?;
    driver.ok("wait Other any F:READABLE")?;
    driver.ok("close E")?;
    driver.ends("Both", Closed)?;
    driver.nothing_of("Other")?;
    driver.ok("notify F READABLE")?;
    driver.ready("Other", "0:READABLE")
}

fn batch(driver: &mut Driver) -> Played {
    for name in ["A", "B", "C", "D"] {
        driver.ok(&format!("event {name}"))?;
        driver.ok(&format!("wait W{name} any {name}:READABLE"))?;
    }
    driver.batch(&[
        "notify A READABLE",
        "cancel WA",
        "close A",
        "cancel WB",
        "notify B READABLE",
        "close B",
        "close C",
        "cancel WC",
        "notify D READABLE",
        "forget WD",
        "close D",
    ])?;
    driver.ready("WA", "0:READABLE")?;
    driver.ends("WB", Cancelled)?;
    driver.ends("WC", Closed)?;
    driver.nothing_of("WD")
}

fn outstanding(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("counter C")?;
    driver.ok("timer T 60000000000 1000000000")?;
    driver.ok("wait Event any E:READABLE")?;
    driver.ok("wait Counter any C:READABLE")?;
    driver.ok("wait Timer any T:READABLE")?;
    driver.ok("wait Sleep any deadline=60000000000")?;
    driver.ok("wait Late any E:READABLE deadline=60000000000")?;
    driver.ok("wait All all E:READABLE C:READABLE T:READABLE")?;
    driver.ok("wait Two 2 E:READABLE C:READABLE T:READABLE")?;
    driver.ok("wait Many any C:READABLE multishot")?;
    driver.ok("wait Cancelled any E:READABLE")?;
    driver.batch(&["cancel Cancelled", "quit"])?;
    driver.ends("Cancelled", Cancelled)?;
    for wait in ["Event", "Counter", "Timer", "Sleep", "Late", "All", "Two", "Many"] {
        driver.ends(wait, Closed)?;
    }
    Ok(())
}

fn ready_at_the_end(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("event F")?;
    for wait in 0..100 {
        driver.ok(&format!("wait W{wait} any E:READABLE"))?;
    }
    driver.ok("wait V any F:READABLE")?;
    driver.batch(&["notify E READABLE", "quit"])?;
    for wait in 0..100 {
        driver.ready(&format!("W{wait}"), "0:READABLE")?;
    }
    driver.ends("V", Closed)?;
    Ok(())
}

fn foreign_at_the_end(driver: &mut Driver) -> Played {
    let kind = driver.foreign_kind();
    for name in ["F", "G"] {
        driver.ok(&format!("foreign {name} {kind}"))?;
        driver.ok(&format!("wait W{name} any {name}:READABLE"))?;
        driver.watched(name, "READABLE")?;
    }
    driver.ok("close F")?;
    driver.ends("WF", Closed)?;
    driver.stopped("F")?;
    driver.quit()?;
    driver.ends("WG", Closed)?;
    driver.stopped("G")
}

fn pipes_at_the_end(driver: &mut Driver) -> Played {
    for name in ["P", "Q"] {
        driver.ok(&format!("pipe {name}"))?;
        driver.ok(&format!("wait W{name} any {name}:READABLE"))?;
    }
    driver.ok("wait All all P:READABLE Q:READABLE")?;
    driver.ok("wait Many any P:READABLE multishot")?;
    driver.descriptor_barrier()?;
    driver.quit()?;
    for wait in ["WP", "WQ", "All", "Many"] {
        driver.ends(wait, Closed)?;
    }
    Ok(())
}

fn end_of_input(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait W any E:READABLE")?;
    driver.ok("wait Sleep any deadline=60000000000")?;
    driver.barrier()?;
    driver.end_input();
    driver.ends("W", Closed)?;
    driver.ends("Sleep", Closed)?;
    Ok(())
}

fn fork(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait W any E:READABLE")?;
    driver.ok("wait Sleep any deadline=50000000")?;
    driver.ok("fork")?;
    driver.nothing_of("W")?;
    driver.ends("Sleep", crate::protocol::Outcome::TimedOut)?;
    driver.ok("fork")?;
    driver.ok("notify E READABLE")?;
    driver.ready("W", "0:READABLE")?;
    driver.value_is("take E", 1)
}
