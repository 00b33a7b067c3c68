//! Waits, from the question to the completion.

use super::*;
use crate::core::Watch;

impl Core {
    /// Checks a question and plans what has to be armed for it. Nothing changes until `commit`.
    pub(crate) fn prepare(&self, spec: &WaitSpec<'_>, owner: Owner) -> Result<Plan> {
        let flags = self.check(spec, owner)?;
        let nodes = match spec.set {
            [] => Nodes::None,
            [one] => Nodes::One(self.member(one)?),
            many => {
                let nodes: Box<[Node]> =
                    many.iter().map(|watch| self.member(watch)).collect::<Result<_>>()?;
                let mut seen: Vec<u32> = nodes.iter().map(Node::slot).collect();
                seen.sort_unstable();
                if seen.windows(2).any(|pair| pair[0] == pair[1]) {
                    return Err(Error::new(
                        Status::Invalid,
                        "the set names a waitable twice: name it once, with both interests",
                    ));
                }
                Nodes::Many(nodes)
            }
        };
        Ok(Plan {
            owner,
            flags,
            need: spec.at_least.max(1) as u16,
            user_data: spec.user_data,
            deadline: spec.deadline,
            nodes,
        })
    }

    /// Checks a question but for its members. Answers the flags of its wait.
    #[inline]
    fn check(&self, spec: &WaitSpec<'_>, owner: Owner) -> Result<Flags> {
        let count = spec.set.len();
        let sound = !self.closed
            && self.waits < self.limits.waits
            && (count > 0 || spec.deadline != Deadline::FOREVER)
            && count <= u16::MAX as usize
            && spec.at_least as usize <= count.max(1)
            && (!spec.multishot || count == 1 && !matches!(owner, Owner::Task(_)));
        if !sound {
            return Err(self.refusal(spec, owner));
        }
        Ok(Flags::NONE
            .with_if(spec.multishot, Flags::MULTISHOT)
            .with_if(spec.off_loop, Flags::OFF_LOOP)
            .with_if(matches!(owner, Owner::Task(_)), Flags::TASK)
            .with_if(spec.deadline != Deadline::FOREVER, Flags::TIMED))
    }

    /// Checks a member of a set.
    #[inline]
    fn member(&self, watch: &Watch) -> Result<Node> {
        if watch.interest.is_empty() || !Readiness::INTERESTS.contains(watch.interest) {
            return Err(no_interest());
        }
        let slot = self.find(watch.waitable, Kind::Waitable)?;
        Ok(Node::new(slot, watch.interest))
    }

    /// A sleep: a wait for nothing but its deadline.
    #[inline]
    pub(crate) fn sleep(&mut self, spec: &WaitSpec<'_>, owner: Owner) -> Result<Token> {
        let flags = self.check(spec, owner)?;
        self.add(owner, flags, spec.user_data, spec.deadline, Node::NONE)
    }

    /// Makes a planned wait so.
    pub(crate) fn commit(&mut self, plan: Plan, now: u64) -> Result<Token> {
        let Plan { owner, mut flags, need, user_data, deadline, nodes } = plan;
        let nodes = match nodes {
            Nodes::None => {
                self.at(now);
                return self.add(owner, flags, user_data, deadline, Node::NONE);
            }
            Nodes::One(node) => {
                return self.start_one(node, owner, flags, user_data, deadline, now);
            }
            Nodes::Many(nodes) => nodes,
        };
        self.at(now);
        flags = flags.with(Flags::MANY);
        let count = nodes.len();
        let set = self.sets.insert(Set { need, have: 0, nodes });
        let made = self.add(owner, flags, user_data, deadline, Node::of_set(set));
        let Ok(token) = made else {
            self.sets.remove(set);
            return made;
        };
        let slot = token.slot();
        for member in 0..count {
            self.link(NodeRef::new(slot, member as u32));
        }
        for member in 0..count {
            let at = NodeRef::new(slot, member as u32);
            let node = self.node_mut(at);
            let found = std::mem::replace(&mut node.ready, Bits::NONE).get();
            let waitable = node.slot();
            self.arm_foreign(waitable);
            let ready = found | self.level(waitable);
            if !ready.is_empty() {
                self.see(at, ready);
            }
        }
        Ok(token)
    }

