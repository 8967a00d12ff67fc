//! A server without sockets: its services run where they are called, on the caller's own fiber.
//!
//! Calls and replies are the frames that would travel, so that values, errors and limits are those of a remote call.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fibra_scheduler::cancel;
use fibra_scheduler::sync::Semaphore;
use parking_lot::Mutex;

use super::handler::{self, Refusal, Serving};
use super::registry::{Hint, Registry};
use crate::error::Peer;
use crate::limits::{Limits, STREAM_CREDIT_INITIAL};
use crate::middleware::Chain;
use crate::request::Request;
use crate::service::{CallStreams, Service, Streams};
use crate::session::Lane;
use crate::stream::{Share, Shares};
use crate::wire::decode::Decoder;
use crate::wire::frame::{Call, Frame};

/// The services, and their limits.
pub(crate) struct Local {
    registry: Registry,
    middleware: Chain,
    limits: Limits,
    /// Calls that stream.
    streaming: Arc<AtomicUsize>,
    /// What the windows of their handlers have, and those of their callers.
    shares: Arc<Shares>,
    caller_shares: Arc<Shares>,
    /// By lane: one call at a time, in the order in which they come.
    lanes: Mutex<HashMap<Lane, Arc<Semaphore>>>,
}

/// What a call that streams has of the limits, until it has ended.
pub(crate) struct LocalPlace {
    /// How many there are with it.
    number: usize,
    streaming: Arc<AtomicUsize>,
    share: Share,
}

impl Local {
    pub(super) fn new(registry: Registry, middleware: Chain, limits: Limits) -> Self {
        Self {
            registry,
            middleware,
            limits,
            streaming: Arc::default(),
            shares: Arc::default(),
            caller_shares: Arc::default(),
            lanes: Mutex::default(),
        }
    }

    /// Of one service. The methods of one have different names.
    pub(crate) fn of(service: Box<dyn Service>) -> Self {
        Self::new(Registry::of(service), Chain::default(), Limits::default())
    }

    /// Longest body of a call or a reply.
    pub(crate) fn frame_bytes(&self) -> usize {
        self.limits.frame_bytes
    }

    /// Those of all its calls together, as of one connection.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What its callers' windows have.
    pub(crate) fn caller_shares(&self) -> &Arc<Shares> {
        &self.caller_shares
    }

    /// What a call with these streams may have.
    pub(crate) fn enter(&self, streams: Streams) -> LocalPlace {
        let Limits { stream_window, stream_bytes, .. } = self.limits;
        let wanted = if streams.client() { stream_window - STREAM_CREDIT_INITIAL as usize } else { 0 };
        let number = self.streaming.fetch_add(1, Ordering::Relaxed) + 1;
        LocalPlace { number, streaming: Arc::clone(&self.streaming), share: self.shares.take(wanted, stream_bytes) }
    }

    /// As [`run`](Self::run), of a call that streams: returns the frame of its reply.
    pub(crate) fn run_streaming(&self, frame: Vec<u8>, place: &LocalPlace, streams: CallStreams) -> Vec<u8> {
        let mut reply = Vec::new();
        if let Ok(Some(Frame::Call(mut call))) = Decoder::of(frame, usize::MAX).next_frame() {
            let frame_bytes = self.limits.frame_bytes;
            if place.number > self.limits.in_flight {
                let refusal = Refusal::InFlight(self.limits.in_flight);
                handler::refuse(call.xid, false, refusal, frame_bytes, &mut reply);
            } else {
                self.run_call(&mut call, Some(streams), &mut reply);
            }
        }
        reply
    }

    /// Whether the method has run.
    fn run_call(&self, call: &mut Call, streams: Option<CallStreams>, reply: &mut Vec<u8>) -> bool {
        let Self { registry, middleware, limits, .. } = self;
        let serving = Serving { registry, middleware, frame_bytes: limits.frame_bytes, count: None };
        // It is ambient already, for whoever asks.
        let deadline = cancel::deadline();
        let method = registry.named(&call.method, Hint::NONE);
        let mut request = Request::from(Peer::Local);
        handler::run(serving, call, method, &mut request, deadline, streams, reply).has_run
    }

    /// Who calls in that lane takes its one permit first.
    pub(crate) fn lane(&self, lane: Lane) -> Arc<Semaphore> {
        Arc::clone(self.lanes.lock().entry(lane).or_insert_with(|| Arc::new(Semaphore::new(1))))
    }

    /// Runs the call in `frame`. The reply, if there is one to be; and whether the method has run.
    pub(crate) fn run(&self, frame: Vec<u8>) -> (Option<Frame>, bool) {
        let mut reply = Vec::new();
        let mut ran = false;
        // It is a call, for we have encoded it.
        if let Ok(Some(Frame::Call(mut call))) = Decoder::of(frame, usize::MAX).next_frame() {
            ran = self.run_call(&mut call, None, &mut reply);
        }
        (Decoder::of(reply, usize::MAX).next_frame().ok().flatten(), ran)
    }
}

impl LocalPlace {
    /// What its handler's window may have beyond [`STREAM_CREDIT_INITIAL`].
    pub(crate) fn window_bytes(&self) -> usize {
        self.share.bytes()
    }
}

impl Drop for LocalPlace {
    fn drop(&mut self) {
        self.streaming.fetch_sub(1, Ordering::Relaxed);
    }
}
