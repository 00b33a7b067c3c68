//! One simulated life: applies operations to the subject and to the model, and compares.

mod compare;
mod ends;
mod happenings;
mod objects;
mod turns;
mod waits;

use crate::generator::{Generator, Random};
use crate::histogram::{Histogram, Seen};
use crate::model::Model;
use crate::model::words::*;
use crate::operation::Op;
use crate::run::Life;
use crate::subject::{
    Answer, Ask, Class, Delivered, How, Limits, Refusal, Subject, Told as Change, Whose,
};
use crate::tokens::{Held, Named, Tokens, slot};

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
    model: Model,
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

/// So many operations make a life: few enough to be made small, many enough to meet.
const LIFE: u64 = 2_500;

/// One life in so many is long, and has many waits, for what is different where there are many.
const LONG: u64 = 48;

fn is_long(seed: u64) -> bool {
    seed % LONG == 0
}

/// What a seed decides apart from its operations.
fn limits(seed: u64) -> Limits {
    let (waitables, waits) = match Random::new(!seed).below(8) {
        _ if is_long(seed) => (30, 500),
        0 => (24, 80),
        1 => (4, 8),
        _ => (12, 24),
    };
    Limits { waitables, waits }
}

impl<S: Subject> Life for World<S> {
    type Op = Op;
    type Source = Generator;

    fn length(seed: u64) -> u64 {
        if is_long(seed) { 8 * LIFE } else { LIFE }
    }

    fn begin(seed: u64) -> World<S> {
        World::new(limits(seed))
    }

    fn source(seed: u64) -> Generator {
        Generator::new(seed, is_long(seed))
    }

    fn next(&self, source: &mut Generator) -> Op {
        source.next(self.model.closed)
    }

    fn apply(&mut self, op: &Op) {
        self.do_both(op);
    }

    fn finish(&mut self) {
        self.end();
    }

    fn count(&self, histogram: &mut Histogram) {
        histogram.add(&self.model.histogram);
        for _ in 0..self.tokens.reused {
            histogram.hit(Seen::SlotReused);
        }
    }
}

impl<S: Subject> World<S> {
    fn new(limits: Limits) -> World<S> {
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
    fn do_both(&mut self, op: &Op) {
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
}
