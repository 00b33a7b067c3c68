//! Applications: what they tell us, and the table of functions they receive.

use std::ffi::{c_char, c_void};

use super::completion::{awsgi_completion, awsgi_member};
use super::guard::{guard, null, string};
use super::load;
use super::reactor::awsgi_reactor;
use super::status::awsgi_status;
use super::token::{
    awsgi_exchange, awsgi_header, awsgi_os_handle, awsgi_slice, awsgi_wait, awsgi_waitable,
};
use super::wait::awsgi_wait_spec;
use super::waitable::awsgi_notice;
use crate::error::{Error, Status};

/// The number of the ABI, which is that of the soname.
pub(super) const ABI_VERSION: u32 = 0;

/// A style: called, suspends by returning, and is called again with what completed since.
pub const AWSGI_STEPS: u32 = 1;
/// A style: a coroutine, in which waits look like ordinary calls. Not in this release.
pub const AWSGI_STRAIGHT: u32 = 2;
/// A style: called once for an exchange, on a pool thread, which its waits block.
pub const AWSGI_BLOCKING: u32 = 3;

/// What an application is. Its entry point fills it in; `size` and `abi` are set already.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct awsgi_application {
    /// The size of this structure in bytes.
    pub size: usize,
    /// AWSGI_ABI_VERSION.
    pub abi: u32,
    /// AWSGI_STEPS (the default) or AWSGI_BLOCKING.
    pub style: u32,
    /// Its name, for people who look; it ends in NUL and lives until `unload`. NULL: the file's name.
    pub name: *const c_char,
    /// Called once per process, before anything else. `config` is what the host was given for it,
    /// never NULL. Negative: it cannot serve. May be NULL.
    pub load: Option<unsafe extern "C" fn(app: *mut c_void, config: *const c_char) -> i32>,
    /// Called once per worker, on the worker's thread; `worker` receives what `run` is given.
    /// Negative: it cannot serve here. May be NULL.
    pub worker: Option<
        unsafe extern "C" fn(
            app: *mut c_void,
            reactor: *mut awsgi_reactor,
            worker: *mut *mut c_void,
        ) -> i32,
    >,
    /// Runs an exchange. Steps: called in a turn, on the owner's thread; everything may be called
    /// but turn, free, release and adopt of this reactor. `done`: what completed since the last
    /// step, until it returns; empty at the first. Returns AWSGI_DONE, AWSGI_SUSPEND or
    /// AWSGI_YIELD. Blocking: called once, on a pool thread; returns AWSGI_DONE, or AWSGI_SUSPEND
    /// to give the thread back until there is body to read: then it is called again. Negative: it
    /// failed; the client gets 500 if the head is unsent, and a broken connection otherwise.
    pub run: Option<
        unsafe extern "C" fn(
            worker: *mut c_void,
            exchange: awsgi_exchange,
            state: *mut *mut c_void,
            done: *const awsgi_completion,
            count: usize,
        ) -> i32,
    >,
    /// Ends an exchange: called exactly once, also when `run` never was. May be NULL.
    pub close: Option<
        unsafe extern "C" fn(worker: *mut c_void, exchange: awsgi_exchange, state: *mut c_void),
    >,
    /// Ends what `worker` made. May be NULL.
    pub worker_end: Option<unsafe extern "C" fn(worker: *mut c_void)>,
    /// Called by awsgi_application_unload. May be NULL.
    pub unload: Option<unsafe extern "C" fn(app: *mut c_void)>,
    /// Given to `load`, `worker` and `unload`.
    pub app: *mut c_void,
}

