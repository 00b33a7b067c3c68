//! Random operations on waits, waitables, exchanges and pool threads, replayed by their seed:
//! `AWSGI_SEED=n cargo test --test stress`. What is promised is checked as it goes.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use awsgi::gateway::{
    Application, Exchange, Gateway, GatewayOptions, Request, Run, Step, Style, Taken, Worker,
};
use awsgi::{
    Completion, Deadline, Error, Mode, Outcome, Reactor, ReactorOptions, Readiness, Status, Token,
    Turn, WaitSpec, Watch, notify, wait_cancel, wait_forget, waitable_close, waitable_take,
};

/// Everything that a seed decides.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.below(from.len())]) }
    }
}

/// The seeds to run: one by hand, or so many of the tests' own.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("AWSGI_SEED") {
        Ok(seed) => vec![seed.parse().expect("AWSGI_SEED is a number")],
        Err(_) => (1..=count).collect(),
    }
}

/// Says which seed to run again if a check fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("again with AWSGI_SEED={}", self.0);
        }
    }
}

const INTERESTS: [Readiness; 3] =
    [Readiness::READABLE, Readiness::WRITABLE, Readiness::READ_CLOSED];

// ---- waits ------------------------------------------------------------------------------------

/// Waits of one host, and what is known of each.
struct Waits {
    reactor: Reactor,
    random: Random,
    events: Vec<Token>,
    descriptors: Vec<(Token, usize)>,
    pairs: Vec<(UnixStream, UnixStream)>,
    /// By user_data: the token, the deadline and the set.
    open: HashMap<u64, (Token, u64, Vec<Watch>)>,
    next: u64,
}

impl Waits {
    fn start(&mut self) {
        let mut set = Vec::new();
        for _ in 0..self.random.below(4) {
            let waitable = if self.random.chance(50) {
                self.random.pick(&self.events)
            } else {
                self.random.pick(&self.descriptors).map(|(waitable, _)| waitable)
            };
            let Some(waitable) = waitable else { continue };
            if set.iter().all(|watch: &Watch| watch.waitable != waitable) {
                let interest = self.random.pick(&INTERESTS).unwrap();
                set.push(Watch { waitable, interest });
            }
        }
        let deadline = match self.random.below(4) {
            0 if !set.is_empty() => u64::MAX,
            1 => 0,
            _ => self.reactor.now().unwrap() + self.random.next() % 2_000_000,
        };
        let user_data = self.next;
        self.next += 1;
        let spec = WaitSpec::any(&set).until(Deadline::at(deadline)).user_data(user_data);
        let wait = self.reactor.wait_start(&spec).unwrap();
        assert!(self.open.insert(user_data, (wait, deadline, set)).is_none());
    }

    fn any_open(&mut self) -> Option<(u64, Token)> {
        let mut open: Vec<(u64, Token)> =
            self.open.iter().map(|(key, wait)| (*key, wait.0)).collect();
        open.sort_by_key(|(key, _)| *key);
        self.random.pick(&open)
    }

    fn act(&mut self) {
        match self.random.below(16) {
            0..=4 => self.start(),
            5 => {
                if let Some((_, wait)) = self.any_open() {
                    wait_cancel(wait).unwrap();
                }
            }
            6 => {
                if let Some((key, wait)) = self.any_open() {
                    wait_forget(wait).unwrap();
                    self.open.remove(&key);
                    assert_eq!(wait_cancel(wait).unwrap_err().status(), Status::Stale);
                }
            }
            7 | 8 => {
                if let Some(event) = self.random.pick(&self.events) {
                    notify(event, Readiness::READABLE).unwrap();
                }
            }
            9 => {
                if let Some(event) = self.random.pick(&self.events) {
                    assert!(waitable_take(event).unwrap() <= 1);
                }
            }
            10 if self.events.len() < 8 => self.events.push(self.reactor.event().unwrap()),
            10 => {
                let at = self.random.below(self.events.len());
                let event = self.events.swap_remove(at);
                waitable_close(event).unwrap();
                assert_eq!(notify(event, Readiness::READABLE).unwrap_err().status(), Status::Stale);
            }
            // Several waitables on one descriptor, and closed in any order.
            11 if self.descriptors.len() < 16 => {
                let pair = self.random.below(self.pairs.len());
                let fd = self.pairs[pair].0.as_raw_fd();
                self.descriptors.push((self.reactor.descriptor(fd, false).unwrap(), pair));
            }
            11 => {
                let at = self.random.below(self.descriptors.len());
                waitable_close(self.descriptors.swap_remove(at).0).unwrap();
            }
            12 | 13 => {
                let pair = self.random.below(self.pairs.len());
                let _ = self.pairs[pair].1.write(b"x");
            }
            14 => {
                let pair = self.random.below(self.pairs.len());
                let _ = self.pairs[pair].0.read(&mut [0; 64]);
            }
            // The file behind a number changes while it is waited for.
            _ => {
                let pair = self.random.below(self.pairs.len());
                let at_number = |(_, of): &(Token, usize)| *of == pair;
                for (waitable, _) in self.descriptors.extract_if_at(at_number) {
                    waitable_close(waitable).unwrap();
                }
                self.pairs[pair] = non_blocking_pair();
            }
        }
    }

