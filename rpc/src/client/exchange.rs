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
use std::sync::Arc;
use std::time::{Duration, Instant};

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Unparker};
use fibra_scheduler::{cancel, clock};
use serde::Serialize;

use super::calls::{Begun, Outcome, Unanswered, Why};
use super::connection::Connection;
use super::link::Link;
use super::local;
use super::options::CallOptions;
use super::streams::Stream;
use crate::call_span::CallSpan;
use crate::codec::{self, EncodeError};
use crate::error::{CallError, Callee, Executed, Peer, Side};
use crate::limits::{CALL_TIMEOUT_MAX, STREAM_CREDIT_INITIAL};
use crate::metadata::Metadata;
use crate::middleware::Chain;
use crate::scratch;
use crate::server::Local;
use crate::service::{Method, Semantics, Streams};
use crate::session::Xid;
use crate::stream::Duplex;
use crate::stream::inbound::Inbound;
use crate::stream::outbound::Outbound;
use crate::wire::encode;
use crate::wire::failure::Code;
use crate::wire::header::{FLAG_CLIENT_STREAM, FLAG_IDEMPOTENT, FLAG_ONE_WAY};

/// What becomes of a call's frame once it is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// It is sent as soon as may be.
    Sent,
    /// It waits for others, to be sent with them.
    Held,
}

/// Who runs it.
#[derive(Clone, Copy)]
pub(super) enum To<'a> {
    Link(&'a Link),
    Local(&'a Local),
}

impl To<'_> {
    pub(super) fn peer(self) -> Peer {
        match self {
            Self::Link(link) => Peer::Remote(link.peer()),
            Self::Local(_) => Peer::Local,
        }
    }

    fn frame_bytes(self) -> usize {
        match self {
            Self::Link(link) => link.limits().frame_bytes,
            Self::Local(local) => local.frame_bytes(),
        }
    }
}

const NO_METADATA: &Metadata = &Metadata::new();

