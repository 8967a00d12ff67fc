//! One call, from its arguments to its outcome.
//!
//! ```text
//!   encode ─▶ begin: an xid, queued ─▶ wait ─▶ outcome
//!     No        No                     Maybe         what `executed` says if it ends there
//! ```
//!
//! Invariant: until its frame is queued a call has not run and will not; from then on only the server's answer, or the
//! outbox's word that the frame never left, says so.

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Unparker};
use fibra_scheduler::{cancel, clock};
use serde::Serialize;

use super::attempts::{Attempts, Ended};
use super::calls::stream::Opened;
use super::calls::{Begun, Outcome, Unanswered, Why};
use super::chosen::{Chosen, Stay};
use super::endpoint::Endpoints;
use super::hedge::Hedging;
use super::lanes::{Hold, Ticket};
use super::link::Link;
use super::local;
use super::options::CallOptions;
use super::race::Race;
use super::retry::RetryPolicy;
use super::streams::Stream;
use crate::call_span::CallSpan;
use crate::codec::{self, EncodeError};
use crate::error::{CallError, Callee, Disconnect, Executed, Peer, Side};
use crate::limits::{CALL_TIMEOUT_MAX, METHOD_NAME_BYTES_MAX, STREAM_CREDIT_INITIAL};
use crate::metadata::Metadata;
use crate::middleware::Chain;
use crate::scratch;
use crate::server::Local;
use crate::service::{Method, Semantics, Streams};
use crate::session::{Lane, Xid};
use crate::stream::Duplex;
use crate::stream::inbound::Inbound;
use crate::stream::outbound::Outbound;
use crate::wire::encode::{self, Body};
use crate::wire::failure::Code;
use crate::wire::header::{self, FLAG_CLIENT_STREAM, FLAG_IDEMPOTENT, FLAG_ONE_WAY};

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
    Remote(&'a Endpoints),
    Local(&'a Local),
}

impl To<'_> {
    /// The server; of several, the one at that place.
    pub(super) fn peer(self, place: Option<usize>) -> Peer {
        match self {
            Self::Remote(endpoints) => Peer::Remote(endpoints.at(place).peer()),
            Self::Local(_) => Peer::Local,
        }
    }

    /// The server, if there is one only.
    fn only_peer(self) -> Option<Peer> {
        match self {
            Self::Remote(endpoints) if !endpoints.is_one() => None,
            to => Some(to.peer(None)),
        }
    }

    fn frame_bytes(self) -> usize {
        match self {
            Self::Remote(endpoints) => endpoints.common().settings.limits.frame_bytes,
            Self::Local(local) => local.frame_bytes(),
        }
    }
}

const NO_METADATA: &Metadata = &Metadata::new();

/// A call in the making.
pub(super) struct Exchange<'a> {
    to: To<'a>,
    /// Which of several servers was called last.
    place: Cell<Option<usize>>,
    /// When it was made, among those of its lane.
    ticket: Cell<Option<Ticket>>,
    method: &'a Method,
    metadata: &'a Metadata,
    timeout: Duration,
    deadline: Option<Instant>,
    /// `None`: the channel's.
    retry: Option<RetryPolicy>,
    hedging: Option<Hedging>,
}