    fn turn(&mut self) {
        let turn = Turn {
            deadline: Deadline::NOW,
            budget: self.random.below(5) as u32,
            capacity: self.random.below(6),
            ..Turn::default()
        };
        let mut done = Vec::new();
        let report = self.reactor.turn(&turn, |completion| done.push(completion)).unwrap();
        assert_eq!(report.completions, done.len());
        assert!(done.len() <= turn.capacity);
        for done in done {
            self.completed(done);
        }
    }

    fn completed(&mut self, done: Completion) {
        let (wait, deadline, set) =
            self.open.remove(&done.user_data).expect("a wait completes once, and not forgotten");
        assert_eq!(wait, done.wait);
        match done.outcome {
            Outcome::Ready => {
                let watch = set[done.index as usize];
                let mut may = watch.interest | Readiness::HANGUP | Readiness::ERROR;
                if watch.interest.contains(Readiness::READABLE) {
                    may |= Readiness::READ_CLOSED;
                }
                assert!(may.contains(done.ready) && !done.ready.is_empty(), "{done:?}");
            }
            Outcome::TimedOut => assert!(self.reactor.now().unwrap() >= deadline, "too early"),
            Outcome::Cancelled | Outcome::Closed => {}
            Outcome::Failed => panic!("{done:?}"),
        }
        assert_eq!(wait_cancel(done.wait).unwrap_err().status(), Status::Stale);
    }

    /// Everything is taken, and what poll(2) calls ready has been told.
    fn settle(&mut self) {
        let mut done = Vec::new();
        while self.reactor.turn(&Turn::default(), |completion| done.push(completion)).unwrap().more
        {
        }
        for done in done {
            self.completed(done);
        }
        for (_, _, set) in self.open.values() {
            for watch in set {
                let Some((_, pair)) = self.descriptors.iter().find(|(at, _)| *at == watch.waitable)
                else {
                    continue;
                };
                let fd = self.pairs[*pair].0.as_raw_fd();
                assert!(!polls(fd, watch.interest), "{watch:?} is ready and was not told");
            }
        }
    }
}

/// What `extract_if` will be once the oldest compiler has it.
trait ExtractAt<T> {
    fn extract_if_at(&mut self, which: impl FnMut(&T) -> bool) -> Vec<T>;
}

impl<T> ExtractAt<T> for Vec<T> {
    fn extract_if_at(&mut self, which: impl FnMut(&T) -> bool) -> Vec<T> {
        let (out, kept) = std::mem::take(self).into_iter().partition(which);
        *self = kept;
        out
    }
}

fn non_blocking_pair() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (a, b)
}

/// Whether poll(2) calls a descriptor ready for an interest.
fn polls(fd: i32, interest: Readiness) -> bool {
    let events = if interest.contains(Readiness::READABLE) {
        libc::POLLIN
    } else if interest.contains(Readiness::WRITABLE) {
        libc::POLLOUT
    } else {
        libc::POLLRDHUP
    };
    let mut entry = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one pollfd that lives through the call.
    unsafe { libc::poll(&mut entry, 1, 0) == 1 }
}

