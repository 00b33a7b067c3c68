//! What the operating system calls the things that one can wait for.

use crate::error::Result;

/// A descriptor (Unix) or handle (Windows) of the operating system: `awsgi_os_handle` in C.
#[cfg(unix)]
pub type OsHandle = std::os::fd::RawFd;
/// A descriptor (Unix) or handle (Windows) of the operating system: `awsgi_os_handle` in C.
#[cfg(windows)]
pub type OsHandle = isize;

#[cfg(unix)]
pub(crate) use std::os::fd::RawFd;
/// The number of a descriptor. There are none on Windows: [`descriptor`] lets no handle through.
#[cfg(windows)]
pub(crate) type RawFd = i32;

/// The descriptor that a handle is.
///
/// # Errors
///
/// `Unsupported` on Windows.
#[cfg(unix)]
pub(crate) fn descriptor(handle: OsHandle) -> Result<RawFd> {
    Ok(handle)
}

/// The descriptor that a handle is.
///
/// # Errors
///
/// `Unsupported` on Windows.
#[cfg(windows)]
pub(crate) fn descriptor(_: OsHandle) -> Result<RawFd> {
    Err(crate::error::Error::new(
        crate::error::Status::Unsupported,
        "waiting for handles on Windows comes with a later release: make an event and notify it",
    ))
}
