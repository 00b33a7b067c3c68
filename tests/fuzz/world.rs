//! What was called so far, and what may be expected of it.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use awsgi::ffi::*;

use super::descriptors::Descriptor;
use super::exchanges::{Exchange, Gateway};
use super::reactors::Hook;

/// What has a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Lives,
    /// Its end is under way, or not ours to know.
    Perhaps,
    Gone,
}

pub struct Reactor {
    pub pointer: usize,
    pub mode: u32,
    pub flags: u32,
    /// A limit is low enough to be met.
    pub limited: bool,
    pub freed: bool,
    pub closing: bool,
    /// Its last turn left something to do.
    pub more: bool,
    /// The thread that owns it; `None` after release.
    pub owner: Option<u8>,
    /// The time, where its host gives it, and what the turn that is under way was given.
    pub clock: u64,
    pub given: u64,
    /// Steps ran in its last turn.
    pub stepped: bool,
    pub hook: Box<Hook>,
    /// Another thread may have had it call the hook again since its last turn.
    pub noisy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Descriptor(i32),
    Event { counter: bool },
    Timer,
    Foreign { handle: u64, flags: u32 },
    Exchange,
}

pub struct Waitable {
    pub token: u64,
    pub reactor: usize,
    pub source: Source,
    pub life: Life,
    /// The exchange whose code made it.
    pub maker: Option<usize>,
    /// It closes its descriptor.
    pub owns: bool,
    /// How often an event or a counter was notified since it was taken; `None` if another thread
    /// or a hook did.
    pub notified: Option<u64>,
    /// What the host was last told to watch it for.
    pub watched: u32,
    /// The host has reported it since, with a call that takes the report at once.
    pub reported: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitState {
    UnderWay,
    Completed,
    Forgotten,
}

pub struct Wait {
    /// 0 if the token was not asked for.
    pub token: u64,
    pub reactor: usize,
    /// The exchange that it resumes; `None`: the host's.
    pub exchange: Option<usize>,
    pub set: Vec<awsgi_watch>,
    pub at_least: u32,
    pub multishot: bool,
    pub deadline: u64,
    pub cancelled: bool,
    /// Its token is void, and its completion on the way to the step that it resumes.
    pub resumes: bool,
    pub state: WaitState,
}

#[derive(Default)]
pub struct World {
    bytes: Vec<u8>,
    at: usize,
    pub reactors: Vec<Reactor>,
    pub waitables: Vec<Waitable>,
    pub waits: Vec<Wait>,
    pub exchanges: Vec<Exchange>,
    pub gateways: Vec<Gateway>,
    pub descriptors: Vec<Descriptor>,
    /// Every token that was handed out, of any kind.
    pub tokens: Vec<u64>,
    pub waitable_of: HashMap<u64, usize>,
    pub wait_of: HashMap<u64, usize>,
    /// A call met an object whose token was guessed: the counts are not to be relied on.
    pub guessed: bool,
    /// The second thread notifies at this moment.
    pub notifying: bool,
    /// The steps that run, innermost last: reactor and exchange.
    pub steps: Vec<(usize, usize)>,
    /// The reactors that are being turned, innermost last.
    pub turning: Vec<usize>,
}

impl Reactor {
    /// A turn takes the time that it was given before it does anything else.
    pub fn takes_clock(&mut self) {
        self.clock = self.clock.max(self.given.min(u64::MAX - 1));
    }
}

impl World {
    pub fn exhausted(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The living reactor at an address.
    pub fn reactor_at(&self, pointer: usize) -> Option<usize> {
        self.reactors.iter().position(|reactor| !reactor.freed && reactor.pointer == pointer)
    }

    /// Whether this thread owns the reactor.
    pub fn owned(&self, reactor: usize) -> bool {
        self.reactors[reactor].owner == Some(thread())
    }

    /// The exchange whose step runs on a reactor, if one does.
    pub fn step_on(&self, reactor: usize) -> Option<usize> {
        self.steps.iter().rev().find(|(on, _)| *on == reactor).map(|(_, exchange)| *exchange)
    }

    pub fn waitable(&mut self, token: u64) -> Option<&mut Waitable> {
        let at = *self.waitable_of.get(&token)?;
        Some(&mut self.waitables[at])
    }

    pub fn wait(&mut self, token: u64) -> Option<&mut Wait> {
        let at = *self.wait_of.get(&token)?;
        Some(&mut self.waits[at])
    }

    pub fn add_waitable(&mut self, token: u64, reactor: usize, source: Source) {
        let maker = self.step_on(reactor);
        let fresh = self.waitable_of.insert(token, self.waitables.len()).is_none();
        assert!(fresh && token != 0, "the token {token:#x} was given twice");
        self.tokens.push(token);
        super::check::trace_in(self, || format!("{token:#x}: {source:?} of reactor {reactor}"));
        let life = Life::Lives;
        self.waitables.push(Waitable {
            token,
            reactor,
            source,
            life,
            maker,
            owns: false,
            notified: Some(0),
            watched: 0,
            reported: false,
        });
    }

    /// Waits of the host's that are under way on a reactor.
    pub fn under_way(&self, reactor: usize) -> usize {
        let counts = |wait: &&Wait| {
            wait.reactor == reactor && wait.exchange.is_none() && wait.state == WaitState::UnderWay
        };
        self.waits.iter().filter(counts).count()
    }
}

static WORLD: Mutex<Option<World>> = Mutex::new(None);

thread_local! {
    static THREAD: Cell<u8> = const { Cell::new(0) };
}

/// The number of this thread.
pub fn thread() -> u8 {
    THREAD.get()
}

pub fn name_thread(number: u8) {
    THREAD.set(number);
}

/// Looks at the world. Never across a call of the library, which may call back.
pub fn world<R>(f: impl FnOnce(&mut World) -> R) -> R {
    let mut world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    f(world.as_mut().expect("no sequence runs"))
}

pub fn begin(bytes: &[u8]) {
    let world = World { bytes: bytes.to_vec(), ..World::default() };
    *WORLD.lock().unwrap_or_else(PoisonError::into_inner) = Some(world);
}

/// From here on every choice is 0.
pub fn silence() {
    world(|world| world.at = world.bytes.len());
}

pub fn end() {
    *WORLD.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// The next byte; 0 when there are no more.
pub fn byte() -> u8 {
    world(|world| {
        let byte = world.bytes.get(world.at).copied().unwrap_or(0);
        world.at += 1;
        byte
    })
}

/// A number below `count`.
pub fn pick(count: usize) -> usize {
    usize::from(byte()) % count.max(1)
}

/// One of several.
pub fn one_of<T: Copy>(choices: &[T]) -> T {
    choices[pick(choices.len())]
}

/// True once in so many bytes, and never when there are none left.
pub fn rarely(times: u8) -> bool {
    byte() % times == times - 1
}

pub fn word() -> u64 {
    u64::from_le_bytes(std::array::from_fn(|_| byte()))
}

/// A token: mostly one that was handed out, of any kind and age; also what never was one.
pub fn token() -> u64 {
    let kind = byte();
    let last = |count: usize, get: fn(&World, usize) -> u64| {
        let back = usize::from(kind >> 3);
        world(|world| {
            let tokens = match count {
                0 => world.waitables.len(),
                1 => world.waits.len(),
                _ => world.tokens.len(),
            };
            if tokens == 0 { 0 } else { get(world, tokens - 1 - back % tokens) }
        })
    };
    match kind % 8 {
        0..=2 => last(0, |world, at| world.waitables[at].token),
        3..=4 => last(1, |world, at| world.waits[at].token),
        5 => last(2, |world, at| world.tokens[at]),
        6 => {
            let near = last(2, |world, at| world.tokens[at]);
            near ^ 1 << (byte() % 64)
        }
        _ => one_of(&[0, 1, u64::MAX, 1 << 60, 2 << 60, 3 << 60, (1 << 60) - 1, 15 << 60]),
    }
}

/// The token of a waitable, as far as there is one.
pub fn waitable_token() -> u64 {
    let choice = byte();
    if choice >= 0xf0 {
        return token();
    }
    world(|world| match world.waitables.len() {
        0 => 0,
        count => world.waitables[count - 1 - usize::from(choice) % count].token,
    })
}

/// A pointer to a reactor: mostly a living one; also a freed one, NULL, and what never was one.
pub fn reactor_pointer() -> *mut awsgi_reactor {
    let choice = byte();
    let pointer = world(|world| match choice {
        0xff => 0,
        0xfe => 64,
        0xfd => world.reactors.last().map_or(8, |reactor| reactor.pointer + 8),
        0xe0.. => match world.reactors.len() {
            0 => 0,
            count => world.reactors[count - 1 - usize::from(choice) % count].pointer,
        },
        _ => {
            let living: Vec<usize> = world
                .reactors
                .iter()
                .filter(|reactor| !reactor.freed)
                .map(|reactor| reactor.pointer)
                .collect();
            match living.len() {
                0 => 0,
                count => living[usize::from(choice) % count],
            }
        }
    });
    pointer as *mut awsgi_reactor
}

/// The monotonic clock, or what the host of this reactor said last.
pub fn now(reactor: *mut awsgi_reactor) -> u64 {
    let clock = world(|world| {
        world.reactor_at(reactor as usize).and_then(|at| {
            let reactor = &world.reactors[at];
            (reactor.flags & AWSGI_HOST_GIVES_CLOCK != 0).then_some(reactor.clock)
        })
    });
    clock.unwrap_or_else(|| {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the place lives through the call.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    })
}

/// A deadline: past, soon, late, never.
pub fn deadline(reactor: *mut awsgi_reactor) -> u64 {
    match byte() % 12 {
        0 => AWSGI_FOREVER,
        1 => AWSGI_NOW,
        2 => 1,
        3 => now(reactor),
        4 => now(reactor).saturating_sub(1),
        5 => now(reactor).saturating_add(1_000),
        6 => now(reactor).saturating_add(100_000),
        7 => now(reactor).saturating_add(1_000_000_000),
        8 => u64::MAX - 1,
        9 => 1 << 63,
        10 => u64::from(byte()),
        _ => now(reactor).saturating_add(u64::from(byte()) << 10),
    }
}