#[test]
fn every_wait_completes_once_whatever_is_done() {
    for seed in seeds(60) {
        let _seed = Seed(seed);
        let mut random = Random(seed);
        let mode = if random.chance(50) { Mode::Nested } else { Mode::Owned };
        let reactor = Reactor::new(&ReactorOptions { mode, ..Default::default() }).unwrap();
        let pairs = (0..4).map(|_| non_blocking_pair()).collect();
        let mut waits = Waits {
            reactor,
            random,
            events: Vec::new(),
            descriptors: Vec::new(),
            pairs,
            open: HashMap::new(),
            next: 0,
        };
        for _ in 0..300 {
            waits.act();
            if waits.random.chance(30) {
                waits.turn();
            }
            if waits.random.chance(5) {
                waits.settle();
            }
        }
        waits.reactor.close().unwrap();
        loop {
            let mut done = Vec::new();
            let turn = Turn { capacity: 3, ..Default::default() };
            let report = waits.reactor.turn(&turn, |completion| done.push(completion)).unwrap();
            for done in done {
                waits.completed(done);
            }
            if report.closed {
                break;
            }
        }
        assert!(waits.open.is_empty(), "a wait never completed");
        waits.reactor.free().unwrap();
    }
}

// ---- exchanges --------------------------------------------------------------------------------

/// Counts of what has to come in pairs.
#[derive(Default)]
struct Counts {
    opened: AtomicU64,
    closed: AtomicU64,
    workers: AtomicU64,
}

struct Wild(Style, u64, Arc<Counts>);

impl Application for Wild {
    fn name(&self) -> &str {
        "wild"
    }
    fn style(&self) -> Style {
        self.0
    }
    fn worker(&self, reactor: &Reactor) -> awsgi::Result<Box<dyn Worker>> {
        self.2.workers.fetch_add(1, Ordering::SeqCst);
        let shared = [reactor.event()?, reactor.event()?];
        Ok(Box::new(WildWorker(self.0, AtomicU64::new(self.1), shared, self.2.clone())))
    }
}

struct WildWorker(Style, AtomicU64, [Token; 2], Arc<Counts>);

impl Worker for WildWorker {
    fn open(&self) -> Box<dyn Run> {
        self.3.opened.fetch_add(1, Ordering::SeqCst);
        let seed = self.1.fetch_add(1, Ordering::SeqCst);
        let random = Random(seed.wrapping_mul(977));
        Box::new(WildRun {
            style: self.0,
            random,
            shared: self.2,
            counts: self.3.clone(),
            busy: AtomicBool::new(false),
        })
    }
}

impl Drop for WildWorker {
    fn drop(&mut self) {
        for event in self.2 {
            waitable_close(event).unwrap();
        }
        self.3.workers.fetch_sub(1, Ordering::SeqCst);
    }
}

struct WildRun {
    style: Style,
    random: Random,
    shared: [Token; 2],
    counts: Arc<Counts>,
    busy: AtomicBool,
}

impl WildRun {
    fn set(&mut self, exchange: Exchange) -> awsgi::Result<Vec<Watch>> {
        let mut set = Vec::new();
        if self.random.chance(50) {
            let interest = self.random.pick(&INTERESTS[..2]).unwrap();
            set.push(Watch { waitable: exchange.waitable()?, interest });
        }
        if self.random.chance(40) {
            let waitable = self.random.pick(&self.shared).unwrap();
            set.push(Watch { waitable, interest: Readiness::READABLE });
        }
        if self.random.chance(20) {
            let waitable = exchange.reactor()?.event()?;
            if self.random.chance(50) {
                notify(waitable, Readiness::READABLE)?;
            }
            set.push(Watch { waitable, interest: Readiness::READABLE });
        }
        Ok(set)
    }

    fn go(&mut self, exchange: Exchange) -> awsgi::Result<Option<Step>> {
        match self.random.below(12) {
            0 => exchange.start(200, &[(b"x", b"y")])?,
            1 | 2 => {
                let len = self.random.below(3000);
                exchange.write(&vec![b'a'; len])?;
            }
            3 => {
                exchange.read(&mut [0; 50])?;
            }
            4 | 5 => {
                let set = self.set(exchange)?;
                let until = exchange.reactor()?.now()? + self.random.next() % 1_000_000;
                let spec = WaitSpec::any(&set).until(Deadline::at(until));
                match self.style {
                    Style::Steps => {
                        let wait = exchange.wait(&spec)?;
                        if self.random.chance(10) {
                            wait_cancel(wait)?;
                        }
                        if self.random.chance(90) {
                            return Ok(Some(Step::Suspend));
                        }
                        wait_forget(wait)?;
                    }
                    Style::Blocking => {
                        exchange.wait_in_place(&spec)?;
                    }
                }
            }
            6 => notify(self.shared[0], Readiness::READABLE)?,
            7 => {
                waitable_take(self.shared[self.random.clone().below(2)])?;
            }
            8 if self.style == Style::Steps => {
                return Ok(Some([Step::Yield, Step::Suspend][self.random.below(2)].copy()));
            }
            9 if self.random.chance(10) => panic!("on purpose"),
            10 => return Ok(Some(Step::Done)),
            11 if self.random.chance(10) => {
                return Ok(Some(Step::Failed(Error::new(Status::State, "on purpose"))));
            }
            _ => {}
        }
        Ok(None)
    }
}

