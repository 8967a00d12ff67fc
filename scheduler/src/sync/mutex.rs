//! [`Mutex`]: parking_lot's, on a [`Lock`] that parks fibers.
//!
//! The guards, and the `unsafe` that gives access to the data, are those of lock_api, which parking_lot itself is made of.

use std::time::{Duration, Instant};

use parking_lot::lock_api::{self, GuardNoSend};

use super::lock::Lock;
use crate::{FiberId, clock};

/// Mutual exclusion between fibers and threads: what waits for the lock parks, and the worker goes on with others. The methods are
/// those of `parking_lot::Mutex`: [`lock`](lock_api::Mutex::lock), [`try_lock`](lock_api::Mutex::try_lock),
/// [`try_lock_for`](lock_api::Mutex::try_lock_for), [`into_inner`](lock_api::Mutex::into_inner), …
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// use std::sync::Arc;
/// use fibra_scheduler::sync::Mutex;
///
/// let sum = Arc::new(Mutex::new(0));
/// let fibers: Vec<_> = (1..=10)
///     .map(|n| {
///         let sum = sum.clone();
///         fibra_scheduler::spawn(move || {
///             let mut sum = sum.lock();
///             fibra_scheduler::yield_now(); // A guard may be held over a park.
///             *sum += n;
///         })
///     })
///     .collect();
/// fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
/// assert_eq!(*sum.lock(), 55);
/// # }).unwrap();
/// ```
///
/// * **Cancellation and ambient deadlines do not cut `lock`**: critical sections end, and a guard must be returned.
///   `try_lock_for` and `try_lock_until` end by their own time only.
/// * **Fair enough**: an unlock leaves the lock to whoever is first, but a waiter that was woken and came too late has it handed over
///   next. [`MutexGuard::unlock_fair`] hands it over at once.
/// * **No poisoning**: a panic while the guard is held unlocks.
/// * **Locking again what one holds panics** instead of waiting for ever; `try_lock` returns `None`. The holder is who locked: a guard
///   that was passed to another fiber of the worker counts as its locker's.
/// * Guards are not `Send`. Uncontended, locking and unlocking are one compare-and-swap each; waiting allocates nothing.
///
/// # Differences from parking_lot
///
/// Relocking panics (there it deadlocks). A mutex takes some 40 bytes instead of one.
pub type Mutex<T> = lock_api::Mutex<RawMutex, T>;

/// The right to the data of a [`Mutex`]; dropping it unlocks.
pub type MutexGuard<'a, T> = lock_api::MutexGuard<'a, RawMutex, T>;

/// A [`MutexGuard`] for a part of the data, made by [`MutexGuard::map`](lock_api::MutexGuard::map).
pub type MappedMutexGuard<'a, T> = lock_api::MappedMutexGuard<'a, RawMutex, T>;

/// The lock of a [`Mutex`], without data.
pub struct RawMutex(Lock);

impl RawMutex {
    /// The fiber that holds the lock now; `None` if nobody does, or a plain thread. For reports: it may be over when it is read.
    ///
    /// ```
    /// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
    /// use fibra_scheduler::sync::Mutex;
    ///
    /// let mutex = Mutex::new(());
    /// let _guard = mutex.lock();
    /// // SAFETY: the lock is only looked at.
    /// let owner = unsafe { mutex.raw() }.owner();
    /// assert_eq!(owner, fibra_scheduler::current().map(|fiber| fiber.id()));
    /// # }).unwrap();
    /// ```
    pub fn owner(&self) -> Option<FiberId> {
        self.0.owner()
    }
}

// SAFETY: from a `lock` or a `try_lock` that says so until `unlock`, the word of the lock names one owner, and only a
// compare-and-swap from 0, or the owner itself by handing over, makes another one.
unsafe impl lock_api::RawMutex for RawMutex {
    #[allow(clippy::declare_interior_mutable_const)] // What lock_api asks for; every use is a new lock.
    const INIT: Self = RawMutex(Lock::new());
    type Guard = GuardNoSend;

    #[inline]
    fn lock(&self) -> GuardNoSend {
        self.0.lock();
        GuardNoSend::new()
    }

    #[inline]
    fn try_lock(&self) -> Option<GuardNoSend> {
        self.0.try_lock().then(GuardNoSend::new)
    }

    #[inline]
    unsafe fn unlock(&self, _guard: GuardNoSend) {
        self.0.unlock();
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.0.is_locked()
    }
}

// SAFETY: as `RawMutex`; an unlock that hands over names the new owner in the word.
unsafe impl lock_api::RawMutexFair for RawMutex {
    #[inline]
    unsafe fn unlock_fair(&self, _guard: GuardNoSend) {
        self.0.unlock_fair();
    }
}

// SAFETY: as `RawMutex`.
unsafe impl lock_api::RawMutexTimed for RawMutex {
    type Duration = Duration;
    type Instant = Instant;

    fn try_lock_for(&self, timeout: Duration) -> Option<GuardNoSend> {
        self.0.try_lock_until(clock::now().checked_add(timeout)).then(GuardNoSend::new)
    }

    fn try_lock_until(&self, deadline: Instant) -> Option<GuardNoSend> {
        self.0.try_lock_until(Some(deadline)).then(GuardNoSend::new)
    }
}
