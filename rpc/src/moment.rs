//! A point in time in eight bytes, for what there are many of: an `Instant` takes sixteen, and as many again where there may be none.

use std::num::NonZeroU64;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use fibra_scheduler::clock;

/// From when moments are counted: earlier ones count as this.
static START: LazyLock<Instant> = LazyLock::new(clock::now);

/// Nanoseconds since then, and one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(NonZeroU64);

impl From<Instant> for Moment {
    #[inline]
    fn from(instant: Instant) -> Self {
        let since = instant.saturating_duration_since(*START).as_nanos();
        Self(NonZeroU64::MIN.saturating_add(u64::try_from(since).unwrap_or(u64::MAX)))
    }
}

impl From<Moment> for Instant {
    #[inline]
    fn from(Moment(nanos): Moment) -> Self {
        *START + Duration::from_nanos(nanos.get() - 1)
    }
}

impl Moment {
    /// Whole milliseconds, of which four bytes count 49 days before they begin anew.
    pub(crate) fn millis(self) -> u32 {
        ((self.0.get() - 1) / 1_000_000) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_back_as_it_was() {
        let _start = *START;
        for nanos in [0, 1, 999_999_999, 1 << 60] {
            let instant = clock::now() + Duration::from_nanos(nanos);
            assert_eq!(Instant::from(Moment::from(instant)), instant);
        }
        assert_eq!(size_of::<Option<Moment>>(), 8);
    }
}
