//! What a turn uses again for each of its calls: the request that a handler may ask about, and the buffer that its reply is made in.
//!
//! A reply is made apart from the others of its turn, which leave when the handler parks, and is copied behind them: most are a few bytes.
//!
//! Invariant: the buffer is empty between calls, and short then: a handler that parks has it for as long as it takes.

use std::mem;

use crate::error::Peer;
use crate::request::Request;
use crate::scratch;

/// See the [module](self).
pub(super) struct Desk {
    pub(super) request: Request,
    pub(super) out: Vec<u8>,
}

impl Desk {
    /// For the calls of `peer`.
    pub(super) fn new(peer: Peer) -> Self {
        Self { request: Request::from(peer), out: scratch::take_small() }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        scratch::give_small(mem::take(&mut self.out));
    }
}
