//! One simulated life: applies operations to the subject and to the model, and compares.

use crate::histogram::Seen;
use crate::model::Model;
use crate::operation::Op;
use crate::subject::{Answer, Ask, Class, Delivered, How, Limits, Refusal, Subject, Whose};
use crate::tokens::{Held, Named, Tokens, slot};
use crate::words::*;

const CLASSES: [Class; 3] = [Class::Host, Class::Exchange, Class::Task];
/// Timers of one life fire at different instants, so that their order is decided.
const GRID: u64 = 64;

struct Watched {
    id: u32,
    token: u64,
    handle: u64,
    behind: Behind,
    /// A descriptor or an exchange: what it is ready for, what the selector was asked to report,
    /// and whether it will.
    level: u32,
    registered: u32,
    pending: bool,
}

struct Exchange {
    id: u32,
    token: u64,
    key: u32,
}

struct Notice {
    slot: usize,
    token: u64,
    bits: u32,
    times: u64,
}

/// What is promised of each wait, kept beside the model.
#[derive(Clone, Copy)]
struct Promise {
    deadline: u64,
    need: u16,
    multishot: bool,
    over: bool,
}

struct Told {
    completion: Delivered,
    /// The exchange to whose code it went.
    exchange: Option<u32>,
    members: Vec<(u32, u32, u32)>,
    forgotten: bool,
}

pub struct World<S> {
    subject: S,
    pub model: Model,
    limits: Limits,
    waitables: Vec<Watched>,
    waits: Vec<(u32, u64)>,
    exchanges: Vec<Exchange>,
    ids: u32,
    tokens: Tokens,
    inbox: Vec<Notice>,
    promises: Vec<Option<Promise>>,
    told: Vec<Told>,
    /// Closed waitables that the host is to stop watching.
    stopped: Vec<(u32, u64)>,
    late: Option<Delivered>,
    step: u64,
}

fn at<T>(list: &[T], number: u32) -> Option<usize> {
    (!list.is_empty()).then(|| number as usize % list.len())
}

fn class(owner: Owner) -> Class {
    match owner {
        Owner::Host => Class::Host,
        Owner::Exchange(_) => Class::Exchange,
        Owner::Task(_) => Class::Task,
    }
}

impl<S: Subject> World<S> {
    pub fn new(limits: Limits) -> World<S> {
        World {
            subject: S::new(limits),
            model: Model::at(1000),
            limits,
            waitables: Vec::new(),
            waits: Vec::new(),
            exchanges: Vec::new(),
            ids: 0,
            tokens: Tokens::default(),
            inbox: Vec::new(),
            promises: Vec::new(),
            told: Vec::new(),
            stopped: Vec::new(),
            late: None,
            step: 0,
        }
    }

    fn hit(&mut self, what: Seen) {
        self.model.histogram.hit(what);
    }

    /// Does it on both sides, and compares what can be seen of them.
    pub fn apply(&mut self, op: &Op) {
        self.step += 1;
        let mut everything = self.step % 16 == 0;
        match op {
            Op::Open { behind, first, period, maker } => {
                everything |= self.open(*behind, *first, *period, *maker);
            }
            Op::OpenExchange { key } => self.open_exchange(*key),
            Op::EndExchange { exchange } => self.end_exchange(*exchange),
            Op::Arm { owner, set, at_least, flags, deadline, bad } => {
                everything |= self.arm(*owner, set, *at_least, *flags, *deadline, *bad);
            }
            Op::Cancel { wait } => self.cancel(*wait),
            Op::Forget { wait } => self.forget(*wait),
            Op::Rearm { wait } => self.rearm(*wait),
            Op::Close { waitable } => self.close(*waitable),
            Op::CloseWaits { waitable } => {
                if let Some(at) = at(&self.waitables, *waitable) {
                    self.subject.close_waits(self.waitables[at].token);
                    self.model.end_waits(self.waitables[at].id, End::Closed, 0);
                    self.hit(Seen::WaitsClosed);
                }
            }
            Op::FailWaits { waitable, errno } => {
                if let Some(at) = at(&self.waitables, *waitable) {
                    let errno = *errno as i32;
                    self.subject.fail_waits(self.waitables[at].token, errno);
                    self.model.end_waits(self.waitables[at].id, End::Failed, errno);
                    self.hit(Seen::WaitsFailed);
                }
            }
            Op::Notify { waitable, bits, times } => self.notify(*waitable, *bits, *times),
            Op::Elsewhere { waitable, bits } => self.notify_elsewhere(*waitable, *bits),
            Op::Drain {} => self.drain(),
            Op::Level { waitable, bits } => self.level(*waitable, *bits),
            Op::Spurious { waitable, bits, at_once } => {
                if let Some(at) = self.selected(*waitable) {
                    self.report(at, *bits, *at_once != 0);
                    self.hit(Seen::SpuriousReport);
                }
            }
            Op::Harvest { at_once } => self.harvest(*at_once != 0),
            Op::Take { waitable } => self.take(*waitable),
            Op::Advance { by } => self.advance(*by),
            Op::Expire { limit } => self.expire(*limit),
            Op::BeginTurn {} => self.begin_turn(),
            Op::Deliver { class, limit } => {
                self.deliver(CLASSES[*class as usize % 3], *limit);
            }
            Op::Changes { limit } => self.changes(*limit),
            Op::Turn { expire, deliver, changes } => self.turn(*expire, *deliver, *changes),
            Op::Members { completion } => self.members(*completion),
            Op::Stale { token, call } => {
                self.stale(*token, *call);
                everything = true;
            }
            Op::CloseAll {} => self.close_all(),
            Op::Restart {} => self.restart(),
            Op::Check {} => everything = true,
        }
        self.compare();
        if everything {
            self.compare_everything();
        }
    }

