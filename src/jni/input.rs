//! What the input records of a crossing do to a reactor.

use std::collections::VecDeque;

use super::block::{Arm, Input, Output, REFUSED};
use super::waits::Waits;
use crate::core::{Deadline, Outcome, Readiness, Token, WaitSpec, Watch};
use crate::error::{Error, Result, Status};
use crate::reactor::Batch;

// Flags of a question.
const MULTISHOT: u32 = 1;
const OFF_LOOP: u32 = 2;

/// A set has at most so many members.
const MEMBERS: usize = u16::MAX as usize;

/// A completion that is not one of the reactor's.
struct Failed {
    user_data: u64,
    kind: u16,
    /// The errno, or the status.
    why: i32,
}

impl Failed {
    fn of(user_data: u64, kind: u16, error: &Error) -> Failed {
        let why = match error.errno() {
            errno @ 1.. => errno,
            _ => error.status() as i32,
        };
        Failed { user_data, kind: Outcome::Failed as u16 | kind, why }
    }
}

/// What a context has of the records so far.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) waits: Waits,
    /// Members of the set that is armed next.
    members: Vec<Watch>,
    /// How many were given; of more than a set may have, no more are kept.
    given: usize,
    /// Arms that were refused, and waits that could not be armed again; not delivered yet.
    failed: VecDeque<Failed>,
    /// The first record that was wrong.
    wrong: Option<Error>,
    /// Waits may begin before the last turn's completions were dealt with.
    pub(super) between_turns: bool,
}

impl Taken {
    /// Writes what was refused. Answers how many there were room for.
    #[inline]
    pub(super) fn begin_turn(&mut self, completions: &mut Output<'_>) -> usize {
        self.waits.begin_turn();
        let room = completions.room();
        for failed in self.failed.iter().take(room) {
            completions.put(failed.user_data, failed.kind, 0, failed.why);
        }
        self.failed.len().min(room)
    }

    /// The turn has come to its end, and so those were delivered. Answers whether any are left.
    #[inline]
    pub(super) fn end_turn(&mut self, delivered: usize) -> bool {
        self.failed.drain(..delivered);
        !self.failed.is_empty()
    }

    /// Whether all records were right.
    ///
    /// # Errors
    ///
    /// What the first one that was not did.
    #[inline]
    pub(super) fn check(&mut self) -> Result<()> {
        self.wrong.take().map_or(Ok(()), Err)
    }
}

/// The records of one crossing, on their way into the reactor.
pub(super) struct Taking<'a, 'b> {
    pub(super) batch: &'a mut Batch<'b>,
    pub(super) taken: &'a mut Taken,
}

impl Taking<'_, '_> {
    #[cold]
    fn wrong(&mut self, error: Error) {
        self.taken.wrong.get_or_insert(error);
    }

    #[cold]
    fn refuse(&mut self, user_data: u64, error: &Error) {
        self.taken.failed.push_back(Failed::of(user_data, REFUSED, error));
    }

    #[inline]
    fn start(&mut self, arm: Arm, set: &[Watch], at_least: u32) -> Result<()> {
        let Arm { user_data, flags, deadline } = arm;
        if flags & !(MULTISHOT | OFF_LOOP) != 0 {
            return Err(invalid(
                "a flag of the question is none: give MULTISHOT, OFF_LOOP or both",
            ));
        }
        if self.taken.between_turns {
            self.taken.waits.keep(user_data);
        }
        self.taken.waits.check_free(user_data)?;
        let wait = self.batch.arm(&WaitSpec {
            set,
            at_least,
            multishot: flags & MULTISHOT != 0,
            off_loop: flags & OFF_LOOP != 0,
            deadline: Deadline::at(deadline),
            user_data,
        })?;
        self.taken.waits.put(user_data, wait);
        Ok(())
    }
}

#[cold]
fn invalid(sentence: &'static str) -> Error {
    Error::new(Status::Invalid, sentence)
}

/// What a member of a set asks. Bits that are none ask nothing, which the core refuses.
fn watch(waitable: u64, interest: u16) -> Watch {
    let interest = Readiness::from_bits(interest.into()).unwrap_or(Readiness::NONE);
    Watch { waitable: Token::from_bits(waitable), interest }
}

impl Input for Taking<'_, '_> {
    #[inline(always)]
    fn report(&mut self, waitable: u64, ready: u16) {
        let ready = Readiness::from_bits(ready.into())
            .filter(|ready| !ready.is_empty() && Readiness::INTERESTS.contains(*ready));
        let done = match ready {
            Some(ready) => self.batch.report(Token::from_bits(waitable), ready),
            None => Err(invalid("a report has no readiness, or bits that are none: see Readiness")),
        };
        if let Err(error) = done {
            self.wrong(error);
        }
    }

    #[inline]
    fn arm(&mut self, arm: Arm, waitable: u64, interest: u16) {
        if let Err(error) = self.start(arm, &[watch(waitable, interest)], 1) {
            self.refuse(arm.user_data, &error);
        }
    }

    fn member(&mut self, waitable: u64, interest: u16) {
        self.taken.given = self.taken.given.saturating_add(1);
        if self.taken.members.len() <= MEMBERS {
            self.taken.members.push(watch(waitable, interest));
        }
    }

    fn arm_set(&mut self, arm: Arm, at_least: u16, count: i64) {
        let members = std::mem::take(&mut self.taken.members);
        let given = std::mem::take(&mut self.taken.given);
        let done = if usize::try_from(count) == Ok(given) {
            self.start(arm, &members, at_least.into())
        } else {
            Err(invalid("the set has not as many members as were given: give MEMBER for each"))
        };
        if let Err(error) = done {
            self.refuse(arm.user_data, &error);
        }
        // The room is used again.
        self.taken.members = members;
        self.taken.members.clear();
    }

    fn cancel(&mut self, user_data: u64) {
        if let Some(wait) = self.taken.waits.living(user_data) {
            if let Err(error) = self.batch.cancel(wait) {
                self.wrong(error);
            }
        }
    }

    fn forget(&mut self, user_data: u64) {
        if let Some(wait) = self.taken.waits.remove(user_data) {
            if let Err(error) = self.batch.forget(wait) {
                self.wrong(error);
            }
        }
    }

    #[inline]
    fn rearm(&mut self, user_data: u64) {
        let Some(wait) = self.taken.waits.living(user_data) else { return };
        if let Err(error) = self.batch.rearm(wait) {
            // Nobody would hear of it any more.
            self.forget(user_data);
            self.taken.failed.push_back(Failed::of(user_data, 0, &error));
        }
    }

    fn close(&mut self, waitable: u64) {
        match self.batch.close(Token::from_bits(waitable)) {
            Err(error) if error.status() != Status::Stale => self.wrong(error),
            _ => {}
        }
    }

    fn shut(&mut self) {
        self.batch.shut();
    }

    fn cut_off(&mut self, user_data: u64) {
        let error = invalid("a question has its second record in the same crossing: give both");
        self.refuse(user_data, &error);
    }

    fn unknown(&mut self, kind: u16) {
        self.wrong(Error::new(
            Status::Invalid,
            format!("{kind} is no kind of input record: these classes and the library differ"),
        ));
    }
}
