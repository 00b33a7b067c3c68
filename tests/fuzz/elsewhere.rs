//! A second thread, which is there for as long as the process.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::Result;

use awsgi::ffi::*;

use super::world::{byte, name_thread, pick, reactor_pointer, thread, token, world};
use super::{call, check, reactors, waitables};

type Work = Box<dyn FnOnce() + Send>;

struct Helper {
    work: Sender<Work>,
    done: Receiver<Result<()>>,
}

static HELPER: OnceLock<Mutex<Helper>> = OnceLock::new();

/// The number of the second thread.
const ELSEWHERE: u8 = 1;

/// Starts the thread, before descriptors are counted.
pub fn start() {
    HELPER.get_or_init(|| {
        let (work, given) = channel::<Work>();
        let (tell, done) = channel();
        std::thread::spawn(move || {
            name_thread(ELSEWHERE);
            for work in given {
                if tell.send(catch_unwind(AssertUnwindSafe(work))).is_err() {
                    break;
                }
            }
        });
        Mutex::new(Helper { work, done })
    });
}

/// Runs `there` on the second thread and `here` on this one, at once.
fn both(there: impl FnOnce() + Send + 'static, here: impl FnOnce()) {
    let helper = HELPER.get().unwrap().lock().unwrap_or_else(PoisonError::into_inner);
    helper.work.send(Box::new(there)).unwrap();
    here();
    if let Err(panic) = helper.done.recv().unwrap() {
        resume_unwind(panic);
    }
}

/// Nothing else runs: no step, no turn, and this is the first thread.
fn is_quiet() -> bool {
    thread() == 0 && world(|world| world.turning.is_empty())
}

/// Has the second thread own a reactor for a while, and call what it likes.
pub fn adopt_and_call() {
    if !is_quiet() {
        return;
    }
    let pointer = reactor_pointer() as usize;
    let calls = pick(12);
    let handed = world(|world| world.reactor_at(pointer).filter(|at| world.owned(*at)));
    if handed.is_some() {
        reactors::release(pointer as *mut awsgi_reactor);
    }
    both(
        move || {
            reactors::adopt(pointer as *mut awsgi_reactor);
            for _ in 0..calls {
                call();
            }
            let mine: Vec<usize> = world(|world| {
                let mine = |at: &usize| !world.reactors[*at].freed && world.owned(*at);
                let mine: Vec<usize> = (0..world.reactors.len()).filter(mine).collect();
                mine.into_iter().map(|at| world.reactors[at].pointer).collect()
            });
            for pointer in mine {
                reactors::release(pointer as *mut awsgi_reactor);
            }
        },
        || {},
    );
    if byte() & 1 == 0 {
        reactors::adopt_what_is_free();
    }
}

/// Notifies from the second thread while this one turns.
pub fn notify_during_a_turn() {
    if !is_quiet() {
        return;
    }
    let tokens: Vec<(u64, u32)> = (0..1 + pick(4)).map(|_| (token(), 1 << pick(6))).collect();
    for (token, _) in &tokens {
        waitables::is_not_counted(*token);
    }
    let times = 1 + pick(8);
    let stop = byte() == 0xff;
    let pointer = reactor_pointer();
    let address = pointer as usize;
    world(|world| world.notifying = true);
    both(
        move || {
            for _ in 0..times {
                for (token, bits) in &tokens {
                    // SAFETY: takes no pointers.
                    let answer = unsafe { awsgi_notify(*token, *bits) };
                    check::status(answer, &[AWSGI_E_STALE, AWSGI_E_INVALID]);
                }
            }
            if stop {
                // SAFETY: any pointer may be given that is a reactor's, was, or never was.
                let answer = unsafe { awsgi_reactor_stop(address as *mut awsgi_reactor) };
                check::status(answer, &[AWSGI_E_NULL, AWSGI_E_STALE]);
            }
        },
        || reactors::turn_at(pointer),
    );
    world(|world| world.notifying = false);
    world(|world| world.reactors.iter_mut().for_each(|reactor| reactor.noisy = true));
}
