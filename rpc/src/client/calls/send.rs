//! How calls of the table are queued on the present connection: new ones, and those that could not be before; and what the server is told with
//! them of the window.
//!
//! Invariant: a call is queued once a connection, and the session's only where the window reaches them.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::MutexGuard;

use super::super::connection::Connection;
use super::super::lanes::Hold;
use super::entry::{Entry, Slot, WhenFull, left};
use super::freed::wake;
use super::table::{Link, OUTSIDE, State};
use crate::outbox::{Queued, Refused};
use crate::scratch;
use crate::session::{Lane, Xid};
use crate::wire::encode;

/// Has a call written that waits and was queued nowhere: now, or by the link, which is asked to connect.
///
/// # Errors
///
/// The connection, if its output is full.
pub(super) fn dispatch(mut state: MutexGuard<'_, State>, xid: Xid) -> Result<(), Arc<Connection>> {
    let sent = state.send(xid)?;
    let link = state.wanted();
    drop(state);
    wake(link);
    if let Some(connection) = sent {
        connection.outbox().wake_writer();
    }
    Ok(())
}

impl State {
    /// As [`send`](Self::send), of a new call.
    pub(super) fn enter(&mut self, xid: Xid, mut entry: Entry) -> Result<Option<Arc<Connection>>, Arc<Connection>> {
        self.tell_of_those_aside(xid);
        let sent = entry.send(xid, &self.link, &self.window, WhenFull::Refuse);
        self.has_told(xid < OUTSIDE && matches!(sent, Ok(Some(_))));
        self.calls.insert(xid, entry);
        self.unanswered += 1;
        sent
    }

    /// As [`enter`](Self::enter), of a call of a lane.
    #[cold]
    pub(super) fn enter_in_lane(
        &mut self,
        xid: Xid,
        mut entry: Entry,
        hold: Hold,
    ) -> Result<Option<Arc<Connection>>, Arc<Connection>> {
        let lane = hold.lane;
        entry.lane = Some(lane);
        self.calls.insert(xid, entry);
        self.unanswered += 1;
        self.lanes.get_or_insert_default().add(xid, hold);
        self.send_in_lane(lane, xid, WhenFull::Refuse)
    }

    /// As [`enter`](Self::enter), but as [`send_anyway`](Self::send_anyway): whoever looked whether there is room may find that another was faster.
    pub(super) fn enter_anyway(&mut self, xid: Xid, entry: Entry) {
        self.calls.insert(xid, entry);
        self.unanswered += 1;
        let _ = self.send_anyway(xid);
    }

    /// Queues a call that is sent on this connection only, as `last_outside`.
    pub(super) fn post(
        &mut self,
        connection: &Connection,
        frame: &mut [u8],
        deadline: Option<Instant>,
    ) -> Result<Queued, Refused> {
        encode::stamp_call(frame, self.last_outside + 1, 0, left(deadline));
        let queued = connection.outbox().append_copy(frame)?;
        self.last_outside += 1;
        Ok(queued)
    }

    /// Queues a call that waits on the present connection, unless it has been. Returns that connection if it was done now.
    ///
    /// # Errors
    ///
    /// The connection, if its output is full.
    pub(super) fn send(&mut self, xid: Xid) -> Result<Option<Arc<Connection>>, Arc<Connection>> {
        self.send_when(xid, WhenFull::Refuse)
    }

    /// As [`send`](Self::send), but not refused for the output being full: for those who cannot wait for room. The frame is in memory in any
    /// case, and there are no more of these than may be in flight.
    pub(super) fn send_anyway(&mut self, xid: Xid) -> Option<Arc<Connection>> {
        self.send_when(xid, WhenFull::Append).ok().flatten()
    }

