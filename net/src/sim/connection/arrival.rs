//! What is on its way: when it arrives, whether it does, and what it does there.

use std::time::Duration;

use rustix::io::Errno;

use super::pipe::{Ending, Flight, Pipe};
use super::{Connection, Phase, other};
use crate::registration::Happening;
use crate::sim::agenda::Event;
use crate::sim::dice::Decision;
use crate::sim::link::{RETRY_MIN, nanos, retry};
use crate::sim::state::State;

/// How many attempts a connection is opened by: with their pauses of 1, 2, 4 s and so on that takes Linux about two minutes.
const OPENING_MAX: Duration = Duration::from_secs(127);

/// For how long what is not acknowledged is sent again, unless `TCP_USER_TIMEOUT` says otherwise: as Linux's 15 attempts.
const SENDING_MAX: Duration = Duration::from_millis(924_600);

impl State {
    /// Puts something on its way from `side`.
    pub(in crate::sim) fn send(&mut self, number: u32, connection: &mut Connection, side: usize, flight: Flight) {
        let (from, to) = (connection.ends[side].machine, connection.ends[other(side)].machine);
        let bytes = if let Flight::Data(bytes) = flight { bytes } else { 0 };
        let now = self.now;
        let at = self.link(from, to).reliable_arrival(now, bytes);
        let pipe = &mut connection.pipes[side];
        pipe.last = pipe.last.max(at);
        pipe.flights.push_back((pipe.last, flight));
        self.expect(number, pipe, side);
    }

    /// Puts the arrival of the first flight on the agenda.
    pub(super) fn expect(&mut self, connection: u32, pipe: &mut Pipe, side: usize) {
        if !pipe.is_expected
            && let Some(&(at, _)) = pipe.flights.front()
        {
            pipe.is_expected = true;
            pipe.expected = pipe.expected.wrapping_add(1);
            self.agenda.note(at, Event::Arrival { connection, from: side as u8, number: pipe.expected });
        }
    }

    /// The first flight of `side` has come to where it goes, if it can.
    pub(in crate::sim) fn arrive(&mut self, number: u32, side: u8, expected: u32) {
        let side = usize::from(side);
        self.at(number, |state, connection| {
            let pipe = &mut connection.pipes[side];
            if pipe.expected != expected {
                return;
            }
            pipe.is_expected = false;
            let Some(&(at, flight)) = pipe.flights.front() else { return };
            if at > state.now {
                return state.expect(number, pipe, side);
            }
            if state.is_in_vain(number, connection, side, flight) {
                return;
            }
            let pipe = &mut connection.pipes[side];
            pipe.flights.pop_front();
            pipe.stuck = None;
            state.land(number, connection, side, flight);
            state.expect(number, &mut connection.pipes[side], side);
        });
    }

    /// Whether a flight does not get through now. Then it has been put on the agenda once more, or given up.
    pub(in crate::sim) fn is_in_vain(
        &mut self,
        number: u32,
        connection: &mut Connection,
        side: usize,
        flight: Flight,
    ) -> bool {
        let (from, to) = (connection.ends[side].machine, connection.ends[other(side)].machine);
        let is_down = self.machine(to).host.is_none();
        let link = self.link(from, to);
        let is_held = link.is_held;
        if !link.is_blocked() && !is_down {
            if matches!(flight, Flight::Data(_)) && link.falls(Decision::Reset) {
                self.tell("a reset by the network", from, to, 0);
                for end in [side, other(side)] {
                    self.reset(connection, end);
                }
                return true;
            }
            return false;
        }
        if matches!(flight, Flight::Data(_) | Flight::End) && connection.ends[side].phase == Phase::Absent {
            // It is lost, and who would send it again has crashed.
            connection.pipes[side].cut();
            return true;
        }
        let now = self.now;
        let pipe = &mut connection.pipes[side];
        let (since, attempt) = pipe.stuck.unwrap_or((now, 0));
        let (max, unit) = match flight {
            Flight::Open => (OPENING_MAX, 5),
            _ => (connection.ends[side].options.user_timeout.unwrap_or(SENDING_MAX), 1),
        };
        if now - since >= nanos(max) && !is_held {
            self.tell("a connection is given up", from, to, 0);
            self.fail(connection, side, Errno::TIMEDOUT);
            return true;
        }
        pipe.stuck = Some((since, attempt + 1));
        let at = match is_held {
            // Nobody gives up: it is only late.
            true => now + RETRY_MIN,
            false => now + retry(attempt).saturating_mul(unit).min(nanos(max).saturating_sub(now - since).max(1)),
        };
        pipe.flights[0].0 = at;
        pipe.last = pipe.last.max(at);
        self.expect(number, pipe, side);
        true
    }

