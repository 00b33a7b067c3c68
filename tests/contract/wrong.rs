//! A driver without a reactor behind it, which the tests of the runner have break the contract: it
//! knows events, foreign objects, and waits of one member or none, and does one thing wrong, which its
//! argument names. With `nothing` it is right in what it can do.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

struct Wait {
    name: String,
    /// The object and the bit; none: a sleep.
    member: Option<(String, String)>,
    started: Instant,
    deadline: Option<Duration>,
    cancelled: bool,
}

#[derive(Default)]
struct Object {
    bits: Vec<String>,
    foreign: bool,
    watched: bool,
}

struct Driver {
    wrong: String,
    objects: HashMap<String, Object>,
    waits: Vec<Wait>,
    turns: u64,
}

fn main() {
    let wrong = std::env::args().nth(1).unwrap_or_default();
    match wrong.as_str() {
        "refuses" | "refuses without a word" => {
            if wrong == "refuses" {
                eprintln!("wrong: there is no memory for a reactor");
            }
            std::process::exit(1);
        }
        "speaks another version" => say("contract 2"),
        _ => say("contract 1"),
    }
    say("host a wrong one\nmode owned\nkind level\ncannot fork it has no process\nready");
    let driver = Driver { wrong, objects: HashMap::new(), waits: Vec::new(), turns: 0 };
    driver.run(&input());
}

/// Lines, read on a thread, so that deadlines come.
fn input() -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody listens any more: there is nobody to tell.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

impl Driver {
    fn run(mut self, lines: &Receiver<String>) {
        loop {
            let line = match self.wait().map(|time| lines.recv_timeout(time)) {
                Some(Err(RecvTimeoutError::Timeout)) => None,
                Some(other) => Some(other.unwrap_or("quit without an answer".into())),
                None => Some(lines.recv().unwrap_or("quit without an answer".into())),
            };
            let mut commands: VecDeque<String> = line.into_iter().collect();
            if let Some(count) = commands.front().and_then(|line| line.strip_prefix("batch ")) {
                commands = lines.iter().take(count.parse().unwrap()).collect();
            }
            for command in commands {
                if command.starts_with("quit") {
                    return self.quit(&command);
                }
                let answer = self.execute(&command.split(' ').collect::<Vec<_>>());
                say(&answer);
            }
            self.turn();
        }
    }

    /// How long the earliest deadline is away.
    fn wait(&self) -> Option<Duration> {
        self.waits.iter().filter_map(|wait| self.left(wait)).min()
    }

    fn left(&self, wait: &Wait) -> Option<Duration> {
        let early = Duration::from_millis(if self.is("comes early") { 10 } else { 0 });
        Some(wait.deadline?.saturating_sub(wait.started.elapsed() + early))
    }

    fn is(&self, wrong: &str) -> bool {
        self.wrong == wrong
    }

    fn execute(&mut self, words: &[&str]) -> String {
        match self.wrong.as_str() {
            "hangs" => {
                eprintln!("pid {}", std::process::id());
                loop {
                    thread::park();
                }
            }
            "dies" => std::process::abort(),
            "exits" => std::process::exit(3),
            "speaks garbage" => return "okay".into(),
            "speaks at length" => return "okay ".repeat(1 << 20),
            "answers twice" => say("ok"),
            "is lost for words" => return "unknown what that is".into(),
            _ => {}
        }
        let name = words.get(1).copied().unwrap_or_default();
        let wait = self.waits.iter().position(|wait| wait.name == name);
        match (words[0], wait) {
            ("event", _) => drop(self.objects.insert(name.into(), Object::default())),
            ("foreign", _) => {
                let object = Object { foreign: true, ..Object::default() };
                self.objects.insert(name.into(), object);
            }
            ("notify" | "put", _) => {
                let object = self.objects.get_mut(name).expect("the runner made it");
                let bits = words.get(2).copied().unwrap_or("READABLE");
                object.bits.extend(bits.split(',').map(str::to_owned));
            }
            ("take", _) => {
                let object = self.objects.get_mut(name).expect("the runner made it");
                let had = !std::mem::take(&mut object.bits).is_empty();
                return format!("ok {}", u8::from(had));
            }
            ("close", _) => {
                if self.objects.remove(name).is_some_and(|object| object.watched) {
                    say(&format!("stop {name}"));
                }
            }
            ("wait", _) if self.is("fails") => return "error OS".into(),
            ("wait", _) => self.waits.push(started(&words[1..])),
            ("notify_closed", _) => return "error STALE".into(),
            ("cancel", Some(place)) => self.waits[place].cancelled = true,
            ("forget", Some(_)) if self.is("does not forget") => {}
            ("forget", Some(place)) => drop(self.waits.remove(place)),
            ("cancel" | "forget", None) if self.is("knows no end") => {}
            ("cancel" | "forget", None) => return "error STALE".into(),
            ("stats", _) => return format!("ok turns={} spurious=0", self.turns),
            (other, _) => return format!("unknown {other}"),
        }
        "ok".into()
    }

