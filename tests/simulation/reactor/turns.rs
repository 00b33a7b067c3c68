//! Turns: what is delivered, and what the host is told.

use std::collections::HashSet;

use awsgi::{Outcome, Report, Turn, WatchChange, completion_members};

use super::*;
use crate::model::seen;

/// Soon enough to wait for it.
const SOON: u64 = 2_000_000;

fn end_of(outcome: Outcome) -> End {
    match outcome {
        Outcome::Ready => End::Ready,
        Outcome::TimedOut => End::TimedOut,
        Outcome::Cancelled => End::Cancelled,
        Outcome::Closed => End::Closed,
        Outcome::Failed => End::Failed,
    }
}

/// What a turn was, from outside.
struct Taken {
    report: Report,
    done: Vec<Completion>,
    changes: Vec<WatchChange>,
    /// What futures were told.
    tasks: Vec<(u32, Observed)>,
    /// What each number was ready for.
    ready: Vec<u32>,
    /// Whether it may have stopped before it had seen every event and deadline.
    small: bool,
}

impl World {
    /// Whether a report of a number surely comes, and is seen by somebody.
    pub(super) fn is_certain(&self, of: usize, ready: u32) -> bool {
        if !self.is_watched(of) || ready == 0 {
            return false;
        }
        self.model.waits.iter().any(|wait| {
            wait.set.iter().any(|m| {
                let asks = wait.asks(m) && self.numbers[of].waitables.contains(&m.waitable);
                let due = if wait.multishot { self.due_of(wait.id) } else { !0 };
                asks && seen(ready, m.asks) & due != 0
            })
        })
    }

    /// Whether the selector watches what the number means.
    fn is_watched(&self, of: usize) -> bool {
        let number = &self.numbers[of];
        number.watched && !number.replaced && number.open
    }

    fn due_of(&self, id: u32) -> u32 {
        self.due.get(&id).copied().unwrap_or(0)
    }

    fn now(&self) -> u64 {
        self.reactor.now().expect("its owner asks")
    }

    /// Whether a turn may be small and still leave no doubt about what it did.
    fn may_be_small(&self, ready: &[u32]) -> bool {
        let now = self.clock.max(self.model.now);
        let mut due: Vec<u64> =
            self.model.waits.iter().filter(|w| w.ended.is_none()).map(|w| w.deadline).collect();
        due.retain(|deadline| *deadline <= now);
        due.sort_unstable();
        let together = due.windows(2).any(|two| two[0] == two[1]);
        let hidden = self.model.waits.iter().any(|wait| {
            let of = |m: &Member| self.waitables.iter().find(|w| w.id == m.waitable)?.number;
            wait.set.len() > 1
                && wait.set.iter().any(|m| of(m).is_some_and(|of| seen(ready[of], m.asks) != 0))
        });
        self.host.gives_clock
            && !together
            && !hidden
            && self.may.is_empty()
            && self.model.waits.iter().all(|w| w.queued.is_none())
    }

    /// A wait for an event that another thread may notify while the owner sleeps.
    fn sleeper(&self) -> Option<(u32, Token)> {
        self.model.waits.iter().find_map(|wait| {
            let fits = wait.set.len() == 1
                && wait.ended.is_none()
                && wait.queued.is_none()
                && wait.owner == Owner::Host
                && wait.deadline == FOREVER
                && wait.set[0].asks & READABLE != 0;
            let waitable = self.waitables.iter().find(|w| fits && w.id == wait.set[0].waitable)?;
            let noted = self.inbox.iter().any(|notice| notice.token == waitable.token);
            let event = matches!(waitable.behind, Behind::Flag | Behind::Counter) && !noted;
            event.then_some((wait.id, waitable.token))
        })
    }

