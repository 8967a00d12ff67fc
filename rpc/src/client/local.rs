//! Calls of a service in this process: no connection, no other fiber, and yet the values, errors and deadlines of a remote call.
//!
//! Invariant: the service runs before the call returns, on the caller's fiber. So what is started is over at once, and a call whose time
//! runs out has run: its handler is not left behind. Only one that [streams](stream) has a fiber for its handler, which goes on beside its caller.
//! One that has a lane first waits until those before it have returned.

pub(super) mod stream;

use std::time::Duration;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::{cancel, clock};

use super::calls::{Outcome, Why};
use super::exchange::Exchange;
use crate::error::{CallError, Executed};
use crate::scratch;
use crate::server::Local;
use crate::wire::encode;
use crate::wire::failure;
use crate::wire::frame::Frame;

/// Runs the call in `frame`.
pub(super) fn call(exchange: &Exchange<'_>, local: &Local, mut frame: Vec<u8>) -> Result<Outcome, CallError> {
    let lane = exchange.lane().map(|lane| local.lane(lane));
    let entered = lane.as_ref().map(|lane| match exchange.deadline() {
        Some(deadline) => cancel::with_deadline(deadline, || lane.acquire()),
        None => lane.acquire(),
    });
    let _turn = match entered.transpose() {
        Ok(turn) => turn,
        Err(interrupted) => {
            scratch::give(frame);
            return Err(exchange.ended(Why::Interrupted(interrupted), Executed::No));
        }
    };
    // Any xid will do.
    encode::stamp_call(&mut frame, 1, 0, Duration::ZERO);
    let run = || local.run(frame);
    let (reply, ran) = match exchange.deadline() {
        Some(deadline) => cancel::with_deadline(deadline, run),
        None => run(),
    };
    let executed = if ran { Executed::Yes } else { Executed::No };
    let is_late = exchange.deadline().is_some_and(|deadline| deadline <= clock::now());
    match cancel::check() {
        Err(interrupted) => return Err(exchange.ended(Why::Interrupted(interrupted), executed)),
        Ok(()) if is_late => return Err(exchange.ended(Why::Interrupted(Interrupted::TimedOut), executed)),
        Ok(()) => {}
    }
    reply.and_then(outcome).ok_or_else(|| {
        // There is none to a one-way call, and nobody looks.
        CallError::BadReply { callee: exchange.callee(), message: "it was not answered".to_owned(), executed }
    })
}

/// What an answer says.
fn outcome(reply: Frame) -> Option<Outcome> {
    match reply {
        Frame::Failure { code, message, details, .. } => {
            let message = failure::message(&message);
            Some(Outcome::Failure { code, message, details: details.to_vec(), frame: Vec::new(), repeated: false })
        }
        Frame::Reply { value, .. } => Some(Outcome::Value(copy(&value))),
        _ => None,
    }
}

fn copy(value: &[u8]) -> Vec<u8> {
    let mut body = scratch::take();
    body.extend_from_slice(value);
    body
}
