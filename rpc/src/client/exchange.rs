//! One call, from its arguments to its outcome.
//!
//! ```text
//!   encode ─▶ admit: an xid ─▶ queue ─▶ wait ─▶ outcome
//!     No        No               No      Maybe          what `executed` says if it ends there
//! ```
//!
//! Invariant: until its frame is queued a call has not run and will not; from then on only the server's answer, or the
//! outbox's word that the frame never left, says so.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::{cancel, clock};
use serde::Serialize;

use super::connection::Connection;
use super::pending::{Admitted, Outcome, Unanswered};
use crate::codec::{self, EncodeError};
use crate::error::{CallError, Callee, Disconnect, Executed, Side};
use crate::limits::CALL_TIMEOUT_MAX;
use crate::outbox::{Queued, Refused};
use crate::scratch;
use crate::service::Method;
use crate::wire::encode;

/// A call in the making.
pub(super) struct Exchange<'a> {
    connection: &'a Connection,
    callee: Callee,
    timeout: Duration,
    deadline: Option<Instant>,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(connection: &'a Connection, method: &'static Method, timeout: Duration) -> Self {
        let now = clock::now();
        let ambient = cancel::deadline().map_or(CALL_TIMEOUT_MAX, |deadline| deadline.saturating_duration_since(now));
        let timeout = timeout.min(CALL_TIMEOUT_MAX).min(ambient);
        Self {
            connection,
            callee: Callee { method: method.full_name(), peer: connection.peer() },
            timeout,
            deadline: now.checked_add(timeout),
        }
    }

    pub(super) fn callee(&self) -> Callee {
        self.callee
    }

    /// Sends the call and waits for the answer.
    pub(super) fn call<A: Serialize>(&self, args: &A) -> Result<Outcome, CallError> {
        let mut frame = self.encode(args, false)?;
        let pending = self.connection.pending();
        let admitted = pending.admit(self.deadline).map_err(|end| self.unanswered(end, Executed::No))?;
        let Admitted { xid, alone } = admitted;
        let queued = self.send(&mut frame, xid, !alone);
        scratch::give(frame);
        let queued = queued.inspect_err(|_| pending.withdraw(xid))?;
        if alone {
            // Nobody to share a write with: waking the writer would cost more than it saves.
            self.connection.write_now();
        }
        pending.wait(xid, self.deadline).map_err(|end| {
            let executed = match end {
                // Nothing is written any more: what has not left never will.
                Unanswered::Lost(_) if !self.connection.outbox().may_have_left(queued.end) => Executed::No,
                Unanswered::Lost(_) => Executed::Maybe,
                Unanswered::Interrupted(_) => {
                    self.cancel(xid);
                    Executed::Maybe
                }
            };
            self.unanswered(end, executed)
        })
    }

    /// Sends a call that nobody answers.
    pub(super) fn call_one_way<A: Serialize>(&self, args: &A) -> Result<(), CallError> {
        let mut frame = self.encode(args, true)?;
        let xid = self.connection.pending().admit_one_way().map_err(|end| self.unanswered(end, Executed::No))?;
        let queued = self.send(&mut frame, xid, true);
        scratch::give(frame);
        queued.map(drop)
    }

    /// What a timeout of this call is, given whether it may have run.
    pub(super) fn timed_out(&self, executed: Executed) -> CallError {
        CallError::Timeout { callee: self.callee, after: self.timeout, executed }
    }

    /// The call's frame, in a buffer of the pool.
    fn encode<A: Serialize>(&self, args: &A, one_way: bool) -> Result<Vec<u8>, CallError> {
        if let Err(interrupted) = cancel::check() {
            return Err(self.unanswered(Unanswered::Interrupted(interrupted), Executed::No));
        }
        let max = self.connection.limits().frame_bytes;
        let mut frame = scratch::take();
        let mut body = encode::call(&mut frame, self.callee.method, one_way, max);
        let encoded = codec::encode(&mut body, args);
        let encoded = encoded.and_then(|()| body.finish().map_err(|_| EncodeError::TooLarge));
        match encoded {
            Ok(()) => Ok(frame),
            Err(EncodeError::TooLarge) => Err(CallError::TooLarge {
                callee: self.callee,
                side: Side::Request,
                message: format!("over this client's limit of {max} bytes"),
            }),
            Err(EncodeError::Serialize(message)) => Err(CallError::BadArguments { callee: self.callee, message }),
        }
    }

    /// Queues the frame, which goes out under `xid` with the time that is left.
    fn send(&self, frame: &mut Vec<u8>, xid: u64, wake: bool) -> Result<Queued, CallError> {
        let outbox = self.connection.outbox();
        loop {
            let left = self.deadline.map_or(self.timeout, |deadline| deadline.saturating_duration_since(clock::now()));
            encode::stamp_call(frame, xid, left);
            let queued = if wake { outbox.append_and_wake(frame) } else { outbox.append(frame) };
            match queued {
                Ok(queued) => return Ok(queued),
                Err(Refused::Full) => outbox
                    .wait_for_room(self.deadline)
                    .map_err(|end| self.unanswered(Unanswered::Interrupted(end), Executed::No))?,
                Err(Refused::Closed) => {
                    // Between the outbox's end and the table's there is a moment without a cause.
                    let cause = self.connection.pending().lost().unwrap_or(Disconnect::ClosedByPeer);
                    return Err(self.unanswered(Unanswered::Lost(cause), Executed::No));
                }
            }
        }
    }

    /// Tells the server that nobody waits any more. Not worth waiting for: if it cannot be queued, so be it.
    fn cancel(&self, xid: u64) {
        let mut frame = scratch::take();
        encode::cancel(&mut frame, xid);
        let _ = self.connection.outbox().append_and_wake(&mut frame);
        scratch::give(frame);
    }

    fn unanswered(&self, end: Unanswered, executed: Executed) -> CallError<Infallible> {
        let callee = self.callee;
        match end {
            Unanswered::Interrupted(Interrupted::TimedOut) => self.timed_out(executed),
            Unanswered::Interrupted(_) => CallError::Cancelled { callee, executed },
            Unanswered::Lost(cause) => CallError::Disconnected { callee, cause, executed },
        }
    }
}
