//! Calls of lanes: sent in their order, and each with the one that it comes after.
//!
//! Invariants:
//! * A call of a lane is queued only behind those before it that still wait for an answer. So what arrives on one connection arrives in order,
//!   and a call that is given up before it was queued leaves no hole.
//! * It names the last of those, as of when it is queued.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::connection::Connection;
use super::super::lanes::Hold;
use super::freed::Freed;
use super::table::State;
use crate::session::{Lane, Xid};

/// Those calls of a link's lanes that wait for an answer.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: Vec<(Lane, VecDeque<(Xid, Hold)>)>,
}

impl Lanes {
    fn of(&self, lane: Lane) -> Option<&VecDeque<(Xid, Hold)>> {
        self.lanes.iter().find(|(number, _)| *number == lane).map(|(_, calls)| calls)
    }

    /// A call is made, behind all others.
    pub(super) fn add(&mut self, xid: Xid, hold: Hold) {
        let lane = hold.lane;
        match self.lanes.iter_mut().find(|(number, _)| *number == lane) {
            Some((_, calls)) => calls.push_back((xid, hold)),
            None => self.lanes.push((lane, VecDeque::from([(xid, hold)]))),
        }
    }

    /// The one before.
    fn before(&self, lane: Lane, xid: Xid) -> Option<Xid> {
        let calls = self.of(lane)?;
        let place = calls.partition_point(|(other, _)| *other < xid);
        Some(calls.get(place.checked_sub(1)?)?.0)
    }

    /// The one behind.
    fn behind(&self, lane: Lane, xid: Xid) -> Option<Xid> {
        let calls = self.of(lane)?;
        Some(calls.get(calls.partition_point(|(other, _)| *other <= xid))?.0)
    }

    /// A call has ended; returns its lane, if it had one.
    fn remove(&mut self, xid: Xid) -> Option<Hold> {
        self.lanes.iter_mut().find_map(|(_, calls)| {
            let place = calls.binary_search_by_key(&xid, |(other, _)| *other).ok()?;
            calls.remove(place).map(|(_, hold)| hold)
        })
    }
}

impl State {
    /// The call that a call of a lane comes after, 0 for none; `None`: it is not to be sent yet.
    pub(super) fn after(&self, lane: Lane, xid: Xid) -> Option<Xid> {
        let Some(before) = self.lanes.as_ref().and_then(|lanes| lanes.before(lane, xid)) else { return Some(0) };
        let is_queued = self.calls.get(&before).is_some_and(|entry| entry.queued.is_some());
        is_queued.then_some(before)
    }

    /// A call of a lane has been queued: so may be what stands behind it.
    pub(super) fn send_behind(&mut self, lane: Lane, mut xid: Xid) -> Option<Arc<Connection>> {
        let mut sent = None;
        while let Some(behind) = self.lanes.as_ref().and_then(|lanes| lanes.behind(lane, xid)) {
            // Nobody else may, for its caller may wait for several, or not yet.
            let Some(connection) = self.send_one_anyway(behind) else { break };
            sent = Some(connection);
            xid = behind;
        }
        sent
    }

    /// A call has ended that may have had a lane.
    #[cold]
    pub(super) fn leave_lane(&mut self, xid: Xid, freed: Freed) -> Freed {
        let Some(hold) = self.lanes.as_mut().and_then(|lanes| lanes.remove(xid)) else { return freed };
        let sent = self.send_behind(hold.lane, xid);
        freed.sending(sent)
    }
}
