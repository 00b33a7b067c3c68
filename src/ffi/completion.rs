//! Completions: how a wait ended.

use super::guard::{array, guard, null, out};
use super::status::awsgi_status;
use super::token::{awsgi_wait, awsgi_waitable};
use crate::core::{Completion, Outcome, Readiness, Token};
use crate::reactor::completion_members;

/// An outcome: a waitable of the set is ready.
pub const AWSGI_READY: u8 = 1;
/// An outcome: the deadline passed.
pub const AWSGI_TIMED_OUT: u8 = 2;
/// An outcome: the wait was cancelled.
pub const AWSGI_CANCELLED: u8 = 3;
/// An outcome: a waitable of the set, or the reactor, was closed.
pub const AWSGI_CLOSED: u8 = 4;
/// An outcome: the wait failed; `error` says why.
pub const AWSGI_FAILED: u8 = 5;

/// A flag of a completion: further completions of the same wait follow.
pub const AWSGI_MORE: u8 = 1;

/// How a wait ended. 32 bytes, for ever.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct awsgi_completion {
    /// The value given with the wait.
    pub user_data: u64,
    /// The wait; retired on delivery, unless AWSGI_MORE. For the host's half of an exchange, the
    /// exchange.
    pub wait: awsgi_wait,
    /// AWSGI_READY, AWSGI_TIMED_OUT, AWSGI_CANCELLED, AWSGI_CLOSED or AWSGI_FAILED.
    pub outcome: u8,
    /// AWSGI_MORE, or 0.
    pub flags: u8,
    /// How many waitables of the set were ready.
    pub members: u16,
    /// The readiness of member `index`.
    pub ready: u32,
    /// The position in the set of the first ready member.
    pub index: u32,
    /// The errno, if the outcome is AWSGI_FAILED.
    pub error: i32,
}

const _: () = assert!(size_of::<awsgi_completion>() == 32);

impl awsgi_completion {
    pub(super) fn of(completion: &Completion) -> awsgi_completion {
        awsgi_completion {
            user_data: completion.user_data,
            wait: completion.wait.to_bits(),
            outcome: completion.outcome as u8,
            flags: if completion.more { AWSGI_MORE } else { 0 },
            members: completion.members,
            ready: completion.ready.bits(),
            index: completion.index,
            error: completion.error,
        }
    }

    /// As far as its members depend on it.
    fn to_completion(self) -> Completion {
        Completion {
            user_data: self.user_data,
            wait: Token::from_bits(self.wait),
            outcome: Outcome::Ready,
            more: self.flags & AWSGI_MORE != 0,
            members: self.members,
            ready: Readiness::from_bits_truncate(self.ready),
            index: self.index,
            error: self.error,
        }
    }
}

/// A ready member of a set.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct awsgi_member {
    /// The waitable.
    pub waitable: awsgi_waitable,
    /// Its position in the set.
    pub index: u32,
    /// Its readiness.
    pub ready: u32,
}

/// The ready members of a completion's set, in the order of the set, the first included.
///
/// completion: one of the last turn's, for the host until its next turn; for a step, one of those it
///   was called with, until it returns; for a pool thread, the last it has waited for. One with
///   AWSGI_MORE can be asked for as long as its wait lives.
/// members, capacity: where to write them, in elements; as many as fit. (NULL, 0) asks for the count
///   alone.
/// count: how many elements there are.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE later, and for what is not the completion of a wait;
///   AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: nothing is kept. A waitable that was closed since is 0.
/// Threads: owner, exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_completion_members(
    completion: *const awsgi_completion,
    members: *mut awsgi_member,
    capacity: usize,
    count: *mut usize,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        let count = unsafe { out(count, "count")? };
        if completion.is_null() {
            return Err(null("completion"));
        }
        // SAFETY: only checked for NULL and length.
        unsafe { array(members, capacity, "members")? };
        // SAFETY: not NULL; the caller vouches for the rest.
        let completion = unsafe { completion.read() }.to_completion();
        let ready = completion_members(&completion)?;
        for (index, member) in ready.iter().take(capacity).enumerate() {
            // SAFETY: `index` is below `capacity`, for which `members` has room.
            unsafe {
                members.add(index).write(awsgi_member {
                    waitable: member.waitable.to_bits(),
                    index: member.index,
                    ready: member.ready.bits(),
                });
            }
        }
        *count = ready.len();
        Ok(())
    })
}
