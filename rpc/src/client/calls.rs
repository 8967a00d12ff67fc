//! The calls of a channel, from their frame to their answer, over as many connections as it takes.
//!
//! ```text
//!   begin ─▶ an xid, an entry with the frame ─┬ connected: queued ─▶ ··· ─▶ complete ─▶ wait returns
//!                                             └ not: stays here    ▲
//!                                                    │ connected ──┘ all that are outstanding, in order of xid
//! ```
//!
//! | file | holds |
//! |---|---|
//! | this one | what callers do: [`begin`](Calls::begin), [`wait`](Calls::wait), [`post`](Calls::post) |
//! | `serve` | what the link does: connected, disconnected, a reply |
//! | `handle` | what holders of a handle do: look, wait for a while, give up |
//! | `lane` | calls of ordered lanes: sent in order |
//! | `stream` | calls that stream: begun on one connection, and never sent again |
//! | `table` | the state that all change, under one lock |
//!
//! Calls of the session have the xids that [`Window`](crate::session::Window) gives out. Idempotent and one-way calls are none of it, and
//! have xids from [`OUTSIDE`](table::OUTSIDE) up: so they neither fill the window nor wait for a slow call to leave it.
//!
//! Invariants:
//! * An entry lives from `begin` until its caller takes it out; only the caller does. So a reply without an entry is late, and one to
//!   an xid not given out yet is a broken server.
//! * A call has its place in the window, and among those in flight, until it is answered: a caller who takes answers late holds up nobody.
//! * An entry that is taken out is not sent any more. So a call that was queued on no connection, or on lost ones that it never left
//!   through, has not run and will not.
//! * The table's lock is taken before an outbox's, never the other way round.

pub(super) mod handle;
mod lane;
mod serve;
pub(super) mod stream;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Instant;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Reason, Unparker};
use parking_lot::Mutex;

use super::Stats;
use super::connection::Connection;
use super::lanes::Hold;
use crate::error::{ConnectError, Disconnect, Executed};
use crate::outbox::{Outbox, Refused};
use crate::scratch;
use crate::session::Xid;
use crate::waiters::Ticket;
use table::{Entry, Freed, Gate, Link, Slot, State};
pub(super) use table::{OUTSIDE, XidHasher};

pub(super) struct Calls {
    state: Mutex<State>,
    in_flight_max: usize,
    /// A [`Status`], changed with the state, and read without its lock.
    status: AtomicU8,
    /// Somebody would call if there were a connection.
    sought: AtomicBool,
}

/// What a link is for new calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Status {
    /// Without a connection.
    Down,
    Up,
    /// Another has taken its place.
    Retired,
    /// It will never have a connection again.
    Over,
}

/// What the server answered.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// The value's body, in a buffer of the [`scratch`] pool.
    Value(Vec<u8>),
    Failure {
        code: u8,
        message: String,
        details: Vec<u8>,
        /// The call, to be made again.
        frame: Vec<u8>,
        /// Another copy of the call may have reached a server before, and may have run or may yet.
        repeated: bool,
    },
}

/// A call that ended without an answer.
pub(super) struct Unanswered {
    pub(super) why: Why,
    pub(super) executed: Executed,
    /// The connection that has the call, if it is to be told that nobody waits any more.
    pub(super) cancel_at: Option<Arc<Connection>>,
    /// The call, if it has [moved](Why::Moved).
    pub(super) frame: Vec<u8>,
}

/// Why a call ended without an answer.
#[derive(Debug)]
pub(super) enum Why {
    Interrupted(Interrupted),
    Lost(Disconnect),
    /// It is to be sent elsewhere: this link has no connection or is to get no new calls. It has not left, or may run again.
    Moved {
        /// It had an xid here.
        entered: bool,
    },
}

/// A call that has begun.
pub(super) struct Begun {
    pub(super) xid: Xid,
    /// Where it has been queued, if anywhere.
    pub(super) queued_at: Option<Arc<Connection>>,
    /// No other call waits.
    pub(super) alone: bool,
}

impl Calls {
    /// Calls that have not left, and idempotent ones, are `mobile` if there is another link for them when this one has no connection.
    pub(super) fn new(in_flight_max: usize, mobile: bool) -> Self {
        Self {
            state: Mutex::new(State::new(mobile)),
            in_flight_max,
            status: AtomicU8::new(Status::Down as u8),
            sought: AtomicBool::new(false),
        }
    }

