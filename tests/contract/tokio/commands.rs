//! The commands.

use std::thread;
use std::time::Duration;

use awsgi::{
    Deadline, Error, Readiness, Result, Status, Token, WaitSpec, Watch, Watching, notify,
    wait_cancel, wait_rearm,
};

use crate::{Program, children, words};

/// What a command is answered with, if it could be understood.
type Answer = Option<Result<String>>;

impl Program {
    /// Executes a command and answers it. Holds unless it was the last.
    pub fn execute(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match &words[..] {
            ["quit"] => {
                words::say("ok");
                return false;
            }
            ["when", wait, command @ ..] => {
                self.kept = Some(((*wait).to_owned(), command.join(" ")));
                return true;
            }
            ["wait", name, count, rest @ ..] => self.wait(name, count, rest),
            _ => self.object(&words).or_else(|| self.other(&words)),
        };
        words::say(&match answer {
            Some(Ok(values)) if values.is_empty() => "ok".to_owned(),
            Some(Ok(values)) => format!("ok {values}"),
            Some(Err(error)) => format!("error {}", words::of_status(error.status())),
            None => "unknown command, object or value".to_owned(),
        });
        // The host looks at its objects after each command.
        if let Err(error) = self.objects.report() {
            words::broken(&format!("a report was refused: {error}"));
        }
        true
    }

    fn object(&mut self, words: &[&str]) -> Answer {
        let Program { reactor, objects, .. } = self;
        Some(empty(match words {
            ["event", name] => objects.event(reactor, name),
            ["counter", name] => objects.counter(reactor, name),
            ["timer", name, first, period] => {
                objects.timer(reactor, name, first.parse().ok()?, period.parse().ok()?)
            }
            ["pipe", name] => objects.pipe(reactor, name),
            ["socket", name, port] => objects.socket(reactor, name, port.parse().ok()?),
            ["foreign", name, "level"] => objects.foreign(reactor, name, Watching::Level),
            ["foreign", name, "once"] => objects.foreign(reactor, name, Watching::Once),
            ["put", name] => objects.put(name)?,
            ["take", name] => return Some(objects.take(name)?.map(|value| value.to_string())),
            ["hangup", name] => Ok(objects.hang_up(name)?),
            ["close", name] => objects.close(name)?,
            _ => return None,
        }))
    }

    fn other(&mut self, words: &[&str]) -> Answer {
        Some(empty(match words {
            ["cancel", name] => wait_cancel(self.waits.token(name)?),
            ["forget", name] => self.waits.forget(self.waits.token(name)?),
            ["rearm", name] => wait_rearm(self.waits.token(name)?),
            ["notify", name, bits] => {
                let object = self.objects.token(name)?;
                match bits.parse().map(Readiness::from_bits) {
                    Ok(Some(number)) => notify(object, number),
                    // Of which no value can be made here.
                    Ok(None) => Err(Error::new(Status::Invalid, "there are no such bits")),
                    Err(_) => notify(object, words::bits(bits)?),
                }
            }
            ["notify_closed", name, bits] => {
                notify(self.objects.closed_token(name)?, words::bits(bits)?)
            }
            ["threads", name, count, times, object, bits] => {
                let (count, times) = (count.parse().ok()?, times.parse().ok()?);
                self.threads(name, count, times, self.objects.token(object)?, words::bits(bits)?)
            }
            ["join", name] => {
                let threads = self.threads.remove(*name)?;
                let ended = threads.into_iter().map(|thread| thread.join().expect("no panic"));
                ended.fold(Ok(()), Result::and)
            }
            ["stall", time] => {
                thread::sleep(Duration::from_nanos(time.parse().ok()?));
                Ok(())
            }
            ["budget", events] => {
                self.turn.budget = events.parse().ok()?;
                Ok(())
            }
            ["room", completions] => {
                self.turn.capacity = completions.parse().ok()?;
                Ok(())
            }
            ["fork"] => children::fork(&self.reactor),
            ["stats"] => return Some(self.stats()),
            _ => return None,
        }))
    }

    fn wait(&mut self, name: &str, count: &str, rest: &[&str]) -> Answer {
        let mut set = Vec::new();
        let mut spec = WaitSpec::any(&[]);
        let mut from_now = false;
        for word in rest {
            if let Some((object, bits)) = word.split_once(':') {
                let waitable = self.objects.token(object)?;
                set.push(Watch { waitable, interest: words::bits(bits)? });
            } else if let Some(time) = word.strip_prefix("deadline=") {
                from_now = time != "now";
                let time = if from_now { time.parse().ok()? } else { 0 };
                spec = spec.until(Deadline::at(time));
            } else {
                spec = match *word {
                    "multishot" => spec.multishot(),
                    "off_loop" => spec.off_loop(),
                    _ => return None,
                };
            }
        }
        let spec = spec.at_least(match count {
            "any" => 1,
            "all" => u32::try_from(set.len()).ok()?,
            number => number.parse().ok()?,
        });
        let spec = WaitSpec { set: &set, ..spec };
        Some(empty(self.waits.start(&self.reactor, name, &spec, from_now)))
    }

    fn threads(
        &mut self,
        name: &str,
        count: usize,
        times: u64,
        object: Token,
        bits: Readiness,
    ) -> Result<()> {
        let notify = move || (0..times).try_for_each(|_| notify(object, bits));
        let threads = self.threads.entry(name.to_owned()).or_default();
        for _ in 0..count {
            let thread = thread::Builder::new().spawn(notify);
            threads.push(thread.map_err(|error| Error::os("starting a thread", &error))?);
        }
        Ok(())
    }

    /// Waits for the threads that nobody has waited for.
    pub fn join_all(&mut self) {
        for thread in self.threads.drain().flat_map(|(_, threads)| threads) {
            // What was refused is of no interest any more.
            let _ = thread.join();
        }
    }

    fn stats(&self) -> Result<String> {
        let stats = self.reactor.stats()?;
        Ok([
            ("turns", stats.turns),
            ("events", stats.events),
            ("completions", stats.completions),
            ("stale", stats.stale),
            ("spurious", stats.spurious),
            ("ghosts", stats.ghosts),
            ("rebuilds", stats.rebuilds),
            ("changes", stats.changes),
            ("signals", stats.signals),
            ("waits", stats.waits),
            ("waitables", stats.waitables),
        ]
        .map(|(name, count)| format!("{name}={count}"))
        .join(" "))
    }
}

fn empty(result: Result<()>) -> Result<String> {
    result.map(|()| String::new())
}
