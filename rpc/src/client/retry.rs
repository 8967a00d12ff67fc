//! Which calls that failed are made again, and when.
//!
//! A channel does three things for a call that got no answer, before its caller hears of it:
//!
//! | what happened | at most once | idempotent | counts as a retry |
//! |---|---|---|---|
//! | it had not left when the connection was lost | sent on the next connection | the same | no |
//! | it had left when the connection was lost, and the server has its session | sent again, under its number: it runs once | sent again | no |
//! | it had left, and the server has restarted or forgotten | ends: `Maybe` | sent again | no |
//! | the server refused it: *overloaded* | made again | made again | yes |
//! | the server refused its number: *out of window*, *conflict*, *bad acknowledgement* | made again, under another | (has none) | yes |
//! | the method ran: its own error, a panic, a reply that cannot be had | ends | ends | |
//! | no such method, other arguments, too large, a deadline, a cancellation | ends: again would be the same | the same | |
//!
//! A call of an ordered lane is made again only if none was made after it in its lane: else it would run out of its order. It goes to no other
//! server while calls of its lane are under way at one.
//!
//! What counts as a retry is made again as the call's [`RetryPolicy`] says, within the call's deadline, after a wait or when the server says, and only
//! while the channel's [budget](RetryBudget) allows: in an outage retries cannot add more than a fixed share to the load.
//!
//! Invariants:
//! * An at-most-once call is made again only if it has not run and will not.
//! * The deadline covers all attempts. A wait that would end after it is not begun: the failure is told at once.
//!
//! The details are those of gRFC A6 ("gRPC Retry Design"): jitter, budget, pushback.

use std::time::Duration;

use super::backoff::share;
use crate::limits::SETTING_MAX;
use crate::wire::failure::{Code, Pushback};

/// How often a call is made again, and after what waits. See the [module](crate::client::retry) for which failures that is about.
///
/// ```
/// use std::time::Duration;
/// use fibra_rpc::client::RetryPolicy;
///
/// let patient = RetryPolicy::default().attempts(8).backoff(Duration::from_millis(50), Duration::from_secs(5));
/// assert_ne!(patient, RetryPolicy::never());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    attempts: u32,
    first: Duration,
    most: Duration,
}

/// Up to four attempts; 10 ms before the second, doubled before each further one, up to 1 s.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 4, first: Duration::from_millis(10), most: Duration::from_secs(1) }
    }
}

impl RetryPolicy {
    /// No call is made again: each failure is told at once.
    pub fn never() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// At most so many attempts, the first included; at least 1.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Waits for `first` before the second attempt and twice as long before each further one, but no longer than `most`; each a fifth more or less,
    /// at random.
    pub fn backoff(mut self, first: Duration, most: Duration) -> Self {
        (self.first, self.most) = (first.min(SETTING_MAX), most.max(first).min(SETTING_MAX));
        self
    }

    /// How long to wait after the failure of attempt number `attempt` (from 1); `None`: it was the last.
    pub(super) fn wait(&self, attempt: u32, pushback: Option<Pushback>, bits: u64) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let jitter = 0.8 + 0.4 * share(bits);
        match pushback {
            None => {
                let doubled = 1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX);
                Some(self.first.saturating_mul(doubled).min(self.most).mul_f64(jitter))
            }
            // The server knows better, but all its clients at once are not what it wants.
            Some(Pushback::After(wait)) => Some(wait.min(SETTING_MAX).mul_f64(1.0 + 0.4 * share(bits))),
            Some(Pushback::Never) => None,
        }
    }
}

/// What share of the load retries may add: a bucket of tokens for all calls of a channel. A failure that could be retried takes one out, a success puts
/// `ratio` of one in, and while no more than half of them are left, nothing is retried.
///
/// ```
/// use fibra_rpc::{Channel, client::RetryBudget};
///
/// let builder = Channel::builder().retry_budget(RetryBudget { tokens: 100, ratio: 0.05 });
/// # let _ = builder;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    /// As many as there may be, and as there are at first. Default 10; at most 1,000,000.
    pub tokens: u32,
    /// The part of a token that a success brings: with 0.1, which is the default, retries stop when about one call in eleven fails. At most 1.
    pub ratio: f64,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { tokens: 10, ratio: 0.1 }
    }
}

/// Whether a call that failed so is made again: the server has not run it and will not; or `idempotent` says that running it again does no harm.
/// `repeated`: another copy of it may have run.
pub(super) fn is_retried(code: u8, idempotent: bool, repeated: bool) -> bool {
    match Code::from_wire(code) {
        // A session's call has one answer for all of its copies.
        Some(Code::Overloaded) => true,
        Some(Code::OutOfWindow | Code::Conflict | Code::BadAcknowledgement) => !idempotent && !repeated,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let policy = RetryPolicy::default().attempts(10).backoff(Duration::from_millis(10), Duration::from_millis(50));
        let waits: Vec<_> = (1..6).map(|attempt| policy.wait(attempt, None, 1 << 63)).collect();
        let expected = [10, 20, 40, 50, 50].map(|millis| Some(Duration::from_millis(millis)));
        assert_eq!(waits, expected);
        assert_eq!(policy.wait(10, None, 0), None);
        assert_eq!(RetryPolicy::never().wait(1, Some(Pushback::After(Duration::ZERO)), 0), None);
    }

    proptest! {
        #[test]
        fn a_wait_is_within_a_fifth_of_what_it_should_be(attempt in 1..40_u32, bits in any::<u64>()) {
            let policy = RetryPolicy::default().attempts(u32::MAX);
            let full = Duration::from_millis(10).saturating_mul(1 << (attempt - 1).min(20)).min(Duration::from_secs(1));
            let wait = policy.wait(attempt, None, bits).expect("there is another");
            prop_assert!(wait >= full.mul_f64(0.79) && wait <= full.mul_f64(1.21), "{wait:?} of {full:?}");
        }

        /// The server's word is kept: never earlier, and spread.
        #[test]
        fn pushback_is_obeyed(millis in 0..100_000_u64, bits in any::<u64>()) {
            let told = Duration::from_millis(millis);
            let wait = RetryPolicy::default().wait(1, Some(Pushback::After(told)), bits).expect("there is another");
            prop_assert!(wait >= told && wait <= told.mul_f64(1.41));
        }
    }

    /// Whatever a code says, an at-most-once call is made again only if the code says that it has not run.
    #[test]
    fn only_what_has_not_run_is_made_again() {
        let not_run = [3, 4, 5, 6, 10, 11, 12];
        for code in 0..=u8::MAX {
            assert!(!is_retried(code, false, false) || not_run.contains(&code), "{code}");
        }
        assert!(is_retried(6, true, true) && !is_retried(2, true, false) && !is_retried(1, true, false));
    }
}