/// The functions of the library that loaded an application, which calls them through this table
/// and links nothing. It only grows at its end. See awsgi_application.h.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct awsgi_api {
    /// The size of this structure in bytes.
    pub size: usize,
    /// AWSGI_ABI_VERSION of the library.
    pub abi: u32,
    /// Unused; 0.
    pub reserved: u32,
    pub awsgi_status_name: Option<extern "C" fn(status: awsgi_status) -> *const c_char>,
    pub awsgi_last_error: Option<
        unsafe extern "C" fn(
            buffer: *mut c_char,
            capacity: usize,
            length: *mut usize,
            os_error: *mut i32,
        ) -> awsgi_status,
    >,
    pub awsgi_version:
        Option<unsafe extern "C" fn(number: *mut u32, abi: *mut u32) -> awsgi_status>,
    pub awsgi_completion_members: Option<
        unsafe extern "C" fn(
            completion: *const awsgi_completion,
            members: *mut awsgi_member,
            capacity: usize,
            count: *mut usize,
        ) -> awsgi_status,
    >,
    pub awsgi_reactor_now:
        Option<unsafe extern "C" fn(reactor: *mut awsgi_reactor, ns: *mut u64) -> awsgi_status>,
    pub awsgi_waitable_descriptor: Option<
        unsafe extern "C" fn(
            reactor: *mut awsgi_reactor,
            fd: awsgi_os_handle,
            flags: u32,
            waitable: *mut awsgi_waitable,
        ) -> awsgi_status,
    >,
    pub awsgi_waitable_event: Option<
        unsafe extern "C" fn(
            reactor: *mut awsgi_reactor,
            flags: u32,
            waitable: *mut awsgi_waitable,
        ) -> awsgi_status,
    >,
    pub awsgi_waitable_timer: Option<
        unsafe extern "C" fn(
            reactor: *mut awsgi_reactor,
            first: u64,
            period: u64,
            waitable: *mut awsgi_waitable,
        ) -> awsgi_status,
    >,
    pub awsgi_waitable_take:
        Option<unsafe extern "C" fn(waitable: awsgi_waitable, value: *mut u64) -> awsgi_status>,
    pub awsgi_waitable_label: Option<
        unsafe extern "C" fn(
            waitable: awsgi_waitable,
            label: *const c_char,
            len: usize,
        ) -> awsgi_status,
    >,
    pub awsgi_waitable_close:
        Option<unsafe extern "C" fn(waitable: awsgi_waitable) -> awsgi_status>,
    pub awsgi_notify:
        Option<unsafe extern "C" fn(waitable: awsgi_waitable, ready: u32) -> awsgi_status>,
    pub awsgi_notify_many: Option<
        unsafe extern "C" fn(
            notices: *const awsgi_notice,
            count: usize,
            stale: *mut usize,
        ) -> awsgi_status,
    >,
    pub awsgi_wait_cancel: Option<unsafe extern "C" fn(wait: awsgi_wait) -> awsgi_status>,
    pub awsgi_wait_forget: Option<unsafe extern "C" fn(wait: awsgi_wait) -> awsgi_status>,
    pub awsgi_wait_rearm: Option<unsafe extern "C" fn(wait: awsgi_wait) -> awsgi_status>,
    pub awsgi_exchange_wait: Option<
        unsafe extern "C" fn(
            exchange: awsgi_exchange,
            spec: *const awsgi_wait_spec,
            wait: *mut awsgi_wait,
        ) -> awsgi_status,
    >,
    pub awsgi_exchange_await: Option<
        unsafe extern "C" fn(
            exchange: awsgi_exchange,
            spec: *const awsgi_wait_spec,
            completion: *mut awsgi_completion,
        ) -> awsgi_status,
    >,
    pub awsgi_exchange_environ: Option<
        unsafe extern "C" fn(
            exchange: awsgi_exchange,
            key: awsgi_slice,
            value: *mut awsgi_slice,
        ) -> awsgi_status,
    >,
    pub awsgi_exchange_environ_each: Option<
        unsafe extern "C" fn(
            exchange: awsgi_exchange,
            cursor: *mut usize,
            key: *mut awsgi_slice,
            value: *mut awsgi_slice,
        ) -> awsgi_status,
    >,
    pub awsgi_exchange_self: Option<
        unsafe extern "C" fn(
            exchange: awsgi_exchange,
            waitable: *mut awsgi_waitable,
        ) -> awsgi_status,
    >,
    pub awsgi_exchange_reactor: Option<
        unsafe extern "C" fn(
            exchange: awsgi_exchange,
            reactor: *mut *mut awsgi_reactor,
        ) -> awsgi_status,
    >,
    pub awsgi_exchange_now:
        Option<unsafe extern "C" fn(exchange: awsgi_exchange, ns: *mut u64) -> awsgi_status>,
    pub awsgi_exchange_read: Option<
        unsafe extern "C" fn(
            exchange: awsgi_exchange,
            buffer: *mut c_void,
            capacity: usize,
            count: *mut usize,
        ) -> awsgi_status,
    >,
    pub awsgi_exchange_start: Option<
        unsafe extern "C" fn(
            exchange: awsgi_exchange,
            status: i32,
            headers: *const awsgi_header,
            count: usize,
        ) -> awsgi_status,
    >,
    pub awsgi_exchange_write: Option<
        unsafe extern "C" fn(
            exchange: awsgi_exchange,
            data: *const c_void,
            len: usize,
            taken: *mut usize,
        ) -> awsgi_status,
    >,
    pub awsgi_waitable_describe: Option<
        unsafe extern "C" fn(
            waitable: awsgi_waitable,
            text: *mut c_char,
            capacity: usize,
            len: *mut usize,
        ) -> awsgi_status,
    >,
}

