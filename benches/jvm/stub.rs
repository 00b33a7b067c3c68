//! A library with the natives of `io.awsgi.core.Native` and no reactor behind them: it answers one
//! completion for each report. What Java needs with it is what the bridge costs by itself.
//!
//! Its crossing is that of the library, the same source; only what is turned is another.

#[allow(dead_code)]
#[path = "../../src/jni/block.rs"]
mod block;

use std::ffi::{CStr, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use jni::sys::{
    JNI_ERR, JNI_OK, JNI_VERSION_1_8, JNIEnv, JNINativeMethod, JavaVM, jclass, jint, jlong, jobject,
};

use block::{Arm, Asked, Block, Core, Input, Output, Records, Turned};

/// The highest operation of a `submit`, and those that it knows.
const FLUSH: jint = 15;
const FOREIGN: jint = 3;

/// `Status::Unsupported`.
const UNSUPPORTED: jint = -11;

/// A core without a reactor. Its waitables have one wait each, and are reported in their order.
struct Stub {
    block: Block,
    /// By the waitables' tokens, which are counted from 0.
    waits: Vec<u64>,
    reports: usize,
    closed: bool,
}

/// The records of one crossing, on their way in.
struct Taking<'a> {
    waits: &'a mut [u64],
    reports: usize,
    closed: bool,
}

impl Input for Taking<'_> {
    #[inline(always)]
    fn report(&mut self, _: u64, _: u16) {
        self.reports += 1;
    }

    fn arm(&mut self, arm: Arm, waitable: u64, _: u16) {
        if let Some(wait) = self.waits.get_mut(waitable as usize) {
            *wait = arm.user_data;
        }
    }

    fn shut(&mut self) {
        self.closed = true;
    }

    fn member(&mut self, _: u64, _: u16) {}
    fn arm_set(&mut self, _: Arm, _: u16, _: i64) {}
    fn cancel(&mut self, _: u64) {}
    fn forget(&mut self, _: u64) {}
    fn rearm(&mut self, _: u64) {}
    fn close(&mut self, _: u64) {}
    fn cut_off(&mut self, _: u64) {}
    fn unknown(&mut self, _: u16) {}
}

impl Core for Stub {
    #[inline]
    fn take(&mut self, records: Records, _: u64) -> Result<(), i32> {
        let mut taking = Taking { waits: &mut self.waits, reports: 0, closed: self.closed };
        records.feed(&mut taking);
        let Taking { reports, closed, .. } = taking;
        (self.reports, self.closed) = (reports, closed);
        Ok(())
    }

    fn beyond(&mut self, _: i32) -> i32 {
        UNSUPPORTED
    }

    #[inline]
    fn turn(
        &mut self,
        _: &Asked,
        completions: &mut Output<'_>,
        _: &mut Output<'_>,
    ) -> Result<Turned, i32> {
        let reports = self.reports.min(self.waits.len());
        for wait in &self.waits[..reports] {
            completions.put(*wait, 1 | block::MORE, 1, 1 << 16);
        }
        self.reports = 0;
        let flags = if self.closed { block::TURN_CLOSED } else { 0 };
        Ok(Turned { now: 0, next_deadline: u64::MAX, flags })
    }
}

extern "system" fn layout(_: *mut JNIEnv, _: jclass, item: jint) -> jint {
    block::layout(item, FLUSH)
}

extern "system" fn open(
    env: *mut JNIEnv,
    _: jclass,
    block: jobject,
    _mode: jint,
    _max_waitables: jint,
    _max_waits: jint,
) -> jlong {
    // SAFETY: the environment of this thread, and a buffer that its caller has made.
    let address = unsafe { ((**env).v1_4.GetDirectBufferAddress)(env, block) };
    // SAFETY: Java keeps the block as long as the context, and only both of us know its address.
    let Some(block) = (unsafe { Block::at(address.cast()) }) else { return 0 };
    let stub = Stub { block, waits: Vec::new(), reports: 0, closed: false };
    Box::into_raw(Box::new(stub)) as jlong
}

/// The core of a context.
///
/// # Safety
///
/// It was answered by `open`, and not freed; nothing else refers to its core.
unsafe fn core<'a>(context: jlong) -> &'a mut Stub {
    // SAFETY: as the caller vouches.
    unsafe { &mut *(context as *mut Stub) }
}

extern "system" fn turn(
    _: *mut JNIEnv,
    _: jclass,
    context: jlong,
    records: jint,
    now: jlong,
) -> jlong {
    // What guards the library's guards this.
    catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the benchmark has one context and one thread.
        let core = unsafe { core(context) };
        let block = core.block;
        block::cross(core, block, records, now)
    }))
    .unwrap_or(UNSUPPORTED.into())
}

extern "system" fn submit(
    _: *mut JNIEnv,
    _: jclass,
    context: jlong,
    operation: jint,
    _length: jint,
) -> jlong {
    // SAFETY: as in `turn`.
    let core = unsafe { core(context) };
    if operation == FOREIGN {
        core.waits.push(0);
        return core.waits.len() as jlong - 1;
    }
    0
}

extern "system" fn result(_: *mut JNIEnv, _: jclass, _context: jlong, _offset: jint) -> jint {
    0
}

extern "system" fn signal(_: *mut JNIEnv, _: jclass, _token: jlong, _bits: jint) -> jint {
    UNSUPPORTED
}

extern "system" fn watch(_: *mut JNIEnv, _: jclass) -> jint {
    -1
}

extern "system" fn count(_: *mut JNIEnv, _: jclass, _what: jint) -> jlong {
    0
}

fn native(name: &'static CStr, signature: &'static CStr, function: *const ()) -> JNINativeMethod {
    JNINativeMethod {
        name: name.as_ptr().cast_mut(),
        signature: signature.as_ptr().cast_mut(),
        fnPtr: function.cast_mut().cast(),
    }
}

#[unsafe(no_mangle)]
extern "system" fn JNI_OnLoad(vm: *mut JavaVM, _reserved: *mut c_void) -> jint {
    let table = [
        native(c"layout", c"(I)I", layout as *const ()),
        native(c"open", c"(Ljava/nio/ByteBuffer;III)J", open as *const ()),
        native(c"turn", c"(JIJ)J", turn as *const ()),
        native(c"submit", c"(JII)J", submit as *const ()),
        native(c"result", c"(JI)I", result as *const ()),
        native(c"signal", c"(JI)I", signal as *const ()),
        native(c"watch", c"()I", watch as *const ()),
        native(c"count", c"(I)J", count as *const ()),
    ];
    let mut env: *mut c_void = ptr::null_mut();
    // SAFETY: the JVM gives itself, on a thread of its own; strings and functions live as long as the
    // library, and the functions have the signatures that they are said to have.
    unsafe {
        if ((**vm).v1_2.GetEnv)(vm, &mut env, JNI_VERSION_1_8) != JNI_OK {
            return JNI_ERR;
        }
        let env = env.cast::<JNIEnv>();
        let class = ((**env).v1_2.FindClass)(env, c"io/awsgi/core/Native".as_ptr());
        let natives = table.as_ptr();
        if class.is_null()
            || ((**env).v1_2.RegisterNatives)(env, class, natives, table.len() as jint) != JNI_OK
        {
            return JNI_ERR;
        }
    }
    JNI_VERSION_1_8
}
