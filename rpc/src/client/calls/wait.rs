//! How a call ends for who waits for it.

use std::sync::Arc;
use std::time::Instant;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Reason};
use parking_lot::MutexGuard;

use super::entry::{Entry, Slot};
use super::freed::Freed;
use super::send::dispatch;
use super::table::{Link, State};
use super::{Calls, Outcome, Unanswered, Why};
use crate::error::{Disconnect, Executed};
use crate::scratch;
use crate::session::Xid;

impl Calls {
    /// Waits for the answer, and ends the entry whatever comes.
    pub(in super::super) fn wait(&self, xid: Xid, deadline: Option<Instant>) -> Result<Outcome, Unanswered> {
        let mut parked = Ok(());
        loop {
            let state = self.state.lock();
            let entry = state.calls.get(&xid);
            let is_waiting = entry.is_some_and(|entry| matches!(entry.slot, Slot::Waiting(_)));
            if !is_waiting || parked.is_err() || matches!(state.link, Link::Over(_)) {
                return self.take_out(state, xid, parked);
            }
            if entry.is_some_and(|entry| entry.queued.is_some()) {
                drop(state);
                parked = park::wait(Reason::Call, deadline);
                continue;
            }
            if !entry.is_some_and(Entry::is_unsent) {
                // Its time is up: it is not sent any more.
                return self.take_out(state, xid, Err(Interrupted::TimedOut));
            }
            parked = match dispatch(state, xid) {
                Ok(()) => park::wait(Reason::Call, deadline),
                // It may move meanwhile.
                Err(full) => full.outbox().park_for_room(deadline).map(drop),
            };
        }
    }

    /// Ends a call's entry.
    pub(super) fn take_out(
        &self,
        mut state: MutexGuard<'_, State>,
        xid: Xid,
        parked: Result<(), Interrupted>,
    ) -> Result<Outcome, Unanswered> {
        let entry = state.calls.remove(&xid);
        let freed = match &entry {
            Some(Entry { slot: Slot::Waiting(_), .. }) => state.ended(xid),
            _ => Freed::default(),
        };
        state.finish_if_retired();
        let why = match (&state.link, parked) {
            (Link::Over(cause), _) => Why::Lost(cause.clone()),
            (_, Err(interrupted)) => state.why(interrupted),
            // Unreachable while only callers end their own entries; told as a loss rather than waited for.
            (_, Ok(())) => Why::Lost(Disconnect::ClosedByPeer),
        };
        let cancel_at = match (&entry, &state.link) {
            (Some(Entry { slot: Slot::Waiting(_), queued: Some(_), .. }), Link::Up(connection)) => {
                Some(Arc::clone(connection))
            }
            _ => None,
        };
        drop(state);
        freed.wake();

        let Some(entry) = entry else { return Err(Unanswered::unsent(why)) };
        if let Slot::Done(Outcome::Failure { code, message, details, repeated, .. }) = entry.slot {
            return Ok(Outcome::Failure { code, message, details, frame: entry.frame, repeated });
        }
        if let Slot::Moved = entry.slot {
            let executed = if entry.left { Executed::Maybe } else { Executed::No };
            return Err(Unanswered {
                why: Why::Moved { entered: true },
                executed,
                cancel_at: None,
                frame: entry.frame,
            });
        }
        scratch::give(entry.frame);
        match entry.slot {
            Slot::Done(outcome) => Ok(outcome),
            Slot::Failed(cause) => {
                Err(Unanswered { executed: Executed::Maybe, ..Unanswered::unsent(Why::Lost(cause)) })
            }
            Slot::Moved | Slot::Waiting(_) => {
                let executed = if entry.left || entry.queued.is_some() { Executed::Maybe } else { Executed::No };
                Err(Unanswered { executed, cancel_at, ..Unanswered::unsent(why) })
            }
        }
    }
}
