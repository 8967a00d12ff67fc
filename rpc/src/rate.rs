//! How often a peer may send what makes no progress: so many at once, and from then on so many a second.
//!
//! The generic cell rate algorithm (ITU-T I.371, annex A): instead of tokens and the time of their last refill, the one instant at which the
//! bucket is full again.

use std::time::{Duration, Instant};

use crate::limits::{PINGS_AT_ONCE, PINGS_PER_SECOND};

/// The pings of one connection, as their receiver counts them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pings {
    /// `None`: it is full.
    full_at: Option<Instant>,
}

impl Pings {
    /// One more has come; whether that is not too many.
    pub(crate) fn admit(&mut self, now: Instant) -> bool {
        let each = Duration::from_secs(1) / PINGS_PER_SECOND;
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now)) + each;
        if full_at.saturating_duration_since(now) > each * PINGS_AT_ONCE {
            return false;
        }
        self.full_at = Some(full_at);
        true
    }
}

#[cfg(test)]
mod tests {
    use fibra_scheduler::clock;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn so_many_at_once_and_then_at_the_rate() {
        let mut pings = Pings::default();
        let start = clock::now();
        let admitted = (0..1_000_000).filter(|_| pings.admit(start)).count();
        assert_eq!(admitted, PINGS_AT_ONCE as usize);
        let later = start + Duration::from_secs(1);
        let admitted = (0..1_000_000).filter(|_| pings.admit(later)).count();
        assert_eq!(admitted, PINGS_PER_SECOND as usize);
    }

    proptest! {
        #[test]
        fn in_any_span_no_more_than_rate_and_burst_allow(gaps in proptest::collection::vec(0..30_u64, 1..600)) {
            let mut pings = Pings::default();
            let mut now = clock::now();
            let mut admitted = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                if pings.admit(now) {
                    admitted.push(now);
                }
            }
            for (index, from) in admitted.iter().enumerate() {
                for (count, to) in (1..).zip(&admitted[index..]) {
                    let span = to.duration_since(*from).as_secs_f64();
                    let most = f64::from(PINGS_AT_ONCE) + span * f64::from(PINGS_PER_SECOND) + 1e-6;
                    prop_assert!(f64::from(count) <= most, "{count} within {span} s");
                }
            }
        }

        #[test]
        fn who_keeps_to_the_rate_is_never_refused(count in 1..2_000_u32) {
            let mut pings = Pings::default();
            let start = clock::now();
            let each = Duration::from_secs(1) / PINGS_PER_SECOND;
            prop_assert!((0..count).all(|nth| pings.admit(start + each * nth)));
        }
    }
}
