//! How a failure becomes an exception of Java's.

use std::any::Any;

use jni::Env;
use jni::errors::ErrorPolicy;
use jni::sys::{JNIEnv, jsize, jvalue};

use crate::error::{Error, Status, caught};

/// Throws what `AwsgiException.of` makes of a failure, and answers 0.
pub(super) struct Throw;

impl<T: Default> ErrorPolicy<T, Error> for Throw {
    type Captures<'local: 'native, 'native> = ();

    fn on_error<'local: 'native, 'native>(
        env: &mut Env<'local>,
        (): &mut (),
        error: Error,
    ) -> jni::errors::Result<T> {
        throw(env, &error);
        Ok(T::default())
    }

    fn on_panic<'local: 'native, 'native>(
        env: &mut Env<'local>,
        (): &mut (),
        panic: Box<dyn Any + Send + 'static>,
    ) -> jni::errors::Result<T> {
        throw(env, &caught(&*panic));
        Ok(T::default())
    }
}

/// A call into the JVM has failed.
impl From<jni::errors::Error> for Error {
    fn from(error: jni::errors::Error) -> Error {
        Error::new(Status::State, format!("the JVM refused a call of the bridge: {error}"))
    }
}

/// Throws. What cannot be made leaves the exception that says why; one that is there already stays.
fn throw(env: &mut Env<'_>, error: &Error) {
    let message: Vec<u16> = error.message().encode_utf16().collect();
    // SAFETY: the environment is that of a native's caller.
    unsafe { throw_raw(env.get_raw(), error.status(), error.errno(), &message) };
}

/// By hand: `jni` would keep references to classes, and translate what the JVM throws here.
///
/// # Safety
///
/// `env` is the environment of the calling thread, in a native whose caller sees what it throws.
unsafe fn throw_raw(env: *mut JNIEnv, status: Status, errno: i32, message: &[u16]) {
    // SAFETY: the caller vouches for the environment, all functions are there since 1.2, every reference
    // is local and just made, and after each call that may throw, NULL ends this.
    unsafe {
        let table = &**env;
        if (table.v1_2.ExceptionCheck)(env) {
            return;
        }
        let class = (table.v1_2.FindClass)(env, c"io/awsgi/core/AwsgiException".as_ptr());
        if class.is_null() {
            return;
        }
        let signature = c"(IILjava/lang/String;)Lio/awsgi/core/AwsgiException;";
        let of = (table.v1_2.GetStaticMethodID)(env, class, c"of".as_ptr(), signature.as_ptr());
        if of.is_null() {
            return;
        }
        let words = (table.v1_2.NewString)(env, message.as_ptr(), message.len() as jsize);
        if words.is_null() {
            return;
        }
        let arguments = [jvalue { i: status as i32 }, jvalue { i: errno }, jvalue { l: words }];
        let made = (table.v1_2.CallStaticObjectMethodA)(env, class, of, arguments.as_ptr());
        if !(table.v1_2.ExceptionCheck)(env) && !made.is_null() {
            (table.v1_2.Throw)(env, made);
        }
    }
}
