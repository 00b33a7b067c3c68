//! Hosts: how a reactor is driven, and who else is there.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::task::Wake;
use std::thread::JoinHandle;
use std::time::Duration;

use awsgi::{Mode, Reactor, ReactorOptions, Readiness, Turn, WaitSpec, Watch};

use crate::generator::Random;

/// Longer than anything takes that is not lost.
pub const LOST: Duration = Duration::from_secs(2);

/// How a host drives its reactor; a seed decides.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    pub mode: Mode,
    /// Its own clock, which stands still between two turns.
    pub gives_clock: bool,
    pub turns_before_sleep: bool,
    pub watches: bool,
    pub waitables: u32,
    pub waits: u32,
}

impl Host {
    pub fn of(seed: u64) -> Host {
        let mut random = Random::new(!seed);
        let (mode, gives_clock, watches) = match random.below(10) {
            0 | 1 => (Mode::Owned, false, false),
            2 | 3 => (Mode::Nested, true, false),
            4 | 5 => (Mode::Nested, false, false),
            6 | 7 => (Mode::Delegated, true, false),
            _ => (Mode::Delegated, true, true),
        };
        let turns_before_sleep = (mode == Mode::Nested || watches) && random.one_in(4);
        let (waitables, waits) = if random.one_in(6) { (4, 8) } else { (14, 32) };
        Host { mode, gives_clock, turns_before_sleep, watches, waitables, waits }
    }

    pub fn options(&self, calls: &Arc<AtomicU64>) -> ReactorOptions {
        let calls = Arc::clone(calls);
        ReactorOptions {
            mode: self.mode,
            host_honours_deadline: self.gives_clock,
            host_turns_before_sleep: self.turns_before_sleep,
            host_watches_descriptors: self.watches,
            host_gives_clock: self.gives_clock,
            wake: (self.mode == Mode::Delegated).then(|| {
                let hook = move || {
                    calls.fetch_add(1, Ordering::SeqCst);
                };
                Arc::new(hook) as awsgi::Wake
            }),
            max_waitables: self.waitables,
            max_waits: self.waits,
            ..ReactorOptions::default()
        }
    }

    /// Whether the library's thread looks at descriptors.
    pub fn is_watched_for(&self) -> bool {
        self.mode == Mode::Delegated && !self.watches
    }
}

/// Another reactor that the same thread watches: what became ready before this was asked, the
/// thread has seen when it answers.
pub struct Barrier {
    reactor: Reactor,
    event: OwnedFd,
    woken: Arc<(Mutex<bool>, Condvar)>,
}

impl Barrier {
    pub fn new() -> Barrier {
        let woken: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let its = Arc::clone(&woken);
        let reactor = Reactor::new(&ReactorOptions {
            mode: Mode::Delegated,
            wake: Some(Arc::new(move || {
                *its.0.lock().expect("nobody panics with it") = true;
                its.1.notify_all();
            })),
            ..ReactorOptions::default()
        })
        .expect("a reactor");
        // SAFETY: takes no pointers; the descriptor is nobody else's.
        let event = unsafe {
            let fd = libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC);
            assert!(fd >= 0);
            OwnedFd::from_raw_fd(fd)
        };
        let waitable = reactor.descriptor(event.as_raw_fd(), false).expect("a waitable");
        let set = [Watch { waitable, interest: Readiness::READABLE }];
        reactor.wait_start(&WaitSpec::any(&set).multishot()).expect("a wait");
        let barrier = Barrier { reactor, event, woken };
        barrier.turn();
        barrier
    }

    fn turn(&self) {
        *self.woken.0.lock().expect("nobody panics with it") = false;
        self.reactor.turn(&Turn::default(), |_| ()).expect("a turn");
    }

    pub fn pass(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight bytes of a live array.
        assert_eq!(unsafe { libc::write(self.event.as_raw_fd(), one.as_ptr().cast(), 8) }, 8);
        let woken = self.woken.0.lock().expect("nobody panics with it");
        let (woken, waited) = self
            .woken
            .1
            .wait_timeout_while(woken, LOST, |woken| !*woken)
            .expect("nobody panics with it");
        assert!(!waited.timed_out(), "the thread that watches has missed an event");
        drop(woken);
        self.turn();
    }
}

impl Drop for Barrier {
    fn drop(&mut self) {
        end(&self.reactor);
    }
}

/// Ends a reactor of which nothing more is asked.
pub fn end(reactor: &Reactor) {
    let _ = reactor.close();
    for _ in 0..100 {
        match reactor.turn_and_watch(&Turn::default(), |_| (), |_| ()) {
            Ok(report) if !report.closed => {}
            _ => break,
        }
    }
    let _ = reactor.free();
}

type Work = Box<dyn FnOnce() + Send>;

/// Another thread, which does one thing at a time.
pub struct Helper {
    work: Option<Sender<Work>>,
    done: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Helper {
    pub fn new() -> Helper {
        let (work, its) = channel::<Work>();
        let (answer, done) = channel();
        let thread = std::thread::spawn(move || {
            for work in its {
                work();
                let _ = answer.send(());
            }
        });
        Helper { work: Some(work), done, thread: Some(thread) }
    }

    pub fn begin(&self, work: impl FnOnce() + Send + 'static) {
        self.work.as_ref().expect("it lives").send(Box::new(work)).expect("it lives");
    }

    pub fn join(&self) {
        self.done.recv().expect("it does not panic");
    }

    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, answered) = channel();
        self.begin(move || drop(answer.send(work())));
        self.join();
        answered.recv().expect("it was answered")
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Counts how often a future's task was woken.
#[derive(Default)]
pub struct Woken(pub AtomicU64);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
