//! Calls that stream: begun on one connection, and never sent again.

use std::sync::Arc;
use std::time::Instant;

use fibra_scheduler::park::{self, Reason};

use super::super::connection::Connection;
use super::super::streams::Stream;
use super::freed::wake;
use super::table::{Gate, Link};
use super::{Calls, Unanswered, Why};
use crate::outbox::Refused;
use crate::session::Xid;

/// A call that streams, and the connection that it does so on.
pub(in super::super) type Opened = (Arc<Stream>, Arc<Connection>);

impl Calls {
    /// Sends a call on the present connection, where `stream` makes its entry; waits for one, for a place, and for room.
    ///
    /// # Errors
    ///
    /// It has not been sent, and will not be.
    pub(in super::super) fn open(
        &self,
        frame: &mut [u8],
        deadline: Option<Instant>,
        stream: impl Fn(Xid) -> Stream,
    ) -> Result<Opened, Unanswered> {
        // As in `begin`: a signal that is of no use here goes on to the next.
        let mut signalled = false;
        loop {
            let mut state = self.state.lock();
            if !state.admits() {
                let passed_on = if std::mem::take(&mut signalled) { state.gate(Gate::Places).next() } else { None };
                let refusal = state.refusal(Vec::new());
                drop(state);
                wake(passed_on);
                return Err(refusal);
            }
            let connection = match &state.link {
                Link::Over(cause) => return Err(Unanswered::unsent(Why::Lost(cause.clone()))),
                Link::Up(connection) => Some(Arc::clone(connection)),
                Link::Down(_) => None,
            };
            let is_full = state.unanswered >= self.in_flight_max;
            let mut refused = None;
            if !is_full && let Some(connection) = &connection {
                let stream = Arc::new(stream(state.last_outside + 1));
                connection.streams().add(&stream);
                match state.post(connection, frame, deadline) {
                    Ok(queued) => {
                        stream.sent(queued);
                        state.unanswered += 1;
                        drop(state);
                        connection.outbox().wake_writer();
                        return Ok((stream, Arc::clone(connection)));
                    }
                    Err(reason) => refused = Some(reason),
                }
                connection.streams().remove(&stream);
            }
            let passed_on =
                if std::mem::take(&mut signalled) && !is_full { state.gate(Gate::Places).next() } else { None };
            if let (Some(Refused::Full), Some(connection)) = (refused, &connection) {
                drop(state);
                wake(passed_on);
                let room = connection.outbox().park_for_room(deadline);
                room.map_err(|interrupted| Unanswered::unsent(Why::Interrupted(interrupted)))?;
                continue;
            }
            let gate = if is_full { Gate::Places } else { Gate::Connection };
            let mut link = None;
            if !is_full {
                state.posting += 1;
                link = state.wanted();
            }
            let ticket = state.gate(gate).add();
            drop(state);
            if let Some(connection) = connection {
                // As in `begin`, too: what it waits for may wait for its own batch to be written.
                connection.outbox().wake_writer();
            }
            wake(passed_on);
            wake(link);
            let parked = park::wait(Reason::Call, deadline);
            let left = self.leave(gate, ticket, parked);
            if !is_full {
                self.state.lock().posting -= 1;
            }
            signalled = left.map_err(Unanswered::unsent)? && is_full;
        }
    }

    /// A call that streams has ended, and nobody will ask for it again.
    pub(in super::super) fn closed(&self, connection: &Connection, stream: &Stream) {
        let mut state = self.state.lock();
        if !connection.streams().remove(stream) {
            // Counted out with its connection.
            return;
        }
        state.unanswered -= 1;
        let place = state.gate(Gate::Places).next();
        state.finish_if_retired();
        drop(state);
        wake(place);
    }
}
