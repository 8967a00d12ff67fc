//! A clock that is not the run's: ahead of it, faster or slower.
//!
//! Invariant: when a skewed clock is asked at the instant for which a time on it was worked out, it shows that time or a later one.

use std::time::Duration;

use super::HORIZON;

/// How a host's clock differs from the run's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skew {
    /// How far it is ahead at the beginning of the run.
    pub offset: Duration,
    /// How much faster it goes, in millionths; negative: slower. At least -999,999.
    pub drift: i32,
}

impl Skew {
    /// Whether the clock is the run's.
    pub(crate) fn is_none(self) -> bool {
        self == Skew::default()
    }

    /// What the host's clock shows, `elapsed` after the beginning of the run; as the run's clock would, that much after it.
    pub(crate) fn shows(self, elapsed: Duration) -> Duration {
        self.offset + duration(nanos(elapsed) * self.speed() / MILLION)
    }

    /// When the host's clock shows `shown`, or has just passed it.
    pub(crate) fn passes(self, shown: Duration) -> Duration {
        let nanos = nanos(shown.saturating_sub(self.offset)) * MILLION;
        duration(nanos.div_ceil(self.speed()))
    }

    /// How many of its nanoseconds pass in a million of the run's.
    fn speed(self) -> u128 {
        (i128::from(self.drift) + MILLION.cast_signed()).unsigned_abs()
    }
}

const MILLION: u128 = 1_000_000;

/// Those of a century at the most, so that what is computed with them fits.
fn nanos(duration: Duration) -> u128 {
    duration.min(HORIZON).as_nanos()
}

fn duration(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_never_early_whatever_the_drift() {
        for drift in [-999_000, -500_000, -333, -1, 0, 1, 777, 1_000_000, i32::MAX] {
            let skew = Skew { offset: Duration::from_secs(5), drift };
            for nanos in [0, 1, 2, 999, 65_536, 1_000_000_007, 86_400_000_000_000] {
                let shown = skew.offset + Duration::from_nanos(nanos);
                assert!(skew.shows(skew.passes(shown)) >= shown, "{drift} {nanos}");
            }
        }
    }

    #[test]
    fn drift_adds_up() {
        let skew = Skew { offset: Duration::from_secs(10), drift: -100_000 };
        assert_eq!(skew.shows(Duration::from_secs(100)), Duration::from_secs(100));
    }
}
