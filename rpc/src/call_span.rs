//! The `tracing` span of a call, at either side, and its place in the call's trace.
//!
//! ```text
//!   client span ── traceparent: its own id ──▶ server span, whose parent that is ── calls of the handler ──▶ ···
//! ```
//!
//! Spans are entered for as long as the call takes; the scheduler leaves and enters them again when its fiber waits.
//!
//! Invariants:
//! * Where no subscriber wants the span, no ids are made: what came is passed on to the calls that the handler makes, unchanged.
//! * A `traceparent` that the caller has put into the metadata itself is left alone.

use tracing::field::{Empty, display};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::NoSubscriber;
use tracing::{Span, dispatcher};

use crate::error::Peer;
use crate::metadata::Metadata;
use crate::request::Request;
use crate::trace_context::{TRACEPARENT, TraceContext};

/// A call that is traced, or whose trace is passed on.
pub(crate) struct CallSpan {
    span: Span,
    context: Option<TraceContext>,
}

impl CallSpan {
    /// Whether a call that is served may be part of a trace.
    #[inline]
    pub(crate) fn is_wanted(request: &Request) -> bool {
        may_be_recorded() || !request.metadata().is_empty()
    }

    /// Of a call that is served; `None`: it is part of no trace.
    pub(crate) fn server(request: &Request) -> Option<Self> {
        Self::is_wanted(request).then(|| Self::of_served(request))
    }

    fn of_served(request: &Request) -> Self {
        let came = TraceContext::of(request.metadata());
        let span = tracing::info_span!(
            "rpc.server",
            otel.kind = "server",
            rpc.system = "fibra",
            rpc.method = request.method(),
            peer = %request.peer(),
            xid = request.xid(),
            trace_id = Empty,
            span_id = Empty,
            parent_span_id = Empty,
            error.type = Empty,
        );
        Self::within(span, came)
    }

    /// Of a call that is made, with the metadata that it is to go with; `None`: it is part of no trace. Which of several servers it goes to is
    /// [told](Self::peer) later.
    #[inline]
    pub(crate) fn client(
        method: &str,
        peer: impl FnOnce() -> Option<Peer>,
        metadata: &Metadata,
    ) -> Option<(Self, Metadata)> {
        if may_be_recorded() || TraceContext::is_current() { Self::of_made(method, peer(), metadata) } else { None }
    }

    #[cold]
    fn of_made(method: &str, peer: Option<Peer>, metadata: &Metadata) -> Option<(Self, Metadata)> {
        let span = tracing::info_span!(
            "rpc.client",
            otel.kind = "client",
            rpc.system = "fibra",
            rpc.method = method,
            peer = peer.map(display),
            trace_id = Empty,
            span_id = Empty,
            parent_span_id = Empty,
            error.type = Empty,
        );
        let came = TraceContext::current();
        if !is_recorded(&span) && came.is_none() {
            return None;
        }
        let mut metadata = metadata.clone();
        if metadata.get(TRACEPARENT).is_some() {
            return Some((Self { span, context: None }, metadata));
        }
        let this = Self::within(span, came);
        if let Some(context) = &this.context
            && !context.put(&mut metadata)
        {
            tracing::debug!(method, "a call's metadata has no room for its trace");
        }
        Some((this, metadata))
    }

    /// A new place in the trace that it came with, or in a new one; or, if it is not recorded, the same place.
    fn within(span: Span, came: Option<TraceContext>) -> Self {
        if !is_recorded(&span) {
            return Self { span, context: came };
        }
        let context = came.as_ref().map_or_else(TraceContext::generate, TraceContext::child);
        span.record("trace_id", display(format_args!("{:032x}", context.trace_id())));
        span.record("span_id", display(format_args!("{:016x}", context.span_id())));
        if let Some(parent) = came {
            span.record("parent_span_id", display(format_args!("{:016x}", parent.span_id())));
        }
        Self { span, context: Some(context) }
    }

    /// Which server the call went to.
    pub(crate) fn peer(&self, peer: &Peer) {
        self.span.record("peer", display(peer));
    }

    /// Runs what is the call's; `failure` says how it has failed, if it has.
    pub(crate) fn run<R>(&self, f: impl FnOnce() -> R, failure: impl FnOnce(&R) -> Option<&'static str>) -> R {
        let entered = self.span.enter();
        let result = match &self.context {
            None => f(),
            Some(context) => context.scope(f),
        };
        if !self.span.is_disabled()
            && let Some(failure) = failure(&result)
        {
            self.span.record("error.type", failure);
        }
        // A subscriber is the user's code: should it panic, the result is dropped, which it is not if it is on its way out already.
        drop(entered);
        result
    }
}

/// Whether there may be a subscriber that wants spans of calls.
#[inline]
fn may_be_recorded() -> bool {
    LevelFilter::current() >= LevelFilter::INFO
}

/// Whether a subscriber wants the span. Where another thread has one of its own, a span may be enabled that goes nowhere.
fn is_recorded(span: &Span) -> bool {
    !span.is_disabled() && !dispatcher::get_default(|dispatch| dispatch.is::<NoSubscriber>())
}
