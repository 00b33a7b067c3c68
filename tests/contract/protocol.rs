//! The lines of docs/contract.md, read.

/// What a driver says of itself before its first command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeting {
    pub host: String,
    pub mode: String,
    /// Of foreign waitables; empty if it has none.
    pub kind: String,
    /// What it cannot do, and why.
    pub cannot: Vec<(String, String)>,
}

/// What a scenario may need.
pub const THINGS: [&str; 12] = [
    "foreign",
    "level",
    "once",
    "once_changes",
    "level_ends",
    "descriptors",
    "threads",
    "fork",
    "budget",
    "stall",
    "socket",
    "socket_ends",
];

impl Greeting {
    /// Takes a line between the first and `ready`; answers what is wrong with it.
    pub fn take(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "host" if !rest.is_empty() => self.host = rest.to_owned(),
            "mode" if ["owned", "nested", "delegated"].contains(&rest) => {
                self.mode = rest.to_owned()
            }
            "kind" if ["level", "once", "both"].contains(&rest) => self.kind = rest.to_owned(),
            "cannot" => match rest.split_once(' ') {
                Some((thing, reason)) if THINGS.contains(&thing) && !reason.is_empty() => {
                    self.cannot.push((thing.to_owned(), reason.to_owned()));
                }
                _ => {
                    return Err(format!("`cannot THING REASON` with one of {}", THINGS.join(", ")));
                }
            },
            _ => {
                return Err(
                    "host, mode, kind, cannot or ready, as docs/contract.md has them".into()
                );
            }
        }
        Ok(())
    }

    /// Why something that a scenario needs is not there, if it is not.
    pub fn reason(&self, thing: &str) -> Option<String> {
        if let Some((_, reason)) = self.cannot.iter().find(|(cannot, _)| cannot == thing) {
            return Some(reason.clone());
        }
        match (thing, self.kind.as_str()) {
            ("level" | "once", "") => {
                self.reason("foreign").or(Some("it has no foreign waitables".into()))
            }
            ("foreign", "") => Some("it has no foreign waitables".into()),
            ("level", "once") => Some("its foreign waitables report once".into()),
            ("once", "level") => {
                Some("its foreign waitables report as long as they are ready".into())
            }
            _ => None,
        }
    }
}

/// What a driver says to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With the values.
    Ok(String),
    /// With the name of the status.
    Error(String),
    /// It does not know the command.
    Unknown(String),
}

impl Answer {
    pub fn words(&self) -> String {
        match self {
            Answer::Ok(values) if values.is_empty() => "ok".to_owned(),
            Answer::Ok(values) => format!("ok {values}"),
            Answer::Error(status) => format!("error {status}"),
            Answer::Unknown(why) => format!("unknown {why}"),
        }
    }
}

/// A set of readiness bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bits(u8);

const NAMES: [&str; 6] = ["READABLE", "WRITABLE", "PRIORITY", "HANGUP", "ERROR", "READ_CLOSED"];

impl Bits {
    /// From names with commas between them.
    pub fn parse(text: &str) -> Option<Bits> {
        let place = |name| NAMES.iter().position(|known| *known == name);
        text.split(',').try_fold(Bits(0), |bits, name| Some(Bits(bits.0 | 1 << place(name)?)))
    }

    pub fn has(self, name: &str) -> bool {
        Bits::parse(name).is_some_and(|bits| self.0 & bits.0 != 0)
    }

    pub fn or(self, other: Bits) -> Bits {
        Bits(self.0 | other.0)
    }

