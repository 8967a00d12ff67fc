//! What all workers of a runtime share.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use crate::blocking::Pool;
use crate::control::{Lease, Runnable};
use crate::dump::Request;
use crate::primitive::deque::{self, Injector};
use crate::primitive::{AtomicBool, Ordering};
use crate::stacks::Sites;
use crate::watchdog::Leash;
use crate::worker::{Remote, Sleepers};

use super::{Builder, Quota, Roster};

/// See the [module](self).
pub(crate) struct Shared {
    pub(crate) workers: Box<[Remote]>,
    pub(crate) sleepers: Sleepers,
    pub(crate) pool: Pool,
    pub(crate) roster: Arc<Roster>,
    pub(crate) quota: Quota,
    /// The watchdog's.
    pub(crate) leash: Leash,
    /// Whether a deadlock of all fibers ends the runtime.
    pub(crate) ends_when_still: bool,
    /// Set when that has happened: the last dump, to which each worker adds its fibers and ends.
    pub(crate) deadlock: OnceLock<Arc<Request>>,
    pub(crate) stack_size: usize,
    pub(crate) grace: Duration,
    pub(crate) pin_workers: bool,
    pub(crate) trim_after: Duration,
    /// What plain threads spawn from.
    pub(crate) heap: Mutex<Lease>,
    /// Closures that plain threads have spawned; whichever worker comes first takes them.
    pub(crate) injected: Injector<Runnable>,
    stopping: AtomicBool,
}

/// What a worker needs to begin: its number and its end of the queue that others steal from.
pub(super) type Seat = (usize, deque::Worker<Runnable>);

impl Shared {
    pub(crate) fn new(settings: &Builder, ends_when_still: bool) -> (Arc<Self>, Vec<Seat>) {
        let roster = Arc::<Roster>::default();
        let workers = settings.workers_or_cpus();
        let seats: Vec<Seat> = (0..workers).map(|index| (index, deque::Worker::new_fifo())).collect();
        let shared = Shared {
            workers: seats
                .iter()
                .map(|(_, fresh)| Remote::new(fresh.stealer(), Sites::new(settings.sample_stacks)))
                .collect(),
            sleepers: Sleepers::default(),
            pool: Pool::new(settings.blocking_threads, roster.clone()),
            roster,
            quota: Quota::new(settings.fibers_max, workers),
            leash: Leash::default(),
            ends_when_still,
            deadlock: OnceLock::new(),
            stack_size: settings.stack_size,
            grace: settings.grace,
            pin_workers: settings.pin_workers,
            trim_after: settings.trim_after,
            heap: Mutex::new(Lease::take()),
            injected: Injector::new(),
            stopping: AtomicBool::new(false),
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

    /// As `Worker::admit`, for a plain thread.
    pub(super) fn admit(&self) -> io::Result<()> {
        if self.quota.take_one() { Ok(()) } else { Err(self.refuse()) }
    }

    /// Why no further fiber is admitted.
    pub(crate) fn refuse(&self) -> io::Error {
        self.quota.refuse(self.workers.iter().map(|worker| worker.tally().allowance()).sum())
    }

    /// Queues a fresh fiber from a plain thread, and wakes an idle worker for it.
    pub(crate) fn spawn(&self, runnable: Runnable) {
        self.injected.push(runnable);
        self.sleepers.wake_one(&self.workers);
    }
}
