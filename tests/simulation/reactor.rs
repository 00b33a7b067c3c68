//! One life of a reactor: applies operations to it and to the model, and compares.
//!
//! What is compared exactly: what completes in which turn, with which outcome, members and bits, and
//! in which order; refusals; watch changes; deadlines; counts. What is not: the order of what the
//! selector reports in one turn; whether a multishot wait, a member that was ready before, or a wait
//! that has ended already is told of what is ready anyway (that is what `may` holds); and, where the
//! clock is the real one, the moment at which a deadline is seen to have come.

mod files;
mod hosts;
pub mod operation;
mod turns;
mod waits;

use std::collections::HashMap;
use std::fmt::Write;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use awsgi::{
    Completion, Deadline, Mode, Reactor, Readiness, Status, Token, Waiting, Watching, notify,
    wait_cancel, wait_forget, wait_rearm, waitable_close, waitable_take,
};

use crate::histogram::Histogram;
use crate::model::Model;
use crate::model::words::*;
use crate::run::Life;
use files::{Ghost, NUMBERS, Number, first_number, is_readable};
use hosts::{Barrier, Helper, Host, LOST, Woken};
use operation::{Generator, Op};

/// So many operations make a life.
const LIFE: u64 = 600;
/// Timers of one life fire at different instants, so that their order is decided.
const GRID: u64 = 64;

macro_rules! counts {
    ($($name:ident)*) => {
        /// What is to be reached.
        #[derive(Clone, Copy)]
        enum Count { $($name),* }
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        static COUNTS: [AtomicU64; NAMES.len()] = [const { AtomicU64::new(0) }; NAMES.len()];
    };
}

counts! {
    OwnedTurns NestedTurns AlarmedTurns DelegatedTurns WatchingTurns SmallBudgets SmallArrays
    FullArrays Slept Stopped Completions Futures AtOnce MaybeTold Multishots Certain TimedOut
    Cancelled Closed Failed Changes Elsewhere ElsewhereRefused Stale Refused LostByReplacement
    LostByClosing Rebuilds Ghosts WorkSignalled ReadableInVain NotReadable HookCalls Given Reported
    Forgotten Rearmed Taken Raced
}

/// What all lives together have reached.
pub fn seen() -> String {
    let mut text = String::new();
    for row in NAMES.iter().zip(&COUNTS).collect::<Vec<_>>().chunks(4) {
        for (name, count) in row {
            let _ = write!(text, "{:>9} {name:<18}", count.load(Ordering::Relaxed));
        }
        text.push('\n');
    }
    text
}

fn hit(what: Count) {
    add(what, 1);
}

fn add(what: Count, times: u64) {
    COUNTS[what as usize].fetch_add(times, Ordering::Relaxed);
}

struct Known {
    id: u32,
    token: Token,
    behind: Behind,
    handle: u64,
    /// The number of a descriptor.
    number: Option<usize>,
}

struct Task {
    id: u32,
    future: Pin<Box<Waiting>>,
    woken: Arc<Woken>,
}

struct Notice {
    slot: u64,
    token: Token,
    bits: u32,
    times: u64,
}

/// A completion, and the ready members: position, waitable, bits.
struct Observed {
    completion: Completion,
    members: Vec<(u32, Token, u32)>,
}

pub struct World {
    host: Host,
    reactor: Reactor,
    /// Of the wake hook, and how many there had been when the last turn began.
    calls: Arc<AtomicU64>,
    calls_before: u64,
    /// Another thread notified while the last turn ran, and perhaps before it.
    raced: bool,
    /// The last turn has left work behind.
    more: bool,
    barrier: Option<Barrier>,
    helper: Helper,
    model: Model,
    /// What the host says next that the time is.
    clock: u64,
    numbers: Vec<Number>,
    ghosts: Vec<Ghost>,
    waitables: Vec<Known>,
    waits: Vec<(u32, Option<Token>)>,
    tasks: Vec<Task>,
    /// What of a multishot wait's readiness has to be told, if it still is so when asked.
    due: HashMap<u32, u32>,
    /// What a member may have been told besides.
    may: HashMap<(u32, usize), u32>,
    inbox: Vec<Notice>,
    told: Vec<Completion>,
    late: Option<Completion>,
    /// Closed waitables that the host is to stop watching.
    stopped: Vec<(u32, Token)>,
    dead: Vec<Token>,
    /// The deadline of which the host knows.
    reported: u64,
    stopping: bool,
    rebuilds: u64,
    step: u64,
}

