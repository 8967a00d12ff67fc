//! What decides which case of a `select` is taken when several could be at once: who first writes its number has it.

use super::primitive::{AtomicUsize, Ordering};

/// Nobody has taken a case yet.
const OPEN: usize = usize::MAX;
/// The select has taken none, and nobody may take one any more.
const CLOSED: usize = usize::MAX - 1;

/// See the [module](self).
pub(crate) struct Claim(AtomicUsize);

impl Claim {
    pub(crate) fn new() -> Self {
        Claim(AtomicUsize::new(OPEN))
    }

    /// Whether a case may still be taken.
    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire) == OPEN
    }

    /// Takes a case. `false`: another was faster, or the select waits no longer.
    pub(crate) fn take(&self, case: usize) -> bool {
        self.0.compare_exchange(OPEN, case, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Ends the waiting: the case that was taken, if one was.
    pub(crate) fn close(&self) -> Option<usize> {
        match self.0.compare_exchange(OPEN, CLOSED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) | Err(CLOSED) => None,
            Err(case) => Some(case),
        }
    }
}
