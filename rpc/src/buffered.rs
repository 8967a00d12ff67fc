//! Bytes that the connections of a server hold because others are slow: input of frames that have come in part, output that peers have not
//! taken.
//!
//! ```text
//!   connection ── input: Share ──▶ Buffered ◀── Share: output ── connection
//! ```
//!
//! What is read, acted on and written within a turn is not counted: it is bounded by the number of workers. So a connection that keeps up
//! changes no shared count.
//!
//! Invariants:
//! * The sum is that of the shares, each as it was last [set](Share::set); a share that is dropped is none.
//! * Who holds less than a [fair part](Buffered::fair) is never the one to go. So the sum is at most twice the bound, and a read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all connections of a server hold.
#[derive(Debug)]
pub(crate) struct Buffered {
    bytes: AtomicUsize,
    max: usize,
}

impl Buffered {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicUsize::new(0), max })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// Whether there is more than there may be.
    pub(crate) fn is_over(&self) -> bool {
        self.bytes() > self.max
    }

    /// What one of so many connections may hold whatever the others do.
    pub(crate) fn fair(&self, connections: usize) -> usize {
        self.max / connections.max(1)
    }
}

/// What one holds of it; nothing is counted of one that is nobody's.
#[derive(Debug, Default)]
pub(crate) struct Share {
    of: Option<Arc<Buffered>>,
    bytes: usize,
}

impl Share {
    pub(crate) fn new(of: Arc<Buffered>) -> Self {
        Self { of: Some(of), bytes: 0 }
    }

    /// It holds so many bytes now.
    #[inline]
    pub(crate) fn set(&mut self, bytes: usize) {
        if bytes != self.bytes {
            self.change(bytes);
        }
    }

    #[cold]
    fn change(&mut self, bytes: usize) {
        let before = std::mem::replace(&mut self.bytes, bytes);
        let Some(of) = &self.of else { return };
        if bytes > before {
            of.bytes.fetch_add(bytes - before, Ordering::Relaxed);
        } else {
            of.bytes.fetch_sub(before - bytes, Ordering::Relaxed);
        }
    }

    /// Whether it holds anything.
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        self.bytes > 0
    }

    /// Whether all together hold more than they may.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.of.as_ref().is_some_and(|of| of.is_over())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_sum_is_that_of_the_shares(steps in proptest::collection::vec((0..4_usize, 0..1_000_usize), 0..50)) {
            let all = Buffered::new(1_500);
            let mut shares: Vec<_> = (0..4).map(|_| Share::new(Arc::clone(&all))).collect();
            let mut held = [0; 4];
            for (which, bytes) in steps {
                shares[which].set(bytes);
                held[which] = bytes;
                prop_assert_eq!(all.bytes(), held.iter().sum::<usize>());
                prop_assert_eq!(all.is_over(), all.bytes() > 1_500);
            }
            drop(shares);
            prop_assert_eq!(all.bytes(), 0);
        }
    }

    #[test]
    fn of_nobody_nothing_is_counted() {
        let mut share = Share::default();
        share.set(usize::MAX);
        assert!(!share.is_over());
    }
}
