//! The small lock: for critical sections of a few dozen instructions that run nobody's code and wait for nothing.
//!
//! A lock that knows who waits for it, such as parking_lot's, needs a locked instruction to unlock, which takes as long as a third of a
//! message through a channel. This one unlocks by a plain store: nobody is to be told, since who finds it taken [looks again](pause).
//! Its holder is done in a moment, unless it was preempted.

#[cfg(not(all(loom, test)))]
use parking_lot::lock_api::{GuardSend, RawMutex};

use super::primitive::{Flag, Ordering, const_fn, pause};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Spin {
    is_locked: Flag,
}

impl Spin {
    const_fn! {
        pub(crate) fn new() -> Self {
            Spin { is_locked: Flag::new(false) }
        }
    }

    #[inline]
    pub(crate) fn lock(&self) {
        // A swap takes less time than a compare-and-swap.
        if self.is_locked.swap(true, Ordering::Acquire) {
            self.lock_contended();
        }
    }

    #[cold]
    fn lock_contended(&self) {
        let mut rounds = 0;
        loop {
            pause(&mut rounds);
            // Read first: an exchange would take the cache line from the holder.
            if !self.is_locked.load(Ordering::Relaxed) && self.try_lock() {
                return;
            }
        }
    }

    fn try_lock(&self) -> bool {
        self.is_locked.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// By the holder.
    #[inline]
    pub(crate) fn unlock(&self) {
        self.is_locked.store(false, Ordering::Release);
    }
}

// SAFETY: from the exchange that found it unlocked until `unlock`, which only the holder calls, no other exchange does. The exchange
// acquires what the store of `unlock` has released.
#[cfg(not(all(loom, test)))]
unsafe impl RawMutex for Spin {
    #[allow(clippy::declare_interior_mutable_const)] // What lock_api asks for; every use is a new lock.
    const INIT: Self = Spin::new();
    type Guard = GuardSend;

    #[inline]
    fn lock(&self) -> GuardSend {
        self.lock();
        GuardSend::new()
    }

    #[inline]
    fn try_lock(&self) -> Option<GuardSend> {
        self.try_lock().then(GuardSend::new)
    }

    #[inline]
    unsafe fn unlock(&self, _guard: GuardSend) {
        self.unlock();
    }

    fn is_locked(&self) -> bool {
        self.is_locked.load(Ordering::Relaxed)
    }
}
