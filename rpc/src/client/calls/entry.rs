//! A call that waits: its frame, what it waits for, and how that frame is queued.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fibra_scheduler::clock;
use fibra_scheduler::park::Unparker;

use super::super::connection::Connection;
use super::Outcome;
use super::table::Link;
use crate::error::Disconnect;
use crate::limits::CALL_TIMEOUT_MAX;
use crate::outbox::Refused;
use crate::session::{Lane, Window, Xid};
use crate::wire::encode;

/// A call that waits.
pub(super) struct Entry {
    pub(super) slot: Slot,
    pub(super) frame: Vec<u8>,
    pub(super) in_session: bool,
    pub(super) lane: Option<Lane>,
    deadline: Option<Instant>,
    /// Where in the stream of the present connection it ends, if it has been queued there.
    pub(super) queued: Option<u64>,
    /// It may have left through an earlier connection.
    pub(super) left: bool,
}

pub(super) enum Slot {
    /// For an answer, which wakes that caller.
    Waiting(Option<Unparker>),
    Done(Outcome),
    /// It may have run, and what would know is gone.
    Failed(Disconnect),
    /// It is to go out on another link: it has not left, or it may run again.
    Moved,
}

/// What comes of a call for which the output has no room.
#[derive(Clone, Copy, Debug)]
pub(super) enum WhenFull {
    /// Its sender waits for room.
    Refuse,
    /// It goes there all the same.
    Append,
}

impl Entry {
    pub(super) fn new(frame: Vec<u8>, in_session: bool, deadline: Option<Instant>, caller: Option<Unparker>) -> Self {
        Self { slot: Slot::Waiting(caller), frame, in_session, lane: None, deadline, queued: None, left: false }
    }

    /// Whether it is queued nowhere, and has time left.
    pub(super) fn is_unsent(&self) -> bool {
        self.queued.is_none() && !left(self.deadline).is_zero()
    }

    pub(super) fn send(
        &mut self,
        xid: Xid,
        link: &Link,
        window: &Window,
        when_full: WhenFull,
    ) -> Result<Option<Arc<Connection>>, Arc<Connection>> {
        let Link::Up(connection) = link else { return Ok(None) };
        // Beyond a window that is narrower than it was, the server would refuse it. It is sent once the window comes to it.
        if self.queued.is_some() || (self.in_session && !window.reaches(xid)) {
            return Ok(None);
        }
        let behind = if self.in_session { xid.saturating_sub(window.first_incomplete()) } else { 0 };
        // What is further behind is set aside, which is told otherwise: this says nothing then.
        let behind = u16::try_from(behind).unwrap_or(u16::MAX);
        encode::stamp_call(&mut self.frame, xid, behind, left(self.deadline));
        let queued = match when_full {
            WhenFull::Refuse => connection.outbox().append_copy(&self.frame),
            WhenFull::Append => connection.outbox().append_copy_anyway(&self.frame).ok_or(Refused::Closed),
        };
        match queued {
            Ok(queued) => {
                self.queued = Some(queued.end);
                Ok(Some(Arc::clone(connection)))
            }
            Err(Refused::Full) => Err(Arc::clone(connection)),
            // It is lost, and the link will know soon.
            Err(Refused::Closed) => Ok(None),
        }
    }
}

/// The time left, for the server.
pub(super) fn left(deadline: Option<Instant>) -> Duration {
    deadline.map_or(CALL_TIMEOUT_MAX, |deadline| deadline.saturating_duration_since(clock::now()))
}
