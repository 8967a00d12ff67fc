//! When the next call is due, and when it is enough. Without I/O.
//!
//! Invariant: in an open loop the times at which calls are due follow from the rate alone, never from how long a call took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Shared by all callers.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Calls a second, in an open loop.
    rate: Option<f64>,
    /// For how long.
    length: Option<Duration>,
    /// How many.
    calls: Option<u64>,
    /// The number of the next call.
    next: AtomicU64,
}

impl Schedule {
    pub(super) fn new(rate: Option<f64>, length: Option<Duration>, calls: Option<u64>) -> Self {
        Self { rate, length, calls, next: AtomicU64::new(0) }
    }

    /// When a caller that is free at `now` is to make its next call, if it is to make another. A time that has passed says that no caller was free then.
    pub(super) fn next(&self, start: Instant, now: Instant) -> Option<Instant> {
        let end = self.length.and_then(|length| start.checked_add(length));
        if end.is_some_and(|end| now >= end) {
            return None;
        }
        // Nothing is handed over by it: each number is given once, and that is all.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if self.calls.is_some_and(|calls| number >= calls) {
            return None;
        }
        let Some(rate) = self.rate else { return Some(now) };
        let due = start.checked_add(Duration::try_from_secs_f64(number as f64 / rate).ok()?)?;
        (end.is_none_or(|end| due < end)).then_some(due)
    }

    /// How many calls were due in an open loop by its end.
    pub(super) fn due(&self) -> Option<u64> {
        let by_time = self.length.zip(self.rate).map(|(length, rate)| (length.as_secs_f64() * rate).ceil() as u64);
        self.rate.and(self.calls.into_iter().chain(by_time).min())
    }

    /// What part of it is over.
    pub(super) fn done(&self, passed: Duration) -> f64 {
        let by_time = self.length.map(|length| passed.as_secs_f64() / length.as_secs_f64());
        let by_calls = self.calls.map(|calls| self.next.load(Ordering::Relaxed) as f64 / calls as f64);
        by_time.into_iter().chain(by_calls).fold(0.0, f64::max).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn start() -> Instant {
        fibra::clock::now()
    }

    #[test]
    fn a_closed_loop_goes_on_until_its_end() {
        let (start, schedule) = (start(), Schedule::new(None, Some(SECOND), None));
        let now = start + SECOND / 2;
        assert_eq!(schedule.next(start, now), Some(now));
        assert_eq!(schedule.next(start, start + SECOND), None);
        assert_eq!(schedule.due(), None);
    }

    #[test]
    fn so_many_calls_are_enough() {
        let (start, schedule) = (start(), Schedule::new(None, None, Some(2)));
        let calls = std::iter::from_fn(|| schedule.next(start, start)).count();
        assert_eq!(calls, 2);
        assert!(schedule.done(SECOND) >= 1.0);
    }

    /// However late a caller comes.
    #[test]
    fn an_open_loop_is_due_at_even_intervals() {
        let (start, schedule) = (start(), Schedule::new(Some(4.0), Some(SECOND), None));
        let late = start + SECOND * 9 / 10;
        let due: Vec<_> = std::iter::from_fn(|| schedule.next(start, late)).map(|due| due - start).collect();
        assert_eq!(due, [0, 250, 500, 750].map(Duration::from_millis));
        assert_eq!(schedule.due(), Some(4));
    }

    #[test]
    fn what_is_due_at_the_end_and_was_not_made_is_known() {
        let (start, schedule) = (start(), Schedule::new(Some(1000.0), Some(SECOND), Some(700)));
        assert_eq!(schedule.next(start, start), Some(start));
        assert_eq!(schedule.next(start, start + SECOND), None, "no caller was free");
        assert_eq!(schedule.due(), Some(700));
    }
}
