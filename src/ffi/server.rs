//! The bundled HTTP server.

use std::ffi::{c_char, c_void};

use super::application::awsgi_application;
#[cfg(not(feature = "server"))]
use super::guard::unsupported;
#[cfg(feature = "server")]
use super::guard::{array, flags, sized, string};
use super::guard::{guard, null, out_if_wanted};
use super::status::awsgi_status;
use super::token::{awsgi_os_handle, awsgi_slice};
#[cfg(feature = "server")]
use crate::error::Error;

/// A server: workers of its own, each with a thread and a reactor.
pub struct awsgi_server {
    _private: [u8; 0],
}

/// A server flag: listen at `fd` in place of `bind`.
pub const AWSGI_SERVER_FD: u32 = 1;
/// A body limit: none.
pub const AWSGI_UNLIMITED: u64 = u64::MAX;

/// An application below a path.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct awsgi_mount {
    /// The prefix, as "/app"; requests go to the longest that fits whole segments of their path.
    pub prefix: *const c_char,
    /// The application.
    pub application: *const awsgi_application,
}

/// What a server is to be. Begin with AWSGI_SERVER_OPTIONS_INIT; zero means the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct awsgi_server_options {
    /// The size of this structure in bytes, set by AWSGI_SERVER_OPTIONS_INIT.
    pub size: usize,
    /// Where to listen: "ADDRESS:PORT", "[ADDRESS]:PORT" or "unix:PATH"; NULL: "127.0.0.1:8080".
    /// With port 0 the kernel chooses one: see awsgi_server_address.
    pub bind: *const c_char,
    /// With AWSGI_SERVER_FD: a stream socket that listens. A duplicate is used; it stays the
    /// caller's, but is made non-blocking.
    pub fd: awsgi_os_handle,
    /// AWSGI_SERVER_FD, or 0.
    pub flags: u32,
    /// How many workers serve, at most 256; 0: one for each processor.
    pub workers: u32,
    /// Header fields of a request; more gets 431. 0: 100.
    pub max_headers: u32,
    /// Bytes of the head of a request; more gets 431. 0: 32,768.
    pub max_header_bytes: usize,
    /// Bytes of the body of a request; more gets 413. 0: 16,777,216. AWSGI_UNLIMITED: any.
    pub max_body: u64,
    /// Nanoseconds for a request head to arrive; later gets 408. 0: ten seconds.
    pub header_time: u64,
    /// Nanoseconds that a connection may idle, a client keep a waiting application without body
    /// (408), or take nothing of a response. 0: a minute.
    pub idle_time: u64,
    /// Nanoseconds that a request may wait for max_exchanges; later gets 503. 0: five seconds.
    pub queue_time: u64,
    /// Exchanges at once, in all workers. 0: 16,384.
    pub max_exchanges: u32,
    /// Requests that may wait for one of them to end; one more gets 503. 0: 1,024.
    pub max_queued: u32,
    /// Threads of each worker for each blocking application. 0: 16.
    pub pool_threads: u32,
    /// How many mounts.
    pub mount_count: u32,
    /// Applications below a path.
    pub mounts: *const awsgi_mount,
    /// Takes a line for each exchange. The workers' threads; may call nothing of this library.
    pub access_log: Option<unsafe extern "C" fn(line: awsgi_slice, data: *mut c_void)>,
    /// Takes what the server has to say: AWSGI_LOG_* and a line. The workers' threads; may call
    /// nothing of this library.
    pub log: Option<unsafe extern "C" fn(level: i32, line: awsgi_slice, data: *mut c_void)>,
    /// Given to the hooks.
    pub data: *mut c_void,
}

#[cfg(feature = "server")]
mod bundled {
    use std::os::fd::RawFd;
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::load;
    use super::super::owned::Owned;
    use super::*;
    use crate::error::{Result, Status};
    use crate::server::{Limits, Listen, Server, ServerOptions};

    pub(super) static SERVERS: Owned<Server> = Owned::new();

    /// The hooks' data, which the host vouches for on the workers' threads.
    #[derive(Clone, Copy)]
    struct Data(*mut c_void);

    // SAFETY: the library only hands it back, on the threads that the header names.
    unsafe impl Send for Data {}
    // SAFETY: as above.
    unsafe impl Sync for Data {}

