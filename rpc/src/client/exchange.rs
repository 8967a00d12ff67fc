//! One call, from its arguments to its outcome.
//!
//! ```text
//!   encode ─▶ begin: an xid, queued ─▶ wait ─▶ outcome
//!     No        No                     Maybe         what `executed` says if it ends there
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | `frame` | arguments become a frame |
//! | `entry` | where that goes, and how it gets there |
//! | `attempt` | that is waited for, and made again if it is to be |
//! | `trace` | the span around an attempt |
//!
//! Invariant: until its frame is queued a call has not run and will not; from then on only the server's answer, or the
//! outbox's word that the frame never left, says so.

mod attempt;
mod entry;
mod frame;
mod trace;

use std::cell::Cell;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::{cancel, clock};

pub(super) use entry::{enter, tell};

use super::calls::{Unanswered, Why};
use super::endpoint::Endpoints;
use super::hedge::Hedging;
use super::lanes::Ticket;
use super::options::CallOptions;
use super::retry::RetryPolicy;
use crate::error::{CallError, Callee, Disconnect, Executed, Peer};
use crate::limits::CALL_TIMEOUT_MAX;
use crate::metadata::Metadata;
use crate::server::Local;
use crate::service::{Method, Semantics, Streams};
use crate::session::Lane;
use crate::wire::header::FLAG_IDEMPOTENT;

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

    /// What a timeout of this call is, given whether it may have run.
    pub(super) fn timed_out(&self, executed: Executed) -> CallError {
        CallError::Timeout { callee: self.callee(), after: self.timeout, executed }
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
            // Who makes it again asks for another link first, and tells what it was refused with.
            Why::Moved { .. } | Why::Overtaken => {
                CallError::Disconnected { callee, cause: Disconnect::ClosedByPeer, executed }
            }
        }
    }
}
