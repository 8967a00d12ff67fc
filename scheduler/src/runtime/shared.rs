//! What all workers of a runtime share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::blocking::Pool;
use crate::cancel::Interrupted;
use crate::control::Runnable;
use crate::worker::{Remote, Sleepers};

/// See the [module](self).
pub(crate) struct Shared {
    pub(crate) workers: Box<[Remote]>,
    pub(crate) sleepers: Sleepers,
    pub(crate) pool: Pool,
    pub(crate) stack_size: usize,
    pub(crate) grace: Duration,
    stopping: AtomicBool,
    /// Whose turn it is to get a fiber from outside.
    next: AtomicUsize,
}

/// What a worker needs to begin: its number and its end of the queue that others steal from.
pub(super) type Seat = (usize, crossbeam_deque::Worker<Runnable>);

impl Shared {
    pub(super) fn new(workers: usize, stack_size: usize, grace: Duration, blocking: usize) -> (Arc<Self>, Vec<Seat>) {
        let seats: Vec<Seat> = (0..workers).map(|index| (index, crossbeam_deque::Worker::new_fifo())).collect();
        let shared = Shared {
            workers: seats.iter().map(|(_, fresh)| Remote::new(fresh.stealer())).collect(),
            sleepers: Sleepers::default(),
            pool: Pool::new(blocking),
            stack_size,
            grace,
            stopping: AtomicBool::new(false),
            next: AtomicUsize::new(0),
        };
        (Arc::new(shared), seats)
    }

    /// Whether shutdown has begun.
    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Begins the shutdown.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        for worker in &self.workers {
            worker.wake_if_parked();
        }
    }

    /// Begins the shutdown when dropped.
    pub(super) fn stop_on_drop(self: &Arc<Self>) -> impl Drop + use<> {
        struct Stop(Arc<Shared>);
        impl Drop for Stop {
            fn drop(&mut self) {
                self.0.stop();
            }
        }
        Stop(self.clone())
    }

    /// Hands a fresh fiber to a worker, an idle one if there is any.
    pub(super) fn spawn(&self, runnable: Runnable) {
        let any = || self.next.fetch_add(1, Ordering::Relaxed) % self.workers.len();
        let index = self.sleepers.any().unwrap_or_else(any);
        self.workers[index].deliver(runnable);
    }

    /// All workers have ended: ends what was handed over too late, and waits for threads that are still handing over.
    pub(super) fn refuse_leftovers(&self) {
        for worker in &self.workers {
            while worker.is_delivering() {
                thread::yield_now();
            }
            // One that has started was leaked by its worker, and stays so.
            for runnable in worker.leftovers().filter(|runnable| runnable.control().home().is_null()) {
                runnable.refuse(Box::new(Interrupted::Cancelled));
            }
        }
    }
}
