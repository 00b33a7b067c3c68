//! Pointers that C owns: opaque, and looked up before they are used, so that one that was freed or
//! never was ours is answered with a status.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::guard::null;
use crate::error::{Error, Result, Status};

/// All living objects of one kind, by the address that C holds.
pub(super) struct Owned<T>(Mutex<BTreeMap<usize, Arc<T>>>);

impl<T> Owned<T> {
    pub(super) const fn new() -> Owned<T> {
        Owned(Mutex::new(BTreeMap::new()))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an object out. Its address is C's name for it, never followed.
    pub(super) fn give<C>(&self, object: T) -> *mut C {
        let object = Arc::new(object);
        let address = Arc::as_ptr(&object).cast_mut();
        self.lock().insert(address as usize, object);
        address.cast()
    }

    /// The object behind a pointer.
    pub(super) fn get<C>(&self, pointer: *const C, what: &'static str) -> Result<Arc<T>> {
        if pointer.is_null() {
            return Err(null(what));
        }
        self.lock().get(&(pointer as usize)).cloned().ok_or_else(|| {
            Error::new(Status::Stale, format!("{what} was freed, or is not ours: drop the pointer"))
        })
    }

    /// Takes an object back.
    pub(super) fn take_back<C>(&self, pointer: *const C) {
        self.lock().remove(&(pointer as usize));
    }
}