    pub(super) fn turn(&mut self, budget: u32, capacity: u32, changes: u32, sleep: bool) {
        let few = |limit: u32| if limit >= 100 { usize::MAX } else { limit as usize };
        let mut turn = Turn {
            now: self.clock,
            capacity: few(capacity),
            changes: few(changes),
            ..Turn::default()
        };
        if let Some(barrier) = &self.barrier {
            barrier.pass();
        }
        let soon = self.model.next_deadline() < self.now().saturating_add(SOON);
        let mut racing = None;
        if sleep && self.host.mode == Mode::Owned {
            let queued = self.model.waits.iter().any(|w| w.queued.is_some());
            self.model.plan_changes();
            let told = !self.inbox.is_empty() || self.stopping || self.model.has_changes();
            let due = (0..NUMBERS).any(|of| self.is_certain(of, self.numbers[of].ready()));
            let certain = queued || told || due || soon;
            racing = self.sleeper().filter(|_| !certain && capacity >= 100 && !self.model.closed);
            if certain || racing.is_some() {
                turn.deadline = Deadline::at(self.now() + LOST.as_nanos() as u64);
                hit(Count::Slept);
            }
        } else if sleep
            && self.host.mode == Mode::Nested
            && !self.host.gives_clock
            && !self.host.turns_before_sleep
            && soon
        {
            let fd = self.reactor.fd().expect("it is nested");
            assert!(is_readable(fd, LOST.as_millis() as i32), "the alarm did not ring");
            hit(Count::Slept);
        } else if sleep && capacity >= 100 && !self.model.closed {
            racing = self.sleeper();
        }
        let ready: Vec<u32> = self.numbers.iter().map(Number::ready).collect();
        // All notices come in one turn, and all futures are woken in it, so that it is known what it
        // does.
        let of_tasks = |wait: &&Wait| matches!(wait.owner, Owner::Task(_));
        let tasks = self.model.waits.iter().filter(of_tasks).count();
        let room = self.inbox.len().max(tasks) <= budget.div_ceil(2) as usize;
        let small = budget > 0 && room && capacity >= 100 && self.may_be_small(&ready);
        turn.budget = if small { budget } else { 0 };
        self.calls_before = self.calls.load(Ordering::SeqCst);
        self.raced = racing.is_some();
        if let Some((_, token)) = racing {
            self.helper.begin(move || notify(token, Readiness::READABLE).expect("it lives"));
            hit(Count::Raced);
        }
        let before = self.now();
        let (mut done, mut told) = (Vec::new(), Vec::new());
        let report = self
            .reactor
            .turn_and_watch(&turn, |completion| done.push(completion), |change| told.push(change))
            .expect("a turn");
        let after = self.now();
        if turn.deadline != Deadline::NOW {
            assert!(after < turn.deadline.nanoseconds(), "the owner slept through what happened");
        }
        if let Some((id, token)) = racing {
            self.helper.join();
            if done.iter().any(|done| done.user_data == u64::from(id)) {
                self.noted(token, READABLE);
            }
        }
        self.count_turn(&turn, small);
        let mut tasks = Vec::new();
        for at in 0..self.tasks.len() {
            let id = self.tasks[at].id;
            match self.tasks[at].woken.0.load(Ordering::SeqCst) {
                0 => {}
                1 => {
                    tasks.push((id, self.poll(at).expect("a future that was woken")));
                }
                times => panic!("a future was woken {times} times"),
            }
        }
        self.tasks.retain(|task| task.woken.0.load(Ordering::SeqCst) == 0);
        let taken = Taken { report, done, changes: told, tasks, ready, small };
        self.see_time(&taken, before, after);
        self.see(&turn, taken);
        if let Some((_, token)) = racing.filter(|(id, _)| {
            self.told.iter().all(|completion| completion.user_data != u64::from(*id))
        }) {
            // It returned before that for another reason.
            self.noted(token, READABLE);
        }
    }

    fn count_turn(&self, turn: &Turn, small: bool) {
        hit(match (self.host.mode, self.host.gives_clock, self.host.watches) {
            (Mode::Owned, ..) => Count::OwnedTurns,
            (Mode::Nested, true, _) => Count::NestedTurns,
            (Mode::Nested, ..) => Count::AlarmedTurns,
            (Mode::Delegated, _, false) => Count::DelegatedTurns,
            (Mode::Delegated, ..) => Count::WatchingTurns,
        });
        add(Count::SmallBudgets, small.into());
        add(Count::SmallArrays, (turn.capacity < 100).into());
    }

    /// The time that it was for the reactor, as far as that matters.
    fn see_time(&mut self, taken: &Taken, before: u64, after: u64) {
        if self.host.gives_clock {
            self.model.now = self.model.now.max(self.clock);
            return;
        }
        let next = taken.report.next_deadline.nanoseconds();
        assert!(next > before, "a deadline had come, and nothing was done");
        self.model.now = after.min(next - 1);
    }

