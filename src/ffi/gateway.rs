//! The gateway, and the host's half of an exchange.

use std::collections::VecDeque;
use std::ffi::{c_int, c_void};

use bytes::{Buf, Bytes};

use super::application::awsgi_application;
use super::exchange::{exchange, with_headers};
use super::guard::{array, bytes, guard, null, out, size, sized, string};
use super::load;
use super::owned::Owned;
use super::reactor::{awsgi_reactor, reactor};
use super::status::awsgi_status;
use super::token::{awsgi_exchange, awsgi_header, awsgi_slice};
use crate::error::{Error, Result, Status};
use crate::gateway::{Exchange, Gateway, GatewayOptions, GatewayRef, Head, Request, Taken};

/// An application bound to a reactor, with its limits.
pub struct awsgi_gateway {
    _private: [u8; 0],
}

static GATEWAYS: Owned<GatewayRef> = Owned::new();

/// Readiness of the host's half of an exchange: the head of the response is known. Once.
pub const AWSGI_HEAD: u32 = 1 << 8;
/// Readiness of the host's half: output appeared after awsgi_exchange_take found none.
pub const AWSGI_BODY: u32 = 1 << 9;
/// Readiness of the host's half: there is room after an awsgi_exchange_feed that took less.
pub const AWSGI_ROOM: u32 = 1 << 10;
/// Readiness of the host's half: the response is complete; take what is left. Last.
pub const AWSGI_END: u32 = 1 << 11;
/// Readiness of the host's half: the response cannot be completed; close the connection. Last.
pub const AWSGI_ABORT: u32 = 1 << 12;

/// How a gateway runs its exchanges. Begin with AWSGI_GATEWAY_OPTIONS_INIT; zero means the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct awsgi_gateway_options {
    /// The size of this structure in bytes, set by AWSGI_GATEWAY_OPTIONS_INIT.
    pub size: usize,
    /// Exchanges at once; 0: 1,048,576.
    pub max_exchanges: u32,
    /// Waits of one exchange at once; 0: 64.
    pub max_waits_per_exchange: u32,
    /// Body bytes held for an application that has not read them; 0: 65,536.
    pub input_buffer: usize,
    /// Response bytes held for a host that has not sent them, the high-water mark; 0: 65,536.
    pub output_buffer: usize,
    /// Threads for a blocking application, whose further exchanges are queued; 0: 16.
    pub pool_threads: u32,
    /// 1 if other threads of the process run the same application (wsgi.multithread), else 0.
    pub multithread: u32,
    /// The prefix of the path at which the application lies, as "/app"; NULL or "" for the root.
    pub script_name: *const std::ffi::c_char,
}

/// The head of a request, as the host parsed it. Begin with AWSGI_REQUEST_INIT. Everything is
/// copied.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct awsgi_request {
    /// The size of this structure in bytes, set by AWSGI_REQUEST_INIT.
    pub size: usize,
    /// The method, as "GET".
    pub method: awsgi_slice,
    /// The raw target: a path with its query, a URL, or "*".
    pub target: awsgi_slice,
    /// The protocol; empty: "HTTP/1.1".
    pub protocol: awsgi_slice,
    /// "http" or "https"; empty: "http".
    pub scheme: awsgi_slice,
    /// The address of the client.
    pub remote_addr: awsgi_slice,
    /// The name or address under which the server was reached.
    pub server_name: awsgi_slice,
    /// The port of the client; 0 if it has none.
    pub remote_port: u16,
    /// The port under which the server was reached.
    pub server_port: u16,
    /// 1 if a body follows by awsgi_exchange_feed, else 0.
    pub body: u32,
    /// The header fields, in the order in which they came.
    pub headers: *const awsgi_header,
    /// How many.
    pub header_count: usize,
    /// The length of the body; -1 if feeding it will tell. Not looked at without a body.
    pub content_length: i64,
    /// Comes back in the completions of the host's half.
    pub user_data: u64,
}

/// The head of a response, checked. Begin with AWSGI_HEAD_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct awsgi_head {
    /// The size of this structure in bytes, set by AWSGI_HEAD_INIT.
    pub size: usize,
    /// The status, 200 to 599.
    pub status: i32,
    /// 1 if no body may be sent (HEAD, 204, 304), else 0.
    pub bodiless: u32,
    /// The header fields: no CR, LF or NUL, and none that frames the message.
    pub headers: *const awsgi_header,
    /// How many.
    pub header_count: usize,
    /// The length of the body, for the host to frame it; -1 if it is not known.
    pub length: i64,
}

