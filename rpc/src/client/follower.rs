//! A started call that is to go elsewhere, or to be made again, while its holder only looks, or waits for several: a fiber of its own does what
//! [`join`](super::Pending::join) would do in its caller's.
//!
//! Rare, so that a fiber is no price; and who looks at a handle need not wait for a server, a place or a backoff.
//!
//! Invariants:
//! * There is an outcome once the fiber has ended, however it has; also if it never ran.
//! * A follower that is dropped ends its call: the server is told.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Reason, Unparker};
use fibra_scheduler::{JoinHandle, cancel};
use parking_lot::Mutex;

use super::attempts::Ended;
use super::calls::{Outcome, Unanswered, Why};
use super::endpoint::Endpoints;
use super::exchange::{Exchange, Terms, To};
use super::retry::is_retried;
use crate::error::{CallError, Disconnect, Executed};
use crate::service::{Method, Semantics};

/// See the [module](self).
pub(super) struct Follower {
    shared: Arc<Shared>,
    fiber: Option<JoinHandle<()>>,
}

/// How the call has ended, and where it was last.
pub(super) type Last = (Result<Outcome, CallError>, Terms);

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    /// How its first attempt ended, until the fiber runs.
    first: Option<Ended>,
    last: Option<Last>,
    /// There has been an outcome.
    is_over: bool,
    holder: Option<Unparker>,
}

/// Whether a call that has ended so goes on.
pub(super) fn goes_on(ended: &Ended, idempotent: bool) -> bool {
    match ended {
        Ok(Outcome::Value(_)) => false,
        Ok(Outcome::Failure { code, repeated, .. }) => is_retried(*code, idempotent, *repeated),
        Err(end) => matches!(end.why, Why::Moved { .. }),
    }
}

/// Whether a call has run whose first attempt has ended so, if it did not go on.
fn executed(ended: &Ended, idempotent: bool) -> Executed {
    match ended {
        Err(end) => end.executed,
        // Of others a copy that is refused says that none has run.
        Ok(Outcome::Failure { repeated: true, .. }) if idempotent => Executed::Maybe,
        Ok(_) => Executed::No,
    }
}

impl Follower {
    /// Lets a call go on whose first attempt has `ended`.
    ///
    /// # Errors
    ///
    /// That end: there is no fiber to be had.
    pub(super) fn start(
        endpoints: &Arc<Endpoints>,
        method: Cow<'static, Method>,
        terms: Terms,
        ended: Ended,
    ) -> Result<Self, Ended> {
        let endpoints = Arc::clone(endpoints);
        let executed = executed(&ended, method.semantics() == Semantics::Idempotent);
        let first = State { first: Some(ended), holder: Some(park::current()), ..State::default() };
        let shared = Arc::new(Shared(Mutex::new(first)));
        let ending = Ending { shared: Arc::clone(&shared), endpoints, method, terms, executed };
        // What bounds it is the call's own deadline.
        let spawned = cancel::shield(|| fibra_scheduler::Builder::new().name("rpc call").spawn(move || ending.run()));
        match spawned {
            Ok(fiber) => Ok(Self { shared, fiber: Some(fiber) }),
            Err(_) => {
                let first = shared.0.lock().first.take();
                first.map_or_else(|| Err(Err(Unanswered::unsent(Why::Lost(Disconnect::RuntimeEnded)))), Err)
            }
        }
    }

    /// How the call has ended, if it has; to be asked until then.
    pub(super) fn ended(&self) -> Option<Last> {
        self.shared.0.lock().last.take()
    }

    /// From now on its end wakes the caller. Whether it has ended.
    pub(super) fn subscribe(&self) -> bool {
        let mut state = self.shared.0.lock();
        if !state.holder.as_ref().is_some_and(Unparker::is_current) {
            state.holder = Some(park::current());
        }
        state.last.is_some()
    }

    /// Waits for its end, until `until` at most; `None`: it goes on. Who is interrupted before ends it.
    pub(super) fn wait(&mut self, until: Option<Instant>) -> Option<Last> {
        loop {
            self.subscribe();
            if let Some(last) = self.ended() {
                return Some(last);
            }
            if let Err(interrupted) = park::wait(Reason::Call, until) {
                if cancel::check().is_err() {
                    return self.give_up(interrupted);
                }
                return self.ended();
            }
        }
    }

    /// Ends the call, and says how: by the reason given, unless it was over before.
    pub(super) fn give_up(&mut self, why: Interrupted) -> Option<Last> {
        if let Some(fiber) = self.fiber.take() {
            fiber.cancel();
            // Cancelled, it waits for nothing. If it has panicked, its end says so.
            let _ = fiber.join();
        }
        let last = self.ended();
        match (last, why) {
            (Some((Err(CallError::Cancelled { callee, executed }), terms)), Interrupted::TimedOut) => {
                Some((Err(CallError::Timeout { callee, after: terms.timeout, executed }), terms))
            }
            (last, _) => last,
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(fiber) = &self.fiber {
            fiber.cancel();
        }
    }
}

/// What the fiber has; it leaves an outcome also if it is dropped.
struct Ending {
    shared: Arc<Shared>,
    endpoints: Arc<Endpoints>,
    method: Cow<'static, Method>,
    terms: Terms,
    executed: Executed,
}

impl Ending {
    fn run(mut self) {
        let first = self.shared.0.lock().first.take();
        let Some(first) = first else { return };
        self.executed = Executed::Maybe;
        let exchange = Exchange::again(To::Remote(&self.endpoints), &self.method, self.terms);
        let outcome = exchange.settle(first, true);
        let terms = exchange.terms();
        self.shared.leave((outcome, terms));
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let exchange = Exchange::again(To::Remote(&self.endpoints), &self.method, self.terms);
        let error = exchange.ended(Why::Lost(Disconnect::RuntimeEnded), self.executed);
        self.shared.leave((Err(error), self.terms));
    }
}

impl Shared {
    /// The call has ended so, unless it has ended before.
    fn leave(&self, last: Last) {
        let mut state = self.0.lock();
        if std::mem::replace(&mut state.is_over, true) {
            return;
        }
        state.last = Some(last);
        let holder = state.holder.take();
        drop(state);
        if let Some(holder) = holder {
            holder.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_go_on_is_said_to_have_run_as_far_as_its_first_attempt_has() {
        let moved = |executed| Err(Unanswered { executed, ..Unanswered::unsent(Why::Moved { entered: true }) });
        let refused = |repeated| {
            Ok(Outcome::Failure { code: 0, message: String::new(), details: Vec::new(), frame: Vec::new(), repeated })
        };
        assert_eq!(executed(&moved(Executed::Maybe), true), Executed::Maybe);
        assert_eq!(executed(&moved(Executed::No), true), Executed::No);
        assert_eq!(executed(&refused(true), true), Executed::Maybe);
        assert_eq!(executed(&refused(false), true), Executed::No);
        assert_eq!(executed(&refused(true), false), Executed::No);
    }
}
