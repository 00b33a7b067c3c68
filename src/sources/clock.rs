//! The reactor's clock, in nanoseconds: on Unix CLOCK_MONOTONIC, as C programs can read it themselves;
//! on Windows the performance counter, from when the library first looked at it.

/// Nanoseconds since an arbitrary point in the past. Never goes back.
#[cfg(unix)]
pub(crate) fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the call to fill.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Nanoseconds since an arbitrary point in the past. Never goes back.
#[cfg(windows)]
pub(crate) fn now() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;

    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    // The counter's own zero is not told. Enough nanoseconds for 584 years.
    ORIGIN.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