/// What a C host has borrowed of an exchange.
#[derive(Default)]
struct Borrowed {
    head: Option<(Head, Vec<awsgi_header>)>,
    taken: VecDeque<Bytes>,
}

// SAFETY: the headers point into `head`, whose bytes do not move, and which lies beside them.
unsafe impl Send for Borrowed {}

/// Runs `f` with what the host has borrowed of an exchange.
fn borrowed<R>(exchange: Exchange, f: impl FnOnce(&mut Borrowed) -> R) -> Result<R> {
    exchange.lent(f)
}

/// Binds an application to a reactor; calls its `worker`.
///
/// application: from awsgi_application_load, awsgi_application_link, or filled in by the host.
/// options: NULL for the defaults.
/// gateway: the gateway.
///
/// Returns: AWSGI_OK; AWSGI_E_STATE if the application refuses; AWSGI_E_UNSUPPORTED for a style or
///   ABI that this library does not have; AWSGI_E_INVALID for an application without `run`, or a
///   script_name that is no prefix; AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: the caller's, to be ended with awsgi_gateway_close and awsgi_gateway_free. What
///   `application` points to is copied.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_gateway_new(
    reactor: *mut awsgi_reactor,
    application: *const awsgi_application,
    options: *const awsgi_gateway_options,
    gateway: *mut *mut awsgi_gateway,
) -> awsgi_status {
    guard(|| {
        if gateway.is_null() {
            return Err(null("gateway"));
        }
        // SAFETY: not NULL; the caller vouches for the rest.
        unsafe { gateway.write(std::ptr::null_mut()) };
        let reactor = self::reactor(reactor)?;
        // SAFETY: the caller vouches for the pointers; the structures are integers and pointers.
        let application =
            unsafe { sized(application, size_of::<awsgi_application>(), "application")? };
        let mut settings = GatewayOptions::default();
        if !options.is_null() {
            // SAFETY: as above.
            let given = unsafe { sized(options, size_of::<awsgi_gateway_options>(), "options")? };
            // SAFETY: the caller vouches for the string.
            let script_name = unsafe { string(given.script_name, "script_name")? };
            let or = |value: u32, default: u32| if value == 0 { default } else { value };
            let or_size = |value: usize, default: usize| if value == 0 { default } else { value };
            settings = GatewayOptions {
                max_exchanges: or(given.max_exchanges, settings.max_exchanges),
                max_waits_per_exchange: or(
                    given.max_waits_per_exchange,
                    settings.max_waits_per_exchange,
                ),
                input_buffer: or_size(given.input_buffer, settings.input_buffer),
                output_buffer: or_size(given.output_buffer, settings.output_buffer),
                pool_threads: or(given.pool_threads, settings.pool_threads),
                multithread: given.multithread != 0,
                script_name: script_name.unwrap_or_default().to_owned(),
            };
        }
        let made = Gateway::new(&reactor, load::handler(&application)?, &settings)?;
        // SAFETY: as above.
        unsafe { gateway.write(GATEWAYS.give(made.to_ref())) };
        Ok(())
    })
}

/// Begins to drain: awsgi_gateway_open answers AWSGI_E_CLOSED, applications see AWSGI_PRIORITY on
/// awsgi_exchange_self, and in the end what is left is ended. Keep turning and serving until every
/// exchange has ended.
///
/// within_ns: how long exchanges may still go on, in nanoseconds. Called again it can only shorten.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: unchanged.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_gateway_close(
    gateway: *mut awsgi_gateway,
    within_ns: u64,
) -> awsgi_status {
    guard(|| GATEWAYS.get(gateway, "gateway")?.gateway().close(within_ns))
}

/// Ends a gateway and its pool threads; calls the application's `worker_end`.
///
/// gateway: may be NULL.
///
/// Returns: AWSGI_OK; AWSGI_E_BUSY while exchanges are open; AWSGI_E_REENTRANT in a step;
///   AWSGI_E_STALE; AWSGI_E_THREAD.
/// Ownership: the pointer is void after AWSGI_OK.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_gateway_free(gateway: *mut awsgi_gateway) -> awsgi_status {
    guard(|| {
        if gateway.is_null() {
            return Ok(());
        }
        GATEWAYS.get(gateway, "gateway")?.gateway().free()?;
        GATEWAYS.take_back(gateway);
        Ok(())
    })
}