fn at<T>(list: &[T], number: u32) -> Option<usize> {
    (!list.is_empty()).then(|| number as usize % list.len())
}

fn slot(token: Token) -> u64 {
    token.to_bits() & 0x00ff_ffff
}

fn bits(bits: u32) -> Readiness {
    Readiness::from_bits(bits).expect("known bits")
}

fn status<T>(answer: &awsgi::Result<T>) -> Option<Status> {
    answer.as_ref().err().map(awsgi::Error::status)
}

/// Another waitable of the number, which owned it, was closed, and the host has still to stop watching
/// it. The model does not follow who owns what.
fn is_being_closed(error: &awsgi::Error) -> bool {
    error.errno() == libc::EBADF
        && error.message().contains("is being closed with the waitable that owned it")
}

impl Life for World {
    type Op = Op;
    type Source = Generator;

    fn length(_: u64) -> u64 {
        LIFE
    }

    fn begin(seed: u64) -> World {
        let host = Host::of(seed);
        let calls = Arc::new(AtomicU64::new(0));
        let reactor = Reactor::new(&host.options(&calls)).expect("a reactor");
        let first = first_number();
        let numbers = (0..NUMBERS).map(|at| Number::new(first + at as i32, at as u32)).collect();
        World {
            host,
            reactor,
            calls,
            calls_before: 0,
            raced: false,
            more: false,
            barrier: host.is_watched_for().then(Barrier::new),
            helper: Helper::new(),
            model: Model::at(if host.gives_clock { 0 } else { 1 }),
            clock: 1000,
            numbers,
            ghosts: Vec::new(),
            waitables: Vec::new(),
            waits: Vec::new(),
            tasks: Vec::new(),
            due: HashMap::new(),
            may: HashMap::new(),
            inbox: Vec::new(),
            told: Vec::new(),
            late: None,
            stopped: Vec::new(),
            dead: Vec::new(),
            reported: FOREVER,
            stopping: false,
            rebuilds: 0,
            step: 0,
        }
    }

    fn source(seed: u64) -> Generator {
        Generator::new(seed)
    }

    fn next(&self, source: &mut Generator) -> Op {
        source.next()
    }

    fn apply(&mut self, op: &Op) {
        self.step += 1;
        match op {
            Op::Open { what, first, period } => self.open(*what, *first, *period),
            Op::Arm { owner, set, at_least, flags, deadline } => {
                self.arm(*owner, set, *at_least, *flags, *deadline);
            }
            Op::Cancel { wait } => self.cancel(*wait),
            Op::Forget { wait } => self.forget(*wait),
            Op::Rearm { wait } => self.rearm(*wait),
            Op::Close { waitable } => {
                if let Some(at) = at(&self.waitables, *waitable) {
                    self.close(at);
                }
            }
            Op::Notify { waitable, bits } => self.notify(*waitable, *bits),
            Op::Elsewhere { waitable, bits } => self.notify_elsewhere(*waitable, *bits),
            Op::Act { number, what } => self.act(*number as usize % NUMBERS, *what),
            Op::Replace { number, kind, how } => {
                self.replace(*number as usize % NUMBERS, *kind, *how);
            }
            Op::Haunt { times } => self.haunt(*times),
            Op::Take { waitable } => self.take(*waitable),
            Op::Advance { by } => self.advance(*by),
            Op::Turn { budget, capacity, changes, sleep } => {
                self.turn(*budget, *capacity, *changes, *sleep != 0);
            }
            Op::Report { limit } => self.report(*limit),
            Op::Stop {} => {
                let stopper = self.reactor.stopper();
                self.helper.run(move || stopper.stop());
                self.stopping = true;
            }
            Op::Stale { token, call } => self.stale(*token, *call),
            Op::CloseAll {} => self.close_all(),
        }
        self.compare();
    }