trait CopyStep {
    fn copy(&self) -> Step;
}

impl CopyStep for Step {
    fn copy(&self) -> Step {
        match self {
            Step::Yield => Step::Yield,
            _ => Step::Suspend,
        }
    }
}

impl Run for WildRun {
    fn run(&mut self, exchange: Exchange, _: &[Completion]) -> Step {
        assert!(!self.busy.swap(true, Ordering::SeqCst), "run by two threads at once");
        let step = loop {
            match self.go(exchange) {
                Ok(Some(step)) => break step,
                Ok(None) => {}
                Err(error) => match error.status() {
                    Status::Again | Status::State | Status::Limit => {}
                    Status::Closed => break Step::Failed(error),
                    _ => panic!("{error}"),
                },
            }
        };
        self.busy.store(false, Ordering::SeqCst);
        step
    }
    fn close(self: Box<Self>, exchange: Exchange) {
        self.counts.closed.fetch_add(1, Ordering::SeqCst);
        // Nothing of it is stale yet.
        exchange.environ(b"PATH_INFO", |path| assert!(path.is_some())).unwrap();
    }
}

/// What the host knows of an exchange.
struct Known {
    exchange: Exchange,
    last: bool,
    taken: usize,
    head: bool,
}

fn request(user_data: u64, body: bool) -> Request<'static> {
    Request {
        method: b"POST",
        target: b"/",
        protocol: b"HTTP/1.1",
        scheme: b"http",
        remote_addr: b"",
        remote_port: 0,
        server_name: b"",
        server_port: 0,
        headers: &[],
        content_length: None,
        body,
        user_data,
    }
}

fn exchanges_of(style: Style, seed: u64) {
    let _seed = Seed(seed);
    let mut random = Random(seed);
    let mode = if random.chance(50) { Mode::Nested } else { Mode::Owned };
    let reactor = Reactor::new(&ReactorOptions { mode, ..Default::default() }).unwrap();
    let counts = Arc::new(Counts::default());
    let options = GatewayOptions {
        max_waits_per_exchange: 4,
        input_buffer: 64,
        output_buffer: 1024,
        pool_threads: 1 + random.below(4) as u32,
        ..Default::default()
    };
    let app = Arc::new(Wild(style, seed.wrapping_mul(31), counts.clone()));
    let gateway = Gateway::new(&reactor, app, &options).unwrap();
    let mut known: HashMap<u64, Known> = HashMap::new();
    let mut next = 0;
    let rounds = 250;
    let over = std::time::Instant::now() + std::time::Duration::from_secs(60);
    for round in 0.. {
        assert!(std::time::Instant::now() < over, "it hangs: {} are left", known.len());
        let closing = round >= rounds;
        if round == rounds {
            gateway.close(if random.chance(50) { 0 } else { 3_000_000 }).unwrap();
            if random.chance(50) {
                reactor.close().unwrap();
            }
        }
        if !closing && known.len() < 12 && random.chance(50) {
            let body = random.chance(50);
            let exchange = gateway.open(&request(next, body)).unwrap();
            known.insert(next, Known { exchange, last: false, taken: 0, head: false });
            next += 1;
        }
        let mut keys: Vec<u64> = known.keys().copied().collect();
        keys.sort_unstable();
        if let Some(key) = random.pick(&keys) {
            let known_of = known.get_mut(&key).unwrap();
            let exchange = known_of.exchange;
            let ended = match random.below(40) {
                0 => true,
                1 => {
                    exchange.gone().unwrap();
                    false
                }
                2 => {
                    exchange.fail(408).unwrap();
                    false
                }
                3..=10 => {
                    let mut bytes = &[1; 40][..random.below(40)];
                    match exchange.feed(&mut bytes, random.chance(20)) {
                        Ok(_) => {}
                        Err(error) => {
                            assert!(matches!(error.status(), Status::Closed | Status::State));
                        }
                    }
                    false
                }
                11..=30 => {
                    known_of.head |= exchange.head().is_ok();
                    if known_of.head {
                        if let Taken::Data(bytes) = exchange.take().unwrap() {
                            known_of.taken += bytes.len();
                        }
                    }
                    let sent = random.below(known_of.taken + 1);
                    exchange.sent(sent).unwrap();
                    known_of.taken -= sent;
                    false
                }
                _ => known_of.last,
            };
            if ended || (closing && known_of.last) {
                exchange.end().unwrap();
                assert_eq!(
                    exchange.feed(&mut &b"x"[..], true).unwrap_err().status(),
                    Status::Stale
                );
                known.remove(&key);
            }
        }
        let deadline = if mode == Mode::Owned && closing {
            Deadline::at(reactor.now().unwrap() + 1_000_000)
        } else {
            Deadline::NOW
        };
        let turn = Turn {
            deadline,
            budget: random.below(8) as u32,
            capacity: random.below(5),
            ..Turn::default()
        };
        let mut done = Vec::new();
        reactor.turn(&turn, |completion| done.push(completion)).unwrap();
        for done in done {
            let known = known.get_mut(&done.user_data).expect("told of what the host has ended");
            assert_eq!(known.exchange.token(), done.wait);
            assert!(!known.last, "told after the last");
            known.last = !done.more;
            assert_eq!(known.last, done.ready.intersects(Readiness::END | Readiness::ABORT));
        }
        if closing && known.is_empty() && gateway.exchanges().unwrap() == 0 {
            break;
        }
    }
    let opened = counts.opened.load(Ordering::SeqCst);
    assert_eq!(opened, next);
    assert_eq!(counts.closed.load(Ordering::SeqCst), opened, "close runs once an exchange");
    gateway.free().unwrap();
    assert_eq!(counts.workers.load(Ordering::SeqCst), 0);
    reactor.close().unwrap();
    while !reactor.turn(&Turn::default(), |_| ()).unwrap().closed {}
    reactor.free().unwrap();
}

