//! What the watching thread sleeps on where there are no eventfds. The library's watcher has a thread
//! of its own there, which knows nothing of Java.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::sources::{thread, watcher};

static RUNG: Mutex<bool> = Mutex::new(false);
static HEARD: Condvar = Condvar::new();

/// Sees to it that there is a bell.
///
/// # Errors
///
/// None here.
pub(in crate::jni) fn prepare() -> Result<()> {
    Ok(())
}

/// There is nothing to close.
pub(in crate::jni) fn close() {}

/// Has all who sleep look, and those who are about to.
pub(super) fn ring() {
    *RUNG.lock().unwrap_or_else(PoisonError::into_inner) = true;
    HEARD.notify_all();
}

/// It was heard.
pub(super) fn clear() {
    *RUNG.lock().unwrap_or_else(PoisonError::into_inner) = false;
}

/// The watcher's place, which its own thread has.
pub(super) struct Place;

impl Place {
    pub(super) fn none() -> Place {
        Place
    }

    pub(super) fn take(&mut self) {}

    pub(super) fn is_empty(&self) -> bool {
        true
    }
}

/// Sleeps until the bell rings.
pub(super) fn sleep(_: &mut Place) {
    let rung = RUNG.lock().unwrap_or_else(PoisonError::into_inner);
    drop(HEARD.wait_while(rung, |rung| !*rung));
}

/// Starts the watcher's thread, and has Java be told of what it finds.
pub(in crate::jni) fn spawn_watcher(body: Box<dyn FnOnce() + Send>) -> Result<()> {
    super::want_thread();
    thread::spawn(watcher::NAME.to_owned(), body)
        .map(drop)
        .map_err(|error| Error::os("starting the watcher's thread (raise ulimit -u)", &error))
}
