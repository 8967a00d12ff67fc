//! The calls that wait, by xid, and what they wait for.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::clock;
use fibra_scheduler::park::Unparker;

use super::super::connection::Connection;
use super::super::lanes::Hold;
use super::lane::Lanes;
use super::{Outcome, Unanswered, Why};
use crate::error::Disconnect;
use crate::limits::CALL_TIMEOUT_MAX;
use crate::outbox::{Queued, Refused};
use crate::scratch;
use crate::session::{Lane, Window, Xid};
use crate::waiters::Waiters;
use crate::wire::encode;

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
    held_back: bool,
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
    places: Waiters,
    places_of_window: Waiters,
    connection: Waiters,
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

/// Who may go on because a call has ended: to be woken once the lock is released.
#[derive(Default)]
#[must_use]
pub(super) struct Freed {
    place: Option<Unparker>,
    of_window: Option<Unparker>,
    /// Where calls have been queued that could not be before.
    sent: Option<Arc<Connection>>,
}

impl Freed {
    pub(super) fn wake(self) {
        wake(self.place);
        wake(self.of_window);
        if let Some(connection) = self.sent {
            connection.outbox().wake_writer();
        }
    }

    /// With a connection on which something has been queued now.
    pub(super) fn sending(mut self, sent: Option<Arc<Connection>>) -> Self {
        self.sent = sent.or(self.sent);
        self
    }

    /// Puts them with others, where there is no connection to send on, or its writer is woken in any case.
    pub(super) fn join(self, others: &mut Vec<Unparker>) {
        others.extend(self.place);
        others.extend(self.of_window);
    }
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
enum WhenFull {
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

    fn send(
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

impl State {
    pub(super) fn new(mobile: bool) -> Self {
        Self {
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

    /// As [`send`](Self::send), of a new call.
    pub(super) fn enter(&mut self, xid: Xid, mut entry: Entry) -> Result<Option<Arc<Connection>>, Arc<Connection>> {
        self.tell_of_those_aside(xid);
        let sent = entry.send(xid, &self.link, &self.window, WhenFull::Refuse);
        self.has_told(xid < OUTSIDE && matches!(sent, Ok(Some(_))));
        self.calls.insert(xid, entry);
        self.unanswered += 1;
        sent
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

    /// Sends the calls of the session that the window reaches and that are queued nowhere. Here, for nobody else may: their callers may wait for
    /// several, or not yet.
    #[cold]
    fn send_reached(&mut self) -> Option<Arc<Connection>> {
        let is_unsent = |(&xid, entry): (&Xid, &Entry)| {
            let is_waiting = matches!(entry.slot, Slot::Waiting(_));
            (entry.in_session && entry.queued.is_none() && is_waiting).then_some(xid)
        };
        let mut xids: Vec<_> = self.calls.iter().filter_map(is_unsent).collect();
        xids.sort_unstable();
        self.held_back = false;
        xids.into_iter().filter_map(|xid| self.send_anyway(xid)).last()
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

/// The time left, for the server.
fn left(deadline: Option<Instant>) -> Duration {
    deadline.map_or(CALL_TIMEOUT_MAX, |deadline| deadline.saturating_duration_since(clock::now()))
}

pub(super) fn wake(waiter: Option<Unparker>) {
    if let Some(waiter) = waiter {
        waiter.unpark();
    }
}

/// xids are our own, dense and in order: one multiplication spreads them (Fibonacci hashing; Knuth, TAOCP 3, 6.4).
#[derive(Default)]
pub(in super::super) struct XidHasher(u64);

impl Hasher for XidHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, xid: u64) {
        self.0 = (self.0 ^ xid).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
