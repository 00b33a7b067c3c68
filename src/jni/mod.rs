//! The JVM bridge: the natives of `io.awsgi.core`, and what is behind them.
//!
//! A host in Java crosses once in each iteration of its loop, over a block that both sides share
//! ([`block`]): in go readiness reports, arms and cancels; out come completions and watch changes. That
//! path makes no call into the JVM and keeps no reference of it. What is rare goes through one pair of
//! natives ([`cold`]), and throws. A wake-up is answered to Java, or told to a thread of Java's that
//! waits for it ([`wake`]); nothing here calls Java.

mod block;
mod cold;
mod context;
mod input;
mod lines;
mod natives;
mod policy;
#[cfg(test)]
mod tests;
mod waits;
mod wake;

use std::ffi::{CStr, c_void};
use std::ptr;

use jni::sys::{JNI_ERR, JNI_OK, JNI_VERSION_1_8, JNIEnv, JNINativeMethod, JavaVM, jclass, jint};

/// The class whose natives these are. Java has loaded it before it loads the library.
const CLASS: &CStr = c"io/awsgi/core/Native";

/// A native of the class: its name, its signature, and the function.
fn native(name: &'static CStr, signature: &'static CStr, function: *const ()) -> JNINativeMethod {
    JNINativeMethod {
        name: name.as_ptr().cast_mut(),
        signature: signature.as_ptr().cast_mut(),
        fnPtr: function.cast_mut().cast(),
    }
}

/// The one that says to which classes the rest belongs.
fn handshake() -> [JNINativeMethod; 1] {
    [native(c"layout", c"(I)I", natives::layout as *const ())]
}

/// The rest.
fn table() -> [JNINativeMethod; 7] {
    [
        native(c"open", c"(Ljava/nio/ByteBuffer;III)J", natives::open as *const ()),
        native(c"turn", c"(JIJ)J", natives::turn as *const ()),
        native(c"submit", c"(JII)J", natives::submit as *const ()),
        native(c"result", c"(JI)I", natives::result as *const ()),
        native(c"signal", c"(JI)I", natives::signal as *const ()),
        native(c"watch", c"()I", natives::watch as *const ()),
        native(c"count", c"(I)J", natives::count as *const ()),
    ]
}

/// Called by the JVM that loads the library: binds the natives, if their class is there. Who loads it
/// for another reason has no such class, and is told nothing.
#[unsafe(no_mangle)]
extern "system" fn JNI_OnLoad(vm: *mut JavaVM, _reserved: *mut c_void) -> jint {
    let mut env: *mut c_void = ptr::null_mut();
    // SAFETY: the JVM gives itself, and the thread on which it calls is its own.
    let found = unsafe { ((**vm).v1_2.GetEnv)(vm, &mut env, JNI_VERSION_1_8) };
    if found != JNI_OK || env.is_null() {
        return JNI_ERR;
    }
    let env = env.cast::<JNIEnv>();
    // SAFETY: the environment of this thread, of at least the version that was asked for; the name ends
    // in NUL.
    unsafe {
        let class = ((**env).v1_2.FindClass)(env, CLASS.as_ptr());
        if class.is_null() {
            ((**env).v1_2.ExceptionClear)(env);
        } else if register(env, class, &handshake()) {
            // Classes of another release learn from the handshake that they are not of this one.
            register(env, class, &table());
        }
    }
    JNI_VERSION_1_8
}

/// Binds natives. Answers whether the class has them all.
///
/// # Safety
///
/// `env` is the environment of the calling thread, `class` a class; the natives have the signatures
/// that they say.
unsafe fn register(env: *mut JNIEnv, class: jclass, natives: &[JNINativeMethod]) -> bool {
    // SAFETY: as the caller vouches; strings and functions live as long as the library.
    unsafe {
        let done =
            ((**env).v1_2.RegisterNatives)(env, class, natives.as_ptr(), natives.len() as jint);
        if done != JNI_OK {
            ((**env).v1_2.ExceptionClear)(env);
        }
        done == JNI_OK
    }
}

/// Called when the class loader of the natives is gone, and with it every thread that could be in
/// them.
#[unsafe(no_mangle)]
extern "system" fn JNI_OnUnload(_vm: *mut JavaVM, _reserved: *mut c_void) {
    wake::close();
}
