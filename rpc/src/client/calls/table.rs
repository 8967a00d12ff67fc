//! The calls that wait, by xid, and what they wait for.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::Unparker;

use super::super::connection::Connection;
use super::entry::{Entry, Slot};
use super::freed::{Freed, wake};
use super::lane::Lanes;
use super::xid_hasher::XidHasher;
use super::{Unanswered, Why};
use crate::error::Disconnect;
use crate::session::{Window, Xid};
use crate::waiters::Waiters;

/// The xids of calls that are none of the session begin here. At a billion a second, the session's own come near in three centuries.
pub(in super::super) const OUTSIDE: Xid = 1 << 63;

/// What [`Calls`](super::Calls) guards.
pub(super) struct State {
    pub(super) calls: HashMap<Xid, Entry, BuildHasherDefault<XidHasher>>,
    /// How many of them wait for an answer.
    pub(super) unanswered: usize,
    pub(super) window: Window,
    /// The window's base, as the server knows it at least: as it was told on the present connection.
    pub(super) told: Xid,
    /// There may be calls of the session that are queued nowhere because a window which was made narrower does not reach them.
    pub(super) held_back: bool,
    /// The last xid of the session, and the last of the others.
    pub(super) last: Xid,
    pub(super) last_outside: Xid,
    pub(super) link: Link,
    /// The link's fiber, and whether it waits to be [wanted](State::wanted).
    pub(super) server: Option<Unparker>,
    pub(super) is_idle: bool,
    /// Nobody will call any more.
    pub(super) finished: bool,
    /// There are other links for calls that need not stay here.
    pub(super) mobile: bool,
    /// Another link takes the new calls.
    pub(super) retired: bool,
    /// One-way calls that wait for a connection.
    pub(super) posting: usize,
    pub(super) late_replies: u64,
    pub(super) connections: u64,
    /// `None`: there has been no call of a lane.
    pub(super) lanes: Option<Box<Lanes>>,
    /// New calls are entered while there are fewer than so many: as many as there may be, or 0 while callers stand in [line](Lines).
    pub(super) admitted: usize,
    pub(super) lines: Lines,
    places: Waiters,
    places_of_window: Waiters,
    connection: Waiters,
}

/// How many callers have waited, and neither gone on nor given up.
#[derive(Default)]
pub(super) struct Lines {
    places: usize,
    window: usize,
}

/// What callers wait at before they can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// There are as many calls as there may be.
    Places,
    /// The window is full.
    Window,
    /// There is no connection.
    Connection,
}

/// What calls go out through.
pub(super) enum Link {
    Up(Arc<Connection>),
    /// Lost, or could not be had again, for this reason.
    Down(Disconnect),
    /// There will be none any more.
    Over(Disconnect),
}

impl State {
    pub(super) fn new(in_flight_max: usize, mobile: bool) -> Self {
        Self {
            admitted: in_flight_max,
            lines: Lines::default(),
            mobile,
            retired: false,
            calls: HashMap::default(),
            unanswered: 0,
            window: Window::new(1),
            told: 1,
            held_back: false,
            last: 0,
            last_outside: OUTSIDE - 1,
            link: Link::Down(Disconnect::ClosedByPeer),
            server: None,
            is_idle: false,
            finished: false,
            posting: 0,
            late_replies: 0,
            connections: 0,
            lanes: None,
            places: Waiters::default(),
            places_of_window: Waiters::default(),
            connection: Waiters::default(),
        }
    }

    /// Whether new calls may be entered.
    pub(super) fn admits(&self) -> bool {
        match self.link {
            Link::Up(_) => !self.retired,
            Link::Down(_) => !self.retired && !self.mobile,
            Link::Over(_) => false,
        }
    }

    /// What a call is told that is not admitted.
    #[cold]
    pub(super) fn refusal(&self, frame: Vec<u8>) -> Unanswered {
        let why = match &self.link {
            Link::Over(cause) if !self.retired && !self.mobile => Why::Lost(cause.clone()),
            _ => Why::Moved { entered: false },
        };
        Unanswered { frame, ..Unanswered::unsent(why) }
    }

    /// Lets calls go that have not left, and idempotent ones that no connection has: others take them. What stays may be sent meanwhile: the
    /// writer is to be woken.
    pub(super) fn let_go(&mut self, wake: &mut Vec<Unparker>) {
        let goes = |(xid, entry): (&Xid, &Entry)| {
            // The order of a lane is kept within a session only.
            let stays = entry.queued.is_some() || entry.lane.is_some() || (entry.left && entry.in_session);
            (!stays && matches!(entry.slot, Slot::Waiting(_))).then_some(*xid)
        };
        let xids: Vec<_> = self.calls.iter().filter_map(goes).collect();
        // All of them before the first ends: that may send what the window comes to.
        for xid in &xids {
            wake.extend(self.caller(*xid));
            if let Some(entry) = self.calls.get_mut(xid) {
                entry.slot = Slot::Moved;
            }
        }
        for xid in xids {
            self.ended(xid).join(wake);
        }
    }

