//! The native methods of `io.awsgi.core.Native`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jni::EnvUnowned;
use jni::objects::{JByteBuffer, JClass};
use jni::sys::{JNIEnv, jclass, jint, jlong};

use super::block::{self, Block};
use super::policy::Throw;
use super::wake::{self, Collecting};
use super::{cold, context};
use crate::core::{Readiness, Token};
use crate::error::{Error, Result, Status, caught};
use crate::reactor;

/// A native that makes no call into the JVM: a panic becomes a status.
#[inline(always)]
fn guard<T>(body: impl FnOnce() -> T, panicked: impl FnOnce(Error) -> T) -> T {
    // The state behind a panic is not left half-changed: what panicked is a context's own, and its
    // borrow ends with the unwinding.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| panicked(caught(&*panic)))
}

/// `int layout(int item)`
pub(super) extern "system" fn layout(_: *mut JNIEnv, _: jclass, item: jint) -> jint {
    guard(|| block::layout(item, cold::HIGHEST), |_| -1)
}

/// `long open(ByteBuffer block, int mode, int maxWaitables, int maxWaits)`
pub(super) extern "system" fn open<'local>(
    mut env: EnvUnowned<'local>,
    _: JClass<'local>,
    block: JByteBuffer<'local>,
    mode: jint,
    max_waitables: jint,
    max_waits: jint,
) -> jlong {
    let opened = env.with_env(|env| -> Result<jlong> {
        let unfit = || {
            Error::new(
                Status::Invalid,
                format!(
                    "the block is a direct buffer of {} bytes at a multiple of 8: make it with \
                     Layout.block()",
                    block::SIZE
                ),
            )
        };
        if block.is_null() || env.get_direct_buffer_capacity(&block).unwrap_or(0) < block::SIZE {
            return Err(unfit());
        }
        let address = env.get_direct_buffer_address(&block).map_err(|_| unfit())?;
        // SAFETY: a direct buffer of this size, which Java keeps reachable for as long as it has the
        // context; only Java and the block's own functions know its address.
        let block = unsafe { Block::at(address) }.ok_or_else(unfit)?;
        context::open(block, mode, max_waitables, max_waits)
    });
    opened.resolve::<Throw>()
}

/// `long turn(long context, int records, long now)`
pub(super) extern "system" fn turn(
    _: *mut JNIEnv,
    _: jclass,
    context: jlong,
    records: jint,
    now: jlong,
) -> jlong {
    guard(
        || context::cross(context, records, now),
        |failure| {
            let status = failure.status() as jint;
            context::keep(context, failure);
            status.into()
        },
    )
}

/// `long submit(long context, int op, int length)`
pub(super) extern "system" fn submit<'local>(
    mut env: EnvUnowned<'local>,
    _: JClass<'local>,
    context: jlong,
    operation: jint,
    length: jint,
) -> jlong {
    env.with_env(|_| cold::submit(context, operation, length)).resolve::<Throw>()
}

/// `int result(long context, int offset)`
pub(super) extern "system" fn result<'local>(
    mut env: EnvUnowned<'local>,
    _: JClass<'local>,
    context: jlong,
    offset: jint,
) -> jint {
    env.with_env(|_| cold::result(context, offset)).resolve::<Throw>()
}

/// `int signal(long token, int bits)`
pub(super) extern "system" fn signal(_: *mut JNIEnv, _: jclass, token: jlong, bits: jint) -> jint {
    guard(|| notify(token, bits), |failure| failure.status() as jint)
}

fn notify(token: jlong, bits: jint) -> jint {
    let token = Token::from_bits(token as u64);
    let collecting = Collecting::of(token.reactor());
    // Bits that are none are refused, as none at all.
    let ready = Readiness::from_bits(bits as u32).unwrap_or(Readiness::NONE);
    match reactor::notify(token, ready) {
        Ok(()) => collecting.woken().into(),
        Err(error) => error.status() as jint,
    }
}

/// `int watch()`
pub(super) extern "system" fn watch(_: *mut JNIEnv, _: jclass) -> jint {
    guard(|| wake::watch().map_or(-1, jint::from), |failure| failure.status() as jint)
}

/// `long count(int what)`
pub(super) extern "system" fn count(_: *mut JNIEnv, _: jclass, what: jint) -> jlong {
    guard(|| context::count(what), |_| -1)
}