    /// Checks a question about one waitable. Answers its member, and the flags of its wait.
    #[inline]
    pub(crate) fn prepare_one(
        &self,
        spec: &WaitSpec<'_>,
        watch: &Watch,
        owner: Owner,
    ) -> Result<(Node, Flags)> {
        let flags = self.check(spec, owner)?;
        Ok((self.member(watch)?, flags))
    }

    /// A wait for one waitable.
    #[inline(always)] // One of the three ways of every wait; a call would cost as much again.
    pub(crate) fn start_one(
        &mut self,
        mut node: Node,
        owner: Owner,
        flags: Flags,
        user_data: u64,
        deadline: Deadline,
        now: u64,
    ) -> Result<Token> {
        self.at(now);
        let found = std::mem::replace(&mut node.ready, Bits::NONE).get();
        let waitable = node.slot();
        let source = self.source(waitable);
        let mut flags = flags.with(Flags::ONE);
        if let Source::Foreign(foreign) = source {
            flags = flags.with_if(self.is_once(foreign), Flags::ONCE);
        }
        let token = self.add(owner, flags, user_data, deadline, node)?;
        let at = NodeRef::new(token.slot(), 0);
        self.link(at);
        match source {
            Source::Descriptor { .. } | Source::Exchange(_) => {}
            Source::Foreign(_) => self.arm_foreign(waitable),
            Source::Event | Source::Counter(_) | Source::Timer(_) => {
                let ready = self.level(waitable);
                if !ready.is_empty() {
                    self.see(at, ready);
                }
            }
        }
        if !found.is_empty() {
            self.see(at, found);
        }
        Ok(token)
    }

    /// Makes the wait itself, with its deadline and in its owner's list. Fails only where there is
    /// no slot left.
    #[inline(always)]
    fn add(
        &mut self,
        owner: Owner,
        flags: Flags,
        user_data: u64,
        deadline: Deadline,
        node: Node,
    ) -> Result<Token> {
        let (slot, generation) = self.claim(Kind::Wait, Listens::No)?;
        let mut after = NIL;
        let owner = match owner {
            Owner::Host => NIL,
            Owner::Task(key) => key,
            Owner::Exchange(exchange) => {
                let entry = self.exchange_mut(exchange);
                entry.waits += 1;
                after = std::mem::replace(&mut entry.first_wait, slot);
                if after != NIL {
                    self.wait_mut(after).before = slot;
                }
                exchange
            }
        };
        self.entries[slot as usize] = Entry::Wait(Wait {
            outcome: None,
            flags,
            owner,
            user_data,
            node,
            before: NIL,
            after,
            error: 0,
            generation,
        });
        self.waits += 1;
        if flags.has(Flags::TIMED) {
            self.timers.start(slot, deadline.nanoseconds());
        }
        Ok(Token::new(Kind::Wait, self.number, generation, slot))
    }

    /// What a waitable that the core knows all about is ready for now.
    pub(super) fn level(&self, waitable: u32) -> Readiness {
        let entry = self.waitable(waitable);
        match entry.source {
            Source::Event | Source::Counter(_) => entry.notified.get(),
            Source::Timer(clock) if self.clocks[clock as usize].count(self.now) > 0 => {
                Readiness::READABLE
            }
            _ => Readiness::NONE,
        }
    }

