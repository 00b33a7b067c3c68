//! The threads on which blocking applications run: made when needed, ended when idle for long.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

#[cfg(feature = "ffi")]
use crate::error::Status;
use crate::error::{Error, Result};
use crate::reactor::Spawn;
use crate::sources::thread;

/// A thread without work for this long ends.
const IDLE: Duration = Duration::from_secs(10);

/// Something to run on a pool thread.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

struct Queue {
    jobs: VecDeque<Job>,
    threads: u32,
    idle: u32,
    closed: bool,
    /// Threads of our own that have ended or will; joined when the pool is closed.
    handles: Vec<JoinHandle<()>>,
}

struct Inner {
    queue: Mutex<Queue>,
    changed: Condvar,
    name: String,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                drop(queue);
                job();
                queue = self.lock();
                continue;
            }
            if queue.closed {
                break;
            }
            queue.idle += 1;
            let (back, waited) =
                self.changed.wait_timeout(queue, IDLE).unwrap_or_else(PoisonError::into_inner);
            queue = back;
            queue.idle -= 1;
            if waited.timed_out() && queue.jobs.is_empty() {
                break;
            }
        }
        queue.threads -= 1;
        self.changed.notify_all();
    }
}

/// A bounded pool of threads. What finds no thread free is queued, in order.
pub(crate) struct Pool {
    inner: Arc<Inner>,
    limit: u32,
    spawn: Option<Spawn>,
}

impl Pool {
    pub(crate) fn new(name: String, limit: u32, spawn: Option<Spawn>) -> Pool {
        let queue = Queue {
            jobs: VecDeque::new(),
            threads: 0,
            idle: 0,
            closed: false,
            handles: Vec::new(),
        };
        Pool {
            inner: Arc::new(Inner { queue: Mutex::new(queue), changed: Condvar::new(), name }),
            limit: limit.max(1),
            spawn,
        }
    }

    /// Queues a job, which is made once a thread will run it. Fails, without having made it, only
    /// if no thread could be made at all.
    pub(crate) fn submit(&self, job: impl FnOnce() -> Job) -> Result<()> {
        let mut queue = self.inner.lock();
        // Compared with the idle threads, not with all: busy ones may never come back.
        if queue.jobs.len() >= queue.idle as usize && queue.threads < self.limit {
            queue.threads += 1;
            drop(queue);
            let started = self.start();
            queue = self.inner.lock();
            if let Err(error) = started {
                queue.threads -= 1;
                if queue.threads == 0 {
                    return Err(error);
                }
            }
        }
        queue.jobs.push_back(job());
        self.inner.changed.notify_one();
        Ok(())
    }

    fn start(&self) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        let body = move || inner.work();
        if let Some(spawn) = &self.spawn {
            return spawn(Box::new(body), &self.inner.name);
        }
        let handle = thread::spawn(self.inner.name.clone(), body).map_err(|error| {
            Error::os("starting a pool thread (raise ulimit -u or lower pool_threads)", &error)
        })?;
        let mut queue = self.inner.lock();
        queue.handles.retain(|handle| !handle.is_finished());
        queue.handles.push(handle);
        Ok(())
    }

    /// Waits until the threads have run what is queued and ended. Called with the queue empty, so
    /// that nothing is waited for but their way out.
    pub(crate) fn close(&self) {
        let mut queue = self.inner.lock();
        queue.closed = true;
        self.inner.changed.notify_all();
        while queue.threads > 0 {
            queue = self.inner.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let handles = std::mem::take(&mut queue.handles);
        drop(queue);
        for handle in handles {
            // A job catches its own panics.
            let _ = handle.join();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

/// The answer where the host gives no thread.
#[cfg(feature = "ffi")]
pub(crate) fn no_thread(errno: i32) -> Error {
    Error::new(
        Status::Limit,
        format!("the host's spawn hook gave no thread (it answered {errno}): let it make more"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_full_pool_queues_and_runs_everything() {
        let pool = Pool::new("test".into(), 2, None);
        let (send, receive) = mpsc::channel();
        let gate = Arc::new(Mutex::new(()));
        let held = gate.lock().unwrap();
        for n in 0..10 {
            let (send, gate) = (send.clone(), Arc::clone(&gate));
            pool.submit(|| {
                Box::new(move || {
                    drop(gate.lock());
                    send.send(n).unwrap();
                })
            })
            .unwrap();
        }
        assert!(pool.inner.lock().threads <= 2);
        drop(held);
        let mut seen: Vec<i32> =
            (0..10).map(|_| receive.recv_timeout(Duration::from_secs(10)).unwrap()).collect();
        seen.sort();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        pool.close();
        assert_eq!(pool.inner.lock().threads, 0);
    }
}
