//! Someone who waits: who it is, and how far it has come.

use std::ptr::NonNull;

use crate::sync::claim::Claim;
use crate::sync::primitive::{AtomicU8, Ordering, Sleeper};

/// See the [module](self).
pub(super) struct Waiter {
    stage: AtomicU8,
    pub(super) sleeper: Sleeper,
    /// That of the `Waiters` when it lined up.
    pub(super) epoch: u64,
    /// For one of several nodes of a `select`: what arbitrates between them, and which it is. Outlives the waiter.
    claim: Option<(NonNull<Claim>, usize)>,
}

/// In the line, or taken out to be granted.
const WAITING: u8 = 0;
/// Taken out because its `select` had taken another case: it will not be granted.
const PASSED_OVER: u8 = 1;
const GRANTED: u8 = 2;

impl Waiter {
    #[inline]
    pub(super) fn new(sleeper: Sleeper, epoch: u64, claim: Option<(&Claim, usize)>) -> Self {
        let claim = claim.map(|(claim, case)| (NonNull::from(claim), case));
        Waiter { stage: AtomicU8::new(WAITING), sleeper, epoch, claim }
    }

    /// Whether it was granted. If so, what the granter did is seen.
    #[inline]
    pub(super) fn is_granted(&self) -> bool {
        self.stage.load(Ordering::Acquire) == GRANTED
    }

    /// Whether it is in its line. Under the lock, which nobody leaves between taking it out and saying what for.
    pub(super) fn is_linked(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == WAITING
    }

    /// Whether it belongs to a `select`, so that it may be granted only if that has not taken another case.
    #[inline]
    pub(super) fn selects(&self) -> bool {
        self.claim.is_some()
    }

    /// Whether it may be granted, as far as its `select` is concerned. Takes the case.
    pub(super) fn take_case(&self) -> bool {
        // SAFETY: the claim outlives it.
        self.claim.is_none_or(|(claim, case)| unsafe { claim.as_ref() }.take(case))
    }

    /// Whether it may be granted now, other than by the `select` of `claim`.
    pub(super) fn is_open_to(&self, claim: &Claim) -> bool {
        // SAFETY: as in `take_case`.
        self.claim.is_none_or(|(by, _)| by != NonNull::from(claim) && unsafe { by.as_ref() }.is_open())
    }

    /// Lets it go on: the last access of who has taken it out of its line.
    ///
    /// # Safety
    ///
    /// `this` is live until then.
    #[inline]
    pub(super) unsafe fn grant(this: *const Self) {
        // SAFETY: live, as the caller says. No reference to all of it, which ends while this call may still be under way.
        unsafe { (*this).stage.store(GRANTED, Ordering::Release) };
    }

    /// Leaves it to itself; it goes on waiting elsewhere. Under the lock.
    #[cold]
    pub(super) fn pass_over(&self) {
        self.stage.store(PASSED_OVER, Ordering::Relaxed);
    }
}
