//! Exchanges, the application's half.

use std::mem::MaybeUninit;

use super::completion::awsgi_completion;
use super::guard::{array, bytes, guard, null, out, out_if_wanted};
use super::reactor::{awsgi_reactor, pointer};
use super::status::awsgi_status;
use super::token::{awsgi_exchange, awsgi_header, awsgi_slice, awsgi_wait, awsgi_waitable};
use super::wait::{awsgi_wait_spec, with_spec};
use crate::core::Token;
use crate::error::{Fixed, Result, Status};
use crate::gateway::Exchange;

/// A result of a step, or of a blocking application: the response is complete.
pub const AWSGI_DONE: i32 = 0;
/// A result of a step: resume me when one of my waits completes. Of a blocking application: call me
/// again, on a pool thread, when there is body to read.
pub const AWSGI_SUSPEND: i32 = 1;
/// A result of a step: call me again, fairly.
pub const AWSGI_YIELD: i32 = 2;

pub(super) fn exchange(token: awsgi_exchange) -> Exchange {
    Exchange::from_token(Token::from_bits(token))
}

/// Starts a wait that resumes the exchange. Several may be under way; return AWSGI_SUSPEND, and the
/// next step gets what completed. What it starts never completes before the step has returned.
///
/// spec: the question; it and its set are copied.
/// wait: the wait's token; may be NULL.
///
/// Returns: as awsgi_wait_start; AWSGI_E_STATE in a blocking application; AWSGI_E_LIMIT beyond
///   max_waits_per_exchange.
/// Ownership: the wait ends with the exchange.
/// Threads: exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_wait(
    exchange: awsgi_exchange,
    spec: *const awsgi_wait_spec,
    wait: *mut awsgi_wait,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointers.
        let wait = unsafe { out_if_wanted(wait) };
        let exchange = self::exchange(exchange);
        // SAFETY: as above.
        let started = unsafe { with_spec(spec, |spec| exchange.wait(spec))? };
        if let Some(wait) = wait {
            *wait = started.to_bits();
        }
        Ok(())
    })
}

/// Waits in place, and returns when the wait completed. For blocking applications.
///
/// spec: the question, without AWSGI_MULTISHOT.
/// completion: how it ended.
///
/// Returns: as awsgi_wait_start; AWSGI_E_STATE in a step; AWSGI_E_CLOSED once the client is gone.
/// Ownership: nothing is kept.
/// Threads: exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_await(
    exchange: awsgi_exchange,
    spec: *const awsgi_wait_spec,
    completion: *mut awsgi_completion,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointers.
        let completion = unsafe { out(completion, "completion")? };
        let exchange = self::exchange(exchange);
        // SAFETY: as above.
        let ended = unsafe { with_spec(spec, |spec| exchange.wait_in_place(spec))? };
        *completion = awsgi_completion::of(&ended);
        Ok(())
    })
}

/// A variable of the environ: the CGI variables and the wsgi.* keys of PEP 3333.
///
/// key: its name, as AWSGI_SLICE("PATH_INFO").
/// value: its value, after whose last byte a NUL follows; (NULL, 0) if there is none of that name.
///
/// Returns: AWSGI_OK, also if there is none; AWSGI_E_STALE after the exchange's end; AWSGI_E_THREAD;
///   AWSGI_E_NULL.
/// Ownership: the value is the exchange's, and stays until its close has returned.
/// Threads: exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_environ(
    exchange: awsgi_exchange,
    key: awsgi_slice,
    value: *mut awsgi_slice,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointers.
        let (value, key) = unsafe { (out(value, "value")?, bytes(key, "key")?) };
        self::exchange(exchange).environ(key, |found| {
            if let Some(found) = found {
                *value = awsgi_slice::of(found);
            }
        })
    })
}

/// The variables of the environ, one after another.
///
/// cursor: 0 for the first; moved to the next by each call.
/// key, value: the variable; (NULL, 0) at the end.
///
/// Returns: AWSGI_OK; AWSGI_E_AGAIN at the end; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: both are the exchange's, and stay until its close has returned.
/// Threads: exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_environ_each(
    exchange: awsgi_exchange,
    cursor: *mut usize,
    key: *mut awsgi_slice,
    value: *mut awsgi_slice,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointers.
        let (key, value) = unsafe { (out(key, "key"), out(value, "value")) };
        let (key, value) = (key?, value?);
        if cursor.is_null() {
            return Err(null("cursor"));
        }
        // SAFETY: not NULL; the caller vouches for the rest.
        let cursor = unsafe { &mut *cursor };
        let next = self::exchange(exchange).environ_each(*cursor, |found, text| {
            *key = awsgi_slice::of(found);
            *value = awsgi_slice::of(text);
        })?;
        match next {
            Some(next) => {
                *cursor = next;
                Ok(())
            }
            None => {
                static NO_MORE: Fixed =
                    Fixed::new(Status::Again, "the environ has no more variables");
                Err(NO_MORE.error())
            }
        }
    })
}

/// The exchange as a waitable: AWSGI_READABLE when body bytes or the end of the body can be read,
/// AWSGI_WRITABLE when there is room in the response, AWSGI_HANGUP when the client is gone,
/// AWSGI_PRIORITY when the server drains. An exchange that waits for it is resumed when the client
/// leaves, and may finish; any other suspended exchange just ends.
///
/// waitable: the same token each time.
///
/// Returns: AWSGI_OK; AWSGI_E_CLOSED while the reactor closes; AWSGI_E_LIMIT; AWSGI_E_STALE;
///   AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: it ends with the exchange: do not close it.
/// Threads: exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_self(
    exchange: awsgi_exchange,
    waitable: *mut awsgi_waitable,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        let waitable = unsafe { out(waitable, "waitable")? };
        *waitable = self::exchange(exchange).waitable()?.to_bits();
        Ok(())
    })
}