    /// # Safety
    ///
    /// Everything that `given` points to is what the header says.
    pub(super) unsafe fn options(
        given: &awsgi_server_options,
        application: &awsgi_application,
    ) -> Result<ServerOptions> {
        flags(given.flags, AWSGI_SERVER_FD, "awsgi_server_options")?;
        let listen = if given.flags & AWSGI_SERVER_FD != 0 {
            Listen::Inherited(given.fd as RawFd)
        } else {
            // SAFETY: as the caller vouches.
            unsafe { string(given.bind, "bind")? }.unwrap_or("127.0.0.1:8080").parse()?
        };
        let mut options = ServerOptions::new(listen, load::handler(application)?);
        options.workers = given.workers as usize;
        options.pool_threads = given.pool_threads;
        let time = |value: u64, default: Duration| {
            if value == 0 { default } else { Duration::from_nanos(value) }
        };
        let count = |value: u32, default: u32| if value == 0 { default } else { value };
        let defaults = Limits::default();
        options.limits = Limits {
            max_header_bytes: match given.max_header_bytes {
                0 => defaults.max_header_bytes,
                bytes => bytes,
            },
            max_headers: count(given.max_headers, defaults.max_headers as u32) as usize,
            header_time: time(given.header_time, defaults.header_time),
            max_body: match given.max_body {
                0 => defaults.max_body,
                AWSGI_UNLIMITED => None,
                bytes => Some(bytes),
            },
            idle_time: time(given.idle_time, defaults.idle_time),
            max_exchanges: count(given.max_exchanges, defaults.max_exchanges),
            max_queued: count(given.max_queued, defaults.max_queued),
            queue_time: time(given.queue_time, defaults.queue_time),
        };
        // SAFETY: as the caller vouches.
        for mount in unsafe { array(given.mounts, given.mount_count as usize, "mounts")? } {
            // SAFETY: as above.
            let prefix = unsafe { string(mount.prefix, "mount.prefix")? }
                .ok_or_else(|| null("mount.prefix"))?;
            // SAFETY: as above.
            let application = unsafe {
                sized(mount.application, size_of::<awsgi_application>(), "mount.application")?
            };
            options.mounts.push((prefix.to_owned(), load::handler(&application)?));
        }
        let data = Data(given.data);
        if let Some(access_log) = given.access_log {
            options.access_log = Some(Arc::new(move |line: &str| {
                let data = data;
                // SAFETY: the host gave hook and data for the workers' threads.
                unsafe { access_log(awsgi_slice::of(line.as_bytes()), data.0) };
            }));
        }
        if let Some(log) = given.log {
            options.log = Some(Arc::new(move |level, line: &str| {
                let data = data;
                // SAFETY: as above.
                unsafe { log(level, awsgi_slice::of(line.as_bytes()), data.0) };
            }));
        }
        Ok(options)
    }

    pub(super) fn get(server: *const awsgi_server) -> Result<Arc<Server>> {
        SERVERS.get(server, "server")
    }

    pub(super) fn address(server: &Server) -> String {
        server.local_addr().to_string()
    }

    /// Refuses to free what still runs.
    pub(super) fn idle(server: &Server) -> Result<()> {
        if server.is_running() {
            return Err(Error::new(
                Status::Busy,
                "the server runs: call awsgi_server_drain, and wait until awsgi_server_run returns",
            ));
        }
        Ok(())
    }
}

/// Makes a server, which listens from here on, and accepts once it runs.
///
/// options: NULL for the defaults.
/// application: answers what no mount answers; from awsgi_application_load or _link.
/// server: the server.
///
/// Returns: AWSGI_OK; AWSGI_E_OS if it cannot listen there (awsgi_last_error says why);
///   AWSGI_E_INVALID for a malformed address or a limit out of its range; AWSGI_E_UNSUPPORTED in a
///   library that was built without its server; AWSGI_E_NULL.
/// Ownership: the caller's, to be ended with awsgi_server_free. What the arguments point to is
///   copied.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_server_new(
    options: *const awsgi_server_options,
    application: *const awsgi_application,
    server: *mut *mut awsgi_server,
) -> awsgi_status {
    guard(|| {
        if server.is_null() {
            return Err(null("server"));
        }
        // SAFETY: not NULL; the caller vouches for the rest.
        unsafe { server.write(std::ptr::null_mut()) };
        #[cfg(feature = "server")]
        {
            // SAFETY: the caller vouches for the pointers; the structures are integers and
            // pointers, for which all zeros is a value.
            let made = unsafe {
                let application =
                    sized(application, size_of::<awsgi_application>(), "application")?;
                let given = if options.is_null() {
                    std::mem::zeroed()
                } else {
                    sized(options, size_of::<awsgi_server_options>(), "options")?
                };
                crate::server::Server::new(bundled::options(&given, &application)?)?
            };
            // SAFETY: as above.
            unsafe { server.write(bundled::SERVERS.give(made)) };
            Ok(())
        }
        #[cfg(not(feature = "server"))]
        {
            let _ = (options, application);
            Err(unsupported("the bundled server"))
        }
    })
}

