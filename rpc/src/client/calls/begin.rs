//! How a call begins: it gets an xid and an entry, or waits until there is a place for it.

use std::sync::Arc;
use std::time::Instant;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Reason, Unparker};
use parking_lot::MutexGuard;

use super::super::connection::Connection;
use super::super::lanes::Hold;
use super::entry::Entry;
use super::freed::wake;
use super::table::{Gate, Link, State};
use super::{Begun, Calls, Unanswered, Why};
use crate::outbox::Refused;
use crate::scratch;
use crate::session::Xid;
use crate::waiters::Ticket;

impl Calls {
    /// Enters a call, and queues it if there is a connection. Waits while there are as many as there may be. Its answer wakes `caller`.
    ///
    /// # Errors
    ///
    /// It has not been sent, and will not be.
    pub(in super::super) fn begin(
        &self,
        frame: Vec<u8>,
        in_session: bool,
        hold: Option<Hold>,
        deadline: Option<Instant>,
        caller: Option<Unparker>,
    ) -> Result<Begun, Unanswered> {
        let mut state = self.state.lock();
        if hold.is_none()
            && state.admits()
            && state.unanswered < state.admitted
            && let Some(xid) = state.next_xid(in_session)
        {
            // If the output is full, it is sent in `wait`.
            let queued_at = state.enter(xid, Entry::new(frame, in_session, deadline, caller)).ok().flatten();
            return Ok(Begun { xid, queued_at, alone: state.unanswered == 1 });
        }
        drop(state);
        self.begin_in_line(frame, in_session, hold, deadline, caller)
    }

    /// As [`begin`](Self::begin), of a call that may have to wait, or has a lane.
    #[cold]
    fn begin_in_line(
        &self,
        frame: Vec<u8>,
        in_session: bool,
        hold: Option<Hold>,
        deadline: Option<Instant>,
        caller: Option<Unparker>,
    ) -> Result<Begun, Unanswered> {
        // Before the lock, which is so released before the place in line is left.
        let mut line = InLine { calls: self, at: None };
        // Whom a signal of a gate has reached that another gate holds back passes it on, for it is of no use here.
        let mut signalled = None;
        // Where it has waited last, and as which: who comes too late does not begin anew.
        let mut waited = None::<(Gate, Ticket)>;
        loop {
            let mut state = self.state.lock();
            if !state.admits() {
                return Err(state.refusal(frame));
            }
            let gate = if state.unanswered >= state.admitted
                && let Some(gate) = self.gate_before(&state, in_session, &line)
            {
                gate
            } else if let Some(xid) = state.next_xid(in_session) {
                let queued_at = match hold {
                    None => state.enter(xid, Entry::new(frame, in_session, deadline, caller)),
                    Some(hold) if hold.is_overtaken() => return Err(overtaken(state, xid, frame, signalled)),
                    Some(hold) => state.enter_in_lane(xid, Entry::new(frame, in_session, deadline, caller), hold),
                };
                let queued_at = queued_at.ok().flatten();
                return Ok(Begun { xid, queued_at, alone: state.unanswered == 1 });
            } else {
                Gate::Window
            };
            let passed_on = signalled.take().filter(|&by| by != gate).and_then(|by| state.gate(by).next());
            let left = line.move_to(&mut state, gate);
            let ticket = match waited.filter(|&(at, _)| at == gate) {
                Some((_, ticket)) => {
                    state.gate(gate).add_again(ticket);
                    ticket
                }
                None => state.gate(gate).add(),
            };
            waited = Some((gate, ticket));
            // What it waits for may wait for its own batch to be written.
            let connection = state.connection();
            drop(state);
            if let Some(connection) = connection {
                connection.outbox().wake_writer();
            }
            wake(passed_on);
            wake(left);

            let parked = park::wait(Reason::Call, deadline);
            match self.leave(gate, ticket, parked) {
                Ok(true) => signalled = Some(gate),
                Ok(false) => {}
                Err(why) => return Err(Unanswered { frame, ..Unanswered::unsent(why) }),
            }
        }
    }

    /// What a call has to wait at: where there is no room, or others were there before, unless it has waited itself.
    #[cold]
    fn gate_before(&self, state: &State, in_session: bool, line: &InLine<'_>) -> Option<Gate> {
        let is_passed = |gate| line.at.is_none() && state.lines.of(gate) > 0;
        if state.unanswered >= self.in_flight_max || is_passed(Gate::Places) {
            Some(Gate::Places)
        } else if in_session && (!state.window.is_open() || is_passed(Gate::Window)) {
            Some(Gate::Window)
        } else {
            None
        }
    }

    /// As [`begin`](Self::begin), of a call that is not of the session, but only if it can be sent without waiting; else `None`.
    pub(in super::super) fn begin_at_once(
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

    /// Queues a call that nobody answers; waits for a connection.
    ///
    /// # Errors
    ///
    /// It has not been sent, and will not be.
    pub(in super::super) fn post(&self, frame: &mut [u8], deadline: Option<Instant>) -> Result<(), Unanswered> {
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
                    let room = connection.outbox().park_for_room(deadline);
                    room.map_err(|interrupted| Unanswered::unsent(Why::Interrupted(interrupted)))?;
                }
                // Lost, if not known to be yet.
                Some((Err(Refused::Closed), _)) | None => {
                    state.posting += 1;
                    let link = state.wanted();
                    let ticket = state.gate(Gate::Connection).add();
                    drop(state);
                    wake(link);
                    let parked = park::wait(Reason::Call, deadline);
                    let left = self.leave(Gate::Connection, ticket, parked);
                    self.state.lock().posting -= 1;
                    left.map_err(Unanswered::unsent)?;
                }
            }
        }
    }

    /// After a park at a gate: whether it had been signalled; or why to give up, and then the signal has been passed on.
    pub(super) fn leave(&self, gate: Gate, ticket: Ticket, parked: Result<(), Interrupted>) -> Result<bool, Why> {
        let mut state = self.state.lock();
        let signalled = state.gate(gate).leave(ticket);
        let Err(interrupted) = parked else { return Ok(signalled) };
        let next = if signalled { state.gate(gate).next() } else { None };
        let why = state.why(interrupted);
        drop(state);
        wake(next);
        Err(why)
    }
}

/// A call is not made again: it leaves its xid, and the place that it was told of.
#[cold]
fn overtaken(mut state: MutexGuard<'_, State>, xid: Xid, frame: Vec<u8>, signalled: Option<Gate>) -> Unanswered {
    state.window.complete(xid);
    let passed_on = signalled.and_then(|by| state.gate(by).next());
    drop(state);
    wake(passed_on);
    scratch::give(frame);
    Unanswered::unsent(Why::Overtaken)
}

/// A caller's place in line, from when it first waits at a gate until it goes on or gives up. While there is a line, nobody who comes goes past it: who has just
/// been answered, and calls again, would else always be there before those who were woken.
struct InLine<'a> {
    calls: &'a Calls,
    at: Option<Gate>,
}

impl InLine<'_> {
    /// Stands in the line of that gate. Returns who may go on because it leaves that of another.
    fn move_to(&mut self, state: &mut State, gate: Gate) -> Option<Unparker> {
        let before = self.at.replace(gate);
        if before == Some(gate) {
            return None;
        }
        state.line_up(gate);
        state.step_out(before?, self.calls.in_flight_max)
    }
}

impl Drop for InLine<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(gate) = self.at {
            let next = self.calls.state.lock().step_out(gate, self.calls.in_flight_max);
            wake(next);
        }
    }
}