    fn turn(&mut self) {
        self.turns += 1;
        if self.is("turns all the time") {
            self.turns += 1000;
        }
        for (name, object) in &mut self.objects {
            let wanted = |wait: &Wait| wait.member.as_ref().is_some_and(|member| member.0 == *name);
            if object.foreign && !object.watched && self.waits.iter().any(wanted) {
                object.watched = true;
                say(&format!("watch {name} READABLE"));
            }
        }
        for wait in std::mem::take(&mut self.waits) {
            match self.outcome(&wait) {
                Some(outcome) => self.complete(&wait, &outcome),
                None => self.waits.push(wait),
            }
        }
    }

    fn outcome(&self, wait: &Wait) -> Option<String> {
        if let Some((object, bit)) = &wait.member {
            match self.objects.get(object) {
                Some(object) if object.bits.contains(bit) => return Some(format!("READY 0:{bit}")),
                Some(object) if self.is("wakes for anything") && !object.bits.is_empty() => {
                    return Some(format!("READY 0:{}", object.bits[0]));
                }
                Some(_) => {}
                None => return Some("CLOSED".into()),
            }
        }
        if wait.cancelled {
            return Some("CANCELLED".into());
        }
        self.left(wait).is_some_and(|left| left.is_zero()).then(|| "TIMED_OUT".into())
    }

    fn complete(&self, wait: &Wait, outcome: &str) {
        if self.is("loses a completion") && wait.name == "W" {
            return;
        }
        let (outcome, member) = outcome.split_once(' ').unwrap_or((outcome, ""));
        let mut after = wait.started.elapsed();
        if let Some(deadline) = wait.deadline.filter(|_| self.is("comes early")) {
            // Also where the machine was slow.
            after = after.min(deadline.saturating_sub(Duration::from_millis(1)));
        }
        let after = after.as_nanos();
        let line = format!("done {} {outcome} after={after} {member}", wait.name);
        say(line.trim_end());
        if self.is("completes twice") {
            say(line.trim_end());
        }
        if self.is("invents a wait") {
            say("done Nobody READY after=1 0:READABLE");
        }
    }

    fn quit(mut self, command: &str) {
        if command == "quit" {
            say("ok");
        }
        self.turn();
        if !self.is("closes nothing") {
            for wait in &self.waits {
                self.complete(wait, "CLOSED");
            }
        }
        for (name, object) in &self.objects {
            if object.watched && !self.is("never stops") {
                say(&format!("stop {name}"));
            }
        }
        match self.wrong.as_str() {
            "is never freed" => return,
            "reports an error of memory" => {
                eprintln!("==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x1");
            }
            "misuses the JVM" => {
                eprintln!("WARNING in native method: JNI call made with exception pending");
            }
            _ => {}
        }
        say("freed");
        match self.wrong.as_str() {
            "speaks after its end" => say("ok"),
            "ends with another status" => std::process::exit(7),
            "does not end" => loop {
                thread::park();
            },
            _ => {}
        }
    }
}

/// From the words after `wait`.
fn started(words: &[&str]) -> Wait {
    let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
    let member = words[2..].iter().find_map(|word| word.split_once(':'));
    Wait {
        name: words[0].into(),
        member: member.map(|(object, bit)| (object.into(), bit.into())),
        started: Instant::now(),
        deadline: option("deadline=").map(|time| Duration::from_nanos(time.parse().unwrap_or(0))),
        cancelled: false,
    }
}
