//! How Java is told to wake a host.
//!
//! What a native that Java calls brings about is answered to Java, on the same thread. What happens
//! elsewhere, on threads that Java does not know, is put down here, and told to the Java thread that
//! stays in [`watch`]. Nothing here calls Java.

#[cfg(target_os = "linux")]
#[path = "wake/linux.rs"]
mod bell;
#[cfg(not(target_os = "linux"))]
#[path = "wake/portable.rs"]
mod bell;

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

pub(super) use bell::{close, prepare, spawn_watcher};

use crate::core::MAX_REACTORS;
use crate::error::{Error, Status};
use crate::reactor::Spawn;
use crate::sources::watcher;

/// The contexts whose hosts are to be woken: a bit for each number.
static DUE: [AtomicU64; MAX_REACTORS / 64] = [const { AtomicU64::new(0) }; MAX_REACTORS / 64];

static CONTEXTS: Contexts = Contexts::new();

/// How many threads are inside of [`watch`].
static WATCHING: AtomicUsize = AtomicUsize::new(0);

/// How many contexts there are, and whether any of them needs a thread inside of [`watch`]. In one
/// word: the last that goes takes the need with it, but not that of one which has come since.
struct Contexts(AtomicUsize);

/// The need; the rest of the word counts.
const WANTED: usize = 1;
const ONE: usize = 2;

impl Contexts {
    const fn new() -> Contexts {
        Contexts(AtomicUsize::new(0))
    }

    fn begin(&self) {
        self.0.fetch_add(ONE, Ordering::SeqCst);
    }

    /// Answers whether it was the last.
    fn end(&self) -> bool {
        let fewer = |word: usize| match word.saturating_sub(ONE) {
            ..ONE => Some(0),
            others => Some(others),
        };
        let before = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer);
        before.is_ok_and(|word| word < 2 * ONE)
    }

    fn want(&self) {
        self.0.fetch_or(WANTED, Ordering::SeqCst);
    }

    #[inline]
    fn want_thread(&self) -> bool {
        self.0.load(Ordering::Relaxed) & WANTED != 0
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst) / ONE
    }
}

/// What becomes of a wake-up on this thread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Here {
    /// Nobody asks for it.
    Elsewhere,
    /// A native of Java's will answer whether there was one of this context.
    Collects(u16),
    /// The same, and there was one.
    Collected(u16),
    /// It is the one that watches.
    Watches,
}

thread_local! {
    static HERE: Cell<Here> = const { Cell::new(Here::Elsewhere) };
}

/// Collects the wake-ups of a context on this thread, until it is dropped.
pub(super) struct Collecting {
    before: Here,
    /// It belongs to this thread.
    thread: PhantomData<*const ()>,
}

impl Collecting {
    #[inline]
    pub(super) fn of(number: u16) -> Collecting {
        let before = HERE.replace(Here::Collects(number));
        Collecting { before, thread: PhantomData }
    }

    /// Whether there was one.
    #[inline]
    pub(super) fn woken(&self) -> bool {
        matches!(HERE.get(), Here::Collected(_))
    }
}

impl Drop for Collecting {
    #[inline]
    fn drop(&mut self) {
        HERE.set(self.before);
    }
}

/// The host of a context is to be woken: its reactor's wake hook.
pub(super) fn wake(number: u16) {
    let here = HERE.get();
    if let Here::Collects(asked) | Here::Collected(asked) = here {
        if asked == number {
            HERE.set(Here::Collected(number));
            return;
        }
    }
    put_down(number);
    // The one that watches looks again before it sleeps.
    if here != Here::Watches {
        if WATCHING.load(Ordering::Relaxed) == 0 {
            CONTEXTS.want();
        }
        bell::ring();
    }
}

/// Has [`watch`] answer a context's number, whoever calls.
pub(super) fn wake_later(number: u16) {
    put_down(number);
    bell::ring();
}