    fn finish(&mut self) {
        self.close_all();
        self.compare();
        for _ in 0..3 {
            self.turn(0, 100, 100, false);
        }
        assert_eq!(self.waits, [], "waits that never completed");
        let watched = self.model.foreign.iter().find(|f| f.told != 0);
        assert!(watched.is_none(), "the host was not told to stop: {watched:?}");
        self.reactor.free().expect("it is closed and empty");
        for number in &self.numbers {
            if let Some(owner) = number.owner {
                assert!(number.is_closed(), "the descriptor of {owner} was left open");
            }
        }
    }

    fn count(&self, histogram: &mut Histogram) {
        histogram.add(&self.model.histogram);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = catch_unwind(AssertUnwindSafe(|| {
            self.tasks.clear();
            hosts::end(&self.reactor);
            for number in &mut self.numbers {
                if !number.is_closed() {
                    number.open = true;
                }
                number.close();
            }
        }));
    }
}

impl World {
    fn open(&mut self, what: u32, first: u32, period: u32) {
        let mut own = false;
        let mut number = None;
        let behind = match what % 7 {
            0 => {
                let of = first as usize % NUMBERS;
                if !self.numbers[of].open {
                    let answer = self.reactor.descriptor(self.numbers[of].fd, false);
                    assert_eq!(status(&answer), Some(Status::Os), "a number that is not open");
                    return;
                }
                // A descriptor that was taken by another file would close the wrong one.
                own = period == 3 && self.numbers[of].owner.is_none() && !self.numbers[of].replaced;
                number = Some(of);
                match self.host.watches {
                    true => Behind::Watched { handle: self.numbers[of].fd as u64, own },
                    false => Behind::Descriptor,
                }
            }
            1 => Behind::Flag,
            2 => Behind::Counter,
            kind @ (3 | 4) if self.host.gives_clock => {
                let on = |w: &Known, offset: u64| match w.behind {
                    Behind::Timer { first, .. } => first % GRID == offset,
                    _ => false,
                };
                let taken = |offset: u64| self.waitables.iter().any(|w| on(w, offset));
                let Some(offset) = (2..GRID).step_by(2).find(|offset| !taken(*offset)) else {
                    return;
                };
                let first = (self.model.now / GRID + u64::from(first)).saturating_sub(4) * GRID;
                let period = if kind == 3 { 0 } else { (u64::from(period) + 1) * GRID };
                Behind::Timer { first: first + offset, period }
            }
            3 | 5 => Behind::Level,
            _ => Behind::Once,
        };
        let handle = match behind {
            Behind::Watched { handle, .. } => handle,
            _ => 1 << 40 | u64::from(self.model.ids()),
        };
        let answer = match behind {
            Behind::Descriptor | Behind::Watched { .. } => {
                self.reactor.descriptor(self.numbers[number.expect("its number")].fd, own)
            }
            Behind::Flag => self.reactor.event(),
            Behind::Counter => self.reactor.counter(),
            Behind::Timer { first, period } => self.reactor.timer(Deadline::at(first), period),
            Behind::Level => self.reactor.foreign(handle, Watching::Level),
            _ => self.reactor.foreign(handle, Watching::Once),
        };
        let expected = if self.model.closed {
            Some(Status::Closed)
        } else {
            (self.waitables.len() as u32 >= self.host.waitables).then_some(Status::Limit)
        };
        if answer.as_ref().is_err_and(is_being_closed) {
            return hit(Count::Refused);
        }
        assert_eq!(status(&answer), expected, "opening {behind:?}");
        let Ok(token) = answer else { return hit(Count::Refused) };
        let id = self.model.open(behind, None);
        if let Some(of) = number {
            let number = &mut self.numbers[of];
            number.waitables.push(id);
            if own {
                number.owner = Some(id);
                hit(Count::Given);
            }
        }
        self.waitables.push(Known { id, token, behind, handle, number });
    }

