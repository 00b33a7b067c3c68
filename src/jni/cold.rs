//! The operations that are rare, or have arguments of any length: one native for all of them.

use super::block;
use super::context::{self, Context};
use crate::core::{Completion, Deadline, Outcome, Readiness, Token};
use crate::error::{Error, Result, Status};
use crate::reactor::{
    Watching, completion_members, waitable_describe, waitable_label, waitable_take,
};

// The operations.
const APPEND: i32 = 0;
const EVENT: i32 = 1;
const TIMER: i32 = 2;
const FOREIGN: i32 = 3;
const DESCRIPTOR: i32 = 4;
const TAKE: i32 = 5;
const LABEL: i32 = 6;
const DESCRIBE: i32 = 7;
const STATS: i32 = 8;
const MEMBERS: i32 = 9;
const LOG: i32 = 10;
const FD: i32 = 11;
const POINTER: i32 = 12;
const FAILURE: i32 = 13;
const FREE: i32 = 14;
const FLUSH: i32 = 15;
/// Panics, for tests of what becomes of a panic.
#[cfg(awsgi_faults)]
const PANIC: i32 = 0x7f00;
/// Reads what was freed, for tests of who looks for that.
#[cfg(awsgi_faults)]
const READ_FREED: i32 = 0x7f01;

/// The last of them.
pub(super) const HIGHEST: i32 = FLUSH;

/// Bytes of arguments kept at most.
const KEPT: usize = 1 << 20;

/// The arguments of an operation, one after the other.
struct Arguments<'a>(&'a [u8]);

impl<'a> Arguments<'a> {
    fn number(&mut self) -> Result<i64> {
        let (number, rest) = self.0.split_first_chunk().ok_or_else(|| {
            Error::new(
                Status::Invalid,
                "the operation has more arguments than were given: these classes and the library \
                 differ",
            )
        })?;
        self.0 = rest;
        Ok(i64::from_ne_bytes(*number))
    }

    fn token(&mut self) -> Result<Token> {
        Ok(Token::from_bits(self.number()? as u64))
    }

    /// 0 or 1.
    fn flag(&mut self, what: &str) -> Result<bool> {
        match self.number()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Error::new(Status::Invalid, format!("{what} is 0 or 1, not {other}"))),
        }
    }

    fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(std::mem::take(&mut self.0))
            .map_err(|_| Error::new(Status::Invalid, "the text is not UTF-8: give it in UTF-8"))
    }
}

/// Does an operation. Answers what it does.
///
/// # Errors
///
/// `Invalid` for one that does not exist, and for arguments that are none; what the operation answers.
pub(super) fn submit(context: i64, operation: i32, length: i32) -> Result<i64> {
    if operation == FREE {
        return context::free(context).map(|()| 0);
    }
    context::with(context, |context| {
        if operation == FLUSH {
            return flush(context, length);
        }
        let mut kept = std::mem::take(&mut context.kept);
        if context.block.arguments(length, &mut kept).is_none() {
            return Err(Error::new(
                Status::Invalid,
                format!(
                    "{length} bytes of arguments: a block has room for {}, APPEND more of them",
                    block::ARGUMENTS_LENGTH
                ),
            ));
        }
        if operation == APPEND {
            return append(context, kept);
        }
        context.result.clear();
        let done = one(context, operation, &mut Arguments(&kept));
        // The room is used again.
        kept.clear();
        context.kept = kept;
        done
    })
}

fn append(context: &mut Context, kept: Vec<u8>) -> Result<i64> {
    if kept.len() > KEPT {
        return Err(Error::new(
            Status::Limit,
            format!("an operation takes at most {KEPT} bytes of arguments: give fewer"),
        ));
    }
    let length = kept.len();
    context.kept = kept;
    Ok(length as i64)
}

/// Has the input records taken without a turn.
fn flush(context: &mut Context, records: i32) -> Result<i64> {
    context.taken.between_turns = true;
    let block = context.block;
    // The clock stands still between turns.
    let done = block::feed(context, block, records, 0);
    context.taken.between_turns = false;
    match done {
        Ok(()) => Ok(0),
        Err(_) => Err(context.failure.take().unwrap_or_else(nothing_failed)),
    }
}

