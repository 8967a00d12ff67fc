//! How many fibers a worker may spawn before it has to ask: its part of the runtime's [`Quota`](crate::runtime::Quota).
//!
//! Invariants:
//! * Only the worker itself touches it, so a spawn and an end are plain additions.
//! * A worker that sleeps keeps nothing back; one that runs looks every 100 us or so at how much it may keep.

use std::cell::Cell;
use std::io;

use super::Worker;
use crate::counters::bump;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Allowance {
    left: Cell<usize>,
    /// What is more than this goes back.
    kept_max: Cell<usize>,
}

impl Worker {
    /// Makes sure that the runtime may have another fiber. Who succeeds queues one.
    ///
    /// # Errors
    ///
    /// `QuotaExceeded`: it has as many as it may.
    #[inline]
    pub(crate) fn admit(&self) -> io::Result<()> {
        match self.allowance.left.get().checked_sub(1) {
            Some(left) => {
                self.allowance.left.set(left);
                Ok(())
            }
            None => self.admit_asking(),
        }
    }

    #[inline(never)]
    fn admit_asking(&self) -> io::Result<()> {
        match self.shared.quota.take().checked_sub(1) {
            Some(left) => {
                self.allowance.left.set(left);
                Ok(())
            }
            None => {
                self.publish();
                Err(self.shared.refuse())
            }
        }
    }

    /// Counts the end of a fiber of this thread's worker: another may be spawned in its place.
    #[inline]
    pub(crate) fn count_end() {
        Worker::with(|worker| {
            let Some(worker) = worker else { return };
            bump(&worker.counts.ended);
            let left = worker.allowance.left.get() + 1;
            worker.allowance.left.set(left);
            if left > worker.allowance.kept_max.get() {
                worker.give_allowance_back();
            }
        });
    }

    /// Lets others have what this worker has more than it may keep now.
    #[inline]
    pub(super) fn settle_allowance(&self) {
        let kept_max = self.shared.quota.kept_max();
        self.allowance.kept_max.set(kept_max);
        if self.allowance.left.get() > kept_max {
            self.give_allowance_back();
        }
    }

    /// Lets others have all that this worker may still spawn, since it goes to sleep.
    pub(super) fn give_allowance_up(&self) {
        self.give(self.allowance.left.get());
    }

    /// Half of what it may keep stays, so that a worker on which more fibers end than are spawned does not come back at once.
    #[inline(never)]
    fn give_allowance_back(&self) {
        self.give(self.allowance.left.get() - self.allowance.kept_max.get() / 2);
    }

    fn give(&self, places: usize) {
        if places > 0 {
            self.allowance.left.set(self.allowance.left.get() - places);
            self.publish_allowance();
            self.shared.quota.give(places);
        }
    }

    /// Lets others read how many places this worker keeps back.
    pub(super) fn publish_allowance(&self) {
        self.remote().tally().publish_allowance(self.allowance.left.get());
    }
}