    fn close(&mut self, at: usize) {
        let Known { id, token, number, .. } = self.waitables.remove(at);
        waitable_close(token).expect("it lived");
        self.model.close(id);
        if self.model.stops.iter().any(|stop| stop.waitable == id) {
            self.stopped.push((id, token));
        }
        if let Some(of) = number {
            let number = &mut self.numbers[of];
            match number.waitables.iter().position(|other| *other == id).expect("it was there") {
                0 => drop(number.waitables.swap_remove(0)),
                at => drop(number.waitables.remove(at)),
            }
            let owned = number.owner == Some(id);
            if number.waitables.is_empty() || owned {
                (number.watched, number.replaced) = (false, false);
            }
            if owned && !self.host.watches {
                number.owner = None;
                assert!(number.is_closed(), "a descriptor that was given away is open");
                (number.open, number.peer) = (false, None);
                self.end_number(of, End::Closed, 0);
            }
        }
        self.bury(token);
        self.outside();
    }

    /// Ends the waits for all waitables of a number.
    fn end_number(&mut self, of: usize, end: End, error: i32) {
        for id in self.numbers[of].waitables.clone() {
            self.model.end_waits(id, end, error);
        }
    }

    fn bury(&mut self, token: Token) {
        if self.dead.len() < 64 {
            self.dead.push(token);
        } else {
            self.dead[self.step as usize * 31 % 64] = token;
        }
    }

    /// A call outside of a turn tells the host what there is to do.
    fn outside(&mut self) {
        if self.host.mode != Mode::Owned && !self.host.turns_before_sleep {
            self.model.plan_changes();
        }
    }

    fn close_all(&mut self) {
        self.reactor.close().expect("its owner closes it");
        self.model.close_all();
        self.outside();
    }

    // ---- what happens -------------------------------------------------------------------------

    fn notify(&mut self, number: u32, what: u32) {
        let Some(at) = at(&self.waitables, number) else { return };
        let Known { id, token, behind, .. } = self.waitables[at];
        let what = (what & 63).max(1);
        let answer = notify(token, bits(what));
        if matches!(behind, Behind::Descriptor | Behind::Timer { .. }) {
            assert_eq!(status(&answer), Some(Status::Invalid), "what tells by itself");
            return;
        }
        answer.expect("it is notified");
        self.model.notify(id, what, 1);
        self.outside();
    }

    fn notify_elsewhere(&mut self, number: u32, what: u32) {
        let Some(at) = at(&self.waitables, number) else { return };
        let Known { token, behind, .. } = self.waitables[at];
        let what = (what & 63).max(1);
        let answer = self.helper.run(move || notify(token, bits(what)));
        if matches!(behind, Behind::Descriptor | Behind::Timer { .. }) {
            assert_eq!(status(&answer), Some(Status::Invalid), "what tells by itself");
            return hit(Count::ElsewhereRefused);
        }
        answer.expect("it is notified");
        self.noted(token, what);
    }

    fn noted(&mut self, token: Token, what: u32) {
        hit(Count::Elsewhere);
        let held = self.inbox.iter().position(|notice| notice.slot == slot(token));
        let at = held.unwrap_or(self.inbox.len());
        if held.is_none() {
            self.inbox.push(Notice { slot: slot(token), token, bits: 0, times: 0 });
        }
        let notice = &mut self.inbox[at];
        if notice.token != token {
            (notice.token, notice.bits, notice.times) = (token, 0, 0);
        }
        notice.bits |= what;
        notice.times += 1;
    }

    fn drain(&mut self) {
        for notice in std::mem::take(&mut self.inbox) {
            if let Some(w) = self.waitables.iter().find(|w| w.token == notice.token) {
                self.model.notify(w.id, notice.bits, notice.times);
            }
        }
    }

