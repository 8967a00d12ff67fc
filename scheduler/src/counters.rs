//! What the workers count about themselves.
//!
//! ```text
//!   Counts   plain cells of a worker, one add an event
//!     │ published each time it looks outside: every 61 switches or 100 us, and before it sleeps
//!     ▼
//!   Tally    atomics on cache lines of the worker's own, which anyone may read
//! ```
//!
//! Invariant: only the worker itself writes, so counting is never a read-modify-write that another core could contend for.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::runtime::{Runtime, Shared};
use crate::worker::{Remote, Worker};

/// What a runtime has done so far, summed over its workers.
///
/// What the calling worker has counted is exact; what the others have is as old as their last look outside: usually 100 us, and
/// longer if a fiber holds one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// How many workers there are.
    pub workers: usize,
    /// Fibers spawned. One that was handed over by a plain thread counts once its worker has taken it.
    pub spawned: u64,
    /// Fibers that have not ended: `spawned` less those that have.
    pub live: u64,
    /// Spawns that were refused because there were [too many fibers](crate::TooManyFibers).
    pub refused: u64,
    /// Times that a fiber waited, and another could run.
    pub parks: u64,
    /// Times that a parked fiber was made ready: by another, by the driver or by a timer.
    pub wakes: u64,
    /// Batches of closures that an idle worker has taken from another.
    pub steals: u64,
    /// Times that a worker has looked at its timers, driver and inbox.
    pub polls: u64,
    /// Times that a fiber's unused stack was given back because the fiber had waited for long: see
    /// [`trim_after`](crate::runtime::Builder::trim_after).
    pub trims: u64,
    /// Times that a worker has switched to a fiber.
    pub switches: u64,
    /// Bytes of address space that stacks take now, in the whole process. Only touched pages take memory.
    pub stack_bytes_reserved: usize,
}

/// A snapshot of the counters of the calling thread's runtime; all zero outside of one.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).workers(1).run(|| {
/// let before = fibra_scheduler::counters();
/// fibra_scheduler::spawn(|| ()).join().unwrap();
/// assert_eq!(fibra_scheduler::counters().spawned - before.spawned, 1);
/// # }).unwrap();
/// ```
#[must_use]
pub fn counters() -> Counters {
    let counted = Worker::with(|worker| {
        worker.map(|worker| {
            worker.publish();
            sum(worker.shared())
        })
    });
    counted.unwrap_or_default()
}

impl Runtime {
    /// What this runtime's workers have counted. From any thread; see [`Counters`] for how old that is.
    #[must_use]
    pub fn counters(&self) -> Counters {
        sum(self.shared())
    }
}

/// The counters of all of a runtime's workers.
fn sum(shared: &Shared) -> Counters {
    let mut sum = Counters {
        workers: shared.workers.len(),
        refused: shared.quota.refused(),
        stack_bytes_reserved: fibra_fiber::reserved_bytes(),
        ..Counters::default()
    };
    let mut ended = 0;
    for tally in shared.workers.iter().map(Remote::tally) {
        sum.spawned += tally.spawned.load(Ordering::Relaxed);
        ended += tally.ended.load(Ordering::Relaxed);
        sum.parks += tally.parks.load(Ordering::Relaxed);
        sum.wakes += tally.wakes.load(Ordering::Relaxed);
        sum.steals += tally.steals.load(Ordering::Relaxed);
        sum.polls += tally.polls.load(Ordering::Relaxed);
        sum.trims += tally.trims.load(Ordering::Relaxed);
        sum.switches += tally.switches();
    }
    // Read one by one while others count: a fiber may end on one worker before its spawning on another is published.
    sum.live = sum.spawned.saturating_sub(ended);
    sum
}

/// What a worker has counted. See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) spawned: Cell<u64>,
    pub(crate) ended: Cell<u64>,
    pub(crate) parks: Cell<u64>,
    pub(crate) wakes: Cell<u64>,
    pub(crate) steals: Cell<u64>,
    pub(crate) polls: Cell<u64>,
    pub(crate) trims: Cell<u64>,
}

/// What a worker has published. See the [module](self).
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Tally {
    /// How many switches the worker may still make before it looks outside. It is written at every switch, which makes it the
    /// worker's heartbeat, too.
    left: AtomicU32,
    /// How many switches it will have made by then.
    granted: AtomicU64,
    spawned: AtomicU64,
    ended: AtomicU64,
    parks: AtomicU64,
    wakes: AtomicU64,
    steals: AtomicU64,
    polls: AtomicU64,
    trims: AtomicU64,
    /// How many spawns the worker keeps back for itself.
    allowance: AtomicUsize,
}

/// Counts one.
#[inline]
pub(crate) fn bump(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

impl Tally {
    /// Publishes what `counts` says. Only on the worker's own thread, as whatever else writes here.
    pub(crate) fn publish(&self, counts: &Counts) {
        self.spawned.store(counts.spawned.get(), Ordering::Relaxed);
        self.ended.store(counts.ended.get(), Ordering::Relaxed);
        self.parks.store(counts.parks.get(), Ordering::Relaxed);
        self.wakes.store(counts.wakes.get(), Ordering::Relaxed);
        self.steals.store(counts.steals.get(), Ordering::Relaxed);
        self.polls.store(counts.polls.get(), Ordering::Relaxed);
        self.trims.store(counts.trims.get(), Ordering::Relaxed);
    }

    /// Publishes how many spawns the worker keeps back. Only on its own thread, too.
    pub(crate) fn publish_allowance(&self, allowance: usize) {
        self.allowance.store(allowance, Ordering::Relaxed);
    }

    /// How many spawns the worker kept back when it last published.
    pub(crate) fn allowance(&self) -> usize {
        self.allowance.load(Ordering::Relaxed)
    }

    /// Counts a switch; `false` if none is left in this round.
    #[inline]
    pub(crate) fn take_turn(&self) -> bool {
        match self.left.load(Ordering::Relaxed) {
            0 => false,
            left => {
                self.left.store(left - 1, Ordering::Relaxed);
                true
            }
        }
    }

    /// The turn that was taken last was not used: nothing was there to run.
    pub(crate) fn return_turn(&self) {
        self.left.store(self.left.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Begins a round of `turns`.
    pub(crate) fn grant(&self, turns: u32) {
        let unused = u64::from(self.left.load(Ordering::Relaxed));
        let granted = self.granted.load(Ordering::Relaxed) + u64::from(turns) - unused;
        self.granted.store(granted, Ordering::Relaxed);
        self.left.store(turns, Ordering::Relaxed);
    }

    /// What changes whenever the worker switches or looks outside.
    pub(crate) fn pulse(&self) -> (u64, u64) {
        (self.switches(), self.polls.load(Ordering::Relaxed))
    }

    /// How many switches the worker has made.
    pub(crate) fn switches(&self) -> u64 {
        self.granted.load(Ordering::Relaxed).saturating_sub(self.left.load(Ordering::Relaxed).into())
    }
}
