//! A second copy of an idempotent call, for when the first takes longer than nearly all do: the first answer counts.
//!
//! ```text
//!   first copy  ├──────────────────────────────╳ cancelled
//!   second copy           ├─────────▶ answer
//!               ◀─ delay ─▶
//! ```
//!
//! Dean and Barroso, "The Tail at Scale" (CACM 56(2), 2013); the bound on its cost is brpc's.
//!
//! Invariants:
//! * Only idempotent calls are hedged: both copies may run.
//! * Of the calls that may be hedged, at most [`HEDGES_MAX`] are, but for a few at the start: a server that has become slow for all does not get twice
//!   the load.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::retry::RetryBudget;

/// The share of calls that may have a second copy.
pub const HEDGES_MAX: f64 = 0.1;

/// Second copies that may be sent before that share is reached.
const AT_ONCE: u32 = 4;

/// Methods whose latencies are remembered.
const METHODS_MAX: usize = 1024;

/// Answers before anything is concluded from them.
const SAMPLES_MIN: u64 = 20;

/// When an idempotent call that has no answer yet is sent once more. Other calls are not affected.
///
/// ```
/// use std::time::Duration;
/// use fibra_rpc::client::Hedging;
///
/// let fixed = Hedging::after(Duration::from_millis(20));
/// assert_ne!(fixed, Hedging::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedging {
    delay: Option<Duration>,
}

/// After as long as 95 of 100 recent calls of the method took.
impl Default for Hedging {
    fn default() -> Self {
        Self { delay: None }
    }
}

impl Hedging {
    /// After `delay`.
    pub fn after(delay: Duration) -> Self {
        Self { delay: Some(delay) }
    }

    /// When a call of a method with these latencies is hedged; `None`: not yet known.
    pub(super) fn delay(&self, latency: &Latency) -> Option<Duration> {
        self.delay.or_else(|| latency.slow())
    }
}

/// The budget of second copies.
pub(super) fn budget() -> RetryBudget {
    RetryBudget { tokens: AT_ONCE, ratio: HEDGES_MAX }
}

/// What 95 of 100 recent calls did not exceed, as an estimate that each call moves a little.
///
/// Stochastic approximation of a quantile (Robbins and Monro, 1951), on a logarithmic scale: a slower call raises the estimate by 19 steps, another lowers it
/// by one; so it rests where one in twenty is slower.
#[derive(Debug, Default)]
pub(super) struct Latency {
    /// Nanoseconds. Concurrent updates may get lost, which moves it a little less.
    estimate: AtomicU64,
    samples: AtomicU64,
}

impl Latency {
    /// A call was answered after so long.
    pub(super) fn add(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        let estimate = self.estimate.load(Ordering::Relaxed);
        let moved = match estimate {
            0 => took,
            // A step is 1/256.
            _ if took > estimate => estimate.saturating_add((estimate / 256).max(1).saturating_mul(19)),
            _ => estimate - (estimate / 256).min(estimate - 1),
        };
        self.estimate.store(moved, Ordering::Relaxed);
        self.samples.fetch_add(1, Ordering::Relaxed);
    }

    fn slow(&self) -> Option<Duration> {
        let enough = self.samples.load(Ordering::Relaxed) >= SAMPLES_MIN;
        enough.then(|| Duration::from_nanos(self.estimate.load(Ordering::Relaxed)))
    }
}

/// The latencies of the methods whose calls may be hedged.
#[derive(Debug, Default)]
pub(super) struct Latencies(Mutex<HashMap<Box<str>, Arc<Latency>>>);

impl Latencies {
    /// Those of one method; beyond [`METHODS_MAX`] of them, of none.
    pub(super) fn of(&self, method: &str) -> Arc<Latency> {
        let mut methods = self.0.lock();
        if let Some(latency) = methods.get(method) {
            return Arc::clone(latency);
        }
        let latency = Arc::<Latency>::default();
        if methods.len() < METHODS_MAX {
            methods.insert(method.into(), Arc::clone(&latency));
        }
        latency
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn latency_of(samples: impl IntoIterator<Item = u64>) -> Latency {
        let latency = Latency::default();
        samples.into_iter().for_each(|micros| latency.add(Duration::from_micros(micros)));
        latency
    }

    #[test]
    fn a_few_calls_tell_nothing() {
        assert_eq!(Hedging::default().delay(&latency_of([5; 19])), None);
        let delay = Hedging::default().delay(&latency_of([1000; 20])).expect("enough");
        assert!(delay > Duration::from_micros(900) && delay < Duration::from_micros(1100), "{delay:?}");
        let fixed = Hedging::after(Duration::from_millis(3));
        assert_eq!(fixed.delay(&Latency::default()), Some(Duration::from_millis(3)));
    }

    #[test]
    fn methods_are_apart_and_bounded() {
        let latencies = Latencies::default();
        (0..20).for_each(|_| latencies.of("desk.add").add(Duration::from_secs(1)));
        assert!(latencies.of("desk.add").slow().is_some() && latencies.of("desk.pass").slow().is_none());
        (0..2 * METHODS_MAX).for_each(|number| drop(latencies.of(&number.to_string())));
        assert_eq!(latencies.0.lock().len(), METHODS_MAX);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Of evenly spread latencies, it comes to lie near the 95th of 100, wherever it begins. Above the slowest it is by a step at most; how far
        /// below, that is a matter of luck, and two in five are as unlikely as 35 calls in a row of which none is slower.
        #[test]
        fn one_in_twenty_is_slower(seed in any::<u64>(), scale in 10..100_000_u64) {
            let mut state = seed;
            let latency = latency_of((0..40_000).map(|_| {
                state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
                scale + (((state >> 33) * scale) >> 31)
            }));
            let estimate = latency.slow().expect("enough").as_nanos() as f64 / 1000.0;
            let place = (estimate - scale as f64) / scale as f64;
            prop_assert!((0.6..=1.15).contains(&place), "{place}");
        }
    }
}