    fn take(&mut self, number: u32) {
        let Some(at) = at(&self.waitables, number) else { return };
        let Known { id, token, behind, .. } = self.waitables[at];
        if self.host.is_watched_for() && !self.inbox.is_empty() {
            // What that drains may end waits whose watch changes the next turn plans at its start or
            // at its end only, which is the thread's that watches to say.
            return;
        }
        let answer = waitable_take(token);
        match behind {
            Behind::Flag | Behind::Counter => self.drain(),
            Behind::Timer { .. } => {}
            _ => {
                assert_eq!(status(&answer), Some(Status::Unsupported), "nothing to take");
                return;
            }
        }
        hit(Count::Taken);
        assert_eq!(answer, Ok(self.model.take(id)), "what was taken");
    }

    /// The multishot waits for a number.
    fn multishots(&self, of: usize) -> Vec<u32> {
        let its = |w: &&Wait| {
            w.multishot
                && w.ended.is_none()
                && self.numbers[of].waitables.contains(&w.set[0].waitable)
        };
        self.model.waits.iter().filter(its).map(|w| w.id).collect()
    }

    fn act(&mut self, of: usize, what: u32) {
        let before = self.numbers[of].ready();
        self.numbers[of].act(what);
        let rising = self.numbers[of].ready() & !before;
        if self.numbers[of].watched && !self.numbers[of].replaced {
            for id in self.multishots(of) {
                *self.due.entry(id).or_default() |= rising;
            }
        }
    }

    fn replace(&mut self, of: usize, kind: u32, how: u32) {
        // A descriptor that was given away, or that the host watches, is not to be closed.
        if self.numbers[of].owner.is_some() || self.host.watches {
            return;
        }
        // Whether a set that asks no more of the number hears that it was lost depends on when the
        // selector was told to forget it.
        let partly = self.model.waits.iter().any(|wait| {
            let is = |m: &Member| self.numbers[of].waitables.contains(&m.waitable) && !wait.asks(m);
            wait.ended.is_none() && wait.set.iter().any(is)
        });
        if partly {
            return;
        }
        let number = &mut self.numbers[of];
        number.replaced |= number.watched && number.open;
        match how % 4 {
            2 if number.watched && number.open && self.ghosts.len() < 8 => {
                let asker = self.waitables.iter().position(|w| w.number == Some(of));
                let asker = asker.filter(|_| (self.waits.len() as u32) < self.host.waits);
                let ghost = asker.and_then(|_| number.ghost());
                number.close();
                number.fill(kind);
                if let (Some(at), Some(ghost)) = (asker, ghost) {
                    self.ghosts.push(ghost);
                    // The reactor finds out when it asks for the number.
                    self.arm(0, &[64 * at as u32 + READABLE], 1, 0, 1);
                }
            }
            3 => number.close(),
            _ => {
                number.close();
                number.fill(kind);
            }
        }
    }

    fn haunt(&mut self, times: u32) {
        if self.ghosts.is_empty() {
            return;
        }
        for _ in 0..times.min(24) {
            self.ghosts.iter().for_each(Ghost::haunt);
            self.turn(0, 100, 100, false);
            self.compare();
        }
    }

    fn advance(&mut self, by: u32) {
        let now = self.clock.max(self.model.now);
        let next = self.model.next_deadline();
        let near = next > now && next - now < 1 << 40;
        self.clock = match by {
            0 if near => next,
            1 if near => next - 1,
            _ => now + u64::from(by.max(2)) - 2,
        };
    }

    /// The host looks at the descriptors that it watches.
    fn report(&mut self, limit: u32) {
        let mut told = 0;
        for at in 0..self.model.foreign.len() {
            let f = &self.model.foreign[at];
            let Behind::Watched { handle, .. } = f.behind else { continue };
            let asked =
                f.told | HANGUP | ERROR | if f.told & READABLE != 0 { READ_CLOSED } else { 0 };
            let id = f.waitables[0];
            let number = self.numbers.iter().find(|n| n.fd as u64 == handle).expect("a number");
            let ready = number.ready() & asked;
            if f.told == 0 || ready == 0 || told == limit {
                continue;
            }
            told += 1;
            let token = self.waitables.iter().find(|w| w.id == id).expect("it lives").token;
            notify(token, bits(ready)).expect("it is told");
            self.model.notify(id, ready, 1);
            self.outside();
            hit(Count::Reported);
        }
    }

