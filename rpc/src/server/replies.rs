//! The replies of a turn, gathered to be written together.
//!
//! The session is told that a call has ended when it looks at the next one, in the same step: one lock for both. If that is none of the session's, it is
//! told before that runs.
//!
//! Invariants:
//! * Of at most one reply the session does not know yet, and of none when they [leave](Replies::leave): a client never has a reply that
//!   would not be given again.
//! * They wait for no handler: before one parks, they leave.

use std::mem;

use crate::limits::{FLUSH_BYTES, SMALL_BYTES};
use crate::scratch;
use crate::session::Xid;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Replies {
    bytes: Vec<u8>,
    /// The call that its session does not know to have ended.
    ended: Option<Place>,
}

/// Where its reply lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    xid: Xid,
    start: usize,
    end: usize,
    has_run: bool,
}

/// A call that has got its answer, for its session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended<'a> {
    pub(super) xid: Xid,
    pub(super) reply: &'a [u8],
    /// Whether that says that it has run.
    pub(super) has_run: bool,
}

impl Replies {
    /// Adds a reply, if there is one, and leaves its buffer empty; with what its session is to be told. Whether they are enough for a write.
    #[inline(always)] // Into the way of a call.
    pub(super) fn add(&mut self, reply: &mut Vec<u8>, ended: Option<(Xid, bool)>) -> bool {
        let start = self.bytes.len();
        if scratch::is_small(reply) && self.bytes.capacity() > 0 {
            self.bytes.extend_from_slice(reply);
            reply.clear();
        } else {
            self.add_otherwise(reply);
        }
        let end = self.bytes.len();
        if let Some((xid, has_run)) = ended {
            self.ended = Some(Place { xid, start, end, has_run });
        }
        end >= FLUSH_BYTES
    }

    /// Adds the first, or one that is long, and is taken as it is if that is enough; the next one is to be likewise.
    #[inline(never)]
    fn add_otherwise(&mut self, reply: &mut Vec<u8>) {
        if self.bytes.capacity() == 0 {
            self.bytes = scratch::take();
        }
        if scratch::is_small(reply) {
            self.bytes.extend_from_slice(reply);
            reply.clear();
            return;
        }
        let next = if reply.len() <= SMALL_BYTES { Vec::with_capacity(SMALL_BYTES) } else { Vec::new() };
        let mut reply = mem::replace(reply, next);
        if self.bytes.is_empty() {
            mem::swap(&mut self.bytes, &mut reply);
        } else {
            self.bytes.extend_from_slice(&reply);
        }
        scratch::give(reply);
    }

    /// What the session is to be told.
    #[inline]
    pub(super) fn take_ended(&mut self) -> Option<Ended<'_>> {
        let Place { xid, start, end, has_run } = self.ended.take()?;
        Some(Ended { xid, reply: self.bytes.get(start..end)?, has_run })
    }

    /// All of them, to be written. The session has been told.
    pub(super) fn leave(&mut self) -> Vec<u8> {
        debug_assert!(self.ended.is_none(), "its session knows of a call before its client does");
        mem::take(&mut self.bytes)
    }
}