    // ---- objects ----------------------------------------------------------------------------

    /// Answers whether it was refused.
    fn open(&mut self, behind: u32, first: u32, period: u32, maker: u32) -> bool {
        let maker = maker.checked_sub(1).and_then(|number| at(&self.exchanges, number));
        let handle = u64::from(period) % 4;
        let behind = match behind % 9 {
            0 => Behind::Descriptor,
            1 => match maker {
                Some(at) => Behind::Exchange(self.exchanges[at].id),
                None => Behind::Descriptor,
            },
            2 => Behind::Flag,
            3 => Behind::Counter,
            kind @ (4 | 5) => {
                let taken = |offset: u64| {
                    let on = |w: &&Watched| match w.behind {
                        Behind::Timer { first, .. } => first % GRID == offset,
                        _ => false,
                    };
                    self.waitables.iter().any(|w| on(&w))
                };
                let Some(offset) = (2..GRID).step_by(2).find(|offset| !taken(*offset)) else {
                    return false;
                };
                // Some have come before.
                let first = (self.model.now / GRID + u64::from(first)).saturating_sub(4) * GRID;
                let period = match (kind, period) {
                    (4, _) => 0,
                    (_, 4) => (u64::MAX / 2 / GRID) * GRID,
                    _ => (u64::from(period) + 1) * GRID,
                };
                Behind::Timer { first: first + offset, period }
            }
            6 => Behind::Level,
            7 => Behind::Once,
            _ => {
                let owned = self
                    .model
                    .foreign
                    .iter()
                    .any(|f| f.handle() == Some(handle) && f.owner.is_some());
                Behind::Watched { handle, own: first % 2 == 0 && !owned }
            }
        };
        let handle = match behind {
            Behind::Watched { handle, .. } => handle,
            _ => 1 << 40 | u64::from(self.model.ids()),
        };
        let token = maker.map(|at| self.exchanges[at].token);
        let mut expected = Vec::new();
        if self.model.closed {
            expected.push(Refusal::Closed);
        }
        if self.waitables.len() as u32 >= self.limits.waitables {
            expected.push(Refusal::Limit);
        }
        match self.subject.open(behind, handle, token) {
            Ok(token) => {
                assert!(expected.is_empty(), "opening was to be refused: {expected:?}");
                self.tokens.given(token, Named::Waitable, self.step);
                let maker = maker.map(|at| self.exchanges[at].id);
                let id = self.model.open(behind, maker);
                self.waitables.push(Watched {
                    id,
                    token,
                    handle,
                    behind,
                    level: 0,
                    registered: 0,
                    pending: false,
                });
                false
            }
            Err(refusal) => {
                assert!(expected.contains(&refusal), "opening was refused: {refusal:?}");
                self.refused(refusal, Seen::RefusedLimitOfWaitables);
                true
            }
        }
    }

    fn refused(&mut self, refusal: Refusal, limit: Seen) {
        self.hit(match refusal {
            Refusal::Limit => limit,
            Refusal::Closed => Seen::RefusedClosed,
            Refusal::Stale => Seen::StaleMember,
            _ => Seen::RefusedInvalid,
        });
    }

    fn open_exchange(&mut self, key: u32) {
        if self.exchanges.len() >= 4 {
            return;
        }
        match self.subject.open_exchange(key) {
            Ok(token) => {
                assert!(!self.model.closed, "an exchange was opened after the end");
                self.tokens.given(token, Named::Exchange, self.step);
                self.ids += 1;
                self.exchanges.push(Exchange { id: self.ids, token, key });
                self.hit(Seen::ExchangeOpened);
            }
            Err(refusal) => {
                assert!(self.model.closed && refusal == Refusal::Closed, "refused: {refusal:?}");
            }
        }
    }