/// The reactor that runs the exchange: to make waitables, to ask the time.
///
/// reactor: the reactor.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: the host's: do not close or free it.
/// Threads: exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_reactor(
    exchange: awsgi_exchange,
    reactor: *mut *mut awsgi_reactor,
) -> awsgi_status {
    guard(|| {
        if reactor.is_null() {
            return Err(null("reactor"));
        }
        // SAFETY: not NULL; the caller vouches for the rest.
        unsafe { reactor.write(std::ptr::null_mut()) };
        let found = self::exchange(exchange).reactor()?;
        // SAFETY: as above.
        unsafe { reactor.write(pointer(&found)) };
        Ok(())
    })
}

/// The reactor's clock, for deadlines.
///
/// ns: the time in nanoseconds, as awsgi_reactor_now tells it.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: nothing is kept.
/// Threads: exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_now(
    exchange: awsgi_exchange,
    ns: *mut u64,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        let ns = unsafe { out(ns, "ns")? };
        *ns = self::exchange(exchange).reactor()?.now()?;
        Ok(())
    })
}

/// Reads from the request body.
///
/// buffer, capacity: where to, in bytes.
/// count: how many bytes were read; 0 at the end of the body.
///
/// Returns: AWSGI_OK; in a step AWSGI_E_AGAIN when nothing is there (wait for AWSGI_READABLE on
///   awsgi_exchange_self), while a blocking application waits for a byte or the end;
///   AWSGI_E_CLOSED once the client is gone; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: the buffer stays the caller's.
/// Threads: exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_read(
    exchange: awsgi_exchange,
    buffer: *mut std::ffi::c_void,
    capacity: usize,
    count: *mut usize,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointers.
        let count = unsafe { out(count, "count")? };
        // The bytes may never have been written.
        let buffer = buffer.cast::<MaybeUninit<u8>>();
        // SAFETY: as above; checks pointer and length.
        unsafe { array(buffer, capacity, "buffer")? };
        let mut buffer: &mut [MaybeUninit<u8>] = if capacity == 0 {
            &mut []
        } else {
            // SAFETY: checked above, and the caller's to write for the time of the call.
            unsafe { std::slice::from_raw_parts_mut(buffer, capacity) }
        };
        *count = self::exchange(exchange).read_into(&mut buffer)?;
        Ok(())
    })
}

/// Runs `f` with the headers of C's as slices.
///
/// # Safety
///
/// `headers` and what they point to are what the header says.
pub(super) unsafe fn with_headers<'a, R>(
    headers: *const awsgi_header,
    count: usize,
    f: impl FnOnce(&[(&'a [u8], &'a [u8])]) -> Result<R>,
) -> Result<R> {
    // SAFETY: as the caller vouches.
    let headers = unsafe { array(headers, count, "headers")? };
    let field = |header: &awsgi_header| -> Result<(&'a [u8], &'a [u8])> {
        // SAFETY: as the caller vouches.
        unsafe { Ok((bytes(header.name, "name")?, bytes(header.value, "value")?)) }
    };
    if headers.len() > FEW {
        let fields = headers.iter().map(field).collect::<Result<Vec<_>>>()?;
        return f(&fields);
    }
    let mut fields = [(&[][..], &[][..]); FEW];
    for (place, header) in fields.iter_mut().zip(headers) {
        *place = field(header)?;
    }
    f(&fields[..headers.len()])
}

/// So many headers need no allocation.
const FEW: usize = 16;

/// Gives the head of the response, once. It may wait before it does.
///
/// status: 200 to 599.
/// headers, count: the header fields, and how many. Connection, Transfer-Encoding and their like are
///   the server's. Without Content-Length the server frames the body, and sends its length if the
///   response is complete by then.
///
/// Returns: AWSGI_OK; AWSGI_E_INVALID for a status, name or value that cannot be sent (CR, LF, NUL);
///   AWSGI_E_STATE if it was given before; AWSGI_E_CLOSED once the client is gone; AWSGI_E_STALE;
///   AWSGI_E_THREAD; AWSGI_E_NULL. After an error nothing was started.
/// Ownership: everything is copied.
/// Threads: exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_start(
    exchange: awsgi_exchange,
    status: i32,
    headers: *const awsgi_header,
    count: usize,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointers.
        unsafe {
            with_headers(headers, count, |headers| self::exchange(exchange).start(status, headers))
        }
    })
}

/// Gives bytes of the response.
///
/// data, len: the bytes.
/// taken: how many were taken; may be NULL. A step's are taken up to the high-water mark: if fewer
///   than len, wait for AWSGI_WRITABLE on awsgi_exchange_self. A blocking application's are all
///   taken, in time. Where no body may be sent (HEAD, 204, 304) they are taken and dropped.
///
/// Returns: AWSGI_OK; AWSGI_E_STATE before awsgi_exchange_start; AWSGI_E_INVALID, with nothing
///   taken, beyond a declared Content-Length; AWSGI_E_CLOSED once the client is gone;
///   AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: the bytes are copied.
/// Threads: exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_write(
    exchange: awsgi_exchange,
    data: *const std::ffi::c_void,
    len: usize,
    taken: *mut usize,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointers.
        let (taken, data) =
            unsafe { (out_if_wanted(taken), array(data.cast::<u8>(), len, "data")?) };
        let written = self::exchange(exchange).write(data)?;
        if let Some(taken) = taken {
            *taken = written;
        }
        Ok(())
    })
}
