//! How connections end: by agreement, by a reset, by giving up.

use std::time::Duration;

use rustix::io::Errno;

use super::pipe::{Ending, Flight};
use super::{Connection, Phase, other};
use crate::registration::Happening;
use crate::sim::state::State;

impl State {
    /// The end at `side` learns that there is no connection any more.
    pub(in crate::sim) fn reset(&mut self, connection: &mut Connection, side: usize) {
        let end = &connection.ends[side];
        let error = match end.phase {
            Phase::Opening => Errno::CONNREFUSED,
            Phase::Open if connection.pipes[other(side)].ending == Ending::Arrived && !end.write_shut => Errno::PIPE,
            Phase::Open => Errno::CONNRESET,
            Phase::Closed | Phase::Absent => return,
        };
        self.fail(connection, side, error);
    }

    /// The connection has failed at `side`.
    pub(in crate::sim) fn fail(&mut self, connection: &mut Connection, side: usize, error: Errno) {
        connection.ends[side].error = Some(error);
        self.reset_end(connection, side);
        let tie = connection.ends[side].tie.clone();
        let failed = Happening { readable: true, writable: true, read_ended: true, failed: true, urgent: false };
        self.raise(&tie, failed);
    }

    /// There is no connection any more at `side`.
    pub(in crate::sim) fn reset_end(&mut self, connection: &mut Connection, side: usize) {
        let end = &mut connection.ends[side];
        if end.phase != Phase::Absent {
            end.phase = Phase::Closed;
        }
        connection.pipes[side].cut();
    }

    /// Ends receiving or sending.
    pub(in crate::sim) fn shut(&mut self, number: u32, side: usize, read: bool, write: bool) -> Result<(), Errno> {
        self.at(number, |state, connection| {
            let end = &mut connection.ends[side];
            if end.phase != Phase::Open {
                return Err(Errno::NOTCONN);
            }
            end.read_shut |= read;
            if write && !std::mem::replace(&mut end.write_shut, true) {
                connection.pipes[side].ending = Ending::Wanted;
                state.transmit(number, connection, side);
            }
            Ok(())
        })
        .unwrap_or(Err(Errno::BADF))
    }

    /// The last handle to an end is gone.
    pub(in crate::sim) fn close_stream(&mut self, number: u32, side: usize) {
        self.at(number, |state, connection| {
            connection.ends[side].tie = None;
            state.close_end(number, connection, side);
        });
    }

    /// As the kernel closes a connection that nobody has any more.
    pub(in crate::sim) fn close_end(&mut self, number: u32, connection: &mut Connection, side: usize) {
        let end = &mut connection.ends[side];
        end.is_held = false;
        if end.phase != Phase::Open {
            // One that is being opened: the answer will find nobody.
            return;
        }
        let is_unread = connection.pipes[other(side)].arrived > 0;
        if is_unread || end.options.linger == Some(Duration::ZERO) {
            self.reset_end(connection, side);
            connection.pipes[other(side)].bytes.drain(..connection.pipes[other(side)].arrived);
            let pipe = &mut connection.pipes[other(side)];
            pipe.sent -= std::mem::take(&mut pipe.arrived);
            return self.send(number, connection, side, Flight::Reset);
        }
        if !std::mem::replace(&mut end.write_shut, true) {
            connection.pipes[side].ending = Ending::Wanted;
            self.transmit(number, connection, side);
        }
    }

    /// Resets all connections between two machines.
    pub(in crate::sim) fn reset_between(&mut self, a: u16, b: u16) {
        self.tell("a reset of all connections", a, b, 0);
        for number in 0..self.connections.len() as u32 {
            self.at(number, |state, connection| {
                let ends = [0, 1].map(|side| connection.ends[side].machine);
                if ends == [a, b] || ends == [b, a] {
                    (0..2).for_each(|side| state.reset(connection, side));
                }
            });
        }
    }
}
