//! How many fibers a runtime may have, and the error when it has them.
//!
//! ```text
//!   Quota::free ──a block──▶ each worker's allowance ──one a spawn──▶ fibers
//!        ▲                        │      ▲                              │
//!        └──── what is over ──────┘      └────────── one an end ────────┘
//! ```
//!
//! A spawn costs its worker a decrement of its own allowance (`worker/allowance.rs`); only a block of spawns costs a locked operation
//! here. When little is free, a worker gets one at a time and keeps none back, so that the last ones go to whoever asks.
//!
//! Invariant: what is free, what workers keep, and the fibers that have not ended make `fibers_max` together. So there are never more
//! fibers than that, at any instant.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::{error, fmt, io};

use super::Builder;

/// How many fibers a runtime may have, by default: 4,194,304. More than fit into the memory of most machines, since one that waits
/// takes a page of stack and more, some 20 GB for all; few enough that a loop which only spawns is refused before it has taken
/// the machine's memory, since one that has not started takes some 350 bytes, 1.5 GB for all.
pub const DEFAULT_FIBERS_MAX: usize = 4 << 20;

/// How many spawns a worker takes at once, at the most.
const BLOCK_MAX: usize = 64;

/// What all workers may keep back together: this part of the whole at the most.
const KEPT_PART: usize = 8;

/// See the [module](self). On cache lines of its own: every worker writes here, if rarely.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Quota {
    free: AtomicUsize,
    refused: AtomicU64,
    fibers_max: usize,
    block: usize,
    /// So few are left that nobody may keep any back.
    scarce: usize,
}

impl Quota {
    pub(super) fn new(fibers_max: usize, workers: usize) -> Self {
        // A worker keeps up to two blocks. If not even one of them is its share, all are scarce from the beginning.
        let block = (fibers_max / workers / (2 * KEPT_PART)).min(BLOCK_MAX);
        let scarce = if block == 0 { fibers_max } else { 4 * block * workers };
        Quota { free: AtomicUsize::new(fibers_max), refused: AtomicU64::new(0), fibers_max, block, scarce }
    }

    /// Takes a block of what is free, one if that is scarce; returns how many it was.
    pub(crate) fn take(&self) -> usize {
        // Relaxed: it is a number and guards no memory. That who joins a fiber finds its place free follows from the join.
        let taken = |free: usize| if free > self.scarce { self.block } else { free.min(1) };
        let before = self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| match taken(free) {
            0 => None,
            some => Some(free - some),
        });
        before.map_or(0, taken)
    }

    /// Takes one, for a fiber that a plain thread spawns.
    pub(super) fn take_one(&self) -> bool {
        self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(1)).is_ok()
    }

    /// Gives back what was taken.
    pub(crate) fn give(&self, places: usize) {
        self.free.fetch_add(places, Ordering::Relaxed);
    }

    /// How many a worker may keep back when it looks outside: two blocks, so that neither spawning nor ending alone makes it ask at
    /// every turn; none if they are scarce.
    pub(crate) fn kept_max(&self) -> usize {
        if self.free.load(Ordering::Relaxed) > self.scarce { 2 * self.block } else { 0 }
    }

    /// How many spawns were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Counts a refused spawn. `kept`: how many the workers keep back, as far as is known.
    #[cold]
    pub(crate) fn refuse(&self, kept: usize) -> io::Error {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let live = self.fibers_max.saturating_sub(kept);
        io::Error::new(io::ErrorKind::QuotaExceeded, TooManyFibers { fibers_max: self.fibers_max, live })
    }
}

impl Builder {
    /// How many fibers there may be at the most, over all workers, those included that have not started; at least one. Default:
    /// [`DEFAULT_FIBERS_MAX`], over four million. A spawn beyond is refused with an error that holds a [`TooManyFibers`].
    ///
    /// There are never more. With several workers a spawn may be refused a little early, since each worker that is busy keeps some
    /// places back, at most 128 and at most an eighth of all together; when few are left it lets go of them within 100 us or so, unless
    /// a fiber holds it. What one worker spawns on its own is counted exactly; so is everything if there are fewer than 16 for
    /// each worker.
    ///
    /// ```
    /// use fibra_scheduler::{Builder, driver, runtime};
    ///
    /// runtime::Builder::new(driver::idle).workers(1).fibers_max(2).run(|| {
    ///     let first = Builder::new().spawn(|| ())?; // This fiber is the other one.
    ///     assert_eq!(Builder::new().spawn(|| ()).unwrap_err().kind(), std::io::ErrorKind::QuotaExceeded);
    ///     first.join().unwrap();
    ///     Builder::new().spawn(|| ()).map(drop)
    /// })??;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn fibers_max(mut self, fibers: usize) -> Self {
        self.fibers_max = fibers.max(1);
        self
    }
}

/// Why a fiber was not spawned: its runtime has as many as it may have. Inside an [`io::Error`] of kind `QuotaExceeded`.
///
/// ```
/// use fibra_scheduler::{Builder, TooManyFibers, driver, runtime};
///
/// runtime::Builder::new(driver::idle).workers(1).fibers_max(2).run(|| {
///     let first = Builder::new().spawn(|| 5)?; // Counts though it has not started; the other is this fiber.
///     let refused = Builder::new().spawn(|| 6).unwrap_err();
///     let reason = refused.get_ref().and_then(|inner| inner.downcast_ref::<TooManyFibers>()).unwrap();
///     assert_eq!((reason.fibers_max, reason.live), (2, 2));
///
///     assert_eq!(first.join().unwrap(), 5);
///     assert_eq!(Builder::new().spawn(|| 7)?.join().unwrap(), 7);
///     std::io::Result::Ok(())
/// })??;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooManyFibers {
    /// How many the runtime may have: see [`runtime::Builder::fibers_max`](crate::runtime::Builder::fibers_max).
    pub fibers_max: usize,
    /// How many it has. Less than `fibers_max` only if workers keep some places back for what they spawn next.
    pub live: usize,
}

impl fmt::Display for TooManyFibers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooManyFibers { fibers_max, live } = self;
        write!(
            f,
            "too many fibers: {live} live, and this runtime may have {fibers_max}; wait until some have ended, or allow more \
             with fibra::runtime::builder().fibers_max(number)"
        )
    }
}

impl error::Error for TooManyFibers {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_given_out_and_not_one_more() {
        for (fibers_max, workers) in [(1, 1), (7, 3), (100, 2), (10_000, 2), (10_000, 64)] {
            let quota = Quota::new(fibers_max, workers);
            let mut taken = 0;
            while let some @ 1.. = quota.take() {
                taken += some;
            }
            assert_eq!(taken, fibers_max);
            assert!(!quota.take_one());
            quota.give(1);
            assert!(quota.take_one());
        }
    }

    #[test]
    fn what_is_kept_back_is_a_small_part() {
        for (fibers_max, workers) in [(1, 1), (7, 3), (100, 2), (10_000, 64), (4 << 20, 64)] {
            let quota = Quota::new(fibers_max, workers);
            let kept_max = quota.kept_max() * workers;
            assert!(kept_max <= fibers_max / KEPT_PART, "{kept_max} of {fibers_max} by {workers}");
            quota.free.store(quota.scarce, Ordering::Relaxed);
            assert_eq!(quota.kept_max(), 0);
        }
    }
}
