//! The contexts of Java's reactors: what a `long` of Java's stands for.
//!
//! A context is named by the number of its reactor and by which context of that number it is. Its entry
//! in a static table is never given back, and only its owner's thread reaches inside: any number
//! on any thread is answered with a status.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::block::{self, Asked, Block, Output, Records, Turned};
use super::input::{Taken, Taking};
use super::lines::Lines;
use super::wake::{self, Collecting};
use crate::core::{Deadline, MAX_REACTORS, Outcome};
use crate::error::{Error, Fixed, Result, Status};
use crate::reactor::{Mode, Reactor, ReactorOptions, Turn, Watching};
use crate::sources::owner::OwnerCell;

// What `open` takes as mode.
const DELEGATED: i32 = 0;
const NESTED: i32 = 1;

/// The lowest bits of a context are the number of its reactor.
const NUMBER_BITS: u32 = 16;

/// A reactor of Java's.
pub(super) struct Context {
    pub(super) reactor: Reactor,
    pub(super) number: u16,
    pub(super) block: Block,
    /// What the input records have made and asked for.
    pub(super) taken: Taken,
    /// How many completions the last turn has delivered.
    pub(super) delivered: usize,
    /// Arguments of the next operation.
    pub(super) kept: Vec<u8>,
    /// What the last operation left.
    pub(super) result: Vec<u8>,
    /// Why the last turn failed.
    pub(super) failure: Option<Error>,
    pub(super) lines: Arc<Lines>,
    delegated: bool,
}

// SAFETY: what keeps it from being sent are the reactor's handle and the address of the block. It lies
// in an `OwnerCell` and is reached only by the thread that owns both; when that thread drops it, neither
// of the two does anything.
unsafe impl Send for Context {}

/// What the table has for a number.
struct Entry {
    /// Which context of its number it holds; 0: none.
    open: AtomicU64,
    /// Which one was the last.
    last: AtomicU64,
    // What the context held at the end of its last call, for those who count.
    waitables: AtomicU32,
    waits: AtomicU32,
    crossings: AtomicU64,
    context: OwnerCell<Option<Box<Context>>>,
}

static ENTRIES: [OnceLock<Entry>; MAX_REACTORS] = [const { OnceLock::new() }; MAX_REACTORS];

impl Entry {
    fn of_number(number: u16) -> Option<&'static OnceLock<Entry>> {
        ENTRIES.get(usize::from(number))
    }

    /// The entry of a context, if that lives.
    #[inline]
    fn of(context: i64) -> Result<&'static Entry> {
        let number = context as u64 & ((1 << NUMBER_BITS) - 1);
        let life = context as u64 >> NUMBER_BITS;
        let entry = ENTRIES.get(number as usize).and_then(OnceLock::get);
        match entry {
            Some(entry) if life != 0 && entry.open.load(Ordering::Relaxed) == life => Ok(entry),
            _ => Err(no_context()),
        }
    }

    /// Takes the context out, and lets the entry go for another thread.
    fn vacate(&self) -> Result<Option<Box<Context>>> {
        let context = self.context.with(Option::take)?;
        self.open.store(0, Ordering::Relaxed);
        self.waitables.store(0, Ordering::Relaxed);
        self.waits.store(0, Ordering::Relaxed);
        self.context.release()?;
        Ok(context)
    }

    /// Puts a context in.
    fn occupy(&self, context: Box<Context>, life: u64) -> Result<()> {
        if !self.context.is_owner() {
            self.context.adopt()?;
        }
        // Only who frees a reactor of Java's from C, which nobody may, leaves a context behind.
        if self.context.with(|inside| inside.replace(context))?.is_some() {
            wake::end();
        }
        self.open.store(life, Ordering::Relaxed);
        Ok(())
    }

    #[inline]
    fn publish(&self, reactor: &Reactor) {
        if let Ok((waitables, waits)) = reactor.holds() {
            self.waitables.store(waitables, Ordering::Relaxed);
            self.waits.store(waits, Ordering::Relaxed);
        }
    }
}

#[cold]
fn no_context() -> Error {
    static NONE: Fixed = Fixed::new(
        Status::Stale,
        "the context names no reactor: it was freed, or never was one; open another",
    );
    NONE.error()
}

/// Makes a reactor over a block; the calling thread owns it. Answers its context.
///
/// # Errors
///
/// `Invalid` for a mode or number that is none; what [`Reactor::new`] answers.
pub(super) fn open(block: Block, mode: i32, max_waitables: i32, max_waits: i32) -> Result<i64> {
    wake::prepare()?;
    let lines = Arc::new(Lines::default());
    let number = Arc::new(OnceLock::new());
    let options = options(mode, max_waitables, max_waits, &lines, &number)?;
    let reactor = Reactor::new(&options)?;
    // It has no token yet that could have somebody woken.
    let _ = number.set(reactor.number());
    match enter(&reactor, block, options.mode == Mode::Delegated, lines) {
        Ok(context) => Ok(context),
        Err(error) => {
            // Nothing is in it, so it ends at once.
            let _ = reactor.close();
            let _ = reactor.turn_and_watch(&Turn::default(), |_| (), |_| ());
            let _ = reactor.free();
            Err(error)
        }
    }
}

