//! Two copies of one call under way, until one is answered: what [hedging](super::hedge) does.
//!
//! Invariants:
//! * Both wake the caller; it waits for both at once, and nothing is spawned.
//! * The copy that is not needed any more is taken out, and its server told so.
//! * A refusal does not win while the other copy is under way.
//! * The second copy waits for nothing: neither for a server nor for a place or room. There is none of it then.

use std::mem;
use std::time::Instant;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{cancel, clock};

use super::attempts::Ended;
use super::calls::{Outcome, Unanswered};
use super::chosen::Chosen;
use super::endpoint::Endpoints;
use super::exchange::{Output, enter, tell};
use super::hedge::Hedging;
use super::retry::is_retried;
use crate::error::Executed;
use crate::scratch;

/// How a call is hedged.
pub(super) struct Race<'a> {
    pub(super) endpoints: &'a Endpoints,
    pub(super) hedging: Hedging,
    pub(super) method: &'a str,
    pub(super) deadline: Option<Instant>,
}

/// A copy under way.
struct Copy<'a> {
    chosen: Chosen<'a>,
    place: usize,
    xid: u64,
}

impl<'a> Race<'a> {
    /// Sends an idempotent call to a server that is not the one at `place`, if there is another, and once more after the delay. Notes in `place` where
    /// its answer came from.
    pub(super) fn run(&self, frame: Vec<u8>, place: &mut Option<usize>) -> Ended {
        let latency = self.endpoints.common().latencies.of(self.method);
        let begun_at = clock::now();
        let hedge_at = self.hedging.delay(&latency).and_then(|delay| begun_at.checked_add(delay));
        let mut spare = scratch::take();
        spare.extend_from_slice(&frame);
        let first = match self.begin(frame, *place) {
            Ok(first) => first,
            Err(end) => {
                scratch::give(spare);
                return Err(end);
            }
        };
        *place = Some(first.place);
        let until = match (hedge_at, self.deadline) {
            (Some(hedge_at), deadline) => Some(deadline.map_or(hedge_at, |deadline| deadline.min(hedge_at))),
            (None, deadline) => deadline,
        };
        let is_slow = wait_for([Some(&first), None], until).is_none() && hedge_at.is_some_and(|at| at <= clock::now());
        let common = self.endpoints.common();
        common.hedges.succeeded();
        let may_be_hedged = is_slow && cancel::check().is_ok() && common.hedges.take();
        let second = if may_be_hedged {
            self.begin_at_once(spare, first.place).or_else(|| {
                common.hedges.give_back();
                None
            })
        } else {
            scratch::give(spare);
            None
        };
        let ended = match second {
            Some(second) => {
                common.count_hedge();
                self.decide(first, second, place)
            }
            None => self.end(&first),
        };
        if ended.is_ok() {
            latency.add(clock::now() - begun_at);
        }
        ended
    }

    /// The first answer that counts.
    fn decide(&self, first: Copy<'a>, second: Copy<'a>, place: &mut Option<usize>) -> Ended {
        let won = wait_for([Some(&first), Some(&second)], self.deadline).unwrap_or(0);
        let (winner, other) = if won == 0 { (first, second) } else { (second, first) };
        *place = Some(winner.place);
        let mut ended = self.end(&winner);
        let counts = match &ended {
            Ok(Outcome::Value(_)) => true,
            Ok(Outcome::Failure { code, repeated, .. }) => !is_retried(*code, true, *repeated),
            Err(_) => false,
        };
        let beside = if counts || cancel::check().is_err() {
            give_up(&other)
        } else {
            *place = Some(other.place);
            mem::replace(&mut ended, self.end(&other))
        };
        match &mut ended {
            Ok(Outcome::Failure { repeated, .. }) => *repeated |= may_have_run(&beside),
            Ok(Outcome::Value(_)) => {}
            Err(end) if may_have_run(&beside) => end.executed = Executed::Maybe,
            Err(_) => {}
        }
        ended
    }

    fn begin(&self, frame: Vec<u8>, avoid: Option<usize>) -> Result<Copy<'a>, Unanswered> {
        let (chosen, place) = self.endpoints.choose(avoid, self.deadline)?;
        let xid = enter(&chosen, frame, false, None, self.deadline, Some(park::current()), Output::Sent)?;
        // Who waits for two cannot see to one.
        chosen.calls().push(xid, self.deadline);
        Ok(Copy { chosen, place, xid })
    }

    /// Sends the second copy, unless it would have to wait: meanwhile the first may be answered.
    fn begin_at_once(&self, frame: Vec<u8>, avoid: usize) -> Option<Copy<'a>> {
        let Some((chosen, place)) = self.endpoints.choose_at_once(Some(avoid)) else {
            scratch::give(frame);
            return None;
        };
        let (xid, connection) = chosen.calls().begin_at_once(frame, self.deadline, park::current())?;
        connection.outbox().wake_writer();
        Some(Copy { chosen, place, xid })
    }

    /// Waits for a copy's end, whatever it is.
    fn end(&self, copy: &Copy<'a>) -> Ended {
        let ended = tell(copy.xid, copy.chosen.calls().wait(copy.xid, self.deadline));
        copy.chosen.ended(&ended);
        ended
    }
}

/// Which of them has ended; `None` if none has by `until`, or the caller is cancelled.
fn wait_for(copies: [Option<&Copy<'_>>; 2], until: Option<Instant>) -> Option<usize> {
    loop {
        let has_ended = |copy: &Option<&Copy<'_>>| copy.is_some_and(|copy| copy.chosen.calls().subscribe(copy.xid));
        if let Some(number) = copies.iter().position(has_ended) {
            return Some(number);
        }
        park::wait(Reason::Call, until).ok()?;
    }
}

fn give_up(copy: &Copy<'_>) -> Ended {
    tell(copy.xid, copy.chosen.calls().give_up(copy.xid, Interrupted::Cancelled))
}

/// Whether a copy may have run that has ended so.
fn may_have_run(ended: &Ended) -> bool {
    match ended {
        Ok(Outcome::Failure { code, repeated, .. }) => *repeated || !is_retried(*code, true, false),
        Ok(Outcome::Value(_)) => true,
        Err(end) => end.executed != Executed::No,
    }
}