    fn see(&mut self, turn: &Turn, taken: Taken) {
        self.model.applied();
        self.late = self.told.last().copied();
        self.told.clear();
        if self.host.mode != Mode::Delegated {
            // To know whether it may sleep, it looks whether there are any.
            self.model.plan_changes();
        }
        let mut done: std::collections::VecDeque<Completion> = taken.done.iter().copied().collect();
        self.see_reports(turn, &taken, &mut done);
        self.see_rebuild();
        self.drain();
        self.see_expiry(turn, &taken);
        for (id, observed) in &taken.tasks {
            assert!(matches!(self.model.wait(*id).owner, Owner::Task(_)), "a future's wait");
            self.delivered(*id, observed.completion, Some(&observed.members), &done);
        }
        let forgotten: Vec<u32> = self.model.next(|owner| owner != Owner::Host);
        assert_eq!(forgotten, [], "futures that were not woken");
        let next = self.model.next_deadline();
        assert_eq!(taken.report.next_deadline.nanoseconds(), next, "the next deadline");

        while let Some(completion) = done.pop_front() {
            let id = completion.user_data as u32;
            let next = self.model.next(|owner| owner == Owner::Host);
            let unsure = self.may.keys().any(|(wait, _)| *wait == id);
            assert!(
                unsure || next.contains(&id),
                "{completion:?} came before one of {next:?}, which are to come"
            );
            self.delivered(id, completion, None, &done);
        }
        assert_eq!(taken.report.completions, taken.done.len(), "how many completions");
        let held = self.model.next(|owner| owner == Owner::Host);
        if taken.done.len() < turn.capacity {
            assert_eq!(held, [], "completions that did not come");
        } else if !held.is_empty() {
            hit(Count::FullArrays);
        }
        self.see_changes(turn, &taken);
        self.see_report(&taken);
        let late = self.late.filter(|late| !late.more);
        if let Some(late) = late {
            let answer = completion_members(&late);
            assert_eq!(status(&answer), Some(Status::Stale), "members after the next turn");
        }
    }

    // ---- what the selector reports ------------------------------------------------------------

    fn see_reports(
        &mut self,
        turn: &Turn,
        taken: &Taken,
        done: &mut std::collections::VecDeque<Completion>,
    ) {
        // All that was reported in one turn was so in any order.
        self.model.place += 1;
        let place = self.model.place;
        let mut left: HashSet<usize> =
            (0..NUMBERS).filter(|of| self.is_watched(*of) && taken.ready[*of] != 0).collect();
        let certain: Vec<bool> =
            (0..NUMBERS).map(|of| self.is_certain(of, taken.ready[of])).collect();
        // Bits that the selector was asked for, and those that come unasked.
        let asked: Vec<u32> =
            (0..NUMBERS).map(|of| seen(taken.ready[of], self.asked(of))).collect();
        let known = self.may.is_empty();
        let mut events = 0;
        if self.model.next(|owner| owner == Owner::Host).is_empty() {
            // What comes first may have been handed over before all else was looked at.
            while let Some(of) = done.front().and_then(|first| self.at_once(first, taken, &left)) {
                let first = done.pop_front().expect("it was looked at");
                left.remove(&of);
                let sure = if known || certain[of] { asked[of] } else { 0 };
                self.show(of, taken.ready[of], sure, place);
                self.delivered(first.user_data as u32, first, None, done);
                hit(Count::AtOnce);
                events += 1;
            }
        }
        let mut left: Vec<usize> = left.into_iter().collect();
        left.sort_unstable();
        for of in left {
            if !taken.small {
                self.show(of, taken.ready[of], if certain[of] { asked[of] } else { 0 }, place);
            } else if self.is_reported(of, taken, done) {
                self.show(of, taken.ready[of], asked[of], place);
                events += 1;
            }
        }
        assert!(!taken.small || events <= turn.budget, "more events than the budget");
        self.model.place = place;
    }

    /// The number whose report completes a wait just so.
    fn at_once(&self, first: &Completion, taken: &Taken, left: &HashSet<usize>) -> Option<usize> {
        let wait = self.model.waits.iter().find(|w| u64::from(w.id) == first.user_data)?;
        if wait.set.len() != 1 || wait.ended.is_some() || first.outcome != Outcome::Ready {
            return None;
        }
        let of = self.waitables.iter().find(|w| w.id == wait.set[0].waitable)?.number?;
        let fits = seen(taken.ready[of], wait.set[0].asks) == first.ready.bits();
        (left.contains(&of) && fits && first.more == wait.multishot).then_some(of)
    }

    /// Whether the completions of a small turn tell that a number was reported.
    fn is_reported(
        &self,
        of: usize,
        taken: &Taken,
        done: &std::collections::VecDeque<Completion>,
    ) -> bool {
        self.model.waits.iter().any(|wait| {
            let id = u64::from(wait.id);
            let told = done.iter().chain(taken.tasks.iter().map(|(_, task)| &task.completion));
            wait.set.len() == 1
                && self.numbers[of].waitables.contains(&wait.set[0].waitable)
                && told.into_iter().any(|d| d.user_data == id && d.outcome == Outcome::Ready)
        })
    }