    /// With the last answer, a link that gets no new calls ends.
    pub(super) fn finish_if_retired(&mut self) {
        if self.retired && !self.finished && self.unanswered == 0 {
            self.finished = true;
            if let Link::Up(connection) = &self.link {
                connection.outbox().finish();
            }
            wake(self.server.clone());
        }
    }

    pub(super) fn gate(&mut self, gate: Gate) -> &mut Waiters {
        match gate {
            Gate::Places => &mut self.places,
            Gate::Window => &mut self.places_of_window,
            Gate::Connection => &mut self.connection,
        }
    }

    /// A caller waits at a gate, and did not before.
    pub(super) fn line_up(&mut self, gate: Gate) {
        self.lines.add(gate, 1);
        self.admitted = 0;
    }

    /// It has gone on, or given up. Returns who may go on, too, if there is still room: who came meanwhile was not told of it.
    #[cold]
    pub(super) fn step_out(&mut self, gate: Gate, in_flight_max: usize) -> Option<Unparker> {
        self.lines.add(gate, -1);
        if self.lines.are_empty() {
            self.admitted = in_flight_max;
        }
        let has_room = match gate {
            Gate::Places => self.unanswered < in_flight_max,
            Gate::Window => self.window.is_open(),
            Gate::Connection => false,
        };
        if has_room { self.gate(gate).next() } else { None }
    }

    /// `None`: the window is full.
    pub(super) fn next_xid(&mut self, in_session: bool) -> Option<Xid> {
        if in_session {
            self.last = self.window.open()?;
            return Some(self.last);
        }
        self.last_outside += 1;
        Some(self.last_outside)
    }

    /// Calls made so far.
    pub(super) fn made(&self) -> u64 {
        self.last + (self.last_outside - (OUTSIDE - 1))
    }

    /// The call of this xid waits no longer. Returns who may have its places. Calls that a window which was made narrower reaches now are sent.
    pub(super) fn ended(&mut self, xid: Xid) -> Freed {
        let freed = self.ended_but_for_its_lane(xid);
        if self.lanes.is_some() { self.leave_lane(xid, freed) } else { freed }
    }

    fn ended_but_for_its_lane(&mut self, xid: Xid) -> Freed {
        self.unanswered -= 1;
        let mut freed = Freed { place: self.places.next(), ..Freed::default() };
        if xid >= OUTSIDE || !self.window.complete(xid) {
            return freed;
        }
        if self.held_back {
            freed.sent = self.send_reached();
        }
        if self.window.is_open() {
            freed.of_window = self.places_of_window.next();
        }
        freed
    }

    /// Who waits for that call.
    pub(super) fn caller(&self, xid: Xid) -> Option<Unparker> {
        match &self.calls.get(&xid)?.slot {
            Slot::Waiting(caller) => caller.clone(),
            Slot::Done(_) | Slot::Failed(_) | Slot::Moved => None,
        }
    }

    /// The present connection, if what is queued there may wait for more.
    pub(super) fn connection(&self) -> Option<Arc<Connection>> {
        match &self.link {
            Link::Up(connection) => Some(Arc::clone(connection)),
            Link::Down(_) | Link::Over(_) => None,
        }
    }

    /// The link's fiber, if it is to be woken because somebody calls.
    pub(super) fn wanted(&mut self) -> Option<Unparker> {
        std::mem::take(&mut self.is_idle).then(|| self.server.clone()).flatten()
    }

    /// Why a wait was cut: without a connection, that is the reason.
    pub(super) fn why(&self, interrupted: Interrupted) -> Why {
        match (&self.link, interrupted) {
            (Link::Down(cause) | Link::Over(cause), Interrupted::TimedOut) => Why::Lost(cause.clone()),
            _ => Why::Interrupted(interrupted),
        }
    }
}

impl Lines {
    fn at(&mut self, gate: Gate) -> Option<&mut usize> {
        match gate {
            Gate::Places => Some(&mut self.places),
            Gate::Window => Some(&mut self.window),
            Gate::Connection => None,
        }
    }

    fn add(&mut self, gate: Gate, count: isize) {
        if let Some(callers) = self.at(gate) {
            *callers = callers.saturating_add_signed(count);
        }
    }

    pub(super) fn of(&self, gate: Gate) -> usize {
        match gate {
            Gate::Places => self.places,
            Gate::Window => self.window,
            Gate::Connection => 0,
        }
    }

    fn are_empty(&self) -> bool {
        self.places == 0 && self.window == 0
    }
}
