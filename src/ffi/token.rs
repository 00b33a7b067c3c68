//! Tokens, slices, descriptors, readiness and time.

/// Names an object that can end: kind, reactor, generation and slot in 64 bits. 0 is none. One
/// that outlived its object is answered with AWSGI_E_STALE, on any thread, also after its reactor
/// is gone.
pub type awsgi_token = u64;
/// The token of anything that can become ready.
pub type awsgi_waitable = awsgi_token;
/// The token of a wait.
pub type awsgi_wait = awsgi_token;
/// The token of one request with its response.
pub type awsgi_exchange = awsgi_token;

/// A descriptor (Unix) or handle (Windows) of the operating system.
pub type awsgi_os_handle = crate::sources::handle::OsHandle;

/// Bytes that somebody else holds. (NULL, 0) is valid, and empty.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct awsgi_slice {
    /// The first byte.
    pub data: *const u8,
    /// How many bytes.
    pub len: usize,
}

impl Default for awsgi_slice {
    fn default() -> awsgi_slice {
        awsgi_slice { data: std::ptr::null(), len: 0 }
    }
}

impl awsgi_slice {
    pub(super) fn of(bytes: &[u8]) -> awsgi_slice {
        awsgi_slice { data: bytes.as_ptr(), len: bytes.len() }
    }
}

/// A header field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct awsgi_header {
    /// Its name, in any case.
    pub name: awsgi_slice,
    /// Its value.
    pub value: awsgi_slice,
}

/// A deadline that never comes.
pub const AWSGI_FOREVER: u64 = u64::MAX;
/// A deadline that has passed: look once, do not wait.
pub const AWSGI_NOW: u64 = 0;

/// Interest and readiness: data, a connection, or the end can be read without waiting.
pub const AWSGI_READABLE: u32 = 1;
/// Interest and readiness: something can be written without waiting.
pub const AWSGI_WRITABLE: u32 = 2;
/// Interest and readiness: urgent data. On an exchange: the server drains.
pub const AWSGI_PRIORITY: u32 = 4;
/// Interest and readiness: the peer will send no more. Told where READABLE is asked; asked alone,
/// data does not complete the wait.
pub const AWSGI_READ_CLOSED: u32 = 8;
/// Interest and readiness: both directions are closed. Completes every wait. On an exchange: the
/// client is gone.
pub const AWSGI_HANGUP: u32 = 16;
/// Interest and readiness: an error is pending. Completes every wait.
pub const AWSGI_ERROR: u32 = 32;