    fn end_exchange(&mut self, number: u32) {
        let Some(at) = at(&self.exchanges, number) else { return };
        let Exchange { id, token, .. } = self.exchanges.remove(at);
        let closed = self.subject.end_exchange(token);
        let its = self.model.waits.iter().filter(|w| w.owner == Owner::Exchange(id));
        for wait in its.map(|w| w.id).collect::<Vec<_>>() {
            self.forgot(wait);
        }
        let mut made: Vec<u64> = Vec::new();
        for w in &self.model.waitables {
            if w.maker == Some(id) {
                made.extend(self.waitables.iter().find(|x| x.id == w.id).map(|x| x.token));
            }
        }
        let mut sorted = closed.clone();
        sorted.sort_unstable();
        made.sort_unstable();
        assert_eq!(sorted, made, "the waitables of exchange {id}");
        for token in closed {
            let at = self.waitables.iter().position(|w| w.token == token).expect("it lived");
            self.closed(at);
        }
        self.told.retain(|told| told.exchange != Some(id));
        self.tokens.released(Held::Step(id), self.step);
        self.tokens.ended(token, None, self.step);
        self.hit(Seen::ExchangeEnded);
    }

    fn close(&mut self, number: u32) {
        let Some(at) = at(&self.waitables, number) else { return };
        assert_eq!(self.subject.close(self.waitables[at].token), Ok(()), "close");
        self.closed(at);
    }

    fn closed(&mut self, at: usize) {
        let Watched { id, token, .. } = self.waitables.remove(at);
        self.model.close(id);
        if self.model.stops.iter().any(|stop| stop.waitable == id) {
            self.stopped.push((id, token));
        }
        self.tokens.ended(token, None, self.step);
        self.hit(Seen::WaitableClosed);
    }

    // ---- waits ------------------------------------------------------------------------------

    /// Answers whether it was refused, or dropped.
    fn arm(
        &mut self,
        owner: u32,
        set: &[u32],
        at_least: u32,
        flags: u32,
        deadline: u32,
        bad: u32,
    ) -> bool {
        let (whose, owner) = match (owner % 3, at(&self.exchanges, owner / 3)) {
            (1, Some(at)) => {
                (Whose::Exchange(self.exchanges[at].token), Owner::Exchange(self.exchanges[at].id))
            }
            (2, _) => (Whose::Task(owner / 3), Owner::Task(owner / 3)),
            _ => (Whose::Host, Owner::Host),
        };
        let mut members: Vec<Member> = Vec::new();
        let mut ask = Ask {
            set: Vec::new(),
            at_least,
            multishot: flags & 1 != 0 && !matches!(owner, Owner::Task(_)),
            off_loop: flags & 2 != 0,
            deadline: match deadline {
                0 => FOREVER,
                1 => 0,
                2 => FOREVER - 2,
                // Odd, so that none falls together with a timer; and coarse, so that many fall
                // together with each other.
                _ => ((self.model.now / 32 + u64::from(deadline) - 3) * 32) | 1,
            },
            user_data: u64::from(self.model.ids()) + 1,
            whose,
            found: Vec::new(),
        };
        for member in set {
            let Some(at) = at(&self.waitables, member / 64) else { continue };
            let Watched { id, token, behind, level, .. } = self.waitables[at];
            if members.iter().any(|m| m.waitable == id) {
                continue;
            }
            let asks = (member % 64).max(1);
            if flags & 8 != 0 && behind == Behind::Descriptor && level != 0 {
                ask.found.push((members.len(), level));
            }
            members.push(Member { waitable: id, asks, ready: 0 });
            ask.set.push((token, asks));
        }
        if bad == 0 {
            // What is left of a list that was made shorter, or made without objects, is to be good.
            ask.at_least = ask.at_least.min(members.len().max(1) as u32);
            ask.multishot &= members.len() == 1;
            if members.is_empty() && ask.deadline == FOREVER {
                ask.deadline = self.model.now | 1;
            }
        } else {
            self.spoil(&mut ask, bad);
        }
        let expected = self.refusals(&ask);
        let drop_plan = flags & 4 != 0;
        let (token, arms) = match self.subject.arm(&ask, self.model.now, drop_plan) {
            Ok(made) => made,
            Err(refusal) => {
                assert!(expected.contains(&refusal), "{ask:?} was refused: {refusal:?}");
                self.refused(refusal, Seen::RefusedLimitOfWaits);
                return true;
            }
        };
        assert!(expected.is_empty(), "{ask:?} was to be refused: {expected:?}");
        assert_eq!(arms, ask.set, "what is to be armed");
        if drop_plan {
            self.hit(Seen::PlanDropped);
            return true;
        }
        self.tokens.given(token, Named::Wait, self.step);
        let mut found = vec![0; members.len()];
        for (at, bits) in &ask.found {
            found[*at] = *bits;
        }
        let need = ask.at_least.max(1) as usize;
        let armed: Vec<u32> = members.iter().map(|m| m.waitable).collect();
        let wait = Wait {
            id: 0,
            owner,
            set: members,
            need,
            multishot: ask.multishot,
            off_loop: ask.off_loop,
            deadline: ask.deadline,
            ended: None,
            error: 0,
            queued: None,
        };
        let id = self.model.arm(wait, &found);
        assert_eq!(u64::from(id), ask.user_data);
        self.waits.push((id, token));
        self.promises.resize(id as usize + 1, None);
        self.promises[id as usize] = Some(Promise {
            deadline: ask.deadline,
            need: need as u16,
            multishot: ask.multishot,
            over: false,
        });
        for id in armed {
            let at = self.waitables.iter().position(|w| w.id == id).expect("a member");
            self.register(at);
        }
        false
    }