    /// Whether all of it is in the other.
    pub fn within(self, other: Bits) -> bool {
        self.0 & !other.0 == 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ready,
    TimedOut,
    Cancelled,
    Closed,
    Failed,
}

impl Outcome {
    pub fn parse(text: &str) -> Option<Outcome> {
        Some(match text {
            "READY" => Outcome::Ready,
            "TIMED_OUT" => Outcome::TimedOut,
            "CANCELLED" => Outcome::Cancelled,
            "CLOSED" => Outcome::Closed,
            "FAILED" => Outcome::Failed,
            _ => return None,
        })
    }
}

/// A completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub wait: String,
    pub outcome: Outcome,
    pub more: bool,
    /// In nanoseconds, since the wait was started.
    pub after: u64,
    pub members: Vec<(usize, Bits)>,
    /// The line itself.
    pub line: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Done(Done),
    Watch { object: String, bits: Bits },
    Stop { object: String },
    Freed,
    Broken(String),
}

/// A line of a driver that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Answer(Answer),
    Event(Event),
}

/// Reads a line. None: it is none of docs/contract.md.
pub fn said(line: &str) -> Option<Said> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    Some(match word {
        "ok" => Said::Answer(Answer::Ok(rest.to_owned())),
        "error" => Said::Answer(Answer::Error(rest.to_owned())),
        "unknown" => Said::Answer(Answer::Unknown(rest.to_owned())),
        "done" => Said::Event(Event::Done(done(line, rest)?)),
        "watch" => {
            let (object, bits) = rest.split_once(' ')?;
            Said::Event(Event::Watch { object: object.to_owned(), bits: Bits::parse(bits)? })
        }
        "stop" if !rest.is_empty() => Said::Event(Event::Stop { object: rest.to_owned() }),
        "freed" if rest.is_empty() => Said::Event(Event::Freed),
        "broken" => Said::Event(Event::Broken(rest.to_owned())),
        _ => return None,
    })
}

fn done(line: &str, rest: &str) -> Option<Done> {
    let mut words = rest.split(' ').peekable();
    let wait = words.next()?.to_owned();
    let outcome = Outcome::parse(words.next()?)?;
    let more = words.next_if_eq(&"MORE").is_some();
    let after = words.next()?.strip_prefix("after=")?.parse().ok()?;
    let member = |word: &str| {
        let (index, bits) = word.split_once(':')?;
        Some((index.parse().ok()?, Bits::parse(bits)?))
    };
    let members = words.map(member).collect::<Option<_>>()?;
    Some(Done { wait, outcome, more, after, members, line: line.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completion_is_read_in_all_its_parts() {
        let line = "done W READY MORE after=17 1:READABLE,READ_CLOSED 3:HANGUP";
        let Some(Said::Event(Event::Done(done))) = said(line) else { panic!("not read") };
        assert_eq!((done.wait.as_str(), done.outcome, done.more), ("W", Outcome::Ready, true));
        assert_eq!((done.after, done.members.len()), (17, 2));
        assert!(done.members[0].1.has("READ_CLOSED") && !done.members[0].1.has("HANGUP"));
    }

    #[test]
    fn what_is_no_line_of_the_contract_is_not_read() {
        for line in [
            "",
            "hello",
            "done W",
            "done W READY",
            "done W ready after=1",
            "done W READY after=-1",
            "done W READY after=1 READABLE",
            "done W READY after=1 0:NOTHING",
            "watch X",
            "stop",
            "freed now",
            " ok",
            "done W READY after=1 ",
        ] {
            assert_eq!(said(line), None, "{line:?}");
        }
    }

    #[test]
    fn what_a_host_cannot_do_has_its_reason() {
        let mut greeting = Greeting::default();
        assert!(greeting.reason("level").is_some(), "no kind: no foreign waitables");
        greeting.take("kind once").unwrap();
        greeting.take("cannot fork the runtime has threads").unwrap();
        assert_eq!(greeting.reason("fork").as_deref(), Some("the runtime has threads"));
        assert!(greeting.reason("level").is_some());
        assert_eq!(greeting.reason("once"), None);
        assert_eq!(greeting.reason("foreign"), None);
        for line in ["cannot fly", "cannot fork", "kind sort", "mode", "", "hello"] {
            assert!(greeting.take(line).is_err(), "{line:?}");
        }
    }
}
