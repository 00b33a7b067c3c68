//! What went wrong, as a status that is never renumbered and a sentence that says what to do.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The kinds of failure, with the numbers that the C ABI gives them.
///
/// Numbers are never reused; new ones are added at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Status {
    /// A pointer that must not be NULL was.
    Null = -1,
    /// An argument is outside what the call accepts.
    Invalid = -2,
    /// The token outlived its object, or its reactor.
    Stale = -3,
    /// The call belongs to the owner's thread.
    Thread = -4,
    /// The process was forked after the reactor was made.
    Forked = -5,
    /// The object is not in a state in which the call makes sense.
    State = -6,
    /// Something still depends on the object.
    Busy = -7,
    /// The call was made from inside a call that excludes it.
    Reentrant = -8,
    /// A limit was reached.
    Limit = -9,
    /// The operating system refused; `errno` says why.
    Os = -10,
    /// Announced, but not available in this build or on this platform.
    Unsupported = -11,
    /// Event loops would watch each other in a circle, or too deeply.
    Nesting = -12,
    /// The other side is gone, or the object is being closed.
    Closed = -13,
    /// A panic was caught; the object involved answers nothing else from now on.
    Panic = -14,
    /// Nothing there now; wait, and call again.
    Again = -15,
}

impl Status {
    /// Every status, in the order of its number.
    pub const ALL: [Status; 15] = [
        Status::Null,
        Status::Invalid,
        Status::Stale,
        Status::Thread,
        Status::Forked,
        Status::State,
        Status::Busy,
        Status::Reentrant,
        Status::Limit,
        Status::Os,
        Status::Unsupported,
        Status::Nesting,
        Status::Closed,
        Status::Panic,
        Status::Again,
    ];

    /// The name of the status in C, as `AWSGI_E_STALE`.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Null => "AWSGI_E_NULL",
            Status::Invalid => "AWSGI_E_INVALID",
            Status::Stale => "AWSGI_E_STALE",
            Status::Thread => "AWSGI_E_THREAD",
            Status::Forked => "AWSGI_E_FORKED",
            Status::State => "AWSGI_E_STATE",
            Status::Busy => "AWSGI_E_BUSY",
            Status::Reentrant => "AWSGI_E_REENTRANT",
            Status::Limit => "AWSGI_E_LIMIT",
            Status::Os => "AWSGI_E_OS",
            Status::Unsupported => "AWSGI_E_UNSUPPORTED",
            Status::Nesting => "AWSGI_E_NESTING",
            Status::Closed => "AWSGI_E_CLOSED",
            Status::Panic => "AWSGI_E_PANIC",
            Status::Again => "AWSGI_E_AGAIN",
        }
    }
}

/// A failure: its kind, the errno where there is one, and a sentence for the one who can act.
///
/// As large as a pointer, since every call hands one back, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    status: Status,
    errno: i32,
    message: Cow<'static, str>,
}

/// A failure that is answered often, or where nothing may be allocated: it is made once.
pub(crate) struct Fixed {
    status: Status,
    message: &'static str,
    made: OnceLock<Error>,
}

impl Fixed {
    pub(crate) const fn new(status: Status, message: &'static str) -> Fixed {
        Fixed { status, message, made: OnceLock::new() }
    }

    /// The failure.
    #[cold]
    pub(crate) fn error(&'static self) -> Error {
        self.made.get_or_init(|| Error::new(self.status, self.message)).clone()
    }
}

/// What calls of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure with its sentence.
    pub fn new(status: Status, message: impl Into<Cow<'static, str>>) -> Error {
        Error(Arc::new(Inner { status, errno: 0, message: message.into() }))
    }

    /// A refused system call: `what` was being done, and what may help.
    pub fn os(what: &str, error: &std::io::Error) -> Error {
        Error(Arc::new(Inner {
            status: Status::Os,
            errno: error.raw_os_error().unwrap_or(0),
            message: format!("{what}: {error}{}", remedy(error)).into(),
        }))
    }

    /// The kind.
    pub fn status(&self) -> Status {
        self.0.status
    }

    /// The errno of a refused system call; 0 where there is none.
    pub fn errno(&self) -> i32 {
        self.0.errno
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

/// The failure that a panic becomes where a caller in another language calls.
#[cfg(any(feature = "ffi", feature = "jni"))]
pub(crate) fn caught(panic: &(dyn Any + Send)) -> Error {
    Error::new(
        Status::Panic,
        format!(
            "a bug in libawsgi was caught: {}; end the object involved, and report it",
            panic_message(panic)
        ),
    )
}

/// What the caller of a refused system call can do about it.
#[cfg(unix)]
fn remedy(error: &std::io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EMFILE) => {
            "; this process has no free descriptor: raise its limit (ulimit -n), or have fewer open at once"
        }
        #[cfg(target_os = "linux")]
        Some(libc::ENFILE) => "; the system has no free descriptor: raise fs.file-max",
        #[cfg(not(target_os = "linux"))]
        Some(libc::ENFILE) => "; the system has no free descriptor: raise kern.maxfiles",
        Some(libc::ENOMEM) => "; the kernel is out of memory for it: free some, then try again",
        #[cfg(target_os = "linux")]
        Some(libc::ENOSPC) => {
            "; this user may watch no more descriptors: raise fs.epoll.max_user_watches"
        }
        Some(libc::EADDRINUSE) => {
            "; another program listens there: choose another address, or end that program"
        }
        Some(libc::EACCES) => "; this user may not: check permissions, or choose a port above 1023",
        Some(libc::EADDRNOTAVAIL) => {
            "; no interface of this machine has that address: use one that `ip addr` lists"
        }
        _ => "",
    }
}

/// What the caller of a refused system call can do about it. These are codes of the system's
/// (GetLastError), not the numbers that its C library gives to errno.
#[cfg(windows)]
fn remedy(error: &std::io::Error) -> &'static str {
    match error.raw_os_error() {
        // ERROR_TOO_MANY_OPEN_FILES and WSAEMFILE.
        Some(4 | 10024) => "; this process has no free handle: close some, or lower max_exchanges",
        // ERROR_NOT_ENOUGH_MEMORY and ERROR_OUTOFMEMORY.
        Some(8 | 14) => "; the system is out of memory for it: free some, then try again",
        _ => "",
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.status.name(), self.0.message)
    }
}

impl std::error::Error for Error {}
