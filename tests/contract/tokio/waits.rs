//! Waits by name, and what is said of their completions.

use std::collections::HashMap;
use std::fmt::Write as _;

use awsgi::{
    Completion, Deadline, Reactor, Result, Token, WaitSpec, completion_members, wait_forget,
};

use crate::words;

#[derive(Default)]
pub struct Waits {
    tokens: HashMap<String, Token>,
    /// Those of which something is to come, by their `user_data`.
    started: HashMap<u64, Started>,
    count: u64,
}

struct Started {
    name: String,
    wait: Token,
    at: u64,
}

impl Waits {
    pub fn token(&self, name: &str) -> Option<Token> {
        self.tokens.get(name).copied()
    }

    /// Starts a wait; a deadline is from now, unless it is `NOW`.
    pub fn start(
        &mut self,
        reactor: &Reactor,
        name: &str,
        spec: &WaitSpec<'_>,
        from_now: bool,
    ) -> Result<()> {
        let at = reactor.now()?;
        let mut spec = spec.user_data(self.count);
        if from_now {
            spec = spec.until(Deadline::at(at.saturating_add(spec.deadline.nanoseconds())));
        }
        let wait = reactor.wait_start(&spec)?;
        self.started.insert(self.count, Started { name: name.to_owned(), wait, at });
        self.tokens.insert(name.to_owned(), wait);
        self.count += 1;
        Ok(())
    }

    /// Forgets a wait, of which nothing may come then.
    pub fn forget(&mut self, wait: Token) -> Result<()> {
        wait_forget(wait)?;
        self.started.retain(|_, started| started.wait != wait);
        Ok(())
    }

    /// Says how a wait ended; answers its name. To be called before the next turn.
    pub fn tell(&mut self, reactor: &Reactor, completion: &Completion) -> Result<String> {
        let Some(started) = self.started.get(&completion.user_data) else {
            words::broken("a completion that nobody knows");
            return Ok(String::new());
        };
        let name = started.name.clone();
        if started.wait != completion.wait {
            words::broken(&format!("a completion of {} with another's token", started.name));
        }
        let after = reactor.now()?.saturating_sub(started.at);
        let more = if completion.more { " MORE" } else { "" };
        let outcome = words::of_outcome(completion.outcome);
        let mut line = format!("done {} {outcome}{more} after={after}", started.name);
        let members = completion_members(completion)?;
        if members.len() != usize::from(completion.members) {
            words::broken(&format!("{} members, and {completion:?}", members.len()));
        }
        for member in members {
            let _ = write!(line, " {}:{}", member.index, words::of_bits(member.ready));
        }
        if !completion.more {
            self.started.remove(&completion.user_data);
        }
        words::say(&line);
        Ok(name)
    }
}