    /// Makes a question wrong.
    fn spoil(&mut self, ask: &mut Ask, bad: u32) {
        let first = ask.set.first().copied();
        match (bad, first) {
            (1, _) => ask.set.extend(self.tokens.dead.last().map(|token| (*token, READABLE))),
            (2, Some(first)) => ask.set.push(first),
            (3, Some(_)) => ask.set[0].1 = 0,
            (4, Some(_)) => ask.set[0].1 |= 1 << (6 + self.step % 26),
            (5, _) => ask.at_least = ask.set.len() as u32 + 2,
            (6, Some(_)) => {
                ask.multishot = true;
                if ask.set.len() == 1 {
                    ask.set.clear();
                }
            }
            (7, _) => (ask.multishot, ask.whose) = (true, Whose::Task(1)),
            (8, _) => {
                let exchanges = self.exchanges.iter().map(|e| e.token);
                let others = self.waits.iter().map(|w| w.1).chain(exchanges);
                ask.set.extend(others.last().map(|token| (token, READABLE)));
            }
            (9, _) => {
                ask.set.clear();
                ask.deadline = FOREVER;
            }
            _ => ask.set.push((self.step.wrapping_mul(0x9e37_79b9_7f4a_7c15), READABLE)),
        }
        ask.found.clear();
    }

    /// Why a question has to be refused: for any of these.
    fn refusals(&self, ask: &Ask) -> Vec<Refusal> {
        let mut all = Vec::new();
        let mut refuse = |reason: bool, refusal: Refusal| {
            if reason && !all.contains(&refusal) {
                all.push(refusal);
            }
        };
        let count = ask.set.len();
        refuse(self.model.closed, Refusal::Closed);
        refuse(self.waits.len() as u32 >= self.limits.waits, Refusal::Limit);
        refuse(count == 0 && ask.deadline == FOREVER, Refusal::Invalid);
        refuse(ask.at_least as usize > count.max(1), Refusal::Invalid);
        refuse(ask.multishot && count != 1, Refusal::Invalid);
        refuse(ask.multishot && matches!(ask.whose, Whose::Task(_)), Refusal::Invalid);
        for (at, (token, asks)) in ask.set.iter().enumerate() {
            refuse(*asks == 0 || *asks > 63, Refusal::Invalid);
            refuse(ask.set[..at].iter().any(|other| other.0 == *token), Refusal::Invalid);
            if !self.waitables.iter().any(|w| w.token == *token) {
                let lives = self.waits.iter().any(|w| w.1 == *token)
                    || self.exchanges.iter().any(|e| e.token == *token);
                refuse(true, if lives { Refusal::Invalid } else { Refusal::Stale });
            }
        }
        all
    }

    /// The selector is asked to report what is asked of a descriptor.
    fn register(&mut self, at: usize) {
        let w = &mut self.waitables[at];
        if matches!(w.behind, Behind::Descriptor | Behind::Exchange(_)) {
            w.registered = self.subject.interest(w.token);
            w.pending = true;
        }
    }

    fn cancel(&mut self, number: u32) {
        let Some(at) = at(&self.waits, number) else { return };
        let (id, token) = self.waits[at];
        assert_eq!(self.subject.cancel(token), Ok(()), "cancel before delivery");
        self.model.cancel(id);
    }

    fn forget(&mut self, number: u32) {
        let Some(at) = at(&self.waits, number) else { return };
        let (id, token) = self.waits[at];
        assert_eq!(self.subject.forget(token), Ok(()), "forget before delivery");
        self.forgot(id);
    }

    fn forgot(&mut self, id: u32) {
        let at = self.waits.iter().position(|w| w.0 == id).expect("it lived");
        let (_, token) = self.waits.remove(at);
        let Wait { owner, queued, .. } = *self.model.wait(id);
        self.model.forget(id);
        let held = queued.map(|_| Held::Queue(class(owner)));
        self.tokens.ended(token, held, self.step);
        self.promises[id as usize].as_mut().expect("it was promised").over = true;
        for told in &mut self.told {
            told.forgotten |= told.completion.wait == token;
        }
    }