/// The table that every application of this process receives.
pub(super) static API: awsgi_api = awsgi_api {
    size: size_of::<awsgi_api>(),
    abi: ABI_VERSION,
    reserved: 0,
    awsgi_status_name: Some(super::awsgi_status_name),
    awsgi_last_error: Some(super::awsgi_last_error),
    awsgi_version: Some(super::awsgi_version),
    awsgi_completion_members: Some(super::awsgi_completion_members),
    awsgi_reactor_now: Some(super::awsgi_reactor_now),
    awsgi_waitable_descriptor: Some(super::awsgi_waitable_descriptor),
    awsgi_waitable_event: Some(super::awsgi_waitable_event),
    awsgi_waitable_timer: Some(super::awsgi_waitable_timer),
    awsgi_waitable_take: Some(super::awsgi_waitable_take),
    awsgi_waitable_label: Some(super::awsgi_waitable_label),
    awsgi_waitable_close: Some(super::awsgi_waitable_close),
    awsgi_notify: Some(super::awsgi_notify),
    awsgi_notify_many: Some(super::awsgi_notify_many),
    awsgi_wait_cancel: Some(super::awsgi_wait_cancel),
    awsgi_wait_forget: Some(super::awsgi_wait_forget),
    awsgi_wait_rearm: Some(super::awsgi_wait_rearm),
    awsgi_exchange_wait: Some(super::awsgi_exchange_wait),
    awsgi_exchange_await: Some(super::awsgi_exchange_await),
    awsgi_exchange_environ: Some(super::awsgi_exchange_environ),
    awsgi_exchange_environ_each: Some(super::awsgi_exchange_environ_each),
    awsgi_exchange_self: Some(super::awsgi_exchange_self),
    awsgi_exchange_reactor: Some(super::awsgi_exchange_reactor),
    awsgi_exchange_now: Some(super::awsgi_exchange_now),
    awsgi_exchange_read: Some(super::awsgi_exchange_read),
    awsgi_exchange_start: Some(super::awsgi_exchange_start),
    awsgi_exchange_write: Some(super::awsgi_exchange_write),
    awsgi_waitable_describe: Some(super::awsgi_waitable_describe),
};

/// The entry point of an application.
pub type awsgi_application_entry =
    Option<unsafe extern "C" fn(api: *const awsgi_api, application: *mut awsgi_application) -> i32>;

/// Loads an application: a shared library that exports awsgi_application_main. Its `load` is
/// called once per process; loading the same file again gives the same application.
///
/// path: the file; it ends in NUL.
/// config: for the application's `load`; it ends in NUL. NULL: "".
/// application: what it is, for awsgi_gateway_new or awsgi_server_new.
///
/// Returns: AWSGI_OK; AWSGI_E_OS if there is no such file, or if it is no shared library;
///   AWSGI_E_INVALID if it exports no entry point or describes itself wrongly;
///   AWSGI_E_UNSUPPORTED if it was built for another ABI; AWSGI_E_STATE if its `load` refuses, or
///   if it was loaded before with another config; AWSGI_E_NULL.
/// Ownership: end it with awsgi_application_unload; the library stays mapped.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_application_load(
    path: *const c_char,
    config: *const c_char,
    application: *mut awsgi_application,
) -> awsgi_status {
    guard(|| {
        if application.is_null() {
            return Err(null("application"));
        }
        // SAFETY: not NULL; the caller vouches for the rest, and all zeros is a value.
        unsafe { application.write(std::mem::zeroed()) };
        // SAFETY: the caller vouches for the strings.
        let (path, config) = unsafe { (string(path, "path")?, string(config, "config")?) };
        let path = path.ok_or_else(|| null("path"))?;
        let loaded = load::open(path.as_ref(), config.unwrap_or_default())?;
        // SAFETY: as above.
        unsafe { application.write(loaded) };
        Ok(())
    })
}

/// The same for an application that is linked into the host.
///
/// entry: its entry point.
/// config: for its `load`; it ends in NUL. NULL: "".
/// application: what it is.
///
/// Returns: as awsgi_application_load.
/// Ownership: end it with awsgi_application_unload.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_application_link(
    entry: awsgi_application_entry,
    config: *const c_char,
    application: *mut awsgi_application,
) -> awsgi_status {
    guard(|| {
        if application.is_null() {
            return Err(null("application"));
        }
        // SAFETY: not NULL; the caller vouches for the rest, and all zeros is a value.
        unsafe { application.write(std::mem::zeroed()) };
        // SAFETY: the caller vouches for the string.
        let config = unsafe { string(config, "config")? };
        let entry = entry.ok_or_else(|| null("entry"))?;
        let linked = load::link(entry, config.unwrap_or_default())?;
        // SAFETY: as above.
        unsafe { application.write(linked) };
        Ok(())
    })
}

/// Ends an application that no gateway or server uses any more: calls its `unload` once.
///
/// application: may be NULL.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE if it was not loaded by awsgi_application_load or _link, or was
///   ended before.
/// Ownership: what the application owns is gone.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_application_unload(
    application: *const awsgi_application,
) -> awsgi_status {
    guard(|| {
        if application.is_null() {
            return Ok(());
        }
        // SAFETY: the caller vouches for the pointer.
        let application = unsafe {
            super::guard::sized(application, size_of::<awsgi_application>(), "application")?
        };
        if load::unload(&application) {
            Ok(())
        } else {
            Err(Error::new(Status::Stale, "the application was not loaded, or ended before"))
        }
    })
}
