//! The operations on the core.

use std::fmt;
use std::str::FromStr;

use crate::syntax::{Argument, Operation, operations};

operations! {
    /// `behind`: descriptor, exchange, flag, counter, timer, periodic timer, level, once, watched.
    /// `first` and `period` are of a timer. `maker`: 0 none, else an exchange.
    Open { behind: u32, first: u32, period: u32, maker: u32 }
    OpenExchange { key: u32 }
    EndExchange { exchange: u32 }
    /// `owner`: 0 modulo 3 host, 1 exchange, 2 task. A member is 64 * waitable + interest.
    /// `flags`: 1 multishot, 2 off-loop, 4 the plan is dropped, 8 descriptors are found ready while
    /// they are armed, 16 the shorter way. `bad`: what is wrong; 0 nothing.
    /// `deadline`: 0 never, 1 now, 2 nearly never, else in 32 ns.
    Arm { owner: u32, set: Vec<u32>, at_least: u32, flags: u32, deadline: u32, bad: u32 }
    Cancel { wait: u32 }
    Forget { wait: u32 }
    Rearm { wait: u32 }
    Close { waitable: u32 }
    CloseWaits { waitable: u32 }
    FailWaits { waitable: u32, errno: u32 }
    /// The owner thread notifies.
    Notify { waitable: u32, bits: u32, times: u32 }
    /// Another thread notifies.
    Elsewhere { waitable: u32, bits: u32 }
    Drain {}
    /// A descriptor or an exchange becomes so.
    Level { waitable: u32, bits: u32 }
    /// A report that nobody expected.
    Spurious { waitable: u32, bits: u32, at_once: u32 }
    /// The selector reports. `at_once`: the array of the host has room.
    Harvest { at_once: u32 }
    Take { waitable: u32 }
    /// `by`: 0 to the next deadline, 1 to just before it, else nanoseconds and 2.
    Advance { by: u32 }
    Expire { limit: u32 }
    BeginTurn {}
    /// `class`: host, exchange, task.
    Deliver { class: u32, limit: u32 }
    Changes { limit: u32 }
    /// All that a turn does.
    Turn { expire: u32, deliver: u32, changes: u32 }
    Members { completion: u32 }
    /// A token whose object has ended, or one of another kind.
    Stale { token: u32, call: u32 }
    CloseAll {}
    Restart {}
    Check {}
}