    fn rearm(&mut self, number: u32) {
        let Some(at) = at(&self.waits, number) else { return };
        let (id, token) = self.waits[at];
        let answer = self.subject.rearm(token, self.model.now);
        if !self.model.wait(id).multishot {
            assert_eq!(answer, Err(Refusal::State), "rearm of a one-shot wait");
            self.hit(Seen::RearmedOneShot);
            return;
        }
        let expected = self.model.rearm(id);
        let at = expected
            .map(|(id, _)| self.waitables.iter().position(|w| w.id == id).expect("it lives"));
        let named = at.map(|at| self.waitables[at].token);
        let answer = answer.expect("a multishot wait is armed again");
        assert_eq!(answer.map(|(token, _)| token), named, "what is to be armed again");
        if let (Some(at), Some((_, merged)), Some((_, asked))) = (at, expected, answer) {
            let missing = merged & (READABLE | WRITABLE | PRIORITY | READ_CLOSED) & !asked;
            let covered = self.subject.interest(self.waitables[at].token);
            assert_eq!(missing & !covered, 0, "a multishot wait would miss it");
            self.register(at);
            self.hit(Seen::SelectorRearmed);
        }
    }

    // ---- what happens -----------------------------------------------------------------------

    fn notify(&mut self, number: u32, bits: u32, times: u32) {
        let Some(at) = at(&self.waitables, number) else { return };
        let (bits, times) = ((bits & 63).max(1), u64::from(times.max(1)));
        let seen = self.model.notify(self.waitables[at].id, bits, times);
        let answer = self.subject.notify(self.waitables[at].token, bits, times);
        assert_eq!(answer, Ok(seen), "whether anybody waited for what was notified");
    }

    fn notify_elsewhere(&mut self, number: u32, bits: u32) {
        let tokens = self.waitables.iter().map(|w| w.token);
        let all: Vec<u64> = tokens.chain(self.exchanges.iter().map(|e| e.token)).collect();
        let Some(number) = at(&all, number) else { return };
        let (token, bits) = (all[number], (bits & 63).max(1));
        let answer = self.subject.notify_elsewhere(token, bits);
        let behind = self.waitables.get(number).map(|w| w.behind);
        if matches!(behind, Some(Behind::Descriptor | Behind::Exchange(_) | Behind::Timer { .. })) {
            assert_eq!(answer, Err(Refusal::Invalid), "what tells by itself is not notified");
            self.hit(Seen::ElsewhereRefused);
            return;
        }
        let held = self.inbox.iter().position(|notice| notice.slot == slot(token));
        assert_eq!(answer, Ok(held.is_none()), "whether the owner is to be woken");
        let at = held.unwrap_or(self.inbox.len());
        if held.is_none() {
            self.inbox.push(Notice { slot: slot(token), token, bits: 0, times: 0 });
        }
        let notice = &mut self.inbox[at];
        if notice.token != token {
            (notice.token, notice.bits, notice.times) = (token, 0, 0);
        }
        let again = notice.times > 0;
        notice.bits |= bits;
        notice.times += 1;
        self.hit(if again { Seen::NotedElsewhereAgain } else { Seen::NotedElsewhere });
    }

    fn drain(&mut self) {
        self.subject.drain();
        for notice in std::mem::take(&mut self.inbox) {
            match self.waitables.iter().find(|w| w.token == notice.token).map(|w| w.id) {
                Some(id) => {
                    self.model.notify(id, notice.bits, notice.times);
                }
                None => self.hit(Seen::NoticeOfClosed),
            }
        }
    }

    /// A descriptor or an exchange.
    fn selected(&self, number: u32) -> Option<usize> {
        let is = |w: &Watched| matches!(w.behind, Behind::Descriptor | Behind::Exchange(_));
        let all: Vec<usize> =
            (0..self.waitables.len()).filter(|at| is(&self.waitables[*at])).collect();
        at(&all, number).map(|at| all[at])
    }

    fn level(&mut self, number: u32, bits: u32) {
        let Some(at) = self.selected(number) else { return };
        let w = &mut self.waitables[at];
        let rising = bits & 63 & !w.level;
        w.level = bits & 63;
        if rising != 0 {
            w.pending = true;
            self.hit(Seen::EdgeReported);
        }
    }

    fn harvest(&mut self, at_once: bool) {
        for at in 0..self.waitables.len() {
            let w = &mut self.waitables[at];
            if !std::mem::take(&mut w.pending) {
                continue;
            }
            let closed = if w.registered & READABLE != 0 { READ_CLOSED } else { 0 };
            let bits = w.level & (w.registered | HANGUP | ERROR | closed);
            if bits != 0 {
                self.report(at, bits, at_once);
                self.hit(Seen::LevelReported);
            }
        }
        // Nothing that is ready is waited for, except by those who are told of changes only.
        for w in &self.waitables {
            let one_shot = self.model.waits.iter().filter(|wait| !wait.multishot);
            let asked = one_shot.fold(0, |all, wait| all | wait.interest(w.id));
            assert_eq!(w.level & asked, 0, "a wake-up was lost");
        }
    }

