//! Multishot waits: one completion for each readiness, and a last one.

use super::Scenario;
use crate::driver::{Driver, Played, fail};
use crate::protocol::Bits;
use crate::protocol::Outcome::{self, Cancelled, Closed, Ready, TimedOut};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "multishot",
        about: "an event that is notified and taken, again and again",
        needs: &[],
        play: again_and_again,
    },
    Scenario {
        name: "multishot merges what comes at once",
        about: "three notifies between two turns: one completion with their bits",
        needs: &[],
        play: merges,
    },
    Scenario {
        name: "multishot with a partial drain",
        about: "rearm has a wait look again at a pipe that was not drained",
        needs: &["descriptors"],
        play: partial_drain,
    },
    Scenario {
        name: "multishot on a pipe",
        about: "each arrival completes, when everything was read before",
        needs: &["descriptors"],
        play: pipe,
    },
    Scenario {
        name: "multishot on a timer",
        about: "each expiration completes",
        needs: &[],
        play: timer,
    },
    Scenario {
        name: "multishot ends at its deadline",
        about: "the last completion is TIMED_OUT, without MORE",
        needs: &[],
        play: deadline,
    },
    Scenario {
        name: "multishot cancelled",
        about: "the last completion is CANCELLED, and nothing follows",
        needs: &[],
        play: cancelled,
    },
    Scenario {
        name: "multishot forgotten or closed",
        about: "forgotten, nothing comes; closed, the last completion is CLOSED",
        needs: &[],
        play: forgotten_or_closed,
    },
    Scenario {
        name: "rearm is for multishot waits",
        about: "a one-shot wait answers STATE, one that has ended STALE",
        needs: &[],
        play: rearm,
    },
    Scenario {
        name: "multishot on a foreign object",
        about: "each message completes, also if one was left unread and the wait is rearmed",
        needs: &["foreign"],
        play: foreign,
    },
];

fn again_and_again(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("notify E READABLE")?;
    driver.ok("wait W any E:READABLE multishot")?;
    for _ in 0..100 {
        driver.ready_more("W", "0:READABLE")?;
        driver.value_is("take E", 1)?;
        driver.ok("notify E READABLE")?;
    }
    driver.ready_more("W", "0:READABLE")?;
    driver.value_is("take E", 1)?;
    driver.nothing_of("W")
}

fn merges(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait W any E:READABLE,WRITABLE,PRIORITY multishot")?;
    driver.batch(&["notify E READABLE", "notify E PRIORITY", "notify E READABLE"])?;
    driver.ready_more("W", "0:READABLE,PRIORITY")?;
    driver.nothing_of("W")?;
    // Taken or not: the next notify is news.
    driver.ok("notify E WRITABLE")?;
    let done = driver.done("W")?;
    let bits = done.members.first().map(|member| member.1);
    if !bits.is_some_and(|bits| bits.has("WRITABLE")) || !done.more {
        return fail("W is READY with WRITABLE and MORE", format!("`{}`", done.line));
    }
    Ok(())
}

fn partial_drain(driver: &mut Driver) -> Played {
    driver.ok("pipe P")?;
    driver.ok("put P")?;
    driver.ok("wait W any P:READABLE multishot")?;
    driver.ready_more("W", "0:READABLE")?;
    for _ in 0..3 {
        // Nothing was read: whoever rearms sees it once more.
        driver.ok("rearm W")?;
        driver.ready_more("W", "0:READABLE")?;
    }
    driver.value_is("take P", 1)?;
    driver.ok("put P")?;
    driver.ready_more("W", "0:READABLE")?;
    driver.value_is("take P", 1)?;
    driver.ok("cancel W")?;
    last(driver, "W", Cancelled)
}