fn one(context: &mut Context, operation: i32, arguments: &mut Arguments<'_>) -> Result<i64> {
    let reactor = &context.reactor;
    let token = |token: Token| token.to_bits() as i64;
    match operation {
        EVENT if arguments.flag("whether it counts")? => reactor.counter().map(token),
        EVENT => reactor.event().map(token),
        TIMER => {
            let (first, period) = (arguments.number()?, arguments.number()?);
            let period = u64::try_from(period).map_err(|_| {
                Error::new(
                    Status::Invalid,
                    "the period of a timer is negative: 0 for none, or more",
                )
            })?;
            reactor.timer(Deadline::at(block::deadline(first)), period).map(token)
        }
        FOREIGN => {
            let handle = arguments.number()? as u64;
            let once = arguments.flag("how a foreign waitable is watched")?;
            let how = if once { Watching::Once } else { Watching::Level };
            reactor.foreign(handle, how).map(token)
        }
        DESCRIPTOR => {
            let fd = arguments.number()?;
            let fd = fd.try_into().map_err(|_| {
                Error::new(Status::Invalid, format!("{fd} is no descriptor: it is too large"))
            })?;
            let own = arguments.flag("whether a descriptor is given")?;
            let made = reactor.descriptor(fd, own)?;
            // Whoever watches it, be it a thread that C's reactors have already, has to tell Java.
            context.will_be_woken();
            Ok(token(made))
        }
        TAKE => {
            let (waitable, now) = (arguments.token()?, arguments.number()?);
            // How often a timer has expired is a question of the time, which may have gone on since
            // the last turn.
            reactor.batch(now.max(0) as u64, |_| ())?;
            waitable_take(waitable).map(|held| held as i64)
        }
        LABEL => {
            let waitable = arguments.token()?;
            waitable_label(waitable, arguments.text()?).map(|()| 0)
        }
        DESCRIBE => {
            let words = waitable_describe(arguments.token()?)?;
            context.result.extend_from_slice(words.as_bytes());
            Ok(words.len() as i64)
        }
        STATS => stats(context),
        MEMBERS => members(context, arguments.number()? as u64),
        LOG => Ok(match context.lines.take() {
            Some((level, line)) => {
                context.result.extend_from_slice(&level.to_ne_bytes());
                context.result.extend_from_slice(line.as_bytes());
                line.len() as i64
            }
            None => -1,
        }),
        FD => reactor.fd().map(|fd| fd as i64),
        POINTER => pointer(context),
        FAILURE => Err(context.failure.take().unwrap_or_else(nothing_failed)),
        #[cfg(awsgi_faults)]
        PANIC => panic!("planted"),
        #[cfg(awsgi_faults)]
        READ_FREED => {
            let freed = Box::into_raw(Box::new(0i64));
            // SAFETY: unsound, which is what it is for. No library that anybody uses has it.
            unsafe {
                drop(Box::from_raw(freed));
                Ok(std::ptr::read_volatile(freed))
            }
        }
        _ => Err(Error::new(
            Status::Invalid,
            format!("{operation} is no operation: these classes and the library differ"),
        )),
    }
}

fn nothing_failed() -> Error {
    Error::new(Status::State, "the last turn has not failed: ask after one that has")
}

fn stats(context: &mut Context) -> Result<i64> {
    let stats = context.reactor.stats()?;
    let counts = [
        stats.turns,
        stats.events,
        stats.completions,
        stats.stale,
        stats.spurious,
        stats.ghosts,
        stats.rebuilds,
        stats.changes,
        stats.signals,
        stats.waits,
        stats.waitables,
    ];
    context.result.extend(counts.iter().flat_map(|count| count.to_ne_bytes()));
    Ok(counts.len() as i64)
}

/// The ready members of what the last turn has delivered last to a wait.
fn members(context: &mut Context, user_data: u64) -> Result<i64> {
    let none = || {
        Error::new(
            Status::Stale,
            "the last turn has delivered no completion of this wait: ask for its members before the \
             next turn",
        )
    };
    let (kind, ready) =
        context.block.last_completion(user_data, context.delivered).ok_or_else(none)?;
    if kind & block::REFUSED != 0 {
        return Ok(0);
    }
    let wait = context.taken.waits.delivered_as(user_data).ok_or_else(none)?;
    let members = completion_members(&Completion {
        user_data,
        wait,
        outcome: Outcome::Ready,
        more: kind & block::MORE != 0,
        members: 0,
        ready: Readiness::from_bits(ready.into()).unwrap_or(Readiness::NONE),
        index: 0,
        error: 0,
    })?;
    for member in &members {
        context.result.extend_from_slice(&member.waitable.to_bits().to_ne_bytes());
        context.result.extend_from_slice(&member.index.to_ne_bytes());
        context.result.extend_from_slice(&member.ready.bits().to_ne_bytes());
    }
    Ok(members.len() as i64)
}

/// What C knows the reactor by. From now on threads of C's may notify what is in it.
#[cfg(feature = "ffi")]
fn pointer(context: &Context) -> Result<i64> {
    context.will_be_woken();
    Ok(crate::ffi::pointer(&context.reactor) as usize as i64)
}

#[cfg(not(feature = "ffi"))]
fn pointer(_: &Context) -> Result<i64> {
    Err(Error::new(
        Status::Unsupported,
        "this library was built without the C ABI: build it with the feature ffi",
    ))
}

/// Puts what the last operation left, from `offset` on, where its arguments were. Answers how many
/// bytes; 0 at the end.
///
/// # Errors
///
/// `Invalid` for an offset that is behind the end.
pub(super) fn result(context: i64, offset: i32) -> Result<i32> {
    context::with(context, |context| {
        let rest = usize::try_from(offset).ok().and_then(|offset| context.result.get(offset..));
        let rest = rest.ok_or_else(|| {
            Error::new(
                Status::Invalid,
                format!("byte {offset} of a result of {}: ask for less", context.result.len()),
            )
        })?;
        Ok(context.block.answer(rest) as i32)
    })
}
