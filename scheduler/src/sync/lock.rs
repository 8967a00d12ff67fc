//! The lock inside a [`Mutex`](super::Mutex): one word that names its owner, and those who wait for it.
//!
//! ```text
//!   word   owner << 1 | WAITERS      0: free
//! ```
//!
//! Free to taken and back is one compare-and-swap each. Who finds it taken sets WAITERS and lines up. Who unlocks with WAITERS set
//! wakes the first in line and leaves the lock free: whoever comes first takes it (*barging*), because a lock that waits for a
//! parked fiber to be scheduled is a lock that nobody uses. But only once: a waiter that was woken and found the lock taken again
//! lines up at the front as one who has *lost*, and the next unlock hands the lock over to it directly. So nobody starves.
//!
//! Invariant: if the line is not empty, then WAITERS is set, or one who was woken is on its way, who takes the lock or sets it.

use std::time::Instant;

use super::primitive::{AtomicU64, Ordering, Party, Sleeper, THREAD, const_fn, me};
use super::waiters::{End, Limit, Waiters};
use crate::FiberId;
use crate::park::Reason;

/// Someone waits.
const WAITERS: u64 = 1;

/// See the [module](self).
pub(crate) struct Lock {
    word: AtomicU64,
    waiters: Waiters<(), Turn>,
}

struct Turn {
    waiter: Party,
    /// It was woken before and came too late.
    lost: bool,
    /// The lock is its own; otherwise it may try.
    handed_over: bool,
}

/// The fiber that a lock's word names; `None` for a plain thread.
pub(super) fn fiber(owner: Party) -> Option<FiberId> {
    if owner < THREAD { FiberId::from_u64(owner) } else { None }
}

impl Lock {
    const_fn! {
        pub(crate) fn new() -> Self {
            Lock { word: AtomicU64::new(0), waiters: Waiters::new(()) }
        }
    }

    #[inline]
    pub(crate) fn is_locked(&self) -> bool {
        self.word.load(Ordering::Relaxed) != 0
    }

    /// The fiber that holds the lock; `None` also for a plain thread.
    pub(crate) fn owner(&self) -> Option<FiberId> {
        fiber(self.word.load(Ordering::Relaxed) >> 1)
    }

    #[inline]
    pub(crate) fn lock(&self) {
        let me = me();
        if !self.take(me) {
            self.lock_slow(me, None);
        }
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> bool {
        self.take(me())
    }

    /// `false`: not by then. `None`: no such instant, wait for ever.
    pub(crate) fn try_lock_until(&self, deadline: Option<Instant>) -> bool {
        let me = me();
        self.take(me) || self.lock_slow(me, deadline)
    }

    #[inline]
    fn take(&self, me: Party) -> bool {
        self.word.compare_exchange(0, me << 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn lock_slow(&self, me: Party, deadline: Option<Instant>) -> bool {
        if deadline.is_none() && self.word.load(Ordering::Relaxed) >> 1 == me {
            panic!("this fiber or thread holds the mutex that it locks: it would wait for itself for ever");
        }
        let sleeper = Sleeper::prepared();
        let mut lost = false;
        loop {
            let guard = self.waiters.lock();
            if self.take_or_mark(me, !guard.is_empty(0)) {
                return true;
            }
            let end = if lost { End::Front } else { End::Back };
            let turn = Turn { waiter: me, lost, handed_over: false };
            match guard.wait(sleeper.clone(), 0, end, turn, &self.reason(), Limit::uncut(deadline)) {
                Ok(turn) if turn.handed_over => return true,
                // Also if the deadline has passed by now: another round takes the lock, or sees to it that the next is woken.
                Ok(_) => lost = true,
                Err(_) => return false,
            }
        }
    }

    /// Takes the lock, noting whether others wait; or else notes that we do. Under the lock of the line.
    fn take_or_mark(&self, me: Party, others: bool) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let (taken, next) = match word {
                0 => (true, me << 1 | u64::from(others)),
                _ => (false, word | WAITERS),
            };
            match self.word.compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return taken,
                Err(now) => word = now,
            }
        }
    }

    fn reason(&self) -> Reason {
        Reason::Lock { address: (&raw const self.word).addr(), owner: self.owner() }
    }

    /// Gives the lock back: to nobody, or to a waiter that has lost before.
    ///
    /// The caller holds it. If it does not, data that the lock guards may be reached by two at once, so who guards data is unsafe.
    #[inline]
    pub(crate) fn unlock(&self) {
        self.release(false);
    }

    /// As [`unlock`](Lock::unlock), but if anyone waits, the first in line has the lock.
    #[inline]
    pub(crate) fn unlock_fair(&self) {
        self.release(true);
    }

    #[inline]
    fn release(&self, fair: bool) {
        let word = self.word.load(Ordering::Relaxed);
        if word & WAITERS != 0 || self.word.compare_exchange(word, 0, Ordering::Release, Ordering::Relaxed).is_err() {
            self.release_slow(fair);
        }
    }

    #[cold]
    fn release_slow(&self, fair: bool) {
        // Held by us and marked, the word changes for nobody else, so it may be stored.
        match self.waiters.lock().next(0) {
            Ok(mut grant) => {
                let others = u64::from(!grant.is_last());
                let turn = grant.slot();
                turn.handed_over = fair || turn.lost;
                let word = if turn.handed_over { turn.waiter << 1 | others } else { 0 };
                self.word.store(word, Ordering::Release);
                grant.give();
            }
            Err(_guard) => self.word.store(0, Ordering::Release),
        }
    }
}