    /// `at_once`: the array of the host has room, so a completion needs no queue.
    fn report(&mut self, at: usize, bits: u32, at_once: bool) {
        let bits = (bits & 63).max(1);
        if at_once {
            if let Some(completion) = self.subject.ready_at_once(self.waitables[at].token, bits) {
                self.model.ready(self.waitables[at].id, bits);
                let id = completion.user_data as u32;
                let next = self.model.next(|owner| owner == Owner::Host);
                assert_eq!(next, [id], "what completes at once");
                self.delivered(Class::Host, id, completion);
                self.hit(Seen::CompletedAtOnce);
                return;
            }
        }
        let seen = self.model.ready(self.waitables[at].id, bits) != 0;
        let woke = self.subject.ready(self.waitables[at].token, bits);
        assert_eq!(woke, seen, "whether a report woke anybody");
        if !seen {
            self.hit(Seen::ReportUnseen);
        }
    }

    fn take(&mut self, number: u32) {
        let Some(at) = at(&self.waitables, number) else { return };
        let Watched { id, token, behind, .. } = self.waitables[at];
        let answer = self.subject.take(token, self.model.now);
        let what = match behind {
            Behind::Flag if self.model.waitable(id).notified == 0 => Seen::FlagTakenUnset,
            Behind::Flag => Seen::FlagTaken,
            Behind::Counter => Seen::CounterTaken,
            Behind::Timer { .. } => Seen::TimerTaken,
            _ => {
                assert!(matches!(answer, Err(Refusal::Other(_))), "nothing to take: {answer:?}");
                return;
            }
        };
        self.hit(what);
        assert_eq!(answer, Ok(self.model.take(id)), "what was taken");
    }

    // ---- time -------------------------------------------------------------------------------

    fn advance(&mut self, by: u32) {
        let now = self.model.now;
        let next = self.model.next_deadline();
        let near = next > now && next - now < 1 << 40;
        self.model.now = match by {
            0 if near => next,
            1 if near => next - 1,
            _ => now + u64::from(by.max(2)) - 2,
        };
    }

    fn expire(&mut self, limit: u32) {
        // What has come at one instant comes in any order: the model does all of it, or nothing.
        let before = self.model.next_deadline();
        let done = self.model.expire(limit as usize);
        if done > limit as usize {
            self.hit(Seen::EndedTogether);
        }
        if self.model.next_deadline() <= self.model.now && done > 0 {
            self.hit(Seen::ExpiryLimited);
        }
        let limit = if done < limit as usize { limit as usize } else { done };
        assert_eq!(self.subject.expire(self.model.now, limit), done, "of what came at {before}");
    }

    // ---- turns ------------------------------------------------------------------------------

    fn begin_turn(&mut self) {
        self.subject.begin_turn();
        self.model.applied();
        self.tokens.released(Held::Turn, self.step);
        self.late = self.told.iter().rfind(|t| t.exchange.is_none()).map(|t| t.completion);
        self.told.retain(|told| told.exchange.is_some());
    }

    fn end_step(&mut self, at: usize) {
        let Exchange { id, token, .. } = self.exchanges[at];
        self.subject.end_step(token);
        self.tokens.released(Held::Step(id), self.step);
        self.told.retain(|told| told.exchange != Some(id));
    }

    fn turn(&mut self, expire: u32, deliver: u32, changes: u32) {
        self.begin_turn();
        for at in 0..self.exchanges.len() {
            self.end_step(at);
        }
        self.harvest(deliver > 0);
        self.drain();
        self.expire(expire);
        let full = self.deliver(Class::Host, deliver);
        for class in [Class::Exchange, Class::Task] {
            let held = self.deliver(class, u32::MAX);
            assert!(!held, "{class:?} is never held back");
        }
        if full {
            self.hit(Seen::FullArrayHeldBack);
        }
        self.changes(changes);
    }

    /// Answers whether some were held back.
    fn deliver(&mut self, of: Class, limit: u32) -> bool {
        for _ in 0..limit {
            let next = self.model.next(|owner| class(owner) == of);
            let Some(completion) = self.subject.next_completion(of) else {
                assert_eq!(next, [], "completions of {of:?} that did not come");
                assert!(!self.subject.has_completion(of), "a completion of {of:?} that is none");
                self.tokens.released(Held::Queue(of), self.step);
                return false;
            };
            let id = completion.user_data as u32;
            assert!(next.contains(&id), "{completion:?} came before one of {next:?}");
            self.delivered(of, id, completion);
        }
        !self.model.next(|owner| class(owner) == of).is_empty()
    }

