//! What host, application and pool thread share of an exchange: input and output under its lock.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::BufMut;

use super::application::{Run, Step};
use super::environ::Environ;
use super::input::{Input, Read};
use super::output::Output;
use crate::core::{Completion, Question, Readiness, WaitSpec};
use crate::error::{Error, Fixed, Result, Status};
use crate::reactor::State;

/// Something that a pool thread asks the owner to do for it.
pub(crate) enum Call {
    /// Wait in place.
    Await(Question),
    /// Anything else, for the exchange in this slot.
    Do(Work),
}

/// Work on the owner's state, for the exchange in a slot.
pub(crate) type Work = Box<dyn FnOnce(&mut State, u32) -> Result<u64> + Send>;

/// What a call came to.
pub(crate) enum Reply {
    Completed(Completion),
    Value(u64),
}

/// The part of an exchange under its lock.
pub(crate) struct Flow {
    pub(crate) input: Input,
    pub(crate) output: Output,
    /// The client left, or the host let go.
    pub(crate) gone: bool,
    /// What the host has to be told.
    pub(crate) tell: Readiness,
    in_place: Option<Box<InPlace>>,
}

/// What passes between a pool thread and the owner. Steps have none of it.
#[derive(Default)]
struct InPlace {
    call: Option<Call>,
    reply: Option<Result<Reply>>,
    finished: Option<Step>,
    /// What was run, if it is to be run again.
    set_aside: Option<Box<dyn Run>>,
}

/// An exchange as the application sees it, from the owner's thread or from a pool thread.
pub(crate) struct Shared {
    pub(crate) environ: Environ,
    flow: Mutex<Flow>,
    changed: Condvar,
}

/// The answer to everything an application does after the client left.
pub(crate) fn gone() -> Error {
    static GONE: Fixed = Fixed::new(Status::Closed, "the client is gone: end the exchange");
    GONE.error()
}

impl Flow {
    /// Notes what an application's action means for the host.
    fn note(&mut self, wanted: bool) {
        if self.input.room_due(wanted) {
            self.tell |= Readiness::ROOM;
        }
        if self.output.body_due() {
            self.tell |= Readiness::BODY;
        }
    }

    /// What the exchange, as a waitable, is ready for.
    pub(crate) fn readiness(&self) -> Readiness {
        let mut readiness = Readiness::NONE;
        if self.input.is_readable() {
            readiness |= Readiness::READABLE;
        }
        if self.output.is_writable() {
            readiness |= Readiness::WRITABLE;
        }
        if self.gone {
            readiness |= Readiness::HANGUP;
        }
        readiness
    }

    /// The application waits for input.
    pub(crate) fn want_input(&mut self) {
        if !self.input.is_readable() {
            self.note(true);
        }
    }

    pub(crate) fn start(&mut self, status: i32, headers: &[(&[u8], &[u8])]) -> Result<()> {
        if self.gone {
            return Err(gone());
        }
        self.output.start(status, headers)?;
        self.tell |= Readiness::HEAD;
        Ok(())
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if self.gone {
            return Err(gone());
        }
        let taken = self.output.write(bytes)?;
        self.note(false);
        Ok(taken)
    }

    pub(crate) fn read(&mut self, buffer: &mut impl BufMut) -> Result<Read> {
        if self.gone {
            return Err(gone());
        }
        let read = self.input.read(buffer);
        self.note(read == Read::Nothing);
        Ok(read)
    }

    fn in_place(&mut self) -> &mut InPlace {
        self.in_place.get_or_insert_default()
    }

    /// The application has ended, on a pool thread.
    pub(crate) fn finish(&mut self, step: Step) {
        self.in_place().finished = Some(step);
    }

    /// It has given its thread back until there is input.
    pub(crate) fn set_aside(&mut self, run: Box<dyn Run>) {
        self.in_place().set_aside = Some(run);
        self.finish(Step::Suspend);
    }

    /// What was set aside.
    pub(crate) fn take_up(&mut self) -> Option<Box<dyn Run>> {
        self.in_place().set_aside.take()
    }

    /// Takes what a pool thread asks, and what its application came to.
    pub(crate) fn take_calls(&mut self) -> (Option<Call>, Option<Step>) {
        match &mut self.in_place {
            Some(in_place) => (in_place.call.take(), in_place.finished.take()),
            None => (None, None),
        }
    }
}

impl Shared {
    pub(crate) fn new(environ: Environ, input: Input, output: Output) -> Arc<Shared> {
        Arc::new(Shared {
            environ,
            flow: Mutex::new(Flow {
                input,
                output,
                gone: false,
                tell: Readiness::NONE,
                in_place: None,
            }),
            changed: Condvar::new(),
        })
    }

    /// The lock. A panic elsewhere does not make the buffers wrong: they change in single steps.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes a pool thread that waits in place.
    pub(crate) fn wake(&self) {
        self.changed.notify_all();
    }

    fn wait<'a>(&self, flow: MutexGuard<'a, Flow>) -> MutexGuard<'a, Flow> {
        self.changed.wait(flow).unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a pool thread's call.
    pub(crate) fn reply(&self, reply: Result<Reply>) {
        self.lock().in_place().reply = Some(reply);
        self.wake();
    }

    // ---- from a pool thread; `poke` tells the owner to look ---------------------------------

    /// Waits for a byte or the end.
    pub(crate) fn read_in_place(&self, buffer: &mut impl BufMut, poke: impl Fn()) -> Result<usize> {
        let mut flow = self.lock();
        loop {
            let read = flow.read(buffer)?;
            if !flow.tell.is_empty() {
                poke();
            }
            match read {
                Read::Bytes(n) => return Ok(n),
                Read::End => return Ok(0),
                Read::Nothing => flow = self.wait(flow),
            }
        }
    }

    /// Waits until all was taken.
    pub(crate) fn write_in_place(&self, bytes: &[u8], poke: impl Fn()) -> Result<()> {
        let mut flow = self.lock();
        let mut written = 0;
        loop {
            written += flow.write(&bytes[written..])?;
            if !flow.tell.is_empty() {
                poke();
            }
            if written == bytes.len() {
                return Ok(());
            }
            while !flow.output.is_writable() && !flow.gone {
                flow = self.wait(flow);
            }
        }
    }

    /// Has the owner do something, and waits for the answer.
    pub(crate) fn call(&self, call: Call, poke: impl Fn()) -> Result<Reply> {
        let mut flow = self.lock();
        if flow.gone && matches!(call, Call::Await(_)) {
            return Err(gone());
        }
        flow.in_place().reply = None;
        flow.in_place().call = Some(call);
        poke();
        loop {
            if let Some(reply) = flow.in_place().reply.take() {
                return reply;
            }
            flow = self.wait(flow);
        }
    }

    /// Waits for a completion.
    pub(crate) fn await_in_place(
        &self,
        spec: &WaitSpec<'_>,
        poke: impl Fn(),
    ) -> Result<Completion> {
        if spec.multishot {
            return Err(Error::new(
                Status::Invalid,
                "an await returns once: leave MULTISHOT out, and await again",
            ));
        }
        match self.call(Call::Await(Question::of(spec)), poke)? {
            Reply::Completed(completion) => Ok(completion),
            Reply::Value(_) => unreachable!("an await is answered with a completion"),
        }
    }
}