/// Opens an exchange; its application runs in the next turn. From here on completions of the turn
/// carry request.user_data, the exchange as `wait`, and AWSGI_HEAD, AWSGI_BODY, AWSGI_ROOM,
/// AWSGI_END and AWSGI_ABORT in `ready`; the last one is without AWSGI_MORE.
///
/// request: the head of the request.
/// exchange: the exchange.
///
/// Returns: AWSGI_OK; AWSGI_E_INVALID for a malformed request (answer 400); AWSGI_E_LIMIT if the
///   gateway is full (503); AWSGI_E_CLOSED while it drains (503); AWSGI_E_STALE; AWSGI_E_THREAD;
///   AWSGI_E_NULL.
/// Ownership: the host's, until awsgi_exchange_end.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_gateway_open(
    gateway: *mut awsgi_gateway,
    request: *const awsgi_request,
    exchange: *mut awsgi_exchange,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointers; the structure is integers and pointers.
        let exchange = unsafe { out(exchange, "exchange")? };
        let gateway = GATEWAYS.get(gateway, "gateway")?;
        // SAFETY: as above.
        let given = unsafe { sized(request, size_of::<awsgi_request>(), "request")? };
        let or = |slice: awsgi_slice, default: &'static [u8], what| {
            // SAFETY: the caller vouches for what the request points to.
            unsafe { bytes(slice, what) }
                .map(|slice| if slice.is_empty() { default } else { slice })
        };
        let body = given.body != 0;
        if body && given.content_length < -1 {
            return Err(Error::new(
                Status::Invalid,
                "content_length is negative: give the length, or -1 if it is not known",
            ));
        }
        let opening = |headers: &[(&[u8], &[u8])]| {
            gateway.gateway().open(&Request {
                method: or(given.method, b"", "method")?,
                target: or(given.target, b"", "target")?,
                protocol: or(given.protocol, b"HTTP/1.1", "protocol")?,
                scheme: or(given.scheme, b"http", "scheme")?,
                remote_addr: or(given.remote_addr, b"", "remote_addr")?,
                remote_port: given.remote_port,
                server_name: or(given.server_name, b"", "server_name")?,
                server_port: given.server_port,
                headers,
                content_length: (body && given.content_length >= 0)
                    .then_some(given.content_length.unsigned_abs()),
                body,
                user_data: given.user_data,
            })
        };
        // SAFETY: as above.
        let opened = unsafe { with_headers(given.headers, given.header_count, opening)? };
        *exchange = opened.token().to_bits();
        Ok(())
    })
}

/// Feeds bytes of the request body.
///
/// data, len: the bytes. (NULL, 0) without `end` asks: AWSGI_ROOM comes when the application first
///   wants input, which is when "Expect: 100-continue" is to be answered.
/// end: not 0: nothing follows. It counts only if all bytes were taken.
/// taken: how many were taken. If fewer than len, AWSGI_ROOM follows when there is room.
///
/// Returns: AWSGI_OK; AWSGI_E_CLOSED if the application reads no more: drop the rest;
///   AWSGI_E_STATE for bytes after the end, or of a request without body; AWSGI_E_STALE after
///   awsgi_exchange_end; AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: the bytes are copied.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_feed(
    exchange: awsgi_exchange,
    data: *const c_void,
    len: usize,
    end: c_int,
    taken: *mut usize,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointers.
        let (taken, mut data) =
            unsafe { (out(taken, "taken")?, array(data.cast::<u8>(), len, "data")?) };
        *taken = self::exchange(exchange).feed(&mut data, end != 0)?;
        Ok(())
    })
}

/// The client left. The application is told, or ended; ABORT or END still comes.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE after awsgi_exchange_end; AWSGI_E_THREAD.
/// Ownership: unchanged: call awsgi_exchange_end.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_gone(exchange: awsgi_exchange) -> awsgi_status {
    guard(|| self::exchange(exchange).gone())
}

/// Ends an exchange's application early. If the head of the response was not taken yet, a response
/// of this status comes in its place, by AWSGI_HEAD, AWSGI_BODY and AWSGI_END; otherwise AWSGI_ABORT.
///
/// status: 400, 408, 413, 503 or another from 400 to 599.
///
/// Returns: AWSGI_OK; AWSGI_E_INVALID for another status; AWSGI_E_STALE after awsgi_exchange_end;
///   AWSGI_E_THREAD.
/// Ownership: unchanged: call awsgi_exchange_end.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_fail(
    exchange: awsgi_exchange,
    status: i32,
) -> awsgi_status {
    guard(|| match u16::try_from(status) {
        Ok(status @ 400..=599) => self::exchange(exchange).fail(status),
        _ => Err(Error::new(
            Status::Invalid,
            format!("{status} is not the status of a failure: give one of 400 to 599"),
        )),
    })
}

