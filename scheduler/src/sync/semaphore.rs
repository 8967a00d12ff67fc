//! [`Semaphore`]: a number of permits, each for one holder.
//!
//! ```text
//!   word   permits << 1 | WAITERS
//! ```
//!
//! Taking and giving back is one compare-and-swap or addition while nobody waits. With WAITERS set everyone lines up, and permits go
//! to the first in line as soon as there are enough for it: strictly first come, first served.
//!
//! Invariant, under the lock of the line: WAITERS is set if and only if the line is not empty.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::primitive::{AtomicUsize, Ordering, Sleeper, const_fn};
use super::waiters::{End, Left, Limit, Waiters};
use crate::cancel::Interrupted;
use crate::clock;
use crate::park::Reason;

/// Someone waits.
const WAITERS: usize = 1;
/// One permit.
const PERMIT: usize = 2;

/// Permits to hand out: how many may do something at once.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// use fibra_scheduler::sync::Semaphore;
///
/// let connections = Semaphore::new(2);
/// let (first, second) = (connections.acquire()?, connections.acquire()?);
/// assert!(connections.try_acquire().is_none());
/// drop(first);
/// assert_eq!(connections.available_permits(), 1);
/// # drop(second);
/// # Ok::<(), fibra_scheduler::cancel::Interrupted>(()) }).unwrap().unwrap();
/// ```
///
/// * **Cancellation and ambient deadlines cut the wait.** Permits that arrive in the same instant count: the wait succeeds.
/// * Strictly first come, first served: a request for many permits is not passed by later ones for few.
/// * Permits may be given back by another fiber or thread than took them.
pub struct Semaphore {
    word: AtomicUsize,
    /// The slot: how many permits.
    waiters: Waiters<(), usize>,
}

impl Semaphore {
    /// The most permits that there can be.
    pub const MAX_PERMITS: usize = usize::MAX >> 1;

    const_fn! {
        /// A semaphore with that many permits.
        ///
        /// # Panics
        ///
        /// Beyond [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
        pub fn new(permits: usize) -> Self {
            assert!(permits <= Self::MAX_PERMITS, "too many permits");
            Semaphore { word: AtomicUsize::new(permits * PERMIT), waiters: Waiters::new(()) }
        }
    }