/// A call in the making.
#[derive(Clone, Copy)]
pub(super) struct Exchange<'a> {
    to: To<'a>,
    method: &'a Method,
    metadata: &'a Metadata,
    timeout: Duration,
    deadline: Option<Instant>,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(to: To<'a>, method: &'a Method, options: &'a CallOptions) -> Self {
        let now = clock::now();
        let ambient = cancel::deadline().map_or(CALL_TIMEOUT_MAX, |deadline| deadline.saturating_duration_since(now));
        let timeout = options.timeout.min(CALL_TIMEOUT_MAX).min(ambient);
        let metadata = options.metadata.as_deref().unwrap_or(NO_METADATA);
        Self { to, method, metadata, timeout, deadline: now.checked_add(timeout) }
    }

    /// A call that was made before, whose answer has come.
    pub(super) fn again(link: &'a Link, method: &'a Method, timeout: Duration, deadline: Option<Instant>) -> Self {
        Self { to: To::Link(link), method, metadata: NO_METADATA, timeout, deadline }
    }

    /// The same, with other metadata.
    pub(super) fn with<'b>(&'b self, metadata: &'b Metadata) -> Exchange<'b> {
        Exchange { metadata, ..*self }
    }

    pub(super) fn metadata(&self) -> &'a Metadata {
        self.metadata
    }

    /// How long it may take, and until when.
    pub(super) fn time(&self) -> (Duration, Option<Instant>) {
        (self.timeout, self.deadline)
    }

    /// What is called, for an error.
    pub(super) fn callee(&self) -> Callee {
        Callee { method: self.method.shared_name(), peer: self.to.peer() }
    }

    fn flags(&self) -> u8 {
        if self.in_session() { 0 } else { FLAG_IDEMPOTENT }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the server runs it at most once, however often it is sent. A method that is declared one-way and yet called as one with a
    /// reply may run again no more than others.
    pub(super) fn in_session(&self) -> bool {
        self.method.semantics() != Semantics::Idempotent
    }

    /// Makes the call and waits for its outcome.
    pub(super) fn call<A: Serialize>(&self, args: &A, middleware: &Chain) -> Result<Outcome, CallError> {
        let mut attempt = |metadata: &Metadata| self.with(metadata).traced(|exchange| exchange.attempt(args));
        if middleware.is_empty() { attempt(self.metadata) } else { self.around(middleware, &mut attempt) }
    }

    /// Makes a call that nobody answers.
    pub(super) fn call_one_way<A: Serialize>(&self, args: &A, middleware: &Chain) -> Result<(), CallError> {
        let mut attempt = |metadata: &Metadata| {
            self.with(metadata).traced(|exchange| exchange.post(args).map(|()| Outcome::Value(Vec::new())))
        };
        let posted = if middleware.is_empty() { attempt(self.metadata) } else { self.around(middleware, &mut attempt) };
        posted.map(|_nothing| ())
    }

    /// Makes an attempt within its span, and with its place in the trace, if it is to have any.
    #[inline]
    fn traced(&self, attempt: impl FnOnce(&Exchange<'_>) -> Result<Outcome, CallError>) -> Result<Outcome, CallError> {
        let Some((span, metadata)) = self.span() else { return attempt(self) };
        span.run(
            || attempt(&self.with(&metadata)),
            |outcome| match outcome {
                Ok(Outcome::Value(_)) => None,
                Ok(Outcome::Failure { code, .. }) => Some(Code::from_wire(*code).map_or("unknown", Code::name)),
                Err(error) => Some(error.name()),
            },
        )
    }

    /// Its span, with the metadata that it is to go with; if it is part of a trace.
    #[inline]
    pub(super) fn span(&self) -> Option<(CallSpan, Metadata)> {
        CallSpan::client(self.method.full_name(), || self.to.peer(), self.metadata)
    }

    /// Sends the call and waits for the answer.
    fn attempt<A: Serialize>(&self, args: &A) -> Result<Outcome, CallError> {
        match self.to {
            To::Link(link) => {
                let xid = self.begin(link, args, Some(park::current()), Output::Sent)?;
                self.settle(xid, link.calls().wait(xid, self.deadline))
            }
            To::Local(local) => {
                let frame = self.encode(args, self.flags())?;
                local::call(self, local, frame)
            }
        }
    }

    /// Sends the call, whose answer is to wake `caller`; or nobody, for now.
    pub(super) fn begin<A: Serialize>(
        &self,
        link: &Link,
        args: &A,
        caller: Option<Unparker>,
        output: Output,
    ) -> Result<Xid, CallError> {
        let frame = self.encode(args, self.flags())?;
        let waits = caller.is_some();
        let begun = link.calls().begin(frame, self.in_session(), self.deadline, caller);
        let Begun { xid, queued_at, alone } = begun.map_err(|end| self.unanswered(end))?;
        match (queued_at, output) {
            // Nobody to share a write with: waking the writer would cost more than it saves.
            (Some(connection), Output::Sent) if alone => connection.write_now(),
            (Some(connection), Output::Sent) => connection.outbox().wake_writer(),
            (Some(_), Output::Held) => {}
            // Who waits sees to it.
            (None, _) if waits => {}
            (None, _) => link.calls().push(xid, self.deadline),
        }
        Ok(xid)
    }

    /// What the answer to a call means. If there is none, tells the server that nobody waits any more.
    pub(super) fn settle(&self, xid: Xid, answer: Result<Outcome, Unanswered>) -> Result<Outcome, CallError> {
        answer.map_err(|mut end| {
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

    /// Sends a call with streams, as its method has them. `window` is for the server's.
    pub(super) fn open<A: Serialize>(
        &self,
        link: &Link,
        args: &A,
        streams: Streams,
        window: usize,
    ) -> Result<(Arc<Stream>, Arc<Connection>), CallError> {
        let flags = if streams.client() { FLAG_CLIENT_STREAM } else { 0 };
        let credit = streams.server().then(|| u32::try_from(window).unwrap_or(u32::MAX));
        let mut frame = self.encode_with(args, flags, credit)?;
        let frame_bytes = link.limits().frame_bytes;
        let opened = link.calls().open(&mut frame, self.deadline, |xid| {
            let inbound = streams.server().then(|| Inbound::new(window, frame_bytes));
            // A server says when there is to be more.
            let outbound = streams.client().then(|| Outbound::new(STREAM_CREDIT_INITIAL as usize));
            Stream::new(Duplex::new(xid, frame_bytes, true, inbound, outbound))
        });
        scratch::give(frame);
        opened.map_err(|end| self.unanswered(end))
    }

    /// Sends a call that nobody answers.
    fn post<A: Serialize>(&self, args: &A) -> Result<(), CallError> {
        let mut frame = self.encode(args, FLAG_ONE_WAY)?;
        let link = match self.to {
            To::Link(link) => link,
            // Whatever comes of it.
            To::Local(local) => return local::call(self, local, frame).map_or_else(|_| Ok(()), |_| Ok(())),
        };
        let posted = link.calls().post(&mut frame, self.deadline);
        scratch::give(frame);
        posted.map_err(|end| self.unanswered(end))
    }

    /// What a timeout of this call is, given whether it may have run.
    pub(super) fn timed_out(&self, executed: Executed) -> CallError {
        CallError::Timeout { callee: self.callee(), after: self.timeout, executed }
    }

    /// The call's frame, in a buffer of the pool.
    fn encode<A: Serialize>(&self, args: &A, flags: u8) -> Result<Vec<u8>, CallError> {
        self.encode_with(args, flags, None)
    }

    fn encode_with<A: Serialize>(&self, args: &A, flags: u8, credit: Option<u32>) -> Result<Vec<u8>, CallError> {
        if let Err(interrupted) = cancel::check() {
            return Err(self.ended(Why::Interrupted(interrupted), Executed::No));
        }
        let max = self.to.frame_bytes();
        let mut frame = scratch::take();
        let mut body = encode::call_with(&mut frame, self.method.full_name(), flags, self.metadata, credit, max);
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

    pub(super) fn ended(&self, why: Why, executed: Executed) -> CallError<Infallible> {
        let callee = self.callee();
        match why {
            Why::Interrupted(Interrupted::TimedOut) => self.timed_out(executed),
            Why::Interrupted(_) => CallError::Cancelled { callee, executed },
            Why::Lost(cause) => CallError::Disconnected { callee, cause, executed },
        }
    }
}
