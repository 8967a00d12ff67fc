//! What all workers of a runtime share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use crate::blocking::Pool;
use crate::cancel::Interrupted;
use crate::control::Runnable;
use crate::dump::Request;
use crate::watchdog::Leash;
use crate::worker::{Remote, Sleepers};

use super::{Builder, Roster};

/// See the [module](self).
pub(crate) struct Shared {
    pub(crate) workers: Box<[Remote]>,
    pub(crate) sleepers: Sleepers,
    pub(crate) pool: Pool,
    pub(crate) roster: Arc<Roster>,
    /// The watchdog's.
    pub(crate) leash: Leash,
    /// Whether a deadlock of all fibers ends the runtime.
    pub(crate) ends_when_still: bool,
    /// Set when that has happened: the last dump, to which each worker adds its fibers and ends.
    pub(crate) deadlock: OnceLock<Arc<Request>>,
    pub(crate) stack_size: usize,
    pub(crate) grace: Duration,
    stopping: AtomicBool,
    /// Whose turn it is to get a fiber from outside.
    next: AtomicUsize,
}

/// What a worker needs to begin: its number and its end of the queue that others steal from.
pub(super) type Seat = (usize, crossbeam_deque::Worker<Runnable>);

impl Shared {
    pub(super) fn new(builder: &Builder, ends_when_still: bool) -> (Arc<Self>, Vec<Seat>) {
        let workers = builder.workers;
        let roster = Arc::<Roster>::default();
        let seats: Vec<Seat> = (0..workers).map(|index| (index, crossbeam_deque::Worker::new_fifo())).collect();
        let shared = Shared {
            workers: seats.iter().map(|(_, fresh)| Remote::new(fresh.stealer())).collect(),
            sleepers: Sleepers::default(),
            pool: Pool::new(builder.blocking_threads, roster.clone()),
            roster,
            leash: Leash::default(),
            ends_when_still,
            deadlock: OnceLock::new(),
            stack_size: builder.stack_size,
            grace: builder.grace,
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
    pub(super) fn stop(&self) {
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