/// Where a call went, how long it may take, and whether it is made again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) place: Option<usize>,
    pub(super) timeout: Duration,
    pub(super) deadline: Option<Instant>,
    /// `None`: the channel's.
    pub(super) retry: Option<RetryPolicy>,
    pub(super) ticket: Option<Ticket>,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(to: To<'a>, method: &'a Method, options: &'a CallOptions) -> Self {
        let now = clock::now();
        let ambient = cancel::deadline().map_or(CALL_TIMEOUT_MAX, |deadline| deadline.saturating_duration_since(now));
        let timeout = options.timeout.min(CALL_TIMEOUT_MAX).min(ambient);
        let metadata = options.metadata.as_deref().unwrap_or(NO_METADATA);
        Self {
            to,
            place: Cell::new(None),
            ticket: Cell::new(None),
            method,
            metadata,
            timeout,
            deadline: now.checked_add(timeout),
            retry: options.retry,
            hedging: options.hedging,
        }
    }

    /// The same, under the terms of another that stands for it.
    pub(super) fn on(self, terms: Terms) -> Self {
        let Terms { place: _, ticket: _, timeout, deadline, retry } = terms;
        Self { timeout, deadline, retry, ..self }
    }

    /// A call that was made before, whose answer has come.
    pub(super) fn again(to: To<'a>, method: &'a Method, terms: Terms) -> Self {
        let Terms { place, timeout, deadline, retry, ticket } = terms;
        let (place, ticket) = (Cell::new(place), Cell::new(ticket));
        Self { to, place, ticket, method, metadata: NO_METADATA, timeout, deadline, retry, hedging: None }
    }

    /// What goes with it, unless its middleware or its trace add to that.
    pub(super) fn metadata(&self) -> &'a Metadata {
        self.metadata
    }

    pub(super) fn terms(&self) -> Terms {
        let Self { place, ticket, timeout, deadline, retry, .. } = self;
        Terms { place: place.get(), ticket: ticket.get(), timeout: *timeout, deadline: *deadline, retry: *retry }
    }

    /// What is called, for an error.
    pub(super) fn callee(&self) -> Callee {
        Callee { method: self.method.shared_name().clone(), peer: self.to.peer(self.place.get()) }
    }

    fn flags(&self) -> u8 {
        if self.in_session() { 0 } else { FLAG_IDEMPOTENT }
    }

    pub(super) fn method(&self) -> &Method {
        self.method
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the server runs it at most once, however often it is sent. A method that is declared one-way and yet called as one with a
    /// reply may run again no more than others.
    pub(super) fn in_session(&self) -> bool {
        self.method.semantics() != Semantics::Idempotent
    }

    /// Its lane, if it has one: if it runs at most once, and does not stream.
    pub(super) fn lane(&self) -> Option<Lane> {
        let lane = self.method.lane()?;
        let has_one = self.method.semantics() == Semantics::AtMostOnce && self.method.streams() == Streams::None;
        has_one.then(|| lane.number())
    }

    /// Makes the call and waits for its outcome.
    pub(super) fn call<A: Serialize>(&self, args: &A, middleware: &Chain) -> Result<Outcome, CallError> {
        let mut attempt = |metadata: &Metadata| self.traced(metadata, |metadata| self.attempt(args, metadata));
        if middleware.is_empty() { attempt(self.metadata) } else { self.around(middleware, &mut attempt) }
    }

    /// Makes a call that nobody answers.
    pub(super) fn call_one_way<A: Serialize>(&self, args: &A, middleware: &Chain) -> Result<(), CallError> {
        let mut attempt = |metadata: &Metadata| {
            self.traced(metadata, |metadata| self.post(args, metadata).map(|()| Outcome::Value(Vec::new())))
        };
        let posted = if middleware.is_empty() { attempt(self.metadata) } else { self.around(middleware, &mut attempt) };
        posted.map(|_nothing| ())
    }

    /// Makes an attempt within its span, and with its place in the trace, if it is to have any.
    #[inline]
    fn traced(
        &self,
        metadata: &Metadata,
        attempt: impl FnOnce(&Metadata) -> Result<Outcome, CallError>,
    ) -> Result<Outcome, CallError> {
        let Some((span, metadata)) = self.span(metadata) else { return attempt(metadata) };
        span.run(
            || {
                let outcome = attempt(&metadata);
                self.tell_server(&span);
                outcome
            },
            |outcome| match outcome {
                Ok(Outcome::Value(_)) => None,
                Ok(Outcome::Failure { code, .. }) => Some(Code::from_wire(*code).map_or("unknown", Code::name)),
                Err(error) => Some(error.name()),
            },
        )
    }

    /// As [`traced`](Self::traced), of a call that is only begun: its span is around the sending, for who waits for the answer, and when, is not
    /// known yet.
    pub(super) fn begin_traced<R>(&self, metadata: &Metadata, begin: impl FnOnce(&Metadata) -> R) -> R {
        let Some((span, metadata)) = self.span(metadata) else { return begin(metadata) };
        let begin = || {
            let begun = begin(&metadata);
            self.tell_server(&span);
            begun
        };
        span.run(begin, |_| None)
    }

    /// Its span, with the metadata that it is to go with; if it is part of a trace.
    #[inline]
    fn span(&self, metadata: &Metadata) -> Option<(CallSpan, Metadata)> {
        CallSpan::client(self.method.full_name(), || self.to.only_peer(), metadata)
    }

    /// Tells a call's span which of several servers it went to.
    fn tell_server(&self, span: &CallSpan) {
        if let Some(place) = self.place.get()
            && self.to.only_peer().is_none()
        {
            span.peer(&self.to.peer(Some(place)));
        }
    }

    /// Sends the call and waits for the answer.
    fn attempt<A: Serialize>(&self, args: &A, metadata: &Metadata) -> Result<Outcome, CallError> {
        let frame = self.encode(args, self.flags(), metadata)?;
        match self.to {
            To::Remote(endpoints) => match self.send(endpoints, frame) {
                Ok(Outcome::Value(value)) => {
                    endpoints.common().retries.succeeded();
                    Ok(Outcome::Value(value))
                }
                ended => self.go_on(endpoints, ended),
            },
            To::Local(local) => local::call(self, local, frame),
        }
    }

    /// The first attempt has not brought a value: as many more as there are to be.
    #[cold]
    fn go_on(&self, endpoints: &Endpoints, ended: Ended) -> Result<Outcome, CallError> {
        let common = endpoints.common();
        let ordered = self.lane().zip(self.ticket.get());
        let attempts = Attempts {
            common,
            ordered,
            policy: self.retry.unwrap_or(common.settings.retry),
            idempotent: !self.in_session(),
            deadline: self.deadline,
        };
        attempts.go_on(ended, |frame| self.send(endpoints, frame)).map_err(|end| self.unanswered(end))
    }

    /// Sends the call once, or as often as connections are lost meanwhile, and waits for the answer.
    fn send(&self, endpoints: &Endpoints, frame: Vec<u8>) -> Ended {
        if let Some(hedging) = self.hedging
            && !self.in_session()
        {
            let race = Race { endpoints, hedging, method: self.method.full_name(), deadline: self.deadline };
            let mut place = self.place.get();
            let ended = race.run(frame, &mut place);
            self.place.set(place);
            return ended;
        }
        let (chosen, hold) = match self.choose_once(endpoints) {
            Ok(chosen) => chosen,
            Err(end) => {
                scratch::give(frame);
                return Err(end);
            }
        };
        let ended = match self.enter(&chosen, frame, hold, Some(park::current()), Output::Sent) {
            Ok(xid) => tell(xid, chosen.calls().wait(xid, self.deadline)),
            Err(end) => Err(end),
        };
        chosen.ended(&ended);
        ended
    }

    /// Where the call is to go next. Waits until there is a server.
    pub(super) fn choose<'e>(&self, endpoints: &'e Endpoints) -> Result<Chosen<'e>, CallError> {
        let chosen = endpoints.choose(self.place.get(), self.deadline);
        let (chosen, place) = chosen.map_err(|end| self.unanswered(end))?;
        self.place.set(Some(place));
        Ok(chosen)
    }

    /// Where this call is to go next; and if it has a lane, its place there.
    fn choose_once<'e>(&self, endpoints: &'e Endpoints) -> Result<(Chosen<'e>, Option<Hold>), Unanswered> {
        let Some(lane) = self.lane() else {
            let (chosen, place) = endpoints.choose(self.place.get(), self.deadline)?;
            self.place.set(Some(place));
            return Ok((chosen, None));
        };
        if self.ticket.get().is_none() {
            self.ticket.set(Some(endpoints.common().lanes.ticket(lane)));
        }
        let (chosen, place, hold) = endpoints.choose_in_lane(lane, self.place.get(), self.deadline)?;
        self.place.set(Some(place));
        Ok((chosen, Some(hold)))
    }

    /// Sends the call, whose answer is to wake nobody, for now. Returns where it went.
    pub(super) fn begin<A: Serialize>(
        &self,
        endpoints: &Arc<Endpoints>,
        args: &A,
        metadata: &Metadata,
        output: Output,
    ) -> Result<(Stay, Xid), CallError> {
        let mut frame = self.encode(args, self.flags(), metadata)?;
        loop {
            let (chosen, hold) = self.choose_once(endpoints).map_err(|end| self.unanswered(end))?;
            match self.enter(&chosen, frame, hold, None, output) {
                Ok(xid) => return Ok((chosen.stay(endpoints), xid)),
                Err(Unanswered { why: Why::Moved { .. }, frame: again, .. }) => frame = again,
                Err(end) => return Err(self.unanswered(end)),
            }
        }
    }

    fn enter(
        &self,
        link: &Link,
        frame: Vec<u8>,
        hold: Option<Hold>,
        caller: Option<Unparker>,
        output: Output,
    ) -> Result<Xid, Unanswered> {
        enter(link, frame, self.in_session(), hold, self.deadline, caller, output)
    }

    /// What the end of a call means that was [begun](Self::begin) before; if it `may_wait`, it may be made again first.
    pub(super) fn settle(&self, ended: Ended, may_wait: bool) -> Result<Outcome, CallError> {
        match (ended, self.to) {
            (Ok(Outcome::Value(value)), _) => Ok(Outcome::Value(value)),
            (ended, To::Remote(endpoints)) if may_wait => self.go_on(endpoints, ended),
            (ended, _) => ended.map_err(|end| self.unanswered(end)),
        }
    }

    /// Sends a call with streams, as its method has them. `window` is for the server's. `None`: that link takes no calls any more.
    pub(super) fn open(
        &self,
        link: &Link,
        args: &[u8],
        metadata: &Metadata,
        window: usize,
    ) -> Result<Option<Opened>, CallError> {
        let streams = self.method.streams();
        let mut frame = self.opening(args, metadata, window)?;
        let frame_bytes = self.to.frame_bytes();
        let opened = link.calls().open(&mut frame, self.deadline, |xid| {
            let inbound = streams.server().then(|| Inbound::new(window, frame_bytes));
            // A server says when there is to be more.
            let outbound = streams.client().then(|| Outbound::new(STREAM_CREDIT_INITIAL as usize));
            Stream::new(Duplex::new(xid, frame_bytes, true, inbound, outbound))
        });
        scratch::give(frame);
        match opened {
            Ok(opened) => Ok(Some(opened)),
            Err(Unanswered { why: Why::Moved { .. }, .. }) => Ok(None),
            Err(end) => Err(self.unanswered(end)),
        }
    }

    /// The frame of a call with streams, and with these encoded `args`.
    pub(super) fn opening(&self, args: &[u8], metadata: &Metadata, window: usize) -> Result<Vec<u8>, CallError> {
        let streams = self.method.streams();
        let flags = if streams.client() { FLAG_CLIENT_STREAM } else { 0 };
        let credit = streams.server().then(|| u32::try_from(window).unwrap_or(u32::MAX));
        self.encode_with(flags, credit, metadata, |body| {
            body.push(args);
            Ok(())
        })
    }

    /// The arguments, encoded, for a frame that is made later.
    pub(super) fn args<A: Serialize>(&self, args: &A) -> Result<Vec<u8>, CallError> {
        let max = self.to.frame_bytes();
        let mut bytes = Vec::new();
        let mut body = encode::item(&mut bytes, 0, max);
        let encoded = codec::encode(&mut body, args);
        let encoded = encoded.and_then(|()| body.finish().map_err(|_| EncodeError::TooLarge));
        encoded.map_err(|error| self.unencodable(error))?;
        bytes.drain(..header::LEN.min(bytes.len()));
        Ok(bytes)
    }

    /// Sends a call that nobody answers.
    fn post<A: Serialize>(&self, args: &A, metadata: &Metadata) -> Result<(), CallError> {
        let mut frame = self.encode(args, FLAG_ONE_WAY, metadata)?;
        let endpoints = match self.to {
            To::Remote(endpoints) => endpoints,
            // Whatever comes of it.
            To::Local(local) => return local::call(self, local, frame).map_or_else(|_| Ok(()), |_| Ok(())),
        };
        let posted = loop {
            let (chosen, place) = match endpoints.choose(None, self.deadline) {
                Ok(chosen) => chosen,
                Err(end) => break Err(end),
            };
            self.place.set(Some(place));
            match chosen.calls().post(&mut frame, self.deadline) {
                Err(Unanswered { why: Why::Moved { .. }, .. }) => {}
                posted => break posted,
            }
        };
        scratch::give(frame);
        posted.map_err(|end| self.unanswered(end))
    }

    /// What a timeout of this call is, given whether it may have run.
    pub(super) fn timed_out(&self, executed: Executed) -> CallError {
        CallError::Timeout { callee: self.callee(), after: self.timeout, executed }
    }

    /// The call's frame, in a buffer of the pool.
    fn encode<A: Serialize>(&self, args: &A, flags: u8, metadata: &Metadata) -> Result<Vec<u8>, CallError> {
        self.encode_with(flags, None, metadata, |body| codec::encode(body, args))
    }

    #[inline]
    fn encode_with(
        &self,
        flags: u8,
        credit: Option<u32>,
        metadata: &Metadata,
        args: impl FnOnce(&mut Body<'_>) -> Result<(), EncodeError>,
    ) -> Result<Vec<u8>, CallError> {
        if let Err(interrupted) = cancel::check() {
            return Err(self.ended(Why::Interrupted(interrupted), Executed::No));
        }
        if self.deadline.is_some_and(|deadline| deadline <= clock::now()) {
            return Err(self.timed_out(Executed::No));
        }
        // None has an empty name, for which a server would close the connection, and a longer one would have to be cut.
        if !(1..=METHOD_NAME_BYTES_MAX).contains(&self.method.full_name().len()) {
            let message = format!("a method's name has 1 to {METHOD_NAME_BYTES_MAX} bytes");
            return Err(CallError::UnknownMethod { callee: self.callee(), message });
        }
        let max = self.to.frame_bytes();
        let lane = self.lane().filter(|_| flags == 0 && credit.is_none());
        let mut frame = scratch::take();
        let mut body = encode::call_with(&mut frame, self.method.full_name(), flags, lane, metadata, credit, max);
        let encoded = args(&mut body);
        let encoded = encoded.and_then(|()| body.finish().map_err(|_| EncodeError::TooLarge));
        match encoded {
            Ok(()) => Ok(frame),
            Err(error) => Err(self.unencodable(error)),
        }
    }

    fn unencodable(&self, error: EncodeError) -> CallError {
        let callee = self.callee();
        match error {
            EncodeError::TooLarge => {
                let message = format!("over this client's limit of {} bytes", self.to.frame_bytes());
                CallError::TooLarge { callee, side: Side::Request, message }
            }
            EncodeError::Serialize(message) => CallError::BadArguments { callee, message },
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
            // Who makes it again asks for another link first.
            Why::Moved { .. } => CallError::Disconnected { callee, cause: Disconnect::ClosedByPeer, executed },
        }
    }
}

