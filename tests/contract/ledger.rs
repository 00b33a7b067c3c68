//! What holds in every scenario, whatever it is about: the ledger sees each answer and each event in
//! the order in which the driver wrote them.

use std::collections::HashMap;

use super::protocol::{Answer, Bits, Done, Event, Outcome};

/// What was broken.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken {
    pub expected: String,
    pub got: String,
}

fn broken<T>(expected: impl Into<String>, got: impl Into<String>) -> Result<T, Broken> {
    Err(Broken { expected: expected.into(), got: got.into() })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Outstanding,
    Ended,
    Forgotten,
}

#[derive(Debug)]
struct Wait {
    phase: Phase,
    /// How many members have to be ready.
    needed: usize,
    members: Vec<(String, Bits)>,
    deadline: Option<u64>,
    multishot: bool,
    cancelled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Level,
    Once,
    Other,
}

#[derive(Debug)]
struct Object {
    kind: Kind,
    open: bool,
    /// What the host was told to watch it for, since it was last told to stop.
    watched: Option<Bits>,
    /// A host that reports once may have reported since.
    reported: bool,
    /// What was put and not taken yet.
    unread: u64,
    /// Its other side is closed.
    ended: bool,
    /// Threads that report it.
    crews: Vec<String>,
}

/// What was promised and is not fulfilled yet.
#[derive(Debug, Default)]
pub struct Ledger {
    waits: HashMap<String, Wait>,
    objects: HashMap<String, Object>,
    quitting: bool,
    freed: bool,
    /// Waits may fail.
    faults: bool,
}

impl Ledger {
    pub fn new(faults: bool) -> Ledger {
        Ledger { faults, ..Ledger::default() }
    }

    /// A command was answered.
    pub fn answered(&mut self, command: &str, answer: &Answer) -> Result<(), Broken> {
        // What was executed in a completion.
        let kept = command.strip_prefix("when ").and_then(|rest| rest.split_once(' '));
        let command = kept.map_or(command, |(_, kept)| kept);
        let words: Vec<&str> = command.split(' ').collect();
        let ok = matches!(answer, Answer::Ok(_));
        match (words[0], words.get(1)) {
            ("event" | "counter" | "timer" | "pipe" | "socket" | "foreign", Some(name)) if ok => {
                let kind = match (words[0], words.get(2)) {
                    ("foreign", Some(&"level")) => Kind::Level,
                    ("foreign", _) => Kind::Once,
                    _ => Kind::Other,
                };
                let object = Object {
                    kind,
                    open: true,
                    watched: None,
                    reported: false,
                    unread: 0,
                    ended: false,
                    crews: Vec::new(),
                };
                self.objects.insert((*name).to_owned(), object);
            }
            ("wait", Some(name)) if ok => {
                self.waits.insert((*name).to_owned(), started(&words[2..]));
            }
            ("cancel" | "forget" | "rearm", Some(name)) => {
                return self.asked(words[0], name, answer);
            }
            ("put" | "hangup" | "notify" | "threads", _) => {
                let name = words[if words[0] == "threads" { 4 } else { 1 }];
                if let Some(object) = self.objects.get_mut(name) {
                    object.reported = true;
                    object.unread += u64::from(words[0] == "put");
                    object.ended |= words[0] == "hangup";
                    if words[0] == "threads" && ok {
                        object.crews.push(words[1].to_owned());
                    }
                }
            }
            ("join", Some(name)) => {
                for object in self.objects.values_mut() {
                    object.crews.retain(|crew| crew != name);
                }
            }
            ("take", Some(name)) => {
                if let (Some(object), Answer::Ok(value)) = (self.objects.get_mut(*name), answer) {
                    object.unread = object.unread.saturating_sub(value.parse().unwrap_or(0));
                }
            }
            ("close", Some(name)) if ok => {
                if let Some(object) = self.objects.get_mut(*name) {
                    object.open = false;
                }
            }
            ("quit", _) => self.quitting = true,
            _ => {}
        }
        Ok(())
    }