    fn send_when(&mut self, xid: Xid, when_full: WhenFull) -> Result<Option<Arc<Connection>>, Arc<Connection>> {
        self.tell_of_those_aside(xid);
        let sent = match self.calls.get_mut(&xid) {
            Some(Entry { slot: Slot::Waiting(_), lane: Some(lane), .. }) => {
                let lane = *lane;
                return self.send_in_lane(lane, xid, when_full);
            }
            Some(entry) if matches!(entry.slot, Slot::Waiting(_)) => {
                entry.send(xid, &self.link, &self.window, when_full)
            }
            // It has ended, or goes out on another link, and nobody has taken it out yet.
            Some(_) | None => Ok(None),
        };
        self.has_told(xid < OUTSIDE && matches!(sent, Ok(Some(_))));
        sent
    }

    /// As [`send`](Self::send), of a call of a lane, with those behind it that could not be sent before it was.
    #[cold]
    fn send_in_lane(
        &mut self,
        lane: Lane,
        xid: Xid,
        when_full: WhenFull,
    ) -> Result<Option<Arc<Connection>>, Arc<Connection>> {
        let sent = self.send_one(lane, xid, when_full)?;
        Ok(sent.map(|connection| self.send_behind(lane, xid).unwrap_or(connection)))
    }

    fn send_one(
        &mut self,
        lane: Lane,
        xid: Xid,
        when_full: WhenFull,
    ) -> Result<Option<Arc<Connection>>, Arc<Connection>> {
        let Some(after) = self.after(lane, xid) else { return Ok(None) };
        self.tell_of_those_aside(xid);
        let sent = match self.calls.get_mut(&xid) {
            Some(entry) if matches!(entry.slot, Slot::Waiting(_)) && entry.queued.is_none() => {
                encode::stamp_turn(&mut entry.frame, after);
                entry.send(xid, &self.link, &self.window, when_full)
            }
            Some(_) | None => Ok(None),
        };
        self.has_told(matches!(sent, Ok(Some(_))));
        sent
    }

    /// As [`send_anyway`](Self::send_anyway), of one call of a lane.
    pub(super) fn send_one_anyway(&mut self, xid: Xid) -> Option<Arc<Connection>> {
        let lane = self.calls.get(&xid)?.lane?;
        self.send_one(lane, xid, WhenFull::Append).ok().flatten()
    }

    /// Sends the calls of the session that the window reaches and that are queued nowhere. Here, for nobody else may: their callers may wait for
    /// several, or not yet.
    #[cold]
    pub(super) fn send_reached(&mut self) -> Option<Arc<Connection>> {
        let is_unsent = |(&xid, entry): (&Xid, &Entry)| {
            let is_waiting = matches!(entry.slot, Slot::Waiting(_));
            (entry.in_session && entry.queued.is_none() && is_waiting).then_some(xid)
        };
        let mut xids: Vec<_> = self.calls.iter().filter_map(is_unsent).collect();
        xids.sort_unstable();
        self.held_back = false;
        xids.into_iter().filter_map(|xid| self.send_anyway(xid)).last()
    }

    /// Before a call goes out: tells the server of those set aside, if it would find the call beyond the window else.
    #[inline]
    fn tell_of_those_aside(&mut self, xid: Xid) {
        if self.window.has_aside() && xid < OUTSIDE {
            self.acknowledge_others(xid);
        }
        self.held_back |= xid < OUTSIDE && !self.window.reaches(xid);
    }

    #[cold]
    fn acknowledge_others(&mut self, xid: Xid) {
        let Link::Up(connection) = &self.link else { return };
        if xid < self.window.end_from(self.told) || !self.window.can_be_told() {
            return;
        }
        self.window.set_aside();
        if self.window.base() <= self.told {
            // All that may be set aside is: the call waits for its turn.
            return;
        }
        let mut frame = scratch::take();
        encode::acknowledge(&mut frame, self.window.base(), self.window.aside());
        // Bounded by the calls: one for half a window of them.
        connection.outbox().append_anyway(&mut frame);
        scratch::give(frame);
        self.told = self.window.base();
    }

    /// A call has been queued; if none is set aside, it says itself where the window begins.
    #[inline]
    fn has_told(&mut self, sent: bool) {
        if sent && !self.window.has_aside() {
            self.told = self.window.base();
        }
    }
}