    /// The first decision stands: a wait that has ended already is left as it is.
    pub(super) fn end_wait(&mut self, slot: u32, outcome: Outcome) {
        self.epoch += 1;
        let wait = self.wait_mut(slot);
        if wait.outcome.is_some() {
            return;
        }
        let flags = wait.flags;
        if flags.has(Flags::QUEUED) {
            // It was ready before: that is its last completion.
            wait.outcome = Some(Outcome::Ready);
        } else {
            wait.outcome = Some(outcome);
            self.queue(slot);
        }
        if flags.has(Flags::TIMED) {
            self.timers.forget(slot);
        }
        self.cease(slot, flags);
    }

    /// Puts a wait into its owner's queue.
    pub(super) fn queue(&mut self, slot: u32) {
        self.epoch += 1;
        match self.wait(slot).owner() {
            Owner::Host => self.host_done.push_back(slot),
            Owner::Exchange(_) => self.exchange_done.push_back(slot),
            Owner::Task(_) => self.task_done.push_back(slot),
        }
    }

    /// Takes the next wait out of a queue.
    fn dequeue(&mut self, queue: fn(&mut Core) -> &mut VecDeque<u32>) -> Option<u32> {
        let slot = queue(self).pop_front()?;
        self.pass_forgotten(queue);
        Some(slot)
    }

    /// Sees to it that the next wait of a queue is one to be delivered, or the queue would look like
    /// work where there is none. One that was forgotten meanwhile gives its slot back.
    fn pass_forgotten(&mut self, queue: fn(&mut Core) -> &mut VecDeque<u32>) {
        while let Some(slot) = queue(self).front().copied() {
            match &self.entries[slot as usize] {
                Entry::Wait(_) => return,
                Entry::Forgotten => {
                    queue(self).pop_front();
                    self.stale += 1;
                    self.free(slot);
                }
                _ => unreachable!("slot {slot} was queued"),
            }
        }
    }

    /// A vacated slot can be used again.
    fn free(&mut self, slot: u32) {
        self.entries[slot as usize] = Entry::Free { next: NIL };
        if self.slots.is_free(slot) {
            self.queue_free(slot);
        }
    }

    /// The members of a wait cease to ask.
    fn cease(&mut self, slot: u32, flags: Flags) {
        let wait = self.wait(slot);
        if !flags.has(Flags::MANY) && !flags.has(Flags::OFF_LOOP) && !wait.node.asks() {
            return;
        }
        for member in 0..self.member_count(slot) {
            let at = NodeRef::new(slot, member);
            let node = self.node_mut(at);
            if node.asks() {
                node.set_asks(false);
                let (waitable, interest) = (node.slot(), node.interest());
                self.count(waitable, interest, -1);
            }
            if flags.has(Flags::OFF_LOOP) {
                let node = self.node(at);
                if node.is_linked() {
                    self.drop_interest(node.slot(), node.interest());
                }
            }
        }
    }

    pub(super) fn member_count(&self, slot: u32) -> u32 {
        let wait = self.wait(slot);
        if wait.flags.has(Flags::ONE) {
            1
        } else if wait.flags.has(Flags::MANY) {
            self.sets[wait.node.set()].nodes.len() as u32
        } else {
            0
        }
    }

    /// Asks a wait to end; it completes with what happened first.
    pub(crate) fn cancel(&mut self, slot: u32) {
        self.end_wait(slot, Outcome::Cancelled);
    }

    /// Has a multishot wait report again if its waitable is still ready. Answers what the reactor
    /// has to arm for it: the waitable, and what is asked of it.
    ///
    /// # Errors
    ///
    /// `State` for another wait.
    pub(crate) fn rearm(&mut self, slot: u32, now: u64) -> Result<Option<(u32, Readiness)>> {
        self.at(now);
        let wait = self.wait(slot);
        if !wait.flags.has(Flags::MULTISHOT) {
            return Err(Error::new(
                Status::State,
                "only a multishot wait is armed again: start another wait",
            ));
        }
        if wait.outcome.is_some() {
            return Ok(None);
        }
        let (waitable, interest) = (wait.node.slot(), wait.node.interest());
        let ready = self.level(waitable);
        self.arm_foreign(waitable);
        if !ready.is_empty() {
            self.see(NodeRef::new(slot, 0), ready);
        }
        match self.source(waitable) {
            Source::Descriptor { .. } | Source::Exchange(_) => Ok(Some((waitable, interest))),
            _ => Ok(None),
        }
    }

