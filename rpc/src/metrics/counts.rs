//! What one shard counts, and sums of it.
//!
//! Invariant: only a shard's own thread writes; others see each count by itself, as it was a moment ago.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::wire::failure::Code;

/// A value, and each failure code.
pub(crate) const OUTCOMES: usize = Code::MAX as usize + 1;

/// Upper bounds of the latencies that are told apart: 1.024 us, and twice the one before, up to 8.6 s.
pub(crate) const BUCKETS: usize = 24;

/// See the [module](self).
pub(crate) struct Counts {
    methods: Box<[MethodCounts]>,
    refused: [AtomicU64; OUTCOMES],
    queued: [AtomicU64; BUCKETS + 1],
    queued_nanos: AtomicU64,
    replayed: AtomicU64,
    attached: AtomicU64,
}

struct MethodCounts {
    begun: AtomicU64,
    ended: [AtomicU64; OUTCOMES],
    /// The last one: longer than all bounds.
    latency: [AtomicU64; BUCKETS + 1],
    nanos: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

/// Of one method, summed.
#[derive(Clone, Debug)]
pub(crate) struct MethodTotals {
    pub(crate) begun: u64,
    pub(crate) ended: [u64; OUTCOMES],
    pub(crate) latency: [u64; BUCKETS + 1],
    pub(crate) nanos: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

/// All that a server has counted.
#[derive(Clone, Debug)]
pub(crate) struct Totals {
    pub(crate) methods: Vec<MethodTotals>,
    pub(crate) refused: [u64; OUTCOMES],
    pub(crate) queued: [u64; BUCKETS + 1],
    pub(crate) queued_nanos: u64,
    pub(crate) replayed: u64,
    pub(crate) attached: u64,
}

/// Adds without a locked operation: nobody else writes.
fn bump(count: &AtomicU64, by: u64) {
    count.store(count.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

fn zeros<const N: usize>() -> [AtomicU64; N] {
    std::array::from_fn(|_| AtomicU64::new(0))
}

impl Counts {
    pub(crate) fn new(methods: usize) -> Self {
        let method = || MethodCounts {
            begun: AtomicU64::new(0),
            ended: zeros(),
            latency: zeros(),
            nanos: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        };
        Self {
            methods: (0..methods).map(|_| method()).collect(),
            refused: zeros(),
            queued: zeros(),
            queued_nanos: AtomicU64::new(0),
            replayed: AtomicU64::new(0),
            attached: AtomicU64::new(0),
        }
    }

    /// A call of that method begins, with so many bytes of arguments.
    pub(crate) fn begin(&self, method: usize, received: usize) {
        let Some(counts) = self.methods.get(method) else { return };
        bump(&counts.begun, 1);
        bump(&counts.received, received as u64);
    }

    /// It has ended, with a reply of so many bytes.
    pub(crate) fn end(&self, method: usize, failure: Option<Code>, took: Duration, sent: usize) {
        let Some(counts) = self.methods.get(method) else { return };
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        bump(&counts.ended[outcome(failure)], 1);
        bump(&counts.latency[bucket(nanos)], 1);
        bump(&counts.nanos, nanos);
        bump(&counts.sent, sent as u64);
    }

    /// A call has waited so long for its turn.
    pub(crate) fn queue(&self, waited: Duration) {
        let nanos = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        bump(&self.queued[bucket(nanos)], 1);
        bump(&self.queued_nanos, nanos);
    }

    /// A call was refused before its method was looked at.
    pub(crate) fn refuse(&self, code: Code) {
        bump(&self.refused[outcome(Some(code))], 1);
    }

    /// A copy of a call got the same bytes.
    pub(crate) fn replay(&self) {
        bump(&self.replayed, 1);
    }

    /// A copy of a call waits for the run that there is.
    pub(crate) fn attach(&self) {
        bump(&self.attached, 1);
    }
}

fn outcome(failure: Option<Code>) -> usize {
    failure.map_or(0, |code| usize::from(code as u8))
}

/// The first bucket whose bound is not less.
fn bucket(nanos: u64) -> usize {
    let above = u64::BITS - (nanos.saturating_sub(1) >> 10).leading_zeros();
    (above as usize).min(BUCKETS)
}

/// A bucket's bound in nanoseconds.
pub(crate) fn bound(bucket: usize) -> u64 {
    1024 << bucket
}

impl Totals {
    pub(crate) fn new(methods: usize) -> Self {
        let method =
            MethodTotals { begun: 0, ended: [0; OUTCOMES], latency: [0; BUCKETS + 1], nanos: 0, received: 0, sent: 0 };
        Self {
            methods: vec![method; methods],
            refused: [0; OUTCOMES],
            queued: [0; BUCKETS + 1],
            queued_nanos: 0,
            replayed: 0,
            attached: 0,
        }
    }

    pub(crate) fn add(&mut self, counts: &Counts) {
        let add = |sum: &mut u64, count: &AtomicU64| *sum += count.load(Ordering::Relaxed);
        let add_all = |sums: &mut [u64], counts: &[AtomicU64]| {
            sums.iter_mut().zip(counts).for_each(|(sum, count)| add(sum, count));
        };
        for (sum, counts) in self.methods.iter_mut().zip(&counts.methods) {
            // What has ended first: none that has ended is missing among those that have begun.
            add_all(&mut sum.ended, &counts.ended);
            add(&mut sum.begun, &counts.begun);
            add_all(&mut sum.latency, &counts.latency);
            add(&mut sum.nanos, &counts.nanos);
            add(&mut sum.received, &counts.received);
            add(&mut sum.sent, &counts.sent);
        }
        add_all(&mut self.refused, &counts.refused);
        add_all(&mut self.queued, &counts.queued);
        add(&mut self.queued_nanos, &counts.queued_nanos);
        add(&mut self.replayed, &counts.replayed);
        add(&mut self.attached, &counts.attached);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_latency_is_in_the_first_bucket_that_holds_it(nanos in prop_oneof![any::<u64>(), 0..20_000_000_000_u64]) {
            let bucket = bucket(nanos);
            prop_assert!(bucket == BUCKETS || nanos <= bound(bucket));
            prop_assert!(bucket == 0 || nanos > bound(bucket - 1));
        }
    }
}