/// Where a server listens, as "http://127.0.0.1:8080" or "unix:PATH".
///
/// buffer, capacity: where to write it, in bytes; it is cut to fit and always ends in NUL.
/// length: how many bytes it has without the NUL; may be NULL.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_UNSUPPORTED; AWSGI_E_NULL.
/// Ownership: the buffer stays the caller's.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_server_address(
    server: *mut awsgi_server,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> awsgi_status {
    guard(|| {
        // SAFETY: the caller vouches for the pointers.
        let length = unsafe { out_if_wanted(length) };
        if buffer.is_null() && capacity > 0 {
            return Err(null("buffer"));
        }
        if capacity > 0 {
            // SAFETY: not NULL, and the caller vouches for its capacity.
            unsafe { buffer.write(0) };
        }
        #[cfg(feature = "server")]
        {
            let address = bundled::address(&*bundled::get(server)?);
            if let Some(length) = length {
                *length = address.len();
            }
            if capacity > 0 {
                let cut = address.len().min(capacity - 1);
                // SAFETY: `cut` + 1 bytes are at most `capacity`, which the caller vouches for.
                unsafe {
                    std::ptr::copy_nonoverlapping(address.as_ptr(), buffer.cast::<u8>(), cut);
                    buffer.add(cut).write(0);
                }
            }
            Ok(())
        }
        #[cfg(not(feature = "server"))]
        {
            let _ = (server, length);
            Err(unsupported("the bundled server"))
        }
    })
}

/// Serves, on threads of the server's own that take no signals, until it was drained.
///
/// Returns: AWSGI_OK once it was drained; AWSGI_E_STATE if it has run before; what a worker answers
///   that cannot start; AWSGI_E_STALE; AWSGI_E_UNSUPPORTED; AWSGI_E_NULL.
/// Ownership: unchanged.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_server_run(server: *mut awsgi_server) -> awsgi_status {
    guard(|| {
        #[cfg(feature = "server")]
        {
            bundled::get(server)?.run()
        }
        #[cfg(not(feature = "server"))]
        {
            let _ = server;
            Err(unsupported("the bundled server"))
        }
    })
}

/// Has a server stop accepting, let exchanges finish, and return from awsgi_server_run.
///
/// within_ns: when what is left is ended, in nanoseconds from now. Called again it can shorten.
///
/// Returns: AWSGI_OK; AWSGI_E_STALE; AWSGI_E_UNSUPPORTED; AWSGI_E_NULL.
/// Ownership: unchanged.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_server_drain(
    server: *mut awsgi_server,
    within_ns: u64,
) -> awsgi_status {
    guard(|| {
        #[cfg(feature = "server")]
        {
            bundled::get(server)?.drain(std::time::Duration::from_nanos(within_ns));
            Ok(())
        }
        #[cfg(not(feature = "server"))]
        {
            let _ = (server, within_ns);
            Err(unsupported("the bundled server"))
        }
    })
}

/// Ends a server that does not run.
///
/// server: may be NULL.
///
/// Returns: AWSGI_OK; AWSGI_E_BUSY while it runs; AWSGI_E_STALE; AWSGI_E_UNSUPPORTED.
/// Ownership: the pointer is void after AWSGI_OK. The application is not unloaded.
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn awsgi_server_free(server: *mut awsgi_server) -> awsgi_status {
    guard(|| {
        if server.is_null() {
            return Ok(());
        }
        #[cfg(feature = "server")]
        {
            bundled::idle(&*bundled::get(server)?)?;
            bundled::SERVERS.take_back(server);
            Ok(())
        }
        #[cfg(not(feature = "server"))]
        {
            Err(unsupported("the bundled server"))
        }
    })
}
