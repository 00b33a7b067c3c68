//! What a reactor number stands for, and the numbers.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::future::Dropped;
use super::state::State;
use crate::core::slots::{Slots, stale};
use crate::core::{MAX_REACTORS, Readiness, Token};
use crate::error::{Error, Result, Status};
use crate::sources::owner::OwnerCell;
use crate::sources::signal::Signal;
use crate::sources::{clock, fork};

/// What a reactor number stands for, for as long as the process lives: tokens reach their slots
/// through it, also after the reactor is gone.
pub(crate) struct ReactorCell {
    pub(super) number: u16,
    pub(super) slots: Slots,
    pub(super) signal: Signal,
    pub(super) stop: AtomicBool,
    /// A reactor has this number.
    pub(super) live: AtomicBool,
    pub(super) forks: AtomicU32,
    /// Which reactor of this number it is: tells a handle that outlived its own from one of the next.
    pub(super) life: AtomicU32,
    /// Futures that were dropped where the state could not be reached; the next turn ends them.
    pub(super) dropped: Dropped,
    /// What the host said last that the time is, where the host's clock counts; else NO_CLOCK.
    host_clock: AtomicU64,
    pub(super) state: OwnerCell<Option<Box<State>>>,
}

/// The clock is the library's.
const NO_CLOCK: u64 = u64::MAX;

static CELLS: [OnceLock<ReactorCell>; MAX_REACTORS] = [const { OnceLock::new() }; MAX_REACTORS];

/// What is known of each reactor number: TAKEN, 0 if nobody ever had it, or the time, counted in
/// numbers given back, since when nobody has it. No lock: one that another thread held during a fork
/// would be held in the child for ever.
static NUMBERS: [AtomicU64; MAX_REACTORS] = [const { AtomicU64::new(0) }; MAX_REACTORS];
const TAKEN: u64 = u64::MAX;

/// Takes the number that has been free for longest, or else one that nobody had.
fn take_number() -> Option<u16> {
    loop {
        let known = NUMBERS.iter().map(|number| number.load(Ordering::Relaxed)).enumerate();
        let (number, since) = known
            .filter(|(_, since)| *since != TAKEN)
            .min_by_key(|(_, since)| if *since == 0 { TAKEN } else { *since })?;
        let taken = NUMBERS[number].compare_exchange(
            since,
            TAKEN,
            // What the last reactor of this number left in its slots is seen by the next.
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        if taken.is_ok() {
            return Some(number as u16);
        }
    }
}

impl ReactorCell {
    /// The cell of a number that no reactor has.
    pub(super) fn unused() -> Result<&'static ReactorCell> {
        let number = take_number().ok_or_else(|| {
            Error::new(Status::Limit, "a process holds at most 1,024 reactors: free some")
        })?;
        Ok(CELLS[usize::from(number)].get_or_init(|| ReactorCell {
            number,
            slots: Slots::new(),
            signal: Signal::new(),
            stop: AtomicBool::new(false),
            live: AtomicBool::new(false),
            forks: AtomicU32::new(0),
            life: AtomicU32::new(0),
            dropped: Dropped::default(),
            host_clock: AtomicU64::new(NO_CLOCK),
            state: OwnerCell::new(None),
        }))
    }

    /// Gives the number back. Numbers are reused oldest first, so that a stale token meets a fresh
    /// generation late.
    pub(super) fn give_back(&self) {
        static GIVEN_BACK: AtomicU64 = AtomicU64::new(1);
        let now = GIVEN_BACK.fetch_add(1, Ordering::Relaxed);
        NUMBERS[usize::from(self.number)].store(now, Ordering::Release);
    }

    /// The cell of a token's reactor.
    pub(crate) fn of(token: Token) -> Result<&'static ReactorCell> {
        CELLS[token.reactor() as usize].get().ok_or_else(stale)
    }

    /// The cell at an address, if it is one of ours and holds a reactor; nothing is read through
    /// the address.
    #[cfg(feature = "ffi")]
    pub(crate) fn at(address: *const u8) -> Option<&'static ReactorCell> {
        let offset = (address as usize).checked_sub(CELLS.as_ptr() as usize)?;
        let cell = CELLS.get(offset / size_of::<OnceLock<ReactorCell>>())?.get()?;
        let ours = std::ptr::eq(std::ptr::from_ref(cell).cast(), address);
        (ours && cell.live.load(Ordering::Acquire)).then_some(cell)
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    pub(crate) fn is_owner(&self) -> bool {
        self.state.is_owner()
    }

    /// Says whose clock counts. The host's begins at 0, before its first turn.
    pub(super) fn choose_clock(&self, host_gives_clock: bool) {
        self.host_clock.store(if host_gives_clock { 0 } else { NO_CLOCK }, Ordering::Relaxed);
    }

    /// The host says what the time is; a clock that goes back stands still here. Owner only.
    pub(super) fn set_host_clock(&self, now: u64) {
        let before = self.host_clock.load(Ordering::Relaxed);
        if before != NO_CLOCK && now > before {
            self.host_clock.store(now.min(NO_CLOCK - 1), Ordering::Relaxed);
        }
    }

    /// The reactor's clock. Any thread.
    pub(crate) fn now(&self) -> u64 {
        match self.host_clock.load(Ordering::Relaxed) {
            NO_CLOCK => clock::now(),
            now => now,
        }
    }

    /// Whether the token's object lives; answers the same on any thread.
    pub(crate) fn check(&self, token: Token) -> Result<()> {
        if self.slots.is_live(token) { Ok(()) } else { Err(stale()) }
    }

    /// Refuses a forked child: signals and descriptors of the reactor are its parent's.
    #[inline]
    pub(crate) fn check_not_forked(&self) -> Result<()> {
        if self.forks.load(Ordering::Relaxed) == fork::forks_seen() {
            Ok(())
        } else {
            Err(forked())
        }
    }

    /// Runs `f` on the owner's state.
    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> Result<R> {
        self.enter(|state| Ok(f(state)))
    }

    /// The same for what may fail.
    #[inline(always)]
    pub(crate) fn enter<R>(&self, f: impl FnOnce(&mut State) -> Result<R>) -> Result<R> {
        self.check_not_forked()?;
        let mut state = self.state.borrow()?;
        match &mut *state {
            Some(state) => f(state),
            None => Err(stale()),
        }
    }

    /// A pool thread tells the owner to look at its exchange.
    pub(crate) fn poke(&self, exchange: Token) {
        // Stale cannot happen: an exchange outlives its run.
        let _ = self.notify(exchange, crate::gateway::POKE);
    }

    pub(super) fn notify(&self, token: Token, bits: Readiness) -> Result<()> {
        if self.slots.notify(token, bits)? {
            self.signal.raise();
        }
        Ok(())
    }
}

#[cold]
fn forked() -> Error {
    Error::new(
        Status::Forked,
        "the process was forked after this reactor was made: make a new one in the child, or call \
         exec",
    )
}
