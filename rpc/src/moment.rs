//! A point in time in eight bytes, for what there are many of: an `Instant` takes sixteen, and as many again where there may be none.
//!
//! It is counted from the [origin](clock::origin): the process's, or a seeded run's own. So it is not to leave the run, nor to come into it.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use fibra_scheduler::clock;

/// Nanoseconds since the origin, and one. What is earlier counts as that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(NonZeroU64);

impl From<Instant> for Moment {
    #[inline]
    fn from(instant: Instant) -> Self {
        let since = instant.saturating_duration_since(clock::origin()).as_nanos();
        Self(NonZeroU64::MIN.saturating_add(u64::try_from(since).unwrap_or(u64::MAX)))
    }
}

impl From<Moment> for Instant {
    #[inline]
    fn from(Moment(nanos): Moment) -> Self {
        clock::origin() + Duration::from_nanos(nanos.get() - 1)
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
        let _origin = clock::origin();
        for nanos in [0, 1, 999_999_999, 1 << 60] {
            let instant = clock::now() + Duration::from_nanos(nanos);
            assert_eq!(Instant::from(Moment::from(instant)), instant);
        }
        assert_eq!(size_of::<Option<Moment>>(), 8);
    }

    #[test]
    fn in_each_seeded_run_they_begin_anew() {
        let run = |seed| {
            let builder = fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle);
            let later = move || {
                let begin = Moment::from(clock::now());
                fibra_scheduler::sleep(Duration::from_secs(3600)).expect("nobody cancels");
                (begin, Moment::from(clock::now()).millis())
            };
            builder.seed(seed).run(later).expect("a stack")
        };
        let (begin, later) = run(1);
        assert!(later >= 3_600_000, "{later}");
        assert_eq!(run(1), (begin, later));
        let now = clock::now();
        assert_eq!(Instant::from(Moment::from(now)), now.max(clock::origin()));
    }
}
