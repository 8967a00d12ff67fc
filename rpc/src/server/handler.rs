//! One call, from its frame to its reply: no socket, no clock, no parking of its own.
//!
//! Invariant: whatever the method does, its panic included, exactly one reply frame comes out; none for a one-way call.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::registry::Registry;
use crate::error::Peer;
use crate::service::{Args, CallStreams, Rejected, Reply, Streams};
use crate::session;
use crate::wire::failure::Code;
use crate::wire::frame::Call;

/// Why a call is turned away before anything of it is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// Its timeout has passed.
    Expired,
    /// As many calls as this are under way on the connection.
    InFlight(usize),
    /// It was sent before, and what it does goes on.
    InProgress,
    /// Its session does not take it.
    Session(session::Refused),
    /// It streams, and there are no fibers that could read on while the handler waits.
    NoFibers,
    /// It streams, and there was no fiber left to write what it sends.
    NoFiberLeft,
}

/// Runs a call, and puts its reply in `out`. Whether the method has run.
pub(super) fn run(
    registry: &Registry,
    call: Call,
    peer: Peer,
    frame_bytes_max: usize,
    streams: Option<CallStreams>,
    out: &mut Vec<u8>,
) -> bool {
    let wanted = Streams::of(call.client_stream, call.server_stream.is_some());
    let Call { xid, one_way, method, args, .. } = call;
    let Some(target) = registry.find(&method) else {
        let message = format!("the server has no method `{}`", method.escape_ascii());
        Reply::new(out, xid, one_way, frame_bytes_max).failure(Code::UnknownMethod, &message);
        return false;
    };
    drop(method);
    let name = target.method.full_name();
    if target.method.streams() != wanted {
        let message = format!("the method has {}, the call {wanted}", target.method.streams());
        Reply::new(out, xid, one_way, frame_bytes_max).failure(Code::BadArguments, &message);
        return false;
    }

    let decoding = Cell::new(false);
    let args = Args::new(args, &decoding).with_streams(streams);
    let reply = Reply::new(out, xid, one_way, frame_bytes_max);
    // The service sees only what it was given, and `out` is cleared below: nothing half-changed is seen after a panic.
    let outcome = catch_unwind(AssertUnwindSafe(|| target.service.dispatch(target.number, args, reply)));
    let (code, message) = match outcome {
        Ok(Ok(_answer)) => return true,
        Ok(Err(Rejected::Method)) => (Code::UnknownMethod, Rejected::Method.to_string()),
        Ok(Err(Rejected::Arguments(reason))) => (Code::BadArguments, reason),
        Err(panic) => {
            let message = panic_message(panic.as_ref());
            tracing::error!(method = name, %peer, panic = message, "a handler panicked");
            // It may have been the arguments' own `Deserialize`; then the handler never began.
            let code = if decoding.get() { Code::BadArguments } else { Code::Panicked };
            let message = message.to_owned();
            discard(panic);
            (code, message)
        }
    };
    if one_way && code != Code::Panicked {
        tracing::warn!(method = name, %peer, reason = message, "dropped a one-way call");
    }
    out.clear();
    Reply::new(out, xid, one_way, frame_bytes_max).failure(code, &message);
    code == Code::Panicked
}

/// Turns a call away, and puts that reply in `out`.
pub(super) fn refuse(xid: u64, one_way: bool, refusal: Refusal, frame_bytes_max: usize, out: &mut Vec<u8>) {
    let reply = Reply::new(out, xid, one_way, frame_bytes_max);
    match refusal {
        Refusal::Expired => reply.failure(Code::Expired, "its timeout had passed when its turn came"),
        Refusal::InFlight(max) => {
            reply.failure(Code::Overloaded, &format!("{max} calls are in flight on this connection"));
        }
        Refusal::NoFibers => {
            reply.failure(Code::UnknownMethod, "a server with a thread for each connection serves no streams");
        }
        Refusal::NoFiberLeft => reply.failure(Code::Overloaded, "there are as many fibers as there may be"),
        Refusal::InProgress => reply.failure(Code::InProgress, "an earlier copy of the call still runs"),
        Refusal::Session(refused) => reply.failure(code(refused), &refused.to_string()),
    }
}

/// How a refusal travels.
fn code(refused: session::Refused) -> Code {
    use session::Refused;
    match refused {
        Refused::Stale { .. } => Code::Stale,
        Refused::OutOfWindow { .. } => Code::OutOfWindow,
        Refused::Conflict => Code::Conflict,
        Refused::BadAcknowledgement => Code::BadAcknowledgement,
        Refused::Forgotten => Code::Forgotten,
        // A connection has its session: what it can still be told is that another has taken its place.
        Refused::Expired | Refused::WrongIncarnation { .. } | Refused::NotYours => Code::SessionEnded,
    }
}

/// Drops a panic's payload, which is the user's and may panic itself. What that says is dropped no more.
fn discard(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
}

/// What the panic said, if it said it as text.
fn panic_message(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "no message"
    }
}
