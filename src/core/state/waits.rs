//! Waits, from the question to the completion.

use super::*;

impl Core {
    /// Checks a question and plans what has to be armed for it. Nothing changes until `commit`.
    pub(crate) fn prepare(&self, spec: &WaitSpec<'_>, owner: Owner) -> Result<Plan> {
        if self.closed {
            return Err(closing());
        }
        if spec.set.is_empty() && spec.deadline == Deadline::FOREVER {
            return Err(Error::new(
                Status::Invalid,
                "an empty set without a deadline would never end: give it a deadline or a waitable",
            ));
        }
        if spec.set.len() > u16::MAX as usize {
            return Err(Error::new(
                Status::Invalid,
                "a set holds at most 65,535 waitables: split it into several waits",
            ));
        }
        if self.waits >= self.limits.waits {
            return Err(Error::new(
                Status::Limit,
                format!(
                    "the reactor holds {} waits, its max_waits: let some end or raise it",
                    self.waits
                ),
            ));
        }
        let node = |watch: &crate::core::Watch| -> Result<Node> {
            if watch.interest.is_empty() || !Readiness::INTERESTS.contains(watch.interest) {
                return Err(Error::new(
                    Status::Invalid,
                    "an interest is one or more of READABLE, WRITABLE, PRIORITY, READ_CLOSED, \
                     HANGUP and ERROR: ask for at least one, and no other bits",
                ));
            }
            Ok(Node {
                waitable: self.find(watch.waitable, Kind::Waitable)?,
                interest: Bits::of(watch.interest),
                ready: Bits::of(Readiness::NONE),
                before: NodeRef::NONE,
                after: NodeRef::NONE,
            })
        };
        let members = match spec.set {
            [] => Members::None,
            [one] => Members::One(node(one)?),
            many => {
                let nodes: Box<[Node]> = many.iter().map(node).collect::<Result<_>>()?;
                let mut seen: Vec<u32> = nodes.iter().map(|node| node.waitable).collect();
                seen.sort_unstable();
                if seen.windows(2).any(|pair| pair[0] == pair[1]) {
                    return Err(Error::new(
                        Status::Invalid,
                        "the set names a waitable twice: name it once, with both interests",
                    ));
                }
                Members::Many(nodes)
            }
        };
        Ok(Plan { owner, user_data: spec.user_data, deadline: spec.deadline, members })
    }

    /// Makes a planned wait so.
    pub(crate) fn commit(&mut self, plan: Plan) -> Result<Token> {
        let Plan { owner, user_data, deadline, members } = plan;
        let count = members.as_slice().len() as u32;
        let token = self.occupy(
            Kind::Wait,
            Entry::Wait(Wait {
                exchange: match owner {
                    Owner::Host => NIL,
                    Owner::Exchange(slot) => slot,
                },
                user_data,
                outcome: None,
                members,
                before: NIL,
                after: NIL,
            }),
        )?;
        let slot = token.slot();
        self.waits += 1;
        for member in 0..count {
            self.link(NodeRef::new(slot, member));
        }
        if deadline != Deadline::FOREVER {
            self.timers.start(slot, deadline.nanoseconds());
        }
        if let Owner::Exchange(exchange) = owner {
            let entry = self.exchange_mut(exchange);
            entry.waits += 1;
            let first = std::mem::replace(&mut entry.first_wait, slot);
            self.wait_mut(slot).after = first;
            if first != NIL {
                self.wait_mut(first).before = slot;
            }
        }
        Ok(token)
    }

    pub(super) fn token_of(&self, kind: Kind, slot: u32) -> Token {
        self.slots.token(kind, self.number, slot)
    }

    /// The first decision stands: a wait that has ended already is left as it is.
    pub(super) fn end_wait(&mut self, slot: u32, outcome: Outcome) {
        let token = self.token_of(Kind::Wait, slot);
        let wait = self.wait_mut(slot);
        if wait.outcome.is_some() {
            return;
        }
        wait.outcome = Some(outcome);
        match wait.owner() {
            Owner::Host => self.host_done.push_back(token),
            Owner::Exchange(_) => self.exchange_done.push_back(token),
        }
        self.timers.forget(slot);
    }

