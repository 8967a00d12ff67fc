//! [`RwLock`]: parking_lot's, on a [`SharedLock`] that parks fibers.

use std::time::{Duration, Instant};

use parking_lot::lock_api::{self, GuardNoSend};

use super::shared_lock::SharedLock;
use crate::clock;

/// Many readers or one writer, fibers or threads. The methods are those of `parking_lot::RwLock`:
/// [`read`](lock_api::RwLock::read), [`write`](lock_api::RwLock::write), [`try_read_for`](lock_api::RwLock::try_read_for),
/// [`downgrade`](lock_api::RwLockWriteGuard::downgrade), …
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// use fibra_scheduler::sync::RwLock;
///
/// let routes = RwLock::new(vec!["/"]);
/// routes.write().push("/about");
/// let (one, other) = (routes.read(), routes.read());
/// assert_eq!(one.len() + other.len(), 4);
/// assert!(routes.try_write().is_none());
/// # }).unwrap();
/// ```
///
/// * **Cancellation and ambient deadlines do not cut `read` and `write`**; `try_read_for` and alike end by their own time only.
/// * **Strictly first come, first served**: the lock is handed to the first in line, a writer or all the readers up to the next one.
///   A reader waits behind a writer that waits. So who holds a read guard must not read again: with a writer in between, it would wait
///   for itself.
/// * **No poisoning**; guards are not `Send`.
/// * Locking again what one holds for writing panics.
///
/// # Differences from parking_lot
///
/// No upgradable and no recursive reads. Relocking as a writer panics (there it deadlocks).
pub type RwLock<T> = lock_api::RwLock<RawRwLock, T>;

/// The right to read the data of a [`RwLock`].
pub type RwLockReadGuard<'a, T> = lock_api::RwLockReadGuard<'a, RawRwLock, T>;

/// The right to the data of a [`RwLock`], alone.
pub type RwLockWriteGuard<'a, T> = lock_api::RwLockWriteGuard<'a, RawRwLock, T>;

/// The lock of a [`RwLock`], without data.
pub struct RawRwLock(SharedLock);

// SAFETY: the word of the lock names a writer or counts readers, never both; it changes by compare-and-swap from what it was found to
// be, so a writer enters only when nobody is in, and a reader only when no writer is.
unsafe impl lock_api::RawRwLock for RawRwLock {
    #[allow(clippy::declare_interior_mutable_const)] // What lock_api asks for; every use is a new lock.
    const INIT: Self = RawRwLock(SharedLock::new());
    type SharedGuard = GuardNoSend;
    type ExclusiveGuard = GuardNoSend;

    #[inline]
    fn lock_shared(&self) -> GuardNoSend {
        self.0.read();
        GuardNoSend::new()
    }

    #[inline]
    fn try_lock_shared(&self) -> Option<GuardNoSend> {
        self.0.try_read().then(GuardNoSend::new)
    }

    #[inline]
    unsafe fn unlock_shared(&self, _guard: GuardNoSend) {
        self.0.end_read();
    }

    #[inline]
    fn lock_exclusive(&self) -> GuardNoSend {
        self.0.write();
        GuardNoSend::new()
    }

    #[inline]
    fn try_lock_exclusive(&self) -> Option<GuardNoSend> {
        self.0.try_write().then(GuardNoSend::new)
    }

    #[inline]
    unsafe fn unlock_exclusive(&self, _guard: GuardNoSend) {
        self.0.end_write();
    }

    fn is_locked(&self) -> bool {
        self.0.is_locked()
    }

    fn is_locked_exclusive(&self) -> bool {
        self.0.is_written()
    }
}

// SAFETY: as `RawRwLock`; the writer becomes a reader in one step.
unsafe impl lock_api::RawRwLockDowngrade for RawRwLock {
    unsafe fn downgrade(&self, _guard: GuardNoSend) -> GuardNoSend {
        self.0.downgrade();
        GuardNoSend::new()
    }
}

// SAFETY: as `RawRwLock`.
unsafe impl lock_api::RawRwLockTimed for RawRwLock {
    type Duration = Duration;
    type Instant = Instant;

    fn try_lock_shared_for(&self, timeout: Duration) -> Option<GuardNoSend> {
        self.0.try_read_until(clock::now().checked_add(timeout)).then(GuardNoSend::new)
    }

    fn try_lock_shared_until(&self, deadline: Instant) -> Option<GuardNoSend> {
        self.0.try_read_until(Some(deadline)).then(GuardNoSend::new)
    }

    fn try_lock_exclusive_for(&self, timeout: Duration) -> Option<GuardNoSend> {
        self.0.try_write_until(clock::now().checked_add(timeout)).then(GuardNoSend::new)
    }

    fn try_lock_exclusive_until(&self, deadline: Instant) -> Option<GuardNoSend> {
        self.0.try_write_until(Some(deadline)).then(GuardNoSend::new)
    }
}
