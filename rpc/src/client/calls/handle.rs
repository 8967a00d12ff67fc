//! What holders of a handle do: wait for a while, look, give up. See [`Pending`](super::super::Pending).
//!
//! A call that was started is an entry like any other, but nobody waits for it until its handle is joined. So who waits is entered then,
//! and may be another fiber than the one that called.

use std::sync::Arc;
use std::time::Instant;

use fibra_scheduler::{cancel, clock, park};

use super::super::connection::Connection;
use super::entry::{Entry, Slot};
use super::freed::Freed;
use super::send::dispatch;
use super::table::Link;
use super::{Calls, Outcome, Unanswered};
use crate::session::Xid;

/// What there is to say of a call that is not waited for without end.
pub(in super::super) type Answer = Result<Outcome, Unanswered>;

impl Calls {
    /// Queues a call for which there was no connection or no room: asks for the one, waits for the other.
    pub(in super::super) fn push(&self, xid: Xid, deadline: Option<Instant>) {
        while let Err(full) = dispatch(self.state.lock(), xid) {
            match full.outbox().park_for_room(deadline) {
                Ok(_) => {}
                // Joining it says why, whenever that is.
                Err(cancel::Interrupted::TimedOut) => return self.leave_lane(xid),
                Err(_) => return,
            }
        }
    }

    /// The time of a call is up that was never sent: those behind it in its lane, if it has one, do not wait until somebody looks at it.
    #[cold]
    fn leave_lane(&self, xid: Xid) {
        let freed = self.state.lock().leave_lane(xid, Freed::default());
        freed.wake();
    }

    /// As [`wait`](Self::wait), but for no longer than until `until`: `None` if the call is still under way then.
    pub(in super::super) fn wait_until(&self, xid: Xid, deadline: Option<Instant>, until: Instant) -> Option<Answer> {
        loop {
            if let Some(answer) = self.try_join(xid, deadline) {
                return Some(answer);
            }
            if let Err(interrupted) = park::wait(park::Reason::Call, Some(until)) {
                if cancel::check().is_err() {
                    return Some(self.give_up(xid, interrupted));
                }
                return self.try_join(xid, deadline);
            }
        }
    }

    /// The answer, if the call has ended, or its time is up.
    pub(in super::super) fn try_join(&self, xid: Xid, deadline: Option<Instant>) -> Option<Answer> {
        let state = self.state.lock();
        let is_waiting = matches!(state.calls.get(&xid), Some(Entry { slot: Slot::Waiting(_), .. }));
        let is_late = || deadline.is_some_and(|deadline| deadline <= clock::now());
        if is_waiting && !matches!(state.link, Link::Over(_)) {
            if !is_late() {
                return None;
            }
            return Some(self.take_out(state, xid, Err(cancel::Interrupted::TimedOut)));
        }
        Some(self.take_out(state, xid, Ok(())))
    }

    /// The answer, or else the end of the call for this reason.
    pub(in super::super) fn give_up(&self, xid: Xid, why: cancel::Interrupted) -> Answer {
        self.take_out(self.state.lock(), xid, Err(why))
    }

    /// From now on the answer wakes the caller. Whether it is there already.
    pub(in super::super) fn subscribe(&self, xid: Xid) -> bool {
        let mut state = self.state.lock();
        let is_over = matches!(state.link, Link::Over(_));
        let Some(entry) = state.calls.get_mut(&xid) else { return true };
        let is_unsent = entry.is_unsent();
        let Slot::Waiting(caller) = &mut entry.slot else { return true };
        if !caller.as_ref().is_some_and(park::Unparker::is_current) {
            *caller = Some(park::current());
        }
        // Its starter was interrupted while it waited for room: who waits for several calls cannot wait for that of one.
        let sent = if is_unsent && cancel::check().is_ok() { state.send_anyway(xid) } else { None };
        drop(state);
        if let Some(connection) = sent {
            connection.outbox().wake_writer();
        }
        is_over
    }

    /// The present connection.
    pub(in super::super) fn connection(&self) -> Option<Arc<Connection>> {
        self.state.lock().connection()
    }
}