    fn delivered(&mut self, of: Class, id: u32, completion: Delivered) {
        let at = self.waits.iter().position(|w| w.0 == id).expect("it lived");
        let token = self.waits[at].1;
        let owner = self.model.wait(id).owner;
        let done = self.model.deliver(id);
        let (index, _, ready) = done.members.first().copied().unwrap_or((0, 0, 0));
        let exchange = match owner {
            Owner::Exchange(id) => self.exchanges.iter().find(|e| e.id == id),
            _ => None,
        };
        let expected = Delivered {
            key: match owner {
                Owner::Task(key) => key,
                _ => exchange.map_or(0, |e| e.key),
            },
            user_data: u64::from(id),
            wait: token,
            outcome: done.outcome,
            more: done.more,
            members: done.members.len() as u16,
            ready,
            index,
            error: done.error,
        };
        let exchange = exchange.map(|e| e.id);
        assert_eq!(completion, expected, "a completion of {of:?}");

        // The promises, without the model.
        let promise = self.promises[id as usize].as_mut().expect("it was promised");
        assert!(!promise.over, "a completion after the last one of wait {id}");
        assert!(!completion.more || promise.multishot, "more of a one-shot wait");
        assert!(
            completion.outcome != End::TimedOut || promise.deadline <= self.model.now,
            "wait {id} ended before its deadline"
        );
        assert!(
            completion.outcome != End::Ready || completion.members >= promise.need,
            "wait {id} ended before enough were ready"
        );
        promise.over = !completion.more;

        if !done.more {
            self.waits.remove(at);
            let held = exchange.map_or(Held::Turn, Held::Step);
            self.tokens.ended(token, Some(held), self.step);
        }
        let answer = self.subject.members(&completion);
        let members = done.members;
        self.told.push(Told { completion, exchange, members, forgotten: false });
        self.compare_members(self.told.len() - 1, answer);
        self.hit(match of {
            Class::Host => Seen::HostDelivered,
            Class::Exchange => Seen::ExchangeDelivered,
            Class::Task => Seen::TaskDelivered,
        });
        if of != Class::Host && !self.model.next(|owner| owner == Owner::Host).is_empty() {
            self.hit(Seen::DeliveredWhileFull);
        }
    }

    fn members(&mut self, number: u32) {
        if let Some(at) = at(&self.told, number) {
            let answer = self.subject.members(&self.told[at].completion);
            self.compare_members(at, answer);
            self.hit(Seen::MembersTold);
        }
        if let Some(late) = self.late.filter(|late| !late.more) {
            let answer = self.subject.members(&late);
            assert_eq!(answer, Err(Refusal::Stale), "members after the next turn began");
            self.hit(Seen::MembersTooLate);
        }
    }

    fn compare_members(&mut self, at: usize, answer: Answer<Vec<(u64, u32, u32)>>) {
        let told = &self.told[at];
        if told.forgotten && answer == Err(Refusal::Stale) {
            return;
        }
        let lives = |id: u32| self.waitables.iter().find(|w| w.id == id).map_or(0, |w| w.token);
        let expected: Vec<_> =
            told.members.iter().map(|(at, id, bits)| (lives(*id), *at, *bits)).collect();
        let closed = expected.iter().any(|member| member.0 == 0);
        assert_eq!(answer, Ok(expected), "members of {:?}", told.completion);
        if closed {
            self.hit(Seen::MembersOfClosed);
        }
    }

    fn changes(&mut self, limit: u32) {
        self.subject.plan_changes();
        self.model.plan_changes();
        for _ in 0..limit {
            let Some(told) = self.subject.next_change() else {
                assert!(!self.model.has_changes(), "changes that did not come");
                return self.all_watched();
            };
            let Some(id) = self.told_of(&told) else {
                panic!("{told:?} is of nothing that the host knows");
            };
            if let Err(wrong) = self.model.told(id, told.interest) {
                panic!("{told:?} (waitable {id}): {wrong}");
            }
        }
        if self.model.has_changes() {
            self.hit(Seen::ChangeHeldBack);
        }
    }

    /// A host that knows all changes watches all that is waited for.
    fn all_watched(&self) {
        for f in &self.model.foreign {
            let its = |wait: &Wait| f.waitables.iter().fold(0, |all, id| all | wait.interest(*id));
            // A host that reports once is asked again when a multishot wait is delivered.
            let idle = |w: &&Wait| f.behind != Behind::Once || !(w.multishot && w.queued.is_some());
            let asked = self.model.waits.iter().filter(idle).fold(0, |all, w| all | its(w));
            let unwatched = asked & !(f.told | HANGUP | ERROR);
            assert!(unwatched == 0 && (asked == 0 || f.told != 0), "nobody watches {f:?}");
        }
    }

    /// The waitable of a change, which lives or was closed.
    fn told_of(&mut self, told: &crate::subject::Told) -> Option<u32> {
        if let Some(w) = self.waitables.iter().find(|w| w.token == told.waitable) {
            let how = match w.behind {
                Behind::Level => How::Level,
                Behind::Once => How::Once,
                _ => How::Descriptor,
            };
            assert_eq!((told.how, told.handle), (how, w.handle), "what the host is told of it");
            return Some(w.id);
        }
        let closed = self.stopped.iter().position(|(_, token)| *token == told.waitable)?;
        Some(self.stopped.remove(closed).0)
    }

    // ---- misuse -----------------------------------------------------------------------------

