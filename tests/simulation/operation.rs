//! The operations: their text, so that a list of them can be replayed, and where they come from.
//!
//! An operation names an object by a number that is taken modulo the number of those that live, so
//! that every sublist of a list of operations means something, too.

use std::fmt;
use std::str::FromStr;

/// What an operation is made of.
trait Argument: Sized {
    fn text(&self) -> String;
    fn parse(text: &str) -> Option<Self>;
    /// Simpler ones, to try when a failure is made small.
    fn simpler(&self) -> Vec<Self>;
}

impl Argument for u32 {
    fn text(&self) -> String {
        self.to_string()
    }

    fn parse(text: &str) -> Option<u32> {
        text.parse().ok()
    }

    fn simpler(&self) -> Vec<u32> {
        let mut all = vec![0, 1, *self / 2, self.saturating_sub(1)];
        all.retain(|simpler| simpler < self);
        all.dedup();
        all
    }
}

impl Argument for Vec<u32> {
    fn text(&self) -> String {
        self.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
    }

    fn parse(text: &str) -> Option<Vec<u32>> {
        text.split(',').filter(|item| !item.is_empty()).map(|item| item.parse().ok()).collect()
    }

    fn simpler(&self) -> Vec<Vec<u32>> {
        let mut all = Vec::new();
        for at in 0..self.len() {
            let mut shorter = self.clone();
            shorter.remove(at);
            all.push(shorter);
            for item in self[at].simpler() {
                let mut simpler = self.clone();
                simpler[at] = item;
                all.push(simpler);
            }
        }
        all
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* })*) => {
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Op { $($(#[$doc])* $name { $($field: $type),* }),* }

        impl fmt::Display for Op {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Op::$name { $($field),* } => {
                        f.write_str(stringify!($name))?;
                        $(write!(f, " {}={}", stringify!($field), $field.text())?;)*
                    })*
                }
                Ok(())
            }
        }

        impl FromStr for Op {
            type Err = String;

            fn from_str(line: &str) -> Result<Op, String> {
                let mut words = line.split_whitespace();
                let name = words.next().unwrap_or_default();
                let arguments: Vec<_> = words.filter_map(|word| word.split_once('=')).collect();
                match name {
                    $(stringify!($name) => Ok(Op::$name { $($field: {
                        let wanted = |(field, _): &&(&str, &str)| *field == stringify!($field);
                        let (_, text) = arguments.iter().find(wanted)
                            .ok_or(format!("no {} in '{line}'", stringify!($field)))?;
                        <$type>::parse(text).ok_or(format!("'{text}' in '{line}'"))?
                    }),* }),)*
                    _ => Err(format!("no operation is called '{name}'")),
                }
            }
        }

        impl Op {
            /// The same with one simpler argument.
            pub fn simpler(&self) -> Vec<Op> {
                let mut all = Vec::new();
                match self {
                    $(Op::$name { $($field),* } => {
                        let _ = &mut all;
                        $(for simpler in $field.simpler() {
                            let mut op = self.clone();
                            #[allow(irrefutable_let_patterns)]
                            if let Op::$name { $field, .. } = &mut op {
                                *$field = simpler;
                            }
                            all.push(op);
                        })*
                    })*
                }
                all
            }
        }
    };
}

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