/// Puts the context of a reactor into the table.
fn enter(reactor: &Reactor, block: Block, delegated: bool, lines: Arc<Lines>) -> Result<i64> {
    let number = reactor.number();
    let entry = Entry::of_number(number).ok_or_else(no_context)?.get_or_init(|| Entry {
        open: AtomicU64::new(0),
        last: AtomicU64::new(0),
        waitables: AtomicU32::new(0),
        waits: AtomicU32::new(0),
        crossings: AtomicU64::new(0),
        context: OwnerCell::new(None),
    });
    let context = Box::new(Context {
        reactor: reactor.clone(),
        number,
        block,
        taken: Taken::default(),
        delivered: 0,
        kept: Vec::new(),
        result: Vec::new(),
        failure: None,
        lines,
        delegated,
    });
    let life = entry.last.fetch_add(1, Ordering::Relaxed) + 1;
    entry.occupy(context, life)?;
    wake::begin(number);
    Ok((life << NUMBER_BITS | u64::from(number)) as i64)
}

fn options(
    mode: i32,
    max_waitables: i32,
    max_waits: i32,
    lines: &Arc<Lines>,
    number: &Arc<OnceLock<u16>>,
) -> Result<ReactorOptions> {
    let mode = match mode {
        DELEGATED => Mode::Delegated,
        NESTED => Mode::Nested,
        mode => {
            return Err(Error::new(
                Status::Invalid,
                format!("{mode} is no mode: give {DELEGATED} (delegated) or {NESTED} (nested)"),
            ));
        }
    };
    let defaults = ReactorOptions::default();
    let most = |given: i32, default: u32, what: &str| match given {
        0 => Ok(default),
        1.. => Ok(given as u32),
        _ => Err(Error::new(
            Status::Invalid,
            format!("{given} {what} at most: give 0 for the default, or more"),
        )),
    };
    let (number, lines) = (Arc::clone(number), Arc::clone(lines));
    Ok(ReactorOptions {
        mode,
        host_honours_deadline: true,
        host_turns_before_sleep: true,
        host_gives_clock: true,
        wake: (mode == Mode::Delegated).then(|| {
            let hook: crate::reactor::Wake = Arc::new(move || {
                if let Some(number) = number.get() {
                    wake::wake(*number);
                }
            });
            hook
        }),
        max_waitables: most(max_waitables, defaults.max_waitables, "waitables")?,
        max_waits: most(max_waits, defaults.max_waits, "waits")?,
        spawn: Some(wake::spawn()),
        log: Some(Arc::new(move |level, line: &str| lines.add(level, line))),
        ..defaults
    })
}

/// Runs `work` on a context, for a native that may take its time.
///
/// # Errors
///
/// `Stale` for what is no context; `Thread` on another thread than its owner's; `Reentrant` inside of
/// a call for the same context.
pub(super) fn with<R>(context: i64, work: impl FnOnce(&mut Context) -> Result<R>) -> Result<R> {
    let entry = Entry::of(context)?;
    let mut inside = entry.context.borrow()?;
    let context = inside.as_mut().ok_or_else(no_context)?;
    let collecting = Collecting::of(context.number);
    let done = work(context);
    if collecting.woken() {
        wake::wake_later(context.number);
    }
    entry.publish(&context.reactor);
    done
}

/// Ends a context with its reactor.
///
/// # Errors
///
/// `Busy` before the reactor is closed and empty, and what else [`Reactor::free`] answers; the context
/// is as before then.
pub(super) fn free(context: i64) -> Result<()> {
    let entry = Entry::of(context)?;
    // Before the reactor goes: then its number, and so the entry, may be another's.
    let Some(inside) = entry.vacate()? else { return Err(no_context()) };
    match inside.reactor.free() {
        Err(error) if error.status() != Status::Stale => {
            entry.occupy(inside, context as u64 >> NUMBER_BITS)?;
            Err(error)
        }
        // Stale: C has freed it, which it should not.
        _ => {
            wake::end();
            Ok(())
        }
    }
}

/// One crossing; see [`block::cross`].
#[inline]
pub(super) fn cross(context: i64, records: i32, now: i64) -> i64 {
    match try_cross(context, records, now) {
        Ok(answer) => answer,
        Err(error) => i64::from(error.status() as i32),
    }
}