    /// The slot of the exchange whose wait it is.
    pub(crate) fn wait_exchange(&self, slot: u32) -> Option<u32> {
        match self.wait(slot).owner() {
            Owner::Exchange(exchange) => Some(exchange),
            Owner::Host | Owner::Task(_) => None,
        }
    }

    /// Removes a wait, ended or not: nothing more comes of it. Answers whose it was.
    #[inline(always)] // Of a sleep it is three lines.
    pub(crate) fn forget(&mut self, slot: u32) -> Owner {
        let wait = self.wait(slot);
        if wait.outcome.is_none() && wait.owner == NIL && wait.flags.is_sleep() {
            self.timers.forget(slot);
            self.waits -= 1;
            self.vacate(slot);
            return Owner::Host;
        }
        let owner = self.forget_any(slot);
        self.pass_forgotten(match owner {
            Owner::Host => |core| &mut core.host_done,
            Owner::Exchange(_) => |core| &mut core.exchange_done,
            Owner::Task(_) => |core| &mut core.task_done,
        });
        owner
    }

    fn forget_any(&mut self, slot: u32) -> Owner {
        let wait = self.wait(slot);
        let (owner, flags) = (wait.owner(), wait.flags);
        if wait.outcome.is_none() {
            if flags.has(Flags::TIMED) {
                self.timers.forget(slot);
            }
            self.cease(slot, flags);
        }
        let queued = wait_is_queued(self.wait(slot));
        self.leave(slot, owner);
        self.free_set(slot);
        if queued {
            self.slots.vacate(slot);
            self.entries[slot as usize] = Entry::Forgotten;
        } else {
            self.vacate(slot);
        }
        owner
    }

    fn free_set(&mut self, slot: u32) {
        let wait = self.wait(slot);
        if wait.flags.has(Flags::MANY) {
            let set = wait.node.set();
            self.sets.remove(set);
        }
    }

    /// Takes a wait out of every list.
    fn leave(&mut self, slot: u32, owner: Owner) {
        for member in 0..self.member_count(slot) {
            self.unlink(NodeRef::new(slot, member));
        }
        self.waits -= 1;
        if let Owner::Exchange(exchange) = owner {
            let Wait { before, after, .. } = *self.wait(slot);
            if before == NIL {
                self.exchange_mut(exchange).first_wait = after;
            } else {
                self.wait_mut(before).after = after;
            }
            if after != NIL {
                self.wait_mut(after).before = before;
            }
            self.exchange_mut(exchange).waits -= 1;
        }
    }

    /// Ends at most `limit` waits whose deadlines have passed at `now`, and lets timers expire,
    /// in order of time. Answers how many; what is left keeps the next deadline in the past.
    pub(crate) fn expire(&mut self, now: u64, limit: usize) -> usize {
        self.at(now);
        for done in 0..limit {
            let Some(slot) = self.timers.expire(now) else { return done };
            match &self.entries[slot as usize] {
                Entry::Wait(_) => self.end_wait(slot, Outcome::TimedOut),
                Entry::Waitable(_) => self.expire_timer(slot),
                Entry::Free { .. } | Entry::Forgotten | Entry::Exchange(_) => {
                    unreachable!("it has no deadline")
                }
            }
        }
        limit
    }

    /// The earliest deadline of a wait, or expiration of a timer that somebody waits for.
    pub(crate) fn next_deadline(&mut self) -> Deadline {
        self.timers.next().map_or(Deadline::FOREVER, Deadline::at)
    }

    // ---- delivery ---------------------------------------------------------------------------

    /// Whether a completion of the host's lies ready.
    pub(crate) fn has_host_completion(&self) -> bool {
        !self.host_done.is_empty()
    }

