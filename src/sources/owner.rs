//! A value that one thread owns: others may hold the cell, but only the owner reaches inside, and
//! never twice at once.

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, Fixed, Result, Status};

/// A number for the calling thread, different from that of any other thread of the process.
pub(crate) fn thread_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        // Made without a look whether it is there yet, which would cost more than all else here.
        static ID: Cell<u64> = const { Cell::new(NOBODY) };
    }
    #[cold]
    fn choose(id: &Cell<u64>) -> u64 {
        id.set(NEXT.fetch_add(1, Ordering::Relaxed));
        id.get()
    }
    ID.with(|id| match id.get() {
        NOBODY => choose(id),
        known => known,
    })
}

/// Nobody: the value was let go, and waits for a thread to adopt it.
const NOBODY: u64 = 0;

pub(crate) struct OwnerCell<T> {
    owner: AtomicU64,
    borrowed: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through `borrow`, by the thread that `owner` names, and
// `borrowed` keeps that thread from reaching it twice. Ownership moves by `release` (a Release
// store by the owner, while nothing is borrowed) and `adopt` (an Acquire exchange), so what one
// owner wrote the next one sees; moving the value between threads so is what `T: Send` allows.
unsafe impl<T: Send> Sync for OwnerCell<T> {}

impl<T> OwnerCell<T> {
    /// A cell that nobody owns.
    pub(crate) const fn new(value: T) -> OwnerCell<T> {
        OwnerCell {
            owner: AtomicU64::new(NOBODY),
            borrowed: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    pub(crate) fn is_owner(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == thread_id()
    }

    /// Makes the calling thread the owner of a value that nobody owns.
    pub(crate) fn adopt(&self) -> Result<()> {
        match self.owner.compare_exchange(NOBODY, thread_id(), Ordering::Acquire, Ordering::Relaxed)
        {
            Ok(_) => Ok(()),
            Err(owner) if owner == thread_id() => Err(Error::new(
                Status::Busy,
                "this thread owns it already: release it first, or go on with it",
            )),
            Err(_) => Err(Error::new(
                Status::Busy,
                "another thread owns it: that thread must release it first",
            )),
        }
    }

    /// Lets the value go.
    pub(crate) fn release(&self) -> Result<()> {
        self.with(|_| ())?;
        self.owner.store(NOBODY, Ordering::Release);
        Ok(())
    }

    /// Runs `f` with the value, if the calling thread owns it and is not inside already.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R> {
        let mut value = self.borrow()?;
        Ok(f(&mut value))
    }

    /// The value, if the calling thread owns it and is not inside already.
    #[inline]
    pub(crate) fn borrow(&self) -> Result<Borrowed<'_, T>> {
        if !self.is_owner() {
            return Err(self.elsewhere());
        }
        if self.borrowed.load(Ordering::Relaxed) {
            return Err(inside());
        }
        self.borrowed.store(true, Ordering::Relaxed);
        Ok(Borrowed { cell: self, thread: PhantomData })
    }
}

impl<T> OwnerCell<T> {
    #[cold]
    fn elsewhere(&self) -> Error {
        static ELSEWHERE: Fixed = Fixed::new(
            Status::Thread,
            "the call belongs to the thread that owns the reactor: make it there, or use an event \
             and awsgi_notify",
        );
        static NOWHERE: Fixed = Fixed::new(
            Status::Thread,
            "nobody owns the reactor since it was released: adopt it first",
        );
        match self.owner.load(Ordering::Relaxed) {
            NOBODY => NOWHERE.error(),
            _ => ELSEWHERE.error(),
        }
    }
}

fn inside() -> Error {
    static INSIDE: Fixed = Fixed::new(
        Status::Reentrant,
        "the reactor is in the middle of a call: make this one after it has returned",
    );
    INSIDE.error()
}

/// The value in the hands of its owner.
pub(crate) struct Borrowed<'a, T> {
    cell: &'a OwnerCell<T>,
    /// It stays on the owner's thread.
    thread: PhantomData<*const ()>,
}

impl<T> Deref for Borrowed<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: made by `borrow` on the thread that owns the value, and nothing else borrows it
        // until this is dropped, also by unwinding; the owner does not change meanwhile, since
        // `release` borrows, too.
        unsafe { &*self.cell.value.get() }
    }
}

impl<T> DerefMut for Borrowed<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.cell.value.get() }
    }
}

impl<T> Drop for Borrowed<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.cell.borrowed.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_reaches_inside_and_never_twice() {
        let cell = OwnerCell::new(1);
        assert_eq!(cell.with(|_| ()).unwrap_err().status(), Status::Thread);
        cell.adopt().unwrap();
        assert_eq!(cell.adopt().unwrap_err().status(), Status::Busy);
        cell.with(|value| {
            *value += 1;
            assert_eq!(cell.with(|_| ()).unwrap_err().status(), Status::Reentrant);
            assert_eq!(cell.release().unwrap_err().status(), Status::Reentrant);
        })
        .unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(cell.with(|_| ()).unwrap_err().status(), Status::Thread));
        });
        cell.release().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                cell.adopt().unwrap();
                assert_eq!(cell.with(|value| *value).unwrap(), 2);
            });
        });
    }
}