    fn stale(&mut self, number: u32, call: u32) {
        let Some(number) = at(&self.dead, number) else { return };
        let token = self.dead[number];
        let answer = match call % 7 {
            0 => wait_cancel(token),
            1 => wait_forget(token),
            2 => wait_rearm(token),
            3 => waitable_close(token),
            4 => notify(token, Readiness::READABLE),
            5 => self.helper.run(move || notify(token, Readiness::READABLE)),
            _ => waitable_take(token).map(drop),
        };
        assert_eq!(status(&answer), Some(Status::Stale), "call {call} of {token:?}");
        hit(Count::Stale);
    }

    // ---- what is compared after each step -----------------------------------------------------

    fn compare(&mut self) {
        let stats = self.reactor.stats().expect("its owner asks");
        assert_eq!(stats.waits, self.model.waits.len() as u64, "waits");
        assert_eq!(stats.waitables, self.model.waitables.len() as u64, "waitables");
        for handle in std::mem::take(&mut self.model.closable) {
            let number = self.numbers.iter_mut().find(|n| n.fd as u64 == handle).expect("a number");
            assert!(number.is_closed(), "a descriptor that was given away is open");
            (number.open, number.peer, number.owner) = (false, None, None);
        }
        self.compare_signals();
    }

    /// Whether a turn has work for sure, of which the host has to know.
    fn work(&mut self) -> Option<&'static str> {
        // A host that turns before it sleeps does so, too, where the turn before says that it should.
        let told = self.host.turns_before_sleep && self.raced && self.more;
        if (!self.inbox.is_empty() && !told) || self.stopping {
            return Some("what other threads did");
        }
        if !self.host.turns_before_sleep {
            if self.model.waits.iter().any(|w| w.queued.is_some()) {
                return Some("completions");
            }
            if self.model.has_changes() {
                return Some("watch changes");
            }
            if self.model.next_deadline() < self.reported {
                return Some("an earlier deadline");
            }
            if self.model.closed && self.model.waits.is_empty() {
                return Some("the end");
            }
        }
        let due = (0..NUMBERS).any(|of| self.is_certain(of, self.numbers[of].ready()));
        due.then_some("descriptors")
    }

    fn compare_signals(&mut self) {
        match self.host.mode {
            Mode::Owned => {}
            Mode::Nested => {
                let fd = self.reactor.fd().expect("it is nested");
                if let Some(work) = self.work() {
                    assert!(is_readable(fd, 0), "{work}, and the descriptor is not readable");
                    hit(Count::WorkSignalled);
                } else {
                    let readable = is_readable(fd, 0);
                    hit(if readable { Count::ReadableInVain } else { Count::NotReadable });
                }
            }
            Mode::Delegated => {
                let work = self.work();
                if work == Some("descriptors") {
                    self.barrier.as_ref().expect("somebody watches").pass();
                }
                let calls = self.calls.load(Ordering::SeqCst) - self.calls_before;
                assert!(
                    calls < 2 + u64::from(self.raced),
                    "the wake hook was called twice between two turns"
                );
                if let Some(work) = work {
                    assert!(calls > 0, "{work}, and the wake hook was not called");
                    hit(Count::WorkSignalled);
                }
                add(Count::HookCalls, calls);
            }
        }
    }

    fn poll(&mut self, at: usize) -> Option<Observed> {
        let task = &mut self.tasks[at];
        let waker = Arc::clone(&task.woken).into();
        let mut context = std::task::Context::from_waker(&waker);
        let std::task::Poll::Ready(done) = task.future.as_mut().poll(&mut context) else {
            return None;
        };
        let members =
            task.future.members().iter().map(|m| (m.index, m.waitable, m.ready.bits())).collect();
        Some(Observed { completion: done.expect("a future that began"), members })
    }
}