    /// Whether a completion of an exchange's lies ready.
    pub(crate) fn has_exchange_completion(&self) -> bool {
        !self.exchange_done.is_empty()
    }

    /// Whether a completion of a task's lies ready.
    pub(crate) fn has_task_completion(&self) -> bool {
        !self.task_done.is_empty()
    }

    /// Delivers the host's next completion; unless there is MORE, its wait is retired.
    pub(crate) fn next_host_completion(&mut self) -> Option<Completion> {
        let slot = self.dequeue(|core| &mut core.host_done)?;
        Some(self.deliver(slot))
    }

    /// Delivers the next completion of an exchange, named by the gateway's key.
    pub(crate) fn next_exchange_completion(&mut self) -> Option<(u32, Completion)> {
        let slot = self.dequeue(|core| &mut core.exchange_done)?;
        let exchange = self.wait(slot).owner;
        Some((self.exchange(exchange).key, self.deliver(slot)))
    }

    /// Delivers the next completion of a task, named by the reactor's key.
    pub(crate) fn next_task_completion(&mut self) -> Option<(u32, Completion)> {
        let slot = self.dequeue(|core| &mut core.task_done)?;
        Some((self.wait(slot).owner, self.deliver(slot)))
    }

    /// How many queued completions were of waits that had been forgotten.
    pub(crate) fn stale(&self) -> u64 {
        self.stale
    }

    fn deliver(&mut self, slot: u32) -> Completion {
        let number = self.number;
        let wait = self.wait_mut(slot);
        let mut completion = Completion {
            user_data: wait.user_data,
            wait: Token::new(Kind::Wait, number, wait.generation, slot),
            outcome: wait.outcome.unwrap_or(Outcome::Ready),
            more: wait.outcome.is_none(),
            members: 0,
            ready: Readiness::NONE,
            index: 0,
            error: wait.error,
        };
        if wait.flags.has(Flags::ONE) {
            completion.ready = wait.node.ready.get();
            completion.members = u16::from(!completion.ready.is_empty());
        } else if wait.flags.has(Flags::MANY) {
            let set = &self.sets[self.wait(slot).node.set()];
            for (index, node) in set.nodes.iter().enumerate() {
                if !node.ready.is_empty() {
                    if completion.members == 0 {
                        completion.index = index as u32;
                        completion.ready = node.ready.get();
                    }
                    completion.members += 1;
                }
            }
        }
        if completion.more {
            let wait = self.wait_mut(slot);
            wait.flags = wait.flags.without(Flags::QUEUED);
            wait.node.ready = Bits::NONE;
            if wait.flags.has(Flags::ONCE) {
                let waitable = wait.node.slot();
                self.arm_foreign(waitable);
            }
        } else {
            self.retire(slot);
        }
        completion
    }

    /// Ends the token of a delivered wait, and keeps its members for those who ask.
    fn retire(&mut self, slot: u32) {
        let owner = self.wait(slot).owner();
        self.leave(slot, owner);
        self.slots.vacate(slot);
        let wait = self.wait_mut(slot);
        wait.flags = wait.flags.with(Flags::SPENT);
        match owner {
            Owner::Exchange(exchange) => {
                let next = std::mem::replace(&mut self.exchange_mut(exchange).spent, slot);
                self.wait_mut(slot).after = next;
            }
            Owner::Host | Owner::Task(_) => self.spent.push(slot),
        }
    }

    /// The members of what was delivered to the host cannot be asked for any more.
    pub(crate) fn begin_turn(&mut self) {
        let mut spent = std::mem::take(&mut self.spent);
        for slot in spent.drain(..) {
            self.free_spent(slot);
        }
        self.spent = spent;
        self.changes_were_applied();
    }

    /// The same for what was delivered to an exchange.
    pub(crate) fn forget_members(&mut self, exchange: u32) {
        let mut next = std::mem::replace(&mut self.exchange_mut(exchange).spent, NIL);
        while next != NIL {
            let slot = next;
            next = self.wait(slot).after;
            self.free_spent(slot);
        }
    }

