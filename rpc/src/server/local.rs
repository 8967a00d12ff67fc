//! A server without sockets: its services run where they are called, on the caller's own fiber.
//!
//! Calls and replies are the frames that would travel, so that values, errors and limits are those of a remote call.

use fibra_scheduler::cancel;

use super::handler::{self, Serving};
use super::registry::{Hint, Registry};
use crate::error::Peer;
use crate::limits::Limits;
use crate::middleware::Chain;
use crate::request::Request;
use crate::service::Service;
use crate::session::fingerprint::hash;
use crate::wire::decode::Decoder;
use crate::wire::frame::Frame;

/// The services, and the limit on their frames.
pub(crate) struct Local {
    registry: Registry,
    middleware: Chain,
    frame_bytes: usize,
}

impl Local {
    pub(super) fn new(registry: Registry, middleware: Chain, frame_bytes: usize) -> Self {
        Self { registry, middleware, frame_bytes }
    }

    /// Of one service. The methods of one have different names.
    pub(crate) fn of(service: Box<dyn Service>) -> Self {
        Self::new(Registry::of(service), Chain::default(), Limits::default().frame_bytes)
    }

    /// Longest body of a call or a reply.
    pub(crate) fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    /// Runs the call in `frame`. The reply, if there is one to be; and whether the method has run.
    pub(crate) fn run(&self, frame: Vec<u8>) -> (Option<Frame>, bool) {
        let mut reply = Vec::new();
        let mut ran = false;
        // It is a call, for we have encoded it.
        if let Ok(Some(Frame::Call(mut call))) = Decoder::of(frame, usize::MAX).next_frame() {
            let Self { registry, middleware, frame_bytes } = self;
            let serving = Serving { registry, middleware, frame_bytes: *frame_bytes, count: None };
            // It is ambient already, for whoever asks.
            let deadline = cancel::deadline();
            let method = (hash(&call.method), &mut Hint::default());
            let mut request = Request::from(Peer::Local);
            ran = handler::run(&serving, &mut call, method, &mut request, deadline, None, &mut reply).has_run;
        }
        (Decoder::of(reply, usize::MAX).next_frame().ok().flatten(), ran)
    }
}