    /// Asks a wait to end; it completes with what happened first.
    pub(crate) fn cancel(&mut self, slot: u32) {
        self.end_wait(slot, Outcome::Cancelled);
    }

    /// The slot of the exchange whose wait it is.
    pub(crate) fn wait_exchange(&self, slot: u32) -> Option<u32> {
        let exchange = self.wait(slot).exchange;
        (exchange != NIL).then_some(exchange)
    }

    /// Removes a wait, ended or not: nothing more comes of it. Answers whose it was.
    pub(crate) fn forget(&mut self, slot: u32) -> Owner {
        self.remove_wait(slot).owner()
    }

    pub(super) fn remove_wait(&mut self, slot: u32) -> Wait {
        for member in 0..self.wait(slot).members.as_slice().len() as u32 {
            self.unlink(NodeRef::new(slot, member));
        }
        self.timers.forget(slot);
        let Entry::Wait(wait) = self.vacate(slot) else { unreachable!("a wait") };
        self.waits -= 1;
        if let Owner::Exchange(exchange) = wait.owner() {
            if wait.before == NIL {
                self.exchange_mut(exchange).first_wait = wait.after;
            } else {
                self.wait_mut(wait.before).after = wait.after;
            }
            if wait.after != NIL {
                self.wait_mut(wait.after).before = wait.before;
            }
            self.exchange_mut(exchange).waits -= 1;
        }
        wait
    }

    /// Ends every wait whose deadline has passed at `now`.
    pub(crate) fn expire(&mut self, now: u64) {
        while let Some(slot) = self.timers.expire(now) {
            self.end_wait(slot, Outcome::TimedOut);
        }
    }

    /// The earliest deadline of any wait.
    pub(crate) fn next_deadline(&mut self) -> Deadline {
        self.timers.next().map_or(Deadline::FOREVER, Deadline::at)
    }

    /// Whether a completion of the host's lies ready.
    pub(crate) fn has_host_completion(&self) -> bool {
        !self.host_done.is_empty()
    }

    /// Whether a completion of an exchange's lies ready.
    pub(crate) fn has_exchange_completion(&self) -> bool {
        !self.exchange_done.is_empty()
    }

    /// Delivers the host's next completion and retires its wait.
    pub(crate) fn next_host_completion(&mut self) -> Option<Completion> {
        loop {
            let token = self.host_done.pop_front()?;
            if self.slots.is_live(token) {
                return Some(self.retire(token).1);
            }
        }
    }

    /// Delivers the next completion of an exchange, named by the gateway's key.
    pub(crate) fn next_exchange_completion(&mut self) -> Option<(u32, Completion)> {
        loop {
            let token = self.exchange_done.pop_front()?;
            if self.slots.is_live(token) {
                let (owner, completion) = self.retire(token);
                let Owner::Exchange(slot) = owner else { unreachable!("queued as an exchange's") };
                return Some((self.exchange(slot).key, completion));
            }
        }
    }

    pub(super) fn retire(&mut self, token: Token) -> (Owner, Completion) {
        let wait = self.remove_wait(token.slot());
        let mut completion = Completion {
            user_data: wait.user_data,
            wait: token,
            outcome: wait.outcome.expect("a queued wait has ended"),
            more: false,
            members: 0,
            ready: Readiness::NONE,
            index: 0,
            error: 0,
        };
        if completion.outcome == Outcome::Ready {
            for (index, node) in wait.members.as_slice().iter().enumerate() {
                if !node.ready.get().is_empty() {
                    if completion.members == 0 {
                        completion.index = index as u32;
                        completion.ready = node.ready.get();
                    }
                    completion.members += 1;
                }
            }
        }
        (wait.owner(), completion)
    }
}