    #[inline]
    fn free_spent(&mut self, slot: u32) {
        self.free_set(slot);
        self.free(slot);
    }

    /// The ready members of a delivered completion.
    ///
    /// # Errors
    ///
    /// `Stale` once they cannot be asked for any more.
    pub(crate) fn members(&self, completion: &Completion) -> Result<Vec<Member>> {
        let token = completion.wait;
        let gone = || {
            Error::new(
                Status::Stale,
                "the members of a completion are there until the next turn, and for a step until \
                 it returns: ask before, and give the completion as it was delivered",
            )
        };
        if token.reactor() != self.number || token.kind() != Some(Kind::Wait) {
            return Err(gone());
        }
        let slot = token.slot();
        let Some(Entry::Wait(wait)) = self.entries.get(slot as usize) else { return Err(gone()) };
        let named = |index: u32, node: &Node, ready: Readiness| Member {
            waitable: self.named(node),
            index,
            ready,
        };
        let spent = wait.flags.has(Flags::SPENT) && wait.generation == token.generation();
        let lives = self.slots.is_live(token);
        // The next completion of it may have begun, or even been the last, in the same turn.
        if completion.more && wait.flags.has(Flags::MULTISHOT) && (lives || spent) {
            return Ok(vec![named(0, &wait.node, completion.ready)]);
        }
        if lives || !spent {
            return Err(gone());
        }
        let nodes: &[Node] = if wait.flags.has(Flags::ONE) {
            std::slice::from_ref(&wait.node)
        } else if wait.flags.has(Flags::MANY) {
            &self.sets[wait.node.set()].nodes
        } else {
            &[]
        };
        let ready = nodes.iter().enumerate().filter(|(_, node)| !node.ready.is_empty());
        Ok(ready.map(|(index, node)| named(index as u32, node, node.ready.get())).collect())
    }

    fn named(&self, node: &Node) -> Token {
        if let Entry::Waitable(_) = self.entries[node.slot() as usize] {
            let token = self.token_of(Kind::Waitable, node.slot());
            if node.is_linked() || node.is_of(token.generation()) {
                return token;
            }
        }
        Token::NONE
    }
}

/// Whether a wait lies in its owner's queue.
fn wait_is_queued(wait: &Wait) -> bool {
    wait.outcome.is_some() || wait.flags.has(Flags::QUEUED)
}

#[cold]
fn no_interest() -> Error {
    Error::new(
        Status::Invalid,
        "an interest is one or more of READABLE, WRITABLE, PRIORITY, READ_CLOSED, HANGUP and \
         ERROR: ask for at least one, and no other bits",
    )
}

impl Core {
    /// Why a question is refused.
    #[cold]
    fn refusal(&self, spec: &WaitSpec<'_>, owner: Owner) -> Error {
        let count = spec.set.len();
        if self.closed {
            return closing();
        }
        let sentence = if count == 0 && spec.deadline == Deadline::FOREVER {
            "an empty set without a deadline would never end: give it a deadline or a waitable"
                .into()
        } else if count > u16::MAX as usize {
            "a set holds at most 65,535 waitables: split it into several waits".into()
        } else if spec.at_least as usize > count.max(1) {
            format!(
                "{} of {count} waitables can never be ready: at_least is at most the size of the \
                 set",
                spec.at_least
            )
        } else if spec.multishot && count != 1 {
            "a multishot wait is for one waitable: start one for each, or leave MULTISHOT out"
                .into()
        } else if spec.multishot && matches!(owner, Owner::Task(_)) {
            "a future completes once: start a multishot wait with wait_start, or await again".into()
        } else {
            return Error::new(
                Status::Limit,
                format!(
                    "the reactor holds {} waits, its max_waits: let some end or raise it",
                    self.waits
                ),
            );
        };
        Error::new(Status::Invalid, sentence)
    }
}
