//! Tokens that further attempts are paid with, shared by all calls of a channel.
//!
//! ```text
//!   a success ── + ratio ─▶ │ tokens │ ── - 1 ─▶ an attempt more
//! ```
//!
//! Invariants:
//! * While the bucket is full, which it is when all is well, a success costs one load and no store.
//! * Of `n` calls, at most `tokens + ratio * n` get a further attempt.

use std::sync::atomic::{AtomicU32, Ordering};

use super::retry::RetryBudget;

/// Counted in thousandths of a token.
const TOKEN: u32 = 1000;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Budget {
    tokens: AtomicU32,
    most: u32,
    ratio: u32,
}

impl Budget {
    pub(super) fn new(RetryBudget { tokens, ratio }: RetryBudget) -> Self {
        let most = tokens.clamp(1, 1_000_000) * TOKEN;
        // A ratio of 0 to 1; what is no number counts as 0.
        let ratio = (ratio.clamp(0.0, 1.0) * f64::from(TOKEN)).round() as u32;
        Self { tokens: AtomicU32::new(most), most, ratio }
    }

    /// A call has succeeded.
    pub(super) fn succeeded(&self) {
        if self.tokens.load(Ordering::Relaxed) < self.most {
            let add = |tokens: u32| Some((tokens + self.ratio).min(self.most));
            let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        }
    }

    /// A call has failed that could be retried. Whether it may be: more than half of the tokens are left.
    pub(super) fn failed(&self) -> bool {
        let take = |tokens: u32| Some(tokens.saturating_sub(TOKEN));
        let before = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        let (Ok(before) | Err(before)) = before;
        before.saturating_sub(TOKEN) > self.most / 2
    }

    /// Takes a token for an attempt beside another, if there is one.
    pub(super) fn take(&self) -> bool {
        let take = |tokens: u32| tokens.checked_sub(TOKEN);
        self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// An attempt for which a token was taken was not made.
    pub(super) fn give_back(&self) {
        let add = |tokens: u32| Some(tokens.saturating_add(TOKEN).min(self.most));
        let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn failures_stop_retries_and_successes_bring_them_back() {
        let budget = Budget::new(RetryBudget { tokens: 10, ratio: 0.1 });
        let retried = (0..100).filter(|_| budget.failed()).count();
        assert_eq!(retried, 4, "what leaves more than five of ten");
        (0..50).for_each(|_| budget.succeeded());
        assert!(!budget.failed());
        (0..50).for_each(|_| budget.succeeded());
        assert!(budget.failed());
    }

    #[test]
    fn nonsense_is_taken_for_the_nearest_sense() {
        let budget = Budget::new(RetryBudget { tokens: 0, ratio: f64::NAN });
        assert!(!budget.failed());
        budget.succeeded();
        assert!(!budget.take());
        assert!(Budget::new(RetryBudget { tokens: u32::MAX, ratio: f64::INFINITY }).take());
    }

    proptest! {
        /// However calls end: what they add is within what the budget says.
        #[test]
        fn further_attempts_have_a_bound(fail in 0.0..1.0_f64, draws in proptest::collection::vec(0.0..1.0_f64, 0..3000)) {
            let settings = RetryBudget { tokens: 10, ratio: 0.1 };
            let (retries, hedges) = (Budget::new(settings), Budget::new(settings));
            let (mut retried, mut hedged) = (0.0, 0.0);
            for draw in &draws {
                if *draw >= fail {
                    retries.succeeded();
                } else if retries.failed() {
                    retried += 1.0;
                }
                hedges.succeeded();
                if hedges.take() {
                    hedged += 1.0;
                }
            }
            let most = 10.0 + 0.1 * draws.len() as f64;
            prop_assert!(retried <= most && hedged <= most, "{retried} and {hedged} of {most}");
        }
    }
}