#[test]
fn steps_end_as_they_must_whatever_host_and_application_do() {
    quietly(|| seeds(60).into_iter().for_each(|seed| exchanges_of(Style::Steps, seed)));
}

#[test]
fn blocking_applications_end_as_they_must_whatever_host_and_application_do() {
    quietly(|| seeds(30).into_iter().for_each(|seed| exchanges_of(Style::Blocking, seed)));
}

/// Without a word of the panics that are on purpose.
fn quietly(body: impl FnOnce()) {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&"on purpose") {
                usual(info);
            }
        }));
    });
    body();
}

// ---- threads ----------------------------------------------------------------------------------

#[test]
fn threads_may_notify_while_reactors_come_and_go() {
    let tokens: Mutex<Vec<Token>> = Mutex::new(Vec::new());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let tokens = tokens.lock().unwrap().clone();
                    for token in tokens {
                        match notify(token, Readiness::READABLE) {
                            Ok(()) => {}
                            Err(error) => assert_eq!(error.status(), Status::Stale),
                        }
                    }
                }
            });
        }
        for seed in 1..=150 {
            let mut random = Random(seed);
            let mode = if random.chance(50) { Mode::Nested } else { Mode::Owned };
            let reactor = Reactor::new(&ReactorOptions { mode, ..Default::default() }).unwrap();
            let events: Vec<Token> = (0..4).map(|_| reactor.event().unwrap()).collect();
            *tokens.lock().unwrap() = events.clone();
            for event in &events {
                let set = [Watch { waitable: *event, interest: Readiness::READABLE }];
                reactor.wait_start(&WaitSpec::any(&set)).unwrap();
            }
            let mut left = events.len();
            while left > 0 {
                let until = Deadline::at(reactor.now().unwrap() + 20_000_000_000);
                if mode == Mode::Nested {
                    let fd = reactor.fd().unwrap();
                    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
                    // SAFETY: one pollfd that lives through the call.
                    let ready = unsafe { libc::poll(&mut entry, 1, 20_000) };
                    assert_eq!(ready, 1, "a notice woke nobody");
                }
                let turn = Turn { deadline: until, ..Default::default() };
                let report = reactor.turn(&turn, |_| ()).unwrap();
                left -= report.completions;
                assert!(reactor.now().unwrap() < until.nanoseconds(), "a notice woke nobody");
            }
            // Freed while the threads go on.
            reactor.close().unwrap();
            while !reactor.turn(&Turn::default(), |_| ()).unwrap().closed {}
            reactor.free().unwrap();
        }
        over.store(true, Ordering::SeqCst);
    });
}
