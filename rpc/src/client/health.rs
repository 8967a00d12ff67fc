//! Whether an endpoint that has a connection is worth calling: one that fails call after call is left alone for a while, and then tried again.
//!
//! ```text
//!   sound ── FAILURES in a row ─▶ ejected ── its time is up ─▶ on probation ── a success ─▶ sound
//!                                    ▲                              │
//!                                    └───── twice as long ◀─────────┘ a failure
//! ```
//!
//! As Envoy's outlier detection does it. Without it, a server that fails fast would seem to be the least loaded, and draw all calls.
//!
//! Invariant: an ejection ends by itself: no endpoint is given up for good.

use std::time::{Duration, Instant};

use super::backoff::share;

/// So many failures in a row eject an endpoint.
const FAILURES: u32 = 5;

/// The first ejection takes half of this to all of it, and each further one in a row twice as long ...
const EJECTION: Duration = Duration::from_secs(1);

/// ... up to this.
const EJECTION_MAX: Duration = Duration::from_secs(60);

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    failures: u32,
    /// In a row.
    ejections: u32,
    until: Option<Instant>,
}

impl Health {
    /// Whether calls may go there.
    pub(super) fn admits(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// A call was answered, whatever with.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A call failed, and it is the endpoint's fault. Whether it is ejected for that.
    pub(super) fn failed(&mut self, now: Instant, bits: u64) -> bool {
        if !self.admits(now) {
            // One that was under way already.
            return false;
        }
        self.failures += 1;
        let on_probation = self.until.is_some();
        if self.failures < FAILURES && !on_probation {
            return false;
        }
        let full = EJECTION.saturating_mul(1 << self.ejections.min(16)).min(EJECTION_MAX);
        self.until = now.checked_add(full / 2 + (full / 2).mul_f64(share(bits)));
        self.ejections += 1;
        self.failures = 0;
        true
    }

    /// Whether it has failed lately.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.failures > 0 || self.until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use fibra_scheduler::clock;
    use proptest::prelude::*;

    use super::*;

    fn ejected(now: Instant) -> Health {
        let mut health = Health::default();
        let ends: Vec<_> = (0..FAILURES).map(|_| health.failed(now, u64::MAX)).collect();
        assert_eq!(ends.iter().position(|ejected| *ejected), Some(FAILURES as usize - 1));
        health
    }

    #[test]
    fn failures_in_a_row_eject() {
        let now = clock::now();
        assert!(!ejected(now).admits(now) && ejected(now).admits(now + EJECTION));
        let mut health = Health::default();
        for _ in 0..100 {
            (1..FAILURES).for_each(|_| assert!(!health.failed(now, 0)));
            health.succeeded();
        }
        assert!(health.admits(now) && !health.is_in_doubt());
    }

    #[test]
    fn one_failure_on_probation_ejects_for_twice_as_long_and_a_success_ends_it() {
        let mut now = clock::now();
        let mut health = ejected(now);
        for exponent in 1..10 {
            now = health.until.expect("it is ejected");
            assert!(health.failed(now, u64::MAX));
            let full = (EJECTION * 2_u32.pow(exponent)).min(EJECTION_MAX);
            let took = health.until.expect("it is ejected") - now;
            assert!(took > full.mul_f64(0.99) && took <= full, "{took:?} of {full:?}");
        }
        health.succeeded();
        assert!(health.admits(now) && !health.failed(now, 0), "as if nothing had been");
    }

    proptest! {
        /// Whatever happens, it comes back within a minute.
        #[test]
        fn nothing_is_for_ever(steps in proptest::collection::vec((any::<bool>(), 0..5_000_u64, any::<u64>()), 0..200)) {
            let mut now = clock::now();
            let mut health = Health::default();
            for (success, millis, bits) in steps {
                now += Duration::from_millis(millis);
                if success { health.succeeded() } else { _ = health.failed(now, bits) }
                prop_assert!(health.admits(now + EJECTION_MAX));
            }
        }
    }
}
