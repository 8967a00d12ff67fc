//! One call, from its arguments to its outcome.
//!
//! ```text
//!   encode ─▶ begin: an xid, queued ─▶ wait ─▶ outcome
//!     No        No                     Maybe         what `executed` says if it ends there
//! ```
//!
//! Invariant: until its frame is queued a call has not run and will not; from then on only the server's answer, or the
//! outbox's word that the frame never left, says so.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::{cancel, clock};
use serde::Serialize;

use super::calls::{Begun, Outcome, Unanswered, Why};
use super::link::Link;
use super::options::CallOptions;
use crate::codec::{self, EncodeError};
use crate::error::{CallError, Callee, Executed, Peer, Side};
use crate::limits::CALL_TIMEOUT_MAX;
use crate::scratch;
use crate::service::{Method, Semantics};
use crate::wire::encode;
use crate::wire::header::{FLAG_IDEMPOTENT, FLAG_ONE_WAY};

/// A call in the making.
pub(super) struct Exchange<'a> {
    link: &'a Link,
    method: &'a Method,
    timeout: Duration,
    deadline: Option<Instant>,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(link: &'a Link, method: &'a Method, options: &CallOptions) -> Self {
        let now = clock::now();
        let ambient = cancel::deadline().map_or(CALL_TIMEOUT_MAX, |deadline| deadline.saturating_duration_since(now));
        let timeout = options.timeout.min(CALL_TIMEOUT_MAX).min(ambient);
        Self { link, method, timeout, deadline: now.checked_add(timeout) }
    }

    /// What is called, for an error.
    pub(super) fn callee(&self) -> Callee {
        Callee { method: self.method.shared_name(), peer: Peer::Server(self.link.peer()) }
    }

    /// Whether the server runs it at most once, however often it is sent. A method that is declared one-way and yet called as one with a
    /// reply may run again no more than others.
    pub(super) fn in_session(&self) -> bool {
        self.method.semantics() != Semantics::Idempotent
    }

    /// Sends the call and waits for the answer.
    pub(super) fn call<A: Serialize>(&self, args: &A) -> Result<Outcome, CallError> {
        let flags = if self.in_session() { 0 } else { FLAG_IDEMPOTENT };
        let frame = self.encode(args, flags)?;
        let calls = self.link.calls();
        let begun = calls.begin(frame, self.in_session(), self.deadline).map_err(|end| self.unanswered(end))?;
        let Begun { xid, queued_at, alone } = begun;
        if let Some(connection) = queued_at {
            if alone {
                // Nobody to share a write with: waking the writer would cost more than it saves.
                connection.write_now();
            } else {
                connection.outbox().wake_writer();
            }
        }
        calls.wait(xid, self.deadline).map_err(|mut end| {
            if let Some(connection) = end.cancel_at.take() {
                // Nobody waits any more. Not worth waiting for: if that cannot be queued, so be it.
                let mut frame = scratch::take();
                encode::cancel(&mut frame, xid);
                let _ = connection.outbox().append_and_wake(&mut frame);
                scratch::give(frame);
            }
            self.unanswered(end)
        })
    }

    /// Sends a call that nobody answers.
    pub(super) fn call_one_way<A: Serialize>(&self, args: &A) -> Result<(), CallError> {
        let mut frame = self.encode(args, FLAG_ONE_WAY)?;
        let posted = self.link.calls().post(&mut frame, self.deadline);
        scratch::give(frame);
        posted.map_err(|end| self.unanswered(end))
    }

    /// What a timeout of this call is, given whether it may have run.
    pub(super) fn timed_out(&self, executed: Executed) -> CallError {
        CallError::Timeout { callee: self.callee(), after: self.timeout, executed }
    }

    /// The call's frame, in a buffer of the pool.
    fn encode<A: Serialize>(&self, args: &A, flags: u8) -> Result<Vec<u8>, CallError> {
        if let Err(interrupted) = cancel::check() {
            return Err(self.ended(Why::Interrupted(interrupted), Executed::No));
        }
        let max = self.link.limits().frame_bytes;
        let mut frame = scratch::take();
        let mut body = encode::call(&mut frame, self.method.full_name(), flags, max);
        let encoded = codec::encode(&mut body, args);
        let encoded = encoded.and_then(|()| body.finish().map_err(|_| EncodeError::TooLarge));
        match encoded {
            Ok(()) => Ok(frame),
            Err(EncodeError::TooLarge) => Err(CallError::TooLarge {
                callee: self.callee(),
                side: Side::Request,
                message: format!("over this client's limit of {max} bytes"),
            }),
            Err(EncodeError::Serialize(message)) => Err(CallError::BadArguments { callee: self.callee(), message }),
        }
    }

    fn unanswered(&self, end: Unanswered) -> CallError<Infallible> {
        self.ended(end.why, end.executed)
    }

    fn ended(&self, why: Why, executed: Executed) -> CallError<Infallible> {
        let callee = self.callee();
        match why {
            Why::Interrupted(Interrupted::TimedOut) => self.timed_out(executed),
            Why::Interrupted(_) => CallError::Cancelled { callee, executed },
            Why::Lost(cause) => CallError::Disconnected { callee, cause, executed },
        }
    }
}
