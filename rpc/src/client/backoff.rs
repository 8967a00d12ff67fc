//! How long to wait before the next attempt to connect.
//!
//! Invariant: of a wait of `d` it takes between `d / 2` and `d`, at random, so that the clients of a server that comes back do not come all at
//! once; and `d` doubles with each attempt, up to a bound.

use std::time::Duration;

use crate::limits::{RECONNECT_WAIT_MAX, RECONNECT_WAIT_MIN};

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) fn new() -> Self {
        Self(RECONNECT_WAIT_MIN)
    }

    /// The next wait, given random bits.
    pub(super) fn next(&mut self, bits: u64) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(RECONNECT_WAIT_MAX);
        wait / 2 + (wait / 2).mul_f64(share(bits))
    }
}

/// Random bits as a number of `0..1`.
pub(super) fn share(bits: u64) -> f64 {
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_grow_to_their_bound_and_are_spread_over_half_of_it(bits in proptest::collection::vec(any::<u64>(), 1..40)) {
            let mut backoff = Backoff::new();
            let mut full = RECONNECT_WAIT_MIN;
            for bits in bits {
                let wait = backoff.next(bits);
                prop_assert!(full / 2 <= wait && wait <= full, "{wait:?} of {full:?}");
                full = (full * 2).min(RECONNECT_WAIT_MAX);
            }
        }
    }

    #[test]
    fn a_minute_takes_few_attempts_whatever_is_drawn() {
        let mut backoff = Backoff::new();
        let (mut passed, mut attempts) = (Duration::ZERO, 0);
        while passed < Duration::from_secs(60) {
            passed += backoff.next(0);
            attempts += 1;
        }
        assert!(attempts <= 130, "{attempts}");
    }
}