/// The head of the response, once.
///
/// head: the head; begin with AWSGI_HEAD_INIT.
///
/// Returns: AWSGI_OK; AWSGI_E_AGAIN until it is known; AWSGI_E_STATE if it was taken;
///   AWSGI_E_INVALID if size was not set; AWSGI_E_STALE; AWSGI_E_THREAD; AWSGI_E_NULL.
/// Ownership: what it points to is the exchange's, until awsgi_exchange_end.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_head(
    exchange: awsgi_exchange,
    head: *mut awsgi_head,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointer.
        let size = unsafe { size(head, size_of::<awsgi_head>(), "head")? };
        let empty = awsgi_head {
            size,
            status: 0,
            bodiless: 0,
            headers: std::ptr::null(),
            header_count: 0,
            length: 0,
        };
        // SAFETY: `size` has checked that it is not NULL and as large as ours. What is zeroed
        // first is so also for what a later header asks, which `sized` refuses.
        unsafe {
            head.write(empty);
            sized(head, size_of::<awsgi_head>(), "head")?;
        }
        let exchange = self::exchange(exchange);
        let found = exchange.head()?;
        let headers = found
            .headers()
            .map(|(name, value)| awsgi_header {
                name: awsgi_slice::of(name),
                value: awsgi_slice::of(value),
            })
            .collect::<Vec<_>>();
        let mut told = awsgi_head {
            status: found.status.into(),
            bodiless: found.bodiless.into(),
            header_count: headers.len(),
            length: found.length.map_or(-1, |length| length.min(i64::MAX as u64) as i64),
            ..empty
        };
        told.headers = borrowed(exchange, |borrowed| {
            let (_, headers) = borrowed.head.insert((found, headers));
            headers.as_ptr()
        })?;
        // SAFETY: as above.
        unsafe { head.write(told) };
        Ok(())
    })
}

/// The next bytes of the response. Each byte is given once.
///
/// slices, capacity: where to write them, in elements.
/// count: how many elements were written; 0 if nothing is there: AWSGI_BODY follows, unless `end`.
/// end: 1 if the response is complete with what was given so far, else 0; never 1 for one that was
///   broken off, of which AWSGI_ABORT tells.
///
/// Returns: AWSGI_OK; AWSGI_E_INVALID for a capacity of 0; AWSGI_E_STALE; AWSGI_E_THREAD;
///   AWSGI_E_NULL.
/// Ownership: the bytes are the exchange's, until awsgi_exchange_sent covers them or the host ends
///   the exchange.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_take(
    exchange: awsgi_exchange,
    slices: *mut awsgi_slice,
    capacity: usize,
    count: *mut usize,
    end: *mut c_int,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointers.
        let (count, end) = unsafe { (out(count, "count"), out(end, "end")) };
        let (count, end) = (count?, end?);
        if slices.is_null() {
            return Err(null("slices"));
        }
        if capacity == 0 {
            return Err(Error::new(
                Status::Invalid,
                "there is room for no slice: give at least one",
            ));
        }
        let exchange = self::exchange(exchange);
        match exchange.take()? {
            Taken::Data(bytes) => {
                // SAFETY: there is room for at least one.
                unsafe { slices.write(awsgi_slice::of(&bytes)) };
                *count = 1;
                borrowed(exchange, |borrowed| borrowed.taken.push_back(bytes))?;
                *end = exchange.is_complete()?.into();
            }
            Taken::Nothing => {}
            Taken::End => *end = 1,
        }
        Ok(())
    })
}

/// Bytes that were taken are sent: they are released, and the application has room for as many.
///
/// len: how many bytes, in the order in which they were taken.
///
/// Returns: AWSGI_OK; AWSGI_E_INVALID, with nothing released, if fewer were taken; AWSGI_E_STALE;
///   AWSGI_E_THREAD.
/// Ownership: slices that are covered are void.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_sent(exchange: awsgi_exchange, len: usize) -> awsgi_status {
    guard(|| {
        let exchange = self::exchange(exchange);
        exchange.sent(len)?;
        borrowed(exchange, |borrowed| {
            let mut left = len;
            while let Some(first) = borrowed.taken.front_mut() {
                if first.len() > left {
                    first.advance(left);
                    break;
                }
                left -= first.len();
                borrowed.taken.pop_front();
            }
        })
    })
}

/// The host lets go of an exchange. If its application is unfinished, it ends: its `close` runs by
/// the next turn. To let an application that waits for its client finish by itself, call
/// awsgi_exchange_gone first, and this after AWSGI_END or AWSGI_ABORT.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE if it did before; AWSGI_E_THREAD.
/// Ownership: the token is void for the host, and everything it borrowed.
/// Threads: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_exchange_end(exchange: awsgi_exchange) -> awsgi_status {
    guard(|| self::exchange(exchange).end())
}
