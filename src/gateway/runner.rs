//! Decides where an application's code runs: steps in the turn, on the owner's thread, with
//! nothing of ours borrowed; blocking applications on the pool.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::application::{Run, Step, Style};
use super::exchange::{Exchange, on_pool_thread};
use super::flow::{Call, Reply, Shared, gone};
use super::records::{Done, Phase};
use crate::core::{Completion, Deadline, Owner, Readiness, WaitSpec, Watch};
use crate::error::{Error, Result, Status, panic_message};
use crate::reactor::{ReactorCell, State, level};

/// Yields in a row after which an application that neither writes nor waits is slowed down.
const YIELDS: u8 = 100;
/// How long it then pauses between two steps, in nanoseconds.
const PAUSE: u64 = 1_000_000;

/// What a client is told of an application that failed.
const FAILED: &str =
    "500 Internal Server Error: the application failed; its server's log says why\n";

/// Code of an application, to be run with nothing borrowed.
pub(crate) enum Job {
    Step { key: u32, exchange: Exchange, run: Box<dyn Run>, done: Done },
    Close { key: u32, exchange: Exchange, run: Box<dyn Run> },
}

impl Job {
    /// The slot of the exchange that it runs.
    pub(crate) fn slot(&self) -> u32 {
        match self {
            Job::Step { exchange, .. } | Job::Close { exchange, .. } => exchange.token().slot(),
        }
    }

    /// Runs it on the owner's thread; `cell` is not borrowed.
    pub(crate) fn run(self, cell: &'static ReactorCell) -> Result<()> {
        match self {
            Job::Step { key, exchange, mut run, done } => {
                let step = caught(|| run.run(exchange, done.as_ref().map_or(&[], |done| done)));
                match cell.with(|state| state.finish_step(key, run, step))? {
                    Some(run) => Job::Close { key, exchange, run }.run(cell),
                    None => Ok(()),
                }
            }
            Job::Close { key, exchange, run } => {
                closed(exchange, run);
                cell.with(|state| state.exchange_closed(key))
            }
        }
    }
}

fn caught(run: impl FnOnce() -> Step) -> Step {
    // The run is not used again after a panic but for its `close`.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let what = panic_message(&*panic);
        Step::Failed(Error::new(Status::Panic, format!("the application panicked: {what}")))
    })
}

fn closed(exchange: Exchange, run: Box<dyn Run>) {
    // A panic in `close` ends here: the exchange ends all the same.
    let _ = catch_unwind(AssertUnwindSafe(|| run.close(exchange)));
}

fn nonsense(what: &str) -> Error {
    Error::new(Status::State, what.to_owned())
}

impl State {
    /// The next code to run; `None` in its place if an exchange went to the pool.
    pub(crate) fn next_job(&mut self) -> Option<Job> {
        let key = self.exchanges.runnable.pop_front()?;
        let blocking = self.exchanges.gateway_of(key).style() == Style::Blocking;
        let record = self.exchanges.record(key);
        let exchange = Exchange::from_token(record.token);
        let run = record.run.take().expect("a queued exchange has its run");
        match record.phase {
            Phase::Closing => Some(Job::Close { key, exchange, run }),
            Phase::Runnable if blocking => {
                record.phase = Phase::Pooled;
                record.ran = true;
                record.done = None;
                let refused = self.submit(key, exchange, run)?;
                self.exchanges.record(key).phase = Phase::Closing;
                Some(Job::Close { key, exchange, run: refused })
            }
            Phase::Runnable => {
                record.phase = Phase::Running;
                record.ran = true;
                let done = std::mem::take(&mut record.done);
                Some(Job::Step { key, exchange, run, done })
            }
            phase => unreachable!("a queued exchange is {phase:?}"),
        }
    }