/// One completion more than needed may come before the last; undelivered, it is the last.
fn last(driver: &mut Driver, wait: &str, outcome: Outcome) -> Played {
    loop {
        let done = driver.done(wait)?;
        match done.outcome {
            Ready if done.more => {}
            Ready => return Ok(()),
            its if its == outcome => return Ok(()),
            _ => return fail(format!("{wait} ends {outcome:?}"), format!("`{}`", done.line)),
        }
    }
}

fn pipe(driver: &mut Driver) -> Played {
    driver.ok("pipe P")?;
    driver.ok("wait W any P:READABLE multishot")?;
    let mut read = 0;
    for sent in 1..=50 {
        driver.ok("put P")?;
        // A needless completion may come first: then nothing is there to read.
        while read < sent {
            driver.ready_more("W", "0:READABLE")?;
            read += driver.value("take P")?;
        }
    }
    Ok(())
}

fn timer(driver: &mut Driver) -> Played {
    driver.ok("timer T 5000000 5000000")?;
    driver.ok("wait W any T:READABLE multishot")?;
    let mut expired = 0;
    while expired < 10 {
        driver.ready_more("W", "0:READABLE")?;
        expired += driver.value("take T")?;
    }
    driver.ok("close T")?;
    last(driver, "W", Closed)
}

fn deadline(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("notify E READABLE")?;
    driver.ok("wait W any E:READABLE multishot deadline=100000000")?;
    let done = driver.done("W")?;
    match (done.outcome, done.more) {
        (Ready, true) => {
            driver.value_is("take E", 1)?;
            driver.ends("W", TimedOut)?;
        }
        // This machine is so slow that it was both.
        (Ready, false) => driver.value_is("take E", 1)?,
        _ => return fail("W is READY first", format!("`{}`", done.line)),
    }
    driver.ok("notify E READABLE")?;
    driver.nothing_of("W")?;
    driver.refused("rearm W", "STALE")
}

fn cancelled(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait W any E:READABLE multishot")?;
    driver.ok("notify E READABLE")?;
    driver.ready_more("W", "0:READABLE")?;
    driver.value_is("take E", 1)?;
    driver.ok("cancel W")?;
    driver.ends("W", Cancelled)?;
    driver.ok("notify E READABLE")?;
    driver.nothing_of("W")?;
    driver.refused("cancel W", "STALE")
}

fn forgotten_or_closed(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait Forgotten any E:READABLE multishot")?;
    driver.ok("wait Closed any E:READABLE multishot")?;
    driver.batch(&["notify E READABLE", "forget Forgotten"])?;
    driver.ready_more("Closed", "0:READABLE")?;
    driver.ok("close E")?;
    driver.ends("Closed", Closed)?;
    driver.nothing_of("Forgotten")
}

fn rearm(driver: &mut Driver) -> Played {
    driver.ok("event E")?;
    driver.ok("wait W any E:READABLE")?;
    driver.refused("rearm W", "STATE")?;
    driver.ok("notify E READABLE")?;
    driver.ready("W", "0:READABLE")?;
    driver.refused("rearm W", "STALE")?;
    driver.ok("wait V any E:READABLE multishot")?;
    driver.ready_more("V", "0:READABLE")?;
    driver.ok("rearm V")?;
    driver.ready_more("V", "0:READABLE")
}

fn foreign(driver: &mut Driver) -> Played {
    let kind = driver.foreign_kind();
    driver.ok(&format!("foreign F {kind}"))?;
    driver.ok("wait W any F:READABLE multishot")?;
    let readable = Bits::parse("READABLE");
    let mut read = 0;
    for sent in 1..=50 {
        driver.ok("put F")?;
        if sent % 10 == 0 {
            // Left unread: it is told again, by the host or because it was asked.
            driver.done("W")?;
            driver.ok("rearm W")?;
        }
        while read < sent {
            let done = driver.done("W")?;
            if !done.more || done.members.first().map(|member| member.1) != readable {
                return fail("W is READY with 0:READABLE and MORE", format!("`{}`", done.line));
            }
            read += driver.value("take F")?;
        }
    }
    Ok(())
}