    /// Takes a permit, waiting for one.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](Interrupted::Cancelled), or [`TimedOut`](Interrupted::TimedOut) by an ambient deadline.
    #[inline]
    pub fn acquire(&self) -> Result<Permit<'_>, Interrupted> {
        self.acquire_many(1)
    }

    /// Takes `permits` permits at once, waiting until there are that many.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Semaphore::acquire).
    #[inline]
    pub fn acquire_many(&self, permits: usize) -> Result<Permit<'_>, Interrupted> {
        self.take(permits, None).map(|()| Permit { semaphore: self, permits })
    }

    /// Takes a permit, waiting for it no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Semaphore::acquire), and [`TimedOut`](Interrupted::TimedOut) after `timeout`.
    pub fn acquire_for(&self, timeout: Duration) -> Result<Permit<'_>, Interrupted> {
        self.take(1, clock::now().checked_add(timeout)).map(|()| Permit { semaphore: self, permits: 1 })
    }

    /// As [`acquire`](Semaphore::acquire), with a permit that borrows nothing, for a fiber to take along.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// ```
    /// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
    /// use std::sync::Arc;
    /// use fibra_scheduler::sync::Semaphore;
    ///
    /// let slots = Arc::new(Semaphore::new(2));
    /// for job in 0..10 {
    ///     let permit = slots.acquire_owned()?; // Never more than two at once.
    ///     fibra_scheduler::spawn(move || {
    ///         println!("{job}");
    ///         drop(permit);
    ///     });
    /// }
    /// # Ok::<(), fibra_scheduler::cancel::Interrupted>(()) }).unwrap().unwrap();
    /// ```
    pub fn acquire_owned(self: &Arc<Self>) -> Result<OwnedPermit, Interrupted> {
        self.take(1, None).map(|()| OwnedPermit { semaphore: self.clone() })
    }

    /// Takes a permit if there is one and nobody waits.
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        // Lazily: a permit that is made is given back.
        self.take_now(1).then(|| Permit { semaphore: self, permits: 1 })
    }

    /// How many permits there are now.
    pub fn available_permits(&self) -> usize {
        self.word.load(Ordering::Relaxed) / PERMIT
    }

    /// Adds permits, new ones or those of a permit that was [forgotten](Permit::forget).
    ///
    /// # Panics
    ///
    /// If there would be more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    #[inline]
    pub fn add_permits(&self, permits: usize) {
        let added = self.word.try_update(Ordering::Release, Ordering::Relaxed, |word| {
            permits.checked_mul(PERMIT).and_then(|permits| word.checked_add(permits))
        });
        if added.expect("too many permits") & WAITERS != 0 {
            self.serve();
        }
    }

    #[inline]
    fn take(&self, permits: usize, deadline: Option<Instant>) -> Result<(), Interrupted> {
        if self.take_now(permits) { Ok(()) } else { self.take_slow(permits, deadline) }
    }

    #[inline]
    fn take_now(&self, permits: usize) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & WAITERS == 0 && word / PERMIT >= permits {
            match self.word.compare_exchange_weak(word, word - permits * PERMIT, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    #[cold]
    fn take_slow(&self, permits: usize, deadline: Option<Instant>) -> Result<(), Interrupted> {
        let sleeper = Sleeper::prepared();
        let guard = self.waiters.lock();
        let mut word = self.word.load(Ordering::Relaxed);
        // One exchange takes the permits or marks that we wait, so that whoever adds permits after it sees the mark.
        while word & WAITERS == 0 {
            let enough = word / PERMIT >= permits;
            let next = if enough { word - permits * PERMIT } else { word | WAITERS };
            match self.word.compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) if enough => return Ok(()),
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        match guard.wait(sleeper, 0, End::Back, permits, &Reason::Semaphore, Limit::cut(deadline)) {
            Ok(_) => Ok(()),
            Err(Left { interrupted, guard, .. }) => {
                if guard.is_empty(0) {
                    self.word.fetch_and(!WAITERS, Ordering::Relaxed);
                }
                drop(guard);
                // There may be enough for the next in line, who wants fewer.
                self.serve();
                Err(interrupted)
            }
        }
    }

    /// Gives the first in line their permits, as long as there are enough.
    #[cold]
    fn serve(&self) {
        loop {
            let mut guard = self.waiters.lock();
            // Acquire: what those did who gave permits back, those will see who get them.
            let available = self.word.load(Ordering::Acquire) / PERMIT;
            if guard.first(0).is_none_or(|permits| *permits > available) {
                return;
            }
            let Ok(mut grant) = guard.next(0) else { return };
            let waiters = if grant.is_last() { WAITERS } else { 0 };
            // With WAITERS set, nobody else takes permits.
            self.word.fetch_sub(*grant.slot() * PERMIT + waiters, Ordering::Relaxed);
            grant.give();
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("available_permits", &self.available_permits()).finish_non_exhaustive()
    }
}

/// Permits taken from a [`Semaphore`]; dropping it gives them back.
#[derive(Debug)]
#[must_use = "dropped at once, the permit is given back at once"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
}

impl Permit<'_> {
    /// Does not give the permits back: there are that many fewer from now on.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.add_permits(self.permits);
    }
}

/// A permit taken by [`Semaphore::acquire_owned`]; dropping it gives it back.
#[derive(Debug)]
#[must_use = "dropped at once, the permit is given back at once"]
pub struct OwnedPermit {
    semaphore: Arc<Semaphore>,
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        self.semaphore.add_permits(1);
    }
}
