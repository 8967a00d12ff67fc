//! Latencies and failures, as they come.
//!
//! Invariant: a latency is in the histogram only if the call had a value; what failed is counted by kind, and nowhere else.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fibra::rpc::CallError;
use hdrhistogram::Histogram;

/// Digits of a latency that are kept.
const DIGITS: u8 = 3;

/// Longest latency: what is longer counts as this. A call's timeout is no longer than a day.
const LONGEST: Duration = Duration::from_secs(100_000);

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Tally {
    /// In nanoseconds.
    latencies: Histogram<u64>,
    failures: BTreeMap<&'static str, Failures>,
}

/// Those of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    pub(super) count: u64,
    /// What the first of them said.
    pub(super) example: String,
}

impl Default for Tally {
    fn default() -> Self {
        // A histogram of so many digits there is; it grows by itself.
        let latencies = Histogram::new(DIGITS).unwrap_or_else(|_| unreachable!("{DIGITS} digits are at most 5"));
        Self { latencies, failures: BTreeMap::new() }
    }
}

impl Tally {
    pub(super) fn succeeded(&mut self, latency: Duration) {
        // It grows, and there is nothing too long for it.
        let _ = self.latencies.record(nanos(latency));
    }

    pub(super) fn failed_with<E>(&mut self, error: &CallError<E>)
    where
        CallError<E>: fmt::Display,
    {
        let failures = self.failures.entry(kind(error)).or_default();
        if failures.count == 0 {
            failures.example = error.to_string();
        }
        failures.count += 1;
    }

    /// With those of another.
    pub(super) fn add(&mut self, other: &Self) {
        // Both grow.
        let _ = self.latencies.add(&other.latencies);
        for (kind, more) in &other.failures {
            let failures = self.failures.entry(kind).or_default();
            if failures.count == 0 {
                failures.example.clone_from(&more.example);
            }
            failures.count += more.count;
        }
    }

    /// Calls that had a value.
    pub(super) fn calls(&self) -> u64 {
        self.latencies.len()
    }

    /// Calls that had none.
    pub(super) fn failed(&self) -> u64 {
        self.failures.values().map(|failures| failures.count).sum()
    }

    pub(super) fn failures(&self) -> &BTreeMap<&'static str, Failures> {
        &self.failures
    }

    /// The latency that such a part of the calls did not exceed.
    pub(super) fn quantile(&self, part: f64) -> Duration {
        Duration::from_nanos(self.latencies.value_at_quantile(part))
    }

    pub(super) fn mean(&self) -> Duration {
        Duration::from_nanos(self.latencies.mean() as u64)
    }

    pub(super) fn least(&self) -> Duration {
        Duration::from_nanos(self.latencies.min())
    }
}

fn nanos(latency: Duration) -> u64 {
    u64::try_from(latency.min(LONGEST).as_nanos()).unwrap_or(u64::MAX)
}

/// What went wrong, in a word.
fn kind<E>(error: &CallError<E>) -> &'static str {
    match error {
        CallError::Application(_) => "own error",
        CallError::Timeout { .. } => "timeout",
        CallError::Cancelled { .. } => "cancelled",
        CallError::Disconnected { .. } => "disconnected",
        CallError::HandlerPanicked { .. } => "panicked",
        CallError::UnknownMethod { .. } => "unknown method",
        CallError::BadArguments { .. } => "bad arguments",
        CallError::BadReply { .. } => "bad reply",
        CallError::TooLarge { .. } => "too large",
        CallError::Refused { .. } => "refused",
        CallError::Overloaded { .. } => "overloaded",
        CallError::Denied { .. } => "denied",
        CallError::BadMetadata { .. } => "bad metadata",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_of_several_are_those_of_one() {
        let mut tally = Tally::default();
        for part in 0..4 {
            let mut other = Tally::default();
            (1..=250_u64).for_each(|at| other.succeeded(Duration::from_micros(part * 250 + at)));
            tally.add(&other);
        }
        assert_eq!((tally.calls(), tally.failed()), (1000, 0));
        let p99 = tally.quantile(0.99).as_secs_f64();
        assert!((p99 - 990e-6).abs() < 1e-6, "{p99}");
        assert!(tally.quantile(1.0) >= Duration::from_millis(1));
    }

    #[test]
    fn the_longest_latency_is_kept() {
        let mut tally = Tally::default();
        tally.succeeded(Duration::from_secs(86_400));
        tally.succeeded(Duration::MAX);
        assert_eq!(tally.calls(), 2);
        assert!(tally.quantile(0.1) >= Duration::from_secs(86_400) && tally.quantile(1.0) >= LONGEST);
    }
}