/// Enters a call at a link, and has it written.
#[inline]
pub(super) fn enter(
    link: &Link,
    frame: Vec<u8>,
    in_session: bool,
    hold: Option<Hold>,
    deadline: Option<Instant>,
    caller: Option<Unparker>,
    output: Output,
) -> Result<Xid, Unanswered> {
    let waits = caller.is_some();
    let begun = link.calls().begin(frame, in_session, hold, deadline, caller)?;
    let Begun { xid, queued_at, alone } = begun;
    match (queued_at, output) {
        // Nobody to share a write with: waking the writer would cost more than it saves.
        (Some(connection), Output::Sent) if alone => connection.write_now(),
        (Some(connection), Output::Sent) => connection.outbox().wake_writer(),
        (Some(_), Output::Held) => {}
        // Who waits sees to it.
        (None, _) if waits => {}
        (None, _) => link.calls().push(xid, deadline),
    }
    Ok(xid)
}

/// If a call has ended without an answer, tells the server that nobody waits any more.
pub(super) fn tell(xid: Xid, ended: Ended) -> Ended {
    ended.map_err(|mut end| {
        if let Some(connection) = end.cancel_at.take() {
            // Who gives up does not wait for room. While there is none no call is queued either, so that there are no more of these than calls.
            let mut frame = scratch::take();
            encode::cancel(&mut frame, xid);
            connection.outbox().append_anyway(&mut frame);
            scratch::give(frame);
            connection.outbox().wake_writer();
        }
        end
    })
}