#[inline]
fn try_cross(context: i64, records: i32, now: i64) -> Result<i64> {
    let entry = Entry::of(context)?;
    let mut inside = entry.context.borrow()?;
    let context = &mut **inside.as_mut().ok_or_else(no_context)?;
    // What a turn brings about it answers itself.
    let _collecting = Collecting::of(context.number);
    let crossings = entry.crossings.load(Ordering::Relaxed);
    entry.crossings.store(crossings.wrapping_add(1), Ordering::Relaxed);
    let block = context.block;
    let answer = block::cross(context, block, records, now);
    entry.publish(&context.reactor);
    Ok(answer)
}

/// Keeps why a turn has failed.
pub(super) fn keep(context: i64, failure: Error) {
    let Ok(entry) = Entry::of(context) else { return };
    let Ok(mut inside) = entry.context.borrow() else { return };
    if let Some(context) = inside.as_mut() {
        context.failure = Some(failure);
    }
}

/// What Java counts; -1 for what it does not.
pub(super) fn count(what: i32) -> i64 {
    let entries = || ENTRIES.iter().filter_map(OnceLock::get);
    match what {
        // Each has one block.
        0 | 3 => wake::contexts() as i64,
        1 => entries().map(|entry| i64::from(entry.waitables.load(Ordering::Relaxed))).sum(),
        2 => entries().map(|entry| i64::from(entry.waits.load(Ordering::Relaxed))).sum(),
        4 => wake::watching() as i64,
        5 => entries().map(|entry| entry.crossings.load(Ordering::Relaxed) as i64).sum(),
        // References to Java's objects: none is ever kept.
        6 => 0,
        _ => -1,
    }
}

impl Context {
    /// From now on threads that Java does not know may have its host woken.
    pub(super) fn will_be_woken(&self) {
        if self.delegated {
            wake::want_thread();
        }
    }

    /// Keeps why a turn fails. Answers the status.
    #[cold]
    fn fail(&mut self, error: Error) -> i32 {
        let status = error.status() as i32;
        self.failure = Some(error);
        status
    }
}

impl block::Core for Context {
    #[inline]
    fn take(&mut self, records: Records, now: u64) -> Result<(), i32> {
        let taken = &mut self.taken;
        let done = self.reactor.batch(now, |batch| records.feed(&mut Taking { batch, taken }));
        match done.and_then(|()| self.taken.check()) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail(error)),
        }
    }

    fn beyond(&mut self, records: i32) -> i32 {
        self.fail(Error::new(
            Status::Invalid,
            format!("{records} records do not fit the input: it holds {}", block::RING),
        ))
    }

    #[inline]
    fn turn(
        &mut self,
        asked: &Asked,
        completions: &mut Output<'_>,
        changes: &mut Output<'_>,
    ) -> Result<Turned, i32> {
        let refused = self.taken.begin_turn(completions);
        let turn = Turn {
            deadline: Deadline::NOW,
            now: asked.now,
            budget: asked.budget,
            capacity: completions.room(),
            changes: changes.room(),
        };
        let waits = &mut self.taken.waits;
        let mut strangers = 0;
        let mut any_closed = false;
        let report = self.reactor.turn_and_watch(
            &turn,
            |completion| {
                if !waits.deliver(&completion) {
                    strangers += 1;
                    return;
                }
                let more = if completion.more { block::MORE } else { 0 };
                any_closed |= completion.outcome == Outcome::Closed;
                let argument = match completion.outcome {
                    Outcome::Failed => completion.error,
                    _ => (completion.index | u32::from(completion.members) << 16) as i32,
                };
                completions.put(
                    completion.user_data,
                    completion.outcome as u16 | more,
                    completion.ready.bits() as u16,
                    argument,
                );
            },
            |change| {
                let once = u16::from(change.how == Watching::Once);
                changes.put(change.handle, once, change.interest.bits() as u16, 0);
            },
        );
        let report = match report {
            Ok(report) => report,
            Err(error) => return Err(self.fail(error)),
        };
        self.delivered = completions.count();
        let left = self.taken.end_turn(refused);
        if strangers > 0 {
            let _ = self.reactor.count_stale(strangers);
        }
        // Native code may have closed it, and not only what was waited for.
        let closing = any_closed && self.reactor.is_closed().unwrap_or(false);
        let flag = |set, flag| if set { flag } else { 0 };
        Ok(Turned {
            now: match report.next_deadline {
                Deadline::FOREVER => 0,
                _ => self.reactor.now().unwrap_or(asked.now),
            },
            next_deadline: report.next_deadline.nanoseconds(),
            flags: flag(report.more || left, block::TURN_MORE)
                | flag(report.stopped, block::TURN_STOPPED)
                | flag(report.closed && !left, block::TURN_CLOSED)
                | flag(wake::wants_thread(), block::TURN_WATCHER)
                | flag(self.lines.wait(), block::TURN_LOG)
                | flag(closing, block::TURN_CLOSING),
        })
    }
}