    /// What all who wait ask of a number.
    fn asked(&self, of: usize) -> u32 {
        self.numbers[of].waitables.iter().fold(0, |all, id| all | self.model.interest(*id))
    }

    /// A number is reported, surely with some of the bits; of the others, and if those are none,
    /// multishot waits and waits that have ended may be told.
    fn show(&mut self, of: usize, ready: u32, sure: u32, place: u64) {
        for waitable in self.numbers[of].waitables.clone() {
            for id in self.model.waiting(waitable) {
                self.due.entry(id).and_modify(|due| *due = 0);
                let wait = self.model.wait(id).clone();
                let at = wait.set.iter().position(|m| m.waitable == waitable).expect("a member");
                let told = seen(ready, wait.set[at].asks);
                if told == 0 || !matches!(wait.ended, None | Some(End::Ready)) {
                    // Unless it was told of what it may have been before it ended.
                    self.may.entry((id, at)).and_modify(|may| *may |= told);
                    continue;
                }
                if told & sure != 0 {
                    self.model.sees(id, waitable, told & sure);
                    self.model.place = place;
                }
                if told & !sure != 0 {
                    *self.may.entry((id, at)).or_default() |= told;
                }
            }
        }
        self.model.settle();
    }

    fn see_rebuild(&mut self) {
        let stats = self.reactor.stats().expect("its owner asks");
        add(Count::Ghosts, u64::from(stats.ghosts > 0));
        if std::mem::replace(&mut self.rebuilds, stats.rebuilds) == stats.rebuilds {
            return;
        }
        hit(Count::Rebuilds);
        self.model.place += 1;
        let place = self.model.place;
        for of in 0..NUMBERS {
            let number = &mut self.numbers[of];
            if !number.watched || (number.open && !number.replaced) {
                continue;
            }
            (number.watched, number.replaced) = (false, false);
            let open = number.open;
            let (end, errno) = if open { (End::Closed, 0) } else { (End::Failed, libc::EBADF) };
            for id in self.numbers[of].waitables.clone() {
                self.model.place = place - 1;
                self.model.end_waits(id, end, errno);
            }
        }
        self.model.place = place;
    }

    fn see_expiry(&mut self, turn: &Turn, taken: &Taken) {
        let next = taken.report.next_deadline.nanoseconds();
        let mut done = 0;
        while self.model.next_deadline() <= self.model.now
            && self.model.next_deadline() != FOREVER
            && (!taken.small || self.model.next_deadline() < next)
        {
            done += self.model.expire(1);
        }
        if taken.small {
            let budget = turn.budget as usize;
            let more = self.model.next_deadline() <= self.model.now;
            assert!(done <= budget, "{done} deadlines came in a budget of {budget}");
            assert!(!more || done >= budget.div_ceil(2), "{done} deadlines were enough");
        }
    }

    // ---- completions --------------------------------------------------------------------------