    /// Hands an exchange to the pool. Answers its run, to be closed, if no thread is to be had.
    fn submit(&mut self, key: u32, exchange: Exchange, run: Box<dyn Run>) -> Option<Box<dyn Run>> {
        let shared = Arc::clone(&self.exchanges.record(key).shared);
        let cell = self.cell();
        let mut kept = Some(run);
        let job = || -> super::pool::Job {
            let mut run = kept.take().expect("a job is made once");
            Box::new(move || {
                on_pool_thread(exchange, &shared, || {
                    let step = if shared.lock().gone {
                        Step::Failed(gone())
                    } else {
                        caught(|| run.run(exchange, &[]))
                    };
                    if matches!(step, Step::Suspend) {
                        shared.lock().set_aside(run);
                        return;
                    }
                    closed(exchange, run);
                    shared.lock().finish(step);
                });
                cell.poke(exchange.token());
            })
        };
        let pool = self.exchanges.gateway_of(key).pool.as_ref().expect("a blocking gateway's pool");
        if let Err(error) = pool.submit(job) {
            self.log(level::ERROR, &format!("an exchange was refused: {}", error.message()));
            self.fail_response(key, 503, "503 Service Unavailable: no thread is free\n");
        }
        kept
    }

    /// After a step. Answers the run if it is to be closed now.
    pub(crate) fn finish_step(
        &mut self,
        key: u32,
        run: Box<dyn Run>,
        step: Step,
    ) -> Option<Box<dyn Run>> {
        let slot = self.exchanges.record(key).token.slot();
        self.core.forget_members(slot);
        let waits = self.core.exchange_waits(slot);
        let ended = match step {
            Step::Done => self.exchanges.record(key).shared.lock().output.end().err(),
            Step::Failed(error) => Some(error),
            Step::Suspend if waits == 0 => Some(nonsense(
                "the application suspended with nothing to wait for: start a wait first (for an \
                 event, to be resumed by hand), or return AWSGI_YIELD",
            )),
            Step::Suspend | Step::Yield => {
                let record = self.exchanges.record(key);
                record.run = Some(run);
                if record.shared.lock().gone {
                    // Ended from outside while it ran: it is not run again.
                    record.phase = Phase::Suspended;
                    self.close_soon(key);
                    return None;
                }
                match step {
                    Step::Suspend => {
                        record.yields = 0;
                        record.phase = Phase::Suspended;
                    }
                    _ => self.again(key, waits),
                }
                return None;
            }
        };
        if let Some(error) = ended {
            self.fail_application(key, &error);
        }
        self.core.forget_exchange_waits(slot);
        Some(run)
    }

    /// A yield resumes in the next turn; one of too many in a row after a pause.
    fn again(&mut self, key: u32, waits: u32) {
        let record = self.exchanges.record(key);
        let slot = record.token.slot();
        // Only whether it changed counts.
        let written = record.shared.lock().output.written() as u32;
        let wrote = std::mem::replace(&mut record.written, written) != written;
        record.yields = if waits > 0 || wrote { 0 } else { record.yields.saturating_add(1) };
        if record.yields < YIELDS {
            record.phase = Phase::Runnable;
            self.exchanges.runnable.push_back(key);
            return;
        }
        record.phase = Phase::Suspended;
        if !std::mem::replace(&mut self.exchanges.yields_logged, true) {
            let name = self.exchanges.gateway_of(key).name().to_owned();
            self.log(
                level::WARN,
                &format!(
                    "application {name} yielded {YIELDS} times in a row without output or wait: it \
                     is called once a millisecond now; let it wait for something"
                ),
            );
        }
        let spec = WaitSpec::sleep(Deadline::at(self.now().saturating_add(PAUSE)));
        match self.start_wait(&spec, Owner::Exchange(slot)) {
            Ok(_) => self.exchanges.record(key).pausing = true,
            Err(_) => {
                // No wait to be had: fair, if not slow.
                self.exchanges.record(key).phase = Phase::Runnable;
                self.exchanges.runnable.push_back(key);
            }
        }
    }