    fn stale(&mut self, number: u32, call: u32) {
        let now = self.model.now;
        if call % 9 == 8 {
            // Living, but of another kind.
            if let Some(token) = self.waitables.first().map(|w| w.token) {
                assert_eq!(
                    self.subject.cancel(token),
                    Err(Refusal::Invalid),
                    "cancel of a waitable"
                );
                self.hit(Seen::StaleKind);
            }
            if let Some((_, token)) = self.waits.first() {
                assert_eq!(self.subject.close(*token), Err(Refusal::Invalid), "close of a wait");
            }
            return;
        }
        let Some(number) = at(&self.tokens.dead, number) else { return };
        let token = self.tokens.dead[number];
        let (answer, what) = match call % 9 {
            0 => (self.subject.cancel(token), Seen::StaleCancel),
            1 => (self.subject.forget(token), Seen::StaleForget),
            2 => (self.subject.rearm(token, now).map(drop), Seen::StaleRearm),
            3 => (self.subject.close(token), Seen::StaleClose),
            4 => (self.subject.notify(token, READABLE, 1).map(drop), Seen::StaleNotify),
            5 => (self.subject.notify_elsewhere(token, READABLE).map(drop), Seen::StaleElsewhere),
            6 => (self.subject.take(token, now).map(drop), Seen::StaleTake),
            _ => {
                assert!(!self.subject.is_live(token), "{token:#x} lives");
                return;
            }
        };
        assert_eq!(answer, Err(Refusal::Stale), "{what:?} of {token:#x}");
        self.hit(what);
    }

    // ---- the end ----------------------------------------------------------------------------

    fn close_all(&mut self) {
        let in_use = !self.waits.is_empty() && !self.waitables.is_empty();
        self.subject.close_all();
        self.model.close_all();
        self.hit(if in_use { Seen::ClosedAllInUse } else { Seen::ClosedAll });
    }

    fn restart(&mut self) {
        self.hit(if self.waits.is_empty() { Seen::Restarted } else { Seen::RestartedInUse });
        self.subject.restart();
        for token in self.all_tokens() {
            self.tokens.ended(token, None, self.step);
        }
        self.tokens.all_ended(self.step);
        self.model.restart();
        self.waitables.clear();
        self.waits.clear();
        self.exchanges.clear();
        self.told.clear();
        self.stopped.clear();
        self.late = None;
    }

    fn all_tokens(&self) -> Vec<u64> {
        let waitables = self.waitables.iter().map(|w| w.token);
        let waits = self.waits.iter().map(|w| w.1);
        waitables.chain(waits).chain(self.exchanges.iter().map(|e| e.token)).collect()
    }

    // ---- comparing --------------------------------------------------------------------------

    /// What is cheap to compare, after every step.
    fn compare(&mut self) {
        assert_eq!(self.subject.next_deadline(), self.model.next_deadline(), "next_deadline()");
        assert_eq!(self.subject.waits(), self.model.waits.len() as u32, "waits()");
        assert_eq!(self.subject.waitables(), self.model.waitables.len() as u32, "waitables()");
        assert_eq!(self.subject.is_closed(), self.model.closed, "is_closed()");
        assert_eq!(self.subject.has_changes(), self.model.has_changes(), "has_changes()");
        for wait in &self.model.waits {
            // What was forgotten may be looked for in vain.
            if wait.queued.is_some() {
                assert!(self.subject.has_completion(class(wait.owner)), "has_completion()");
            }
        }
        let mut closable: Vec<u64> = std::iter::from_fn(|| self.subject.next_closable()).collect();
        closable.sort_unstable();
        self.model.closable.sort_unstable();
        assert_eq!(closable, self.model.closable, "descriptors to close");
        self.model.closable.clear();
    }

    fn compare_everything(&mut self) {
        let mut interests = vec![0; self.waitables.len()];
        for wait in &self.model.waits {
            for member in wait.set.iter().filter(|member| wait.asks(member)) {
                // Older ones have lower numbers.
                let at = self.waitables.binary_search_by_key(&member.waitable, |w| w.id);
                interests[at.expect("it lives")] |= member.asks | HANGUP | ERROR;
            }
        }
        for (w, asked) in self.waitables.iter().zip(interests) {
            assert_eq!(self.subject.interest(w.token), asked, "interest of {}", w.id);
            if matches!(w.behind, Behind::Descriptor | Behind::Exchange(_)) {
                assert_eq!(
                    asked & !(w.registered | HANGUP | ERROR),
                    0,
                    "nobody looks after {}",
                    w.id
                );
            }
        }
        for token in self.all_tokens() {
            assert!(self.subject.is_live(token), "{token:#x} is live");
        }
        for Exchange { id, token, .. } in &self.exchanges {
            let its = self.model.waits.iter().filter(|w| w.owner == Owner::Exchange(*id)).count();
            assert_eq!(self.subject.exchange_waits(*token), its as u32, "waits of exchange {id}");
        }
        for at in 0..self.tokens.dead.len().min(8) {
            let at = (self.step as usize + at * 31) % self.tokens.dead.len();
            let token = self.tokens.dead[at];
            assert!(!self.subject.is_live(token), "{token:#x} is dead");
        }
    }

    /// How often slots were used again.
    pub fn reused(&self) -> u64 {
        self.tokens.reused
    }
}
