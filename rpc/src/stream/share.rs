//! What streams may have as windows together, and what one has of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the windows of streams have of [`Limits::stream_bytes`](crate::Limits::stream_bytes).
#[derive(Debug, Default)]
pub(crate) struct Shares {
    taken: AtomicUsize,
}

/// What one has. Gives it back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Arc<Shares>,
    bytes: usize,
}

impl Shares {
    /// As much as is `wanted`, or what is left of `max`.
    pub(crate) fn take(self: &Arc<Self>, wanted: usize, max: usize) -> Share {
        let share = |taken: usize| wanted.min(max.saturating_sub(taken));
        let taken = self.taken.update(Ordering::Relaxed, Ordering::Relaxed, |taken| taken + share(taken));
        Share { shares: Arc::clone(self), bytes: share(taken) }
    }
}

impl Share {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shares.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