    /// A completion of a wait, beside those that are still to be looked at.
    fn delivered(
        &mut self,
        id: u32,
        completion: Completion,
        members: Option<&Vec<(u32, Token, u32)>>,
        rest: &std::collections::VecDeque<Completion>,
    ) {
        let at = self.waits.iter().position(|w| w.0 == id);
        let at = at.unwrap_or_else(|| panic!("{completion:?} of a wait that is over"));
        let wait = self.model.wait(id).clone();
        if let Some(token) = self.waits[at].1 {
            assert_eq!(completion.wait, token, "whose completion it is");
        }
        let members = match members {
            Some(members) => members.clone(),
            None if wait.multishot => match completion.ready.bits() {
                0 => Vec::new(),
                ready => vec![(0, self.token_of(wait.set[0].waitable), ready)],
            },
            None => self.members_of(&completion),
        };
        if wait.multishot && !rest.iter().any(|other| other.wait == completion.wait) {
            assert_eq!(self.members_of(&completion), members, "the members of {completion:?}");
        }
        // What it may have been told besides, it was told or not.
        for place in 0..wait.set.len() {
            let told = members.iter().find(|m| m.0 as usize == place).map_or(0, |m| m.2);
            let sure = wait.set[place].ready;
            let may = sure | self.may.remove(&(id, place)).unwrap_or(0);
            assert!(
                sure & !told == 0 && told & !may == 0,
                "member {place} of {completion:?} was ready for {told}, not {sure} to {may}"
            );
            let model = self.model.wait(id);
            model.set[place].ready = told;
            if told != 0 && sure == 0 && wait.multishot {
                hit(Count::MaybeTold);
                model.queued.get_or_insert(0);
                if model.ended.is_some() {
                    (model.ended, model.error) = (Some(End::Ready), 0);
                }
            } else if told != 0 {
                hit(Count::Certain);
            }
        }
        let deadline = wait.deadline;
        assert!(self.model.wait(id).queued.is_some(), "{completion:?} of {wait:?}");
        let expected = self.model.deliver(id);
        let observed = Done {
            wait: completion.user_data as u32,
            outcome: end_of(completion.outcome),
            more: completion.more,
            error: completion.error,
            members: members.iter().map(|m| (m.0, wait.set[m.0 as usize].waitable, m.2)).collect(),
        };
        assert_eq!(observed, expected, "{completion:?}");
        let first = members.first().map_or((0, 0), |m| (m.0, m.2));
        let counted = (completion.index, completion.ready.bits(), completion.members as usize);
        assert_eq!(counted, (first.0, first.1, members.len()), "{completion:?}");
        for (_, token, _) in &members {
            let lives = self.waitables.iter().any(|w| w.token == *token);
            assert!(lives || *token == Token::NONE, "a member that does not live");
        }
        if completion.outcome == Outcome::TimedOut {
            assert!(deadline <= self.model.now, "it ended before its deadline");
        }
        if completion.outcome == Outcome::Ready {
            assert!(members.len() >= wait.need, "it ended before enough were ready");
        }
        self.told.push(completion);
        hit(Count::Completions);
        match completion.outcome {
            Outcome::TimedOut => hit(Count::TimedOut),
            Outcome::Cancelled => hit(Count::Cancelled),
            Outcome::Closed => hit(Count::Closed),
            Outcome::Failed => hit(Count::Failed),
            Outcome::Ready => {}
        }
        if !completion.more {
            self.waits.remove(at);
            self.over(id);
            self.bury(completion.wait);
            let answer = wait_cancel(completion.wait);
            assert_eq!(status(&answer), Some(Status::Stale), "a wait that is over");
        }
    }

    fn token_of(&self, waitable: u32) -> Token {
        self.waitables.iter().find(|w| w.id == waitable).map_or(Token::NONE, |w| w.token)
    }

    fn members_of(&self, completion: &Completion) -> Vec<(u32, Token, u32)> {
        let members = completion_members(completion).expect("until the next turn");
        members.iter().map(|m| (m.index, m.waitable, m.ready.bits())).collect()
    }

    // ---- the rest of a turn -------------------------------------------------------------------

    fn see_changes(&mut self, turn: &Turn, taken: &Taken) {
        self.model.plan_changes();
        assert!(taken.changes.len() <= turn.changes, "more changes than there was room for");
        for change in &taken.changes {
            let living = self.waitables.iter().find(|w| w.token == change.waitable);
            let id = match living {
                Some(w) => {
                    assert_eq!(change.handle, w.handle, "what the host is told of it");
                    w.id
                }
                None => {
                    let closed = self.stopped.iter().position(|(_, t)| *t == change.waitable);
                    let closed = closed.unwrap_or_else(|| panic!("{change:?} of nothing"));
                    self.stopped.remove(closed).0
                }
            };
            if let Err(wrong) = self.model.told(id, change.interest.bits()) {
                panic!("{change:?} (waitable {id}): {wrong}");
            }
            hit(Count::Changes);
        }
        if taken.changes.len() < turn.changes {
            assert!(!self.model.has_changes(), "changes that did not come");
        }
    }

    fn see_report(&mut self, taken: &Taken) {
        let Report { stopped, closed, more, next_deadline, .. } = taken.report;
        assert_eq!(stopped, self.stopping, "whether it was stopped");
        if std::mem::take(&mut self.stopping) {
            hit(Count::Stopped);
        }
        (self.reported, self.more) = (next_deadline.nanoseconds(), more);
        let left = self.model.waits.iter().any(|w| w.queued.is_some())
            || self.model.has_changes()
            || (self.host.gives_clock && self.reported <= self.model.now);
        assert!(more || !left, "work is left, and it does not say so");
        let over = self.model.closed && self.model.waits.is_empty() && !self.model.has_changes();
        assert_eq!(closed, over && !more, "whether it is at its end");
    }
}