    #[inline]
    pub(super) fn status(&self) -> Status {
        match self.status.load(Ordering::Acquire) {
            0 => Status::Down,
            1 => Status::Up,
            2 => Status::Retired,
            _ => Status::Over,
        }
    }

    pub(super) fn is_mobile(&self) -> bool {
        self.state.lock().mobile
    }

    /// Why there is no connection, if so.
    pub(super) fn down(&self) -> Option<Disconnect> {
        match &self.state.lock().link {
            Link::Up(_) => None,
            Link::Down(cause) | Link::Over(cause) => Some(cause.clone()),
        }
    }

    /// Whether the last attempt to connect has failed.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.state.lock().link, Link::Down(Disconnect::Unreachable(_)) | Link::Over(_))
    }

    /// Whether there has been a connection, though it may be lost again.
    pub(super) fn has_connected(&self) -> bool {
        self.state.lock().connections > 0
    }

    /// Why, if it has; to be asked once.
    pub(super) fn failure(&self) -> Option<ConnectError> {
        let mut state = self.state.lock();
        let Link::Down(cause @ Disconnect::Unreachable(_)) = &mut state.link else { return None };
        match std::mem::replace(cause, Disconnect::ClosedByPeer) {
            Disconnect::Unreachable(error) => Arc::into_inner(error),
            _ => None,
        }
    }

    /// Somebody would call if there were a connection.
    pub(super) fn seek(&self) {
        if !self.sought.swap(true, Ordering::AcqRel) {
            let link = self.state.lock().wanted();
            table::wake(link);
        }
    }

    /// Enters a call, and queues it if there is a connection. Waits while there are as many as there may be. Its answer wakes `caller`.
    ///
    /// # Errors
    ///
    /// It has not been sent, and will not be.
    pub(super) fn begin(
        &self,
        frame: Vec<u8>,
        in_session: bool,
        hold: Option<Hold>,
        deadline: Option<Instant>,
        caller: Option<Unparker>,
    ) -> Result<Begun, Unanswered> {
        // Whom a signal of a gate has reached that another gate holds back passes it on, for it is of no use here.
        let mut signalled = None;
        loop {
            let mut state = self.state.lock();
            if !state.admits() {
                return Err(state.refusal(frame));
            }
            let gate = if state.unanswered >= self.in_flight_max {
                Gate::Places
            } else if let Some(xid) = state.next_xid(in_session) {
                // If the output is full, it is sent in `wait`.
                let entry = Entry::new(frame, in_session, deadline, caller);
                let queued_at = match hold {
                    None => state.enter(xid, entry),
                    Some(hold) => state.enter_in_lane(xid, entry, hold),
                };
                let queued_at = queued_at.ok().flatten();
                return Ok(Begun { xid, queued_at, alone: state.unanswered == 1 });
            } else {
                Gate::Window
            };
            let passed_on = signalled.take().filter(|&by| by != gate).and_then(|by| state.gate(by).next());
            let ticket = state.gate(gate).add();
            // What it waits for may wait for its own batch to be written.
            let connection = state.connection();
            drop(state);
            if let Some(connection) = connection {
                connection.outbox().wake_writer();
            }
            table::wake(passed_on);

            let parked = park::wait(Reason::Call, deadline);
            match self.leave(gate, ticket, parked) {
                Ok(true) => signalled = Some(gate),
                Ok(false) => {}
                Err(why) => return Err(Unanswered { frame, ..Unanswered::unsent(why) }),
            }
        }
    }

    /// As [`begin`](Self::begin), of a call that is not of the session, but only if it can be sent without waiting; else `None`.
    pub(super) fn begin_at_once(
        &self,
        frame: Vec<u8>,
        deadline: Option<Instant>,
        caller: Unparker,
    ) -> Option<(Xid, Arc<Connection>)> {
        let mut state = self.state.lock();
        let has_place = state.admits() && state.unanswered < self.in_flight_max;
        let connection = state.connection().filter(|connection| has_place && !connection.outbox().is_full());
        let (Some(connection), Some(xid)) = (connection, state.next_xid(false)) else {
            drop(state);
            scratch::give(frame);
            return None;
        };
        state.enter_anyway(xid, Entry::new(frame, false, deadline, Some(caller)));
        Some((xid, connection))
    }

    /// After a park at a gate: whether it had been signalled; or why to give up, and then the signal has been passed on.
    fn leave(&self, gate: Gate, ticket: Ticket, parked: Result<(), Interrupted>) -> Result<bool, Why> {
        let mut state = self.state.lock();
        let signalled = state.gate(gate).leave(ticket);
        let Err(interrupted) = parked else { return Ok(signalled) };
        let next = if signalled { state.gate(gate).next() } else { None };
        let why = state.why(interrupted);
        drop(state);
        table::wake(next);
        Err(why)
    }

    /// Queues a call that nobody answers; waits for a connection.
    ///
    /// # Errors
    ///
    /// It has not been sent, and will not be.
    pub(super) fn post(&self, frame: &mut [u8], deadline: Option<Instant>) -> Result<(), Unanswered> {
        loop {
            let mut state = self.state.lock();
            if !state.admits() {
                return Err(state.refusal(Vec::new()));
            }
            let connection = match &state.link {
                Link::Over(cause) => return Err(Unanswered::unsent(Why::Lost(cause.clone()))),
                Link::Up(connection) => Some(Arc::clone(connection)),
                Link::Down(_) => None,
            };
            match connection.map(|connection| (state.post(&connection, frame, deadline), connection)) {
                Some((Ok(_), connection)) => {
                    drop(state);
                    connection.outbox().wake_writer();
                    return Ok(());
                }
                Some((Err(Refused::Full), connection)) => {
                    drop(state);
                    let room = connection.outbox().wait_for_room(deadline);
                    room.map_err(|interrupted| Unanswered::unsent(Why::Interrupted(interrupted)))?;
                }
                // Lost, if not known to be yet.
                Some((Err(Refused::Closed), _)) | None => {
                    state.posting += 1;
                    let link = state.wanted();
                    let ticket = state.gate(Gate::Connection).add();
                    drop(state);
                    table::wake(link);
                    let parked = park::wait(Reason::Call, deadline);
                    let left = self.leave(Gate::Connection, ticket, parked);
                    self.state.lock().posting -= 1;
                    left.map_err(Unanswered::unsent)?;
                }
            }
        }
    }

    /// Waits for the answer, and ends the entry whatever comes.
    pub(super) fn wait(&self, xid: Xid, deadline: Option<Instant>) -> Result<Outcome, Unanswered> {
        let mut parked = Ok(());
        loop {
            let mut state = self.state.lock();
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
            match state.send(xid) {
                // Sent; or the link will do it, once connected.
                Ok(sent) => {
                    let link = state.wanted();
                    drop(state);
                    table::wake(link);
                    if let Some(connection) = sent {
                        connection.outbox().wake_writer();
                    }
                    parked = park::wait(Reason::Call, deadline);
                }
                Err(full) => {
                    drop(state);
                    parked = full.outbox().wait_for_room(deadline);
                }
            }
        }
    }

    /// Ends a call's entry.
    fn take_out(
        &self,
        mut state: parking_lot::MutexGuard<'_, State>,
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

    /// How many calls were made, and whether any waits now.
    pub(super) fn seen(&self) -> (u64, bool) {
        let state = self.state.lock();
        (state.made(), state.unanswered > 0)
    }

    /// Lets no more calls go out by this output, if none waits and none was made since there were `made`. What begins later waits for the next
    /// connection; what has begun would be lost with this one, and a call that streams ends with that.
    pub(super) fn finish_unused(&self, outbox: &Outbox, made: u64) -> bool {
        let state = self.state.lock();
        let is_unused = state.unanswered == 0 && state.made() == made;
        if is_unused {
            outbox.finish();
        }
        is_unused
    }

    pub(super) fn stats(&self) -> Stats {
        let state = self.state.lock();
        Stats {
            calls: state.made(),
            attempts: state.made(),
            in_flight: state.unanswered,
            late_replies: state.late_replies,
            connections: state.connections,
            ..Stats::default()
        }
    }
}

impl Unanswered {
    pub(super) fn unsent(why: Why) -> Self {
        Self { why, executed: Executed::No, cancel_at: None, frame: Vec::new() }
    }
}