fn put_down(number: u16) {
    if let Some(due) = DUE.get(usize::from(number) / 64) {
        due.fetch_or(1 << (number % 64), Ordering::SeqCst);
    }
}

fn next_due() -> Option<u16> {
    for (index, due) in DUE.iter().enumerate() {
        let seen = due.load(Ordering::SeqCst);
        if seen != 0 {
            let bit = seen.trailing_zeros();
            // Of several threads that saw it, one has it.
            if due.fetch_and(!(1 << bit), Ordering::SeqCst) & (1 << bit) != 0 {
                return Some(index as u16 * 64 + bit as u16);
            }
        }
    }
    None
}

fn any_due() -> bool {
    DUE.iter().any(|due| due.load(Ordering::SeqCst) != 0)
}

/// Makes the threads for which the library asks a reactor of Java's: Java's own, or none.
pub(super) fn spawn() -> Spawn {
    std::sync::Arc::new(|body: Box<dyn FnOnce() + Send>, name: &str| {
        if name == watcher::NAME {
            return spawn_watcher(body);
        }
        Err(Error::new(
            Status::Unsupported,
            format!(
                "no thread {name}: in a JVM all threads are Java's, and these classes lend the library \
                 none; run what blocks on a thread of Java's, or in a reactor that C made"
            ),
        ))
    })
}

/// From now on there has to be a thread in [`watch`].
pub(super) fn want_thread() {
    CONTEXTS.want();
    bell::ring();
}

/// Whether Java is to make the thread that calls [`watch`].
#[inline]
pub(super) fn wants_thread() -> bool {
    CONTEXTS.want_thread() && WATCHING.load(Ordering::Relaxed) == 0
}

/// There is one context more.
pub(super) fn begin(number: u16) {
    // What was meant for another of the number.
    if let Some(due) = DUE.get(usize::from(number) / 64) {
        due.fetch_and(!(1 << (number % 64)), Ordering::SeqCst);
    }
    CONTEXTS.begin();
}

/// There is one less.
pub(super) fn end() {
    if CONTEXTS.end() {
        bell::ring();
    }
}

/// How many contexts there are.
pub(super) fn contexts() -> usize {
    CONTEXTS.count()
}

/// How many threads are inside of [`watch`].
pub(super) fn watching() -> usize {
    WATCHING.load(Ordering::SeqCst)
}

/// A thread inside of [`watch`].
struct Inside(Here);

impl Inside {
    fn enter() -> Inside {
        WATCHING.fetch_add(1, Ordering::SeqCst);
        Inside(HERE.replace(Here::Watches))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        HERE.set(self.0);
        WATCHING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Sleeps until a host is to be woken; answers the number of its context. `None`: there is none any
/// more. While it is here, the thread does what the library's watcher would do, if nobody else does.
pub(super) fn watch() -> Option<u16> {
    let _inside = Inside::enter();
    let mut place = bell::Place::none();
    loop {
        // Before the looks: what is put down after this, or is to be watched from then on, rings again.
        bell::clear();
        // Also without a context: it may have been ours before, and so have no other thread.
        place.take();
        if let Some(number) = next_due() {
            if any_due() {
                // For others who sleep here: this one rang for all.
                bell::ring();
            }
            return Some(number);
        }
        // Those who do not belong to Java may need it still.
        if contexts() == 0 && place.is_empty() {
            bell::ring();
            return None;
        }
        bell::sleep(&mut place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_context_that_goes_leaves_the_need_of_one_that_has_come_since() {
        let contexts = Contexts::new();
        let rounds = 0..200_000;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in rounds.clone() {
                    contexts.begin();
                    contexts.end();
                }
            });
            for round in rounds.clone() {
                contexts.begin();
                contexts.want();
                assert!(contexts.want_thread(), "lost in round {round}");
                contexts.end();
            }
        });
        assert!(!contexts.want_thread());
        assert_eq!(contexts.count(), 0);
    }
}