    /// A wait of an exchange was forgotten: one that is left suspended with none would hang.
    pub(crate) fn wait_was_forgotten(&mut self, slot: u32) {
        let Some(key) = self.core.exchange_key(slot) else { return };
        if self.exchanges.record(key).phase == Phase::Suspended
            && self.core.exchange_waits(slot) == 0
        {
            self.fail_application(
                key,
                &nonsense(
                    "the last wait of a suspended exchange was forgotten, so it had nothing to \
                     wait for: cancel the wait to resume it",
                ),
            );
            self.close_soon(key);
        }
    }

    fn fail_application(&mut self, key: u32, error: &Error) {
        if !self.exchanges.record(key).shared.lock().gone {
            let name = self.exchanges.gateway_of(key).name().to_owned();
            self.log(level::ERROR, &format!("application {name}: {}", error.message()));
        }
        self.fail_response(key, 500, FAILED);
    }

    /// A wait of an exchange's completed: resumes it.
    pub(crate) fn resume(&mut self, key: u32, completion: Completion) {
        let record = self.exchanges.record(key);
        match record.phase {
            Phase::Pooled => {
                record.shared.reply(Ok(Reply::Completed(completion)));
                return;
            }
            Phase::Suspended => {
                record.phase = Phase::Runnable;
                self.exchanges.runnable.push_back(key);
            }
            Phase::Runnable | Phase::Running => {}
            // Its waits were forgotten.
            Phase::Closing | Phase::Closed => return,
        }
        let record = self.exchanges.record(key);
        if !std::mem::take(&mut record.pausing) {
            record.done.get_or_insert_default().push(completion);
        }
    }

    /// A pool thread wants something of an exchange.
    pub(crate) fn poked(&mut self, key: u32) {
        let record = self.exchanges.record(key);
        let shared: Arc<Shared> = Arc::clone(&record.shared);
        let slot = record.token.slot();
        let (tell, (call, finished)) = {
            let mut flow = shared.lock();
            (std::mem::take(&mut flow.tell), flow.take_calls())
        };
        self.exchanges.announce(key, tell);
        match call {
            Some(Call::Await(question)) => {
                // What it waited for before cannot be asked about any more.
                self.core.forget_members(slot);
                if shared.lock().gone {
                    shared.reply(Err(gone()));
                } else if let Err(error) = self.start_exchange_wait(key, &question.spec()) {
                    shared.reply(Err(error));
                }
            }
            Some(Call::Do(work)) => {
                let value = work(self, slot);
                shared.reply(value.map(Reply::Value));
            }
            None => {}
        }
        let Some(step) = finished else { return };
        let failure = match step {
            Step::Done => shared.lock().output.end().err(),
            Step::Failed(error) => Some(error),
            Step::Suspend => return self.wait_for_input(key, &shared),
            Step::Yield => Some(nonsense(
                "a blocking application returned before it was done: wait in place \
                 (awsgi_exchange_await) and return AWSGI_DONE",
            )),
        };
        if let Some(error) = failure {
            self.fail_application(key, &error);
        }
        self.exchange_closed(key);
    }

    /// A blocking application has given its thread back until there is input, or the client has left.
    fn wait_for_input(&mut self, key: u32, shared: &Shared) {
        let (run, gone, left) = {
            let mut flow = shared.lock();
            let left = !flow.input.take_read() && flow.input.is_readable();
            (flow.take_up(), flow.gone, left)
        };
        let record = self.exchanges.record(key);
        record.run = run;
        record.phase = Phase::Suspended;
        // Input may have come as it returned; one that reads nothing of it would return for ever.
        record.yields = if left { record.yields.saturating_add(1) } else { 0 };
        if gone {
            return self.close_soon(key);
        }
        let waits = if record.yields < YIELDS {
            self.exchange_waitable(key).and_then(|waitable| {
                let watch = [Watch { waitable, interest: Readiness::READABLE }];
                self.start_exchange_wait(key, &WaitSpec::any(&watch)).map(drop)
            })
        } else {
            Err(nonsense(
                "a blocking application returned AWSGI_SUSPEND again and again, though there is input: \
                 read it first",
            ))
        };
        if let Err(error) = waits {
            self.fail_application(key, &error);
            self.close_soon(key);
        }
    }
}