    fn asked(&mut self, verb: &str, name: &str, answer: &Answer) -> Result<(), Broken> {
        let Some(wait) = self.waits.get_mut(name) else { return Ok(()) };
        let alive = wait.phase == Phase::Outstanding;
        match answer {
            Answer::Ok(_) if !alive => broken(
                format!("`error STALE` to `{verb} {name}`, which has ended or was forgotten"),
                answer.words(),
            ),
            Answer::Error(status) if alive && status == "STALE" => broken(
                format!("`ok` to `{verb} {name}`, whose completion was not delivered yet"),
                answer.words(),
            ),
            Answer::Ok(_) => {
                match verb {
                    "cancel" => wait.cancelled = true,
                    "forget" => wait.phase = Phase::Forgotten,
                    _ => {}
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The input of the driver ends, which is as `quit`.
    pub fn quits(&mut self) {
        self.quitting = true;
    }

    /// The driver wrote an event.
    pub fn happened(&mut self, event: &Event) -> Result<(), Broken> {
        if self.freed {
            return broken("nothing after `freed`", format!("{event:?}"));
        }
        match event {
            Event::Done(done) => self.completed(done),
            Event::Watch { object, bits } => self.watched(object, *bits),
            Event::Stop { object } => self.stopped(object),
            Event::Freed => self.was_freed(),
            Event::Broken(why) => broken("no promise broken", format!("`broken {why}`")),
        }
    }

    fn completed(&mut self, done: &Done) -> Result<(), Broken> {
        let got = format!("`{}`", done.line);
        let Some(wait) = self.waits.get(&done.wait) else {
            return broken("completions of waits that were started", got);
        };
        match wait.phase {
            Phase::Ended => return broken("exactly one (last) completion of each wait", got),
            Phase::Forgotten => return broken("nothing of a wait that was forgotten", got),
            Phase::Outstanding => {}
        }
        if done.more && !(wait.multishot && done.outcome == Outcome::Ready) {
            return broken("MORE only where a multishot wait is READY", got);
        }
        self.members_are_right(wait, done)?;
        match done.outcome {
            Outcome::Ready if done.members.len() < wait.needed.max(1) => {
                return broken(format!("READY with at least {} members", wait.needed.max(1)), got);
            }
            Outcome::TimedOut => match wait.deadline {
                None => return broken("TIMED_OUT only of a wait with a deadline", got),
                Some(deadline) if done.after < deadline => {
                    return broken(format!("TIMED_OUT never early: after={deadline} or more"), got);
                }
                Some(_) => {}
            },
            Outcome::Cancelled if !wait.cancelled => {
                return broken("CANCELLED only of a wait that was cancelled", got);
            }
            Outcome::Closed if !self.quitting && !self.has_closed_member(wait) => {
                return broken("CLOSED only when a member or the reactor was closed", got);
            }
            Outcome::Failed if !self.faults => return broken("no wait that fails", got),
            _ => {}
        }
        if !done.more {
            self.waits.get_mut(&done.wait).expect("it was found").phase = Phase::Ended;
        }
        Ok(())
    }

    fn members_are_right(&self, wait: &Wait, done: &Done) -> Result<(), Broken> {
        let mut last = None;
        for (index, bits) in &done.members {
            let got = format!("`{}`", done.line);
            let Some((_, interest)) = wait.members.get(*index) else {
                return broken(format!("members below {}", wait.members.len()), got);
            };
            if last.is_some_and(|last| last >= *index) {
                return broken("each member once, in the order of the set", got);
            }
            last = Some(*index);
            let mut allowed = interest.or(Bits::parse("HANGUP,ERROR").expect("they are bits"));
            if interest.has("READABLE") {
                allowed = allowed.or(Bits::parse("READ_CLOSED").expect("it is a bit"));
            }
            if !bits.within(allowed) {
                return broken("no bits but those asked for, HANGUP and ERROR", got);
            }
        }
        Ok(())
    }

    fn has_closed_member(&self, wait: &Wait) -> bool {
        wait.members
            .iter()
            .any(|(name, _)| self.objects.get(name).is_none_or(|object| !object.open))
    }

    fn watched(&mut self, name: &str, bits: Bits) -> Result<(), Broken> {
        let got = format!("`watch {name}`");
        let Some(object) = self.objects.get_mut(name).filter(|object| object.kind != Kind::Other)
        else {
            return broken("changes for foreign objects", got);
        };
        if !object.open {
            return broken("no watch for what was closed", got);
        }
        if object.kind == Kind::Level && object.watched == Some(bits) {
            return broken("no change that changes nothing", format!("{got} for the same again"));
        }
        object.watched = Some(bits);
        object.reported = object.unread > 0 || object.ended || !object.crews.is_empty();
        Ok(())
    }

    fn stopped(&mut self, name: &str) -> Result<(), Broken> {
        let got = format!("`stop {name}`");
        let Some(object) = self.objects.get_mut(name).filter(|object| object.kind != Kind::Other)
        else {
            return broken("changes for foreign objects", got);
        };
        if object.watched.take().is_none() {
            return broken("no stop for what is not watched", got);
        }
        Ok(())
    }

    fn was_freed(&mut self) -> Result<(), Broken> {
        self.freed = true;
        if !self.quitting {
            return broken("no `freed` before `quit`", "`freed`");
        }
        if let Some(name) = self.outstanding().into_iter().next() {
            return broken(format!("a completion of {name} before `freed`"), "none");
        }
        let unstopped = |object: &Object| {
            object.watched.is_some() && !(object.kind == Kind::Once && object.reported)
        };
        let mut names = self.objects.iter().filter(|(_, object)| unstopped(object));
        if let Some((name, _)) = names.next() {
            return broken(format!("`stop {name}` before `freed`, for it was watched"), "none");
        }
        Ok(())
    }

    /// The waits that have not ended, in the order of their names.
    pub fn outstanding(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .waits
            .iter()
            .filter(|(_, wait)| wait.phase == Phase::Outstanding)
            .map(|(name, _)| name.clone())
            .collect();
        names.sort();
        names
    }

    /// Whether the host reports an object once for each watch change.
    pub fn is_once(&self, name: &str) -> bool {
        self.objects.get(name).is_some_and(|object| object.kind == Kind::Once)
    }

    /// Whether a wait that is not ready ends with the reactor only: its time cannot come first.
    pub fn ends_by_closing_alone(&self, name: &str) -> bool {
        self.waits.get(name).is_some_and(|wait| wait.deadline.is_none() && !wait.multishot)
    }

    pub fn is_multishot(&self, name: &str) -> bool {
        self.waits.get(name).is_some_and(|wait| wait.multishot)
    }

    pub fn is_freed(&self) -> bool {
        self.freed
    }
}

/// From the words after the name: COUNT X:BITS... OPTION...
fn started(words: &[&str]) -> Wait {
    let member = |word: &&str| {
        let (name, bits) = word.split_once(':')?;
        Some((name.to_owned(), Bits::parse(bits)?))
    };
    let members: Vec<_> = words[1..].iter().filter_map(member).collect();
    let deadline = words.iter().find_map(|word| word.strip_prefix("deadline="));
    Wait {
        phase: Phase::Outstanding,
        needed: match words[0] {
            "any" => 1,
            "all" => members.len(),
            number => number.parse().expect("the scenarios write any, all or a number"),
        },
        members,
        deadline: deadline.map(|text| text.parse().unwrap_or(0)),
        multishot: words.contains(&"multishot"),
        cancelled: false,
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
