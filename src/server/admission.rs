//! How many exchanges run at once, in all workers together, and who waits for one to end.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Semaphore;

use super::options::Limits;

/// Counts exchanges. Taking a free place is one atomic operation; the queue exists only while
/// there is none.
pub(super) struct Admission {
    places: Semaphore,
    queued: AtomicU32,
    max_queued: u32,
    queue_time: std::time::Duration,
}

/// The place of one exchange, given back when it is dropped.
pub(super) struct Permit(Arc<Admission>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.places.add_permits(1);
    }
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Arc<Admission> {
        Arc::new(Admission {
            places: Semaphore::new(limits.max_exchanges as usize),
            queued: AtomicU32::new(0),
            max_queued: limits.max_queued,
            queue_time: limits.queue_time,
        })
    }

    /// A place, if one is free. Nobody overtakes the queue: a place that becomes free while
    /// someone waits is his at once.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Permit> {
        let permit = self.places.try_acquire().ok()?;
        permit.forget();
        Some(Permit(Arc::clone(self)))
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn queued(&self) -> u32 {
        self.queued.load(Ordering::Relaxed)
    }

    /// Waits for a place, in order; the future answers `None` when the time for it is over. It
    /// is `None` itself if the queue is full.
    pub(super) fn queue(self: &Arc<Self>) -> Option<impl Future<Output = Option<Permit>> + use<>> {
        let joined = self.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |queued| {
            (queued < self.max_queued).then_some(queued + 1)
        });
        joined.ok()?;
        let waiting = Waiting(Arc::clone(self));
        Some(async move {
            let admission = &waiting.0;
            let place = admission.places.acquire();
            match tokio::time::timeout(admission.queue_time, place).await {
                Ok(Ok(permit)) => {
                    permit.forget();
                    Some(Permit(Arc::clone(admission)))
                }
                // The semaphore is never closed; the other is the time.
                Ok(Err(_)) | Err(_) => None,
            }
        })
    }
}

/// One who waits; leaves the queue when it is dropped.
struct Waiting(Arc<Admission>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn block_on<F: Future>(future: F) -> F::Output {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().unwrap().block_on(future)
    }

    fn admission(max_exchanges: u32, max_queued: u32, queue_time: Duration) -> Arc<Admission> {
        let limits = Limits { max_exchanges, max_queued, queue_time, ..Limits::default() };
        Admission::new(&limits)
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let admission = admission(2, 0, Duration::ZERO);
        let first = admission.enter();
        let second = admission.enter();
        assert!(first.is_some() && second.is_some());
        assert!(admission.enter().is_none());
        drop(first);
        assert!(admission.enter().is_some());
    }

    #[test]
    fn a_full_queue_turns_away_and_one_who_leaves_makes_room() {
        let admission = admission(1, 1, Duration::from_secs(60));
        let _taken = admission.enter();
        let waiting = admission.queue();
        assert!(waiting.is_some());
        assert!(admission.queue().is_none());
        drop(waiting);
        assert!(admission.queue().is_some());
    }

    #[test]
    fn the_first_in_the_queue_gets_the_place() {
        let admission = admission(1, 10, Duration::from_secs(60));
        let taken = admission.enter();
        let order = std::cell::RefCell::new(Vec::new());
        let wait = |name: u32| {
            let place = admission.queue().unwrap();
            let order = &order;
            async move {
                let permit = place.await;
                order.borrow_mut().push(name);
                drop(permit);
            }
        };
        let (first, second) = (wait(1), wait(2));
        block_on(async {
            tokio::join!(biased; first, second, async {
                tokio::task::yield_now().await;
                drop(taken);
                assert!(admission.enter().is_none(), "nobody overtakes the queue");
            });
        });
        assert_eq!(*order.borrow(), [1, 2]);
    }

    #[test]
    fn waiting_ends_with_its_time() {
        let admission = admission(1, 1, Duration::from_millis(1));
        let _taken = admission.enter();
        assert!(block_on(admission.queue().unwrap()).is_none());
        assert_eq!(admission.queued.load(Ordering::Relaxed), 0);
    }
}