    /// A flight of `side` has got through.
    pub(in crate::sim) fn land(&mut self, number: u32, connection: &mut Connection, side: usize, flight: Flight) {
        let (from, to) = (connection.ends[side].machine, connection.ends[other(side)].machine);
        let far = &mut connection.ends[other(side)];
        match flight {
            Flight::Open => {
                self.tell("open", from, to, 0);
                self.knock(number, connection);
            }
            Flight::Opened if far.phase == Phase::Opening => {
                self.tell("opened", from, to, 0);
                far.phase = Phase::Open;
                let tie = far.tie.clone();
                self.raise(&tie, Happening { writable: true, ..Happening::default() });
                if !connection.ends[other(side)].is_held {
                    // Who asked for it has gone meanwhile.
                    self.reset_end(connection, other(side));
                    self.send(number, connection, other(side), Flight::Reset);
                }
            }
            Flight::Opened => {}
            Flight::Refused => {
                self.tell("refused", from, to, 0);
                if far.phase == Phase::Opening {
                    self.fail(connection, other(side), Errno::CONNREFUSED);
                }
            }
            Flight::Data(bytes) => {
                self.tell("data", from, to, bytes);
                let pipe = &mut connection.pipes[side];
                if far.phase != Phase::Open || !far.is_held {
                    // Nobody takes it.
                    pipe.bytes.drain(pipe.arrived..pipe.arrived + bytes);
                    pipe.sent -= bytes;
                    pipe.unacknowledged = pipe.unacknowledged.saturating_sub(bytes);
                    self.reset_end(connection, other(side));
                    return self.send(number, connection, other(side), Flight::Reset);
                }
                pipe.arrived += bytes;
                let tie = far.tie.clone();
                self.raise(&tie, Happening { readable: true, ..Happening::default() });
                let now = self.now;
                let back = self.link(to, from);
                let at = (!back.is_blocked()).then(|| back.reliable_arrival(now, 0));
                connection.pipes[side].acknowledgements.push_back((at, bytes));
                self.expect_room(number, connection, side, None);
            }
            Flight::End => {
                self.tell("end", from, to, 0);
                connection.pipes[side].ending = Ending::Arrived;
                let tie = far.tie.clone();
                self.raise(&tie, Happening { readable: true, read_ended: true, ..Happening::default() });
            }
            Flight::Reset => {
                self.tell("reset", from, to, 0);
                self.reset(connection, other(side));
            }
        }
    }

    /// Says once more what has come to an end, if that is on `machine`.
    pub(in crate::sim) fn raise_arrived(&mut self, connection: &Connection, side: usize, machine: u16) {
        let end = &connection.ends[side];
        if end.machine == machine {
            let failed = end.error.is_some();
            let read_ended = failed || connection.pipes[other(side)].ending == Ending::Arrived;
            self.raise(&end.tie, Happening { readable: true, read_ended, failed, ..Happening::default() });
        }
    }

    /// Says what has come to an end before the socket at `side` could be told: nobody had accepted it.
    pub(in crate::sim) fn raise_ended(&mut self, connection: &Connection, side: usize) {
        let end = &connection.ends[side];
        if end.error.is_some() || connection.pipes[other(side)].ending == Ending::Arrived {
            self.raise_arrived(connection, side, end.machine);
        }
    }

    /// Lets what was held on the links go on.
    pub(in crate::sim) fn release(&mut self, from: u16, to: u16) {
        for number in 0..self.connections.len() as u32 {
            self.at(number, |state, connection| {
                for side in 0..2 {
                    let way = (connection.ends[side].machine, connection.ends[other(side)].machine);
                    if way != (from, to) || connection.pipes[side].stuck.is_none() {
                        continue;
                    }
                    let pipe = &mut connection.pipes[side];
                    if let Some(first) = pipe.flights.front_mut() {
                        (first.0, pipe.stuck, pipe.is_expected) = (state.now, None, false);
                        state.expect(number, pipe, side);
                    }
                }
            });
        }
    }
}
