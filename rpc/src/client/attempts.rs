//! From a call's frame to its outcome, in as many attempts as its [policy](super::retry) and the channel's budget allow.
//!
//! ```text
//!   frame ─▶ attempt ─┬─ a value ─────────────────────────────────────────────▶ outcome
//!               ▲     └─ a failure ─ policy? budget? time? ─┬─ no ────────────▶ outcome
//!               └─────────────── wait ◀── yes ──────────────┘
//! ```
//!
//! Invariant: what the last attempt says of itself is not said of the call if an earlier one may have run: then it is `Maybe`.

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::clock;
use fibra_scheduler::park::{self, Reason};
use std::time::{Duration, Instant};

use super::calls::{Outcome, Unanswered, Why};
use super::common::Common;
use super::lanes::Ticket;
use super::retry::{RetryPolicy, is_retried};
use crate::error::Executed;
use crate::random;
use crate::scratch;
use crate::session::Lane;
use crate::wire::failure::{Code, Pushback};

/// How a call is made again.
pub(super) struct Attempts<'a> {
    pub(super) common: &'a Common,
    pub(super) policy: RetryPolicy,
    pub(super) idempotent: bool,
    /// Its lane, and when it was made.
    pub(super) ordered: Option<(Lane, Ticket)>,
    pub(super) deadline: Option<Instant>,
}

/// How an attempt ended.
pub(super) type Ended = Result<Outcome, Unanswered>;

impl Attempts<'_> {
    /// The first attempt has not brought a value. What the call ends with: that, or what `attempt` brings, given the frame once more, and whether the
    /// call is one that was refused.
    #[cold]
    pub(super) fn go_on(&self, mut ended: Ended, mut attempt: impl FnMut(Vec<u8>, bool) -> Ended) -> Ended {
        let mut number = 1;
        // What it was refused with last.
        let mut refused = None;
        let mut may_have_run = false;
        loop {
            let (frame, wait) = match &mut ended {
                Ok(Outcome::Failure { code, details, repeated, frame, .. }) => {
                    may_have_run |= self.idempotent && *repeated;
                    *repeated |= may_have_run;
                    let frame = std::mem::take(frame);
                    if !is_retried(*code, self.idempotent, *repeated) {
                        // It answers: that is no sign of an outage.
                        self.common.retries.succeeded();
                        scratch::give(frame);
                        return ended;
                    }
                    (frame, self.wait(number, *code, details))
                }
                Ok(Outcome::Value(_)) => {
                    self.common.retries.succeeded();
                    return ended;
                }
                Err(end) => {
                    may_have_run |= self.idempotent && end.executed == Executed::Maybe;
                    if let Why::Moved { entered } = end.why {
                        // Another link takes it over: nothing to pay or to wait for.
                        let frame = std::mem::take(&mut end.frame);
                        if entered {
                            self.common.count_retry();
                        }
                        ended = attempt(frame, refused.is_some());
                        continue;
                    }
                    if matches!(end.why, Why::Overtaken)
                        && let Some(refused) = refused
                    {
                        return refused;
                    }
                    if may_have_run {
                        end.executed = Executed::Maybe;
                    }
                    return ended;
                }
            };
            let Some(wait) = wait else {
                scratch::give(frame);
                return ended;
            };
            if let Err(interrupted) = pause(wait) {
                scratch::give(frame);
                let executed = if may_have_run { Executed::Maybe } else { Executed::No };
                return Err(Unanswered { executed, ..Unanswered::unsent(Why::Interrupted(interrupted)) });
            }
            // Behind what was made later it would be out of order.
            if self.ordered.is_some_and(|(lane, ticket)| !self.common.lanes.is_last(lane, ticket)) {
                scratch::give(frame);
                return ended;
            }
            number += 1;
            self.common.count_retry();
            let again = attempt(frame, true);
            refused = Some(std::mem::replace(&mut ended, again));
        }
    }

    /// How long to wait before the next attempt, if there is to be one.
    fn wait(&self, number: u32, code: u8, details: &[u8]) -> Option<Duration> {
        let overloaded = Code::from_wire(code) == Some(Code::Overloaded);
        let pushback = if overloaded { Pushback::decode(details) } else { None };
        // Counted in any case.
        let allowed = self.common.retries.failed();
        let wait = self.policy.wait(number, pushback, random::bits()).filter(|_| allowed)?;
        let in_time = self.deadline.is_none_or(|deadline| clock::now() + wait < deadline);
        in_time.then_some(wait)
    }
}

fn pause(wait: Duration) -> Result<(), Interrupted> {
    let until = clock::now() + wait;
    while clock::now() < until {
        match park::wait(Reason::Call, Some(until)) {
            // A token of something else.
            Ok(()) => {}
            Err(Interrupted::TimedOut) if clock::now() >= until => {}
            Err(interrupted) => return Err(interrupted),
        }
    }
    Ok(())
}
