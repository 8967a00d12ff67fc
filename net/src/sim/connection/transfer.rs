//! Writing, reading, and the room for both.

use std::io::{IoSlice, IoSliceMut};

use rustix::io::Errno;

use super::pipe::{Ending, Flight};
use super::{Connection, Phase, other};
use crate::registration::Happening;
use crate::sim::agenda::Event;
use crate::sim::dice::Decision;
use crate::sim::link::RETRY_MIN;
use crate::sim::state::State;

/// The pause before a write that was cut short by the conditions of its link may go on.
const SHORT_PAUSE: u64 = 20_000;

impl State {
    /// Sends as much as the receiver has room for; to one that is gone, everything: who probes a window that stays closed finds out so, too.
    pub(in crate::sim) fn transmit(&mut self, number: u32, connection: &mut Connection, side: usize) {
        if connection.ends[side].phase != Phase::Open {
            return;
        }
        let (from, to) = (connection.ends[side].machine, connection.ends[other(side)].machine);
        loop {
            let pipe = &connection.pipes[side];
            let window = match connection.ends[other(side)].phase {
                Phase::Absent => usize::MAX,
                _ => self.buffers.receive.saturating_sub(pipe.sent),
            };
            let mut bytes = (pipe.bytes.len() - pipe.sent).min(window);
            if bytes == 0 {
                break;
            }
            bytes = self.link(from, to).cut_short(Decision::Splitting, bytes);
            connection.pipes[side].sent += bytes;
            self.send(number, connection, side, Flight::Data(bytes));
        }
        let pipe = &mut connection.pipes[side];
        if pipe.ending == Ending::Wanted && pipe.sent == pipe.bytes.len() {
            pipe.ending = Ending::Sent;
            self.send(number, connection, side, Flight::End);
        }
    }

    /// Takes from `bufs` what there is room for.
    pub(in crate::sim) fn write(&mut self, number: u32, side: usize, bufs: &[IoSlice<'_>]) -> Result<usize, Errno> {
        self.at(number, |state, connection| {
            let end = &mut connection.ends[side];
            if let Some(error) = end.error.take() {
                return Err(error);
            }
            if end.write_shut || end.phase != Phase::Open {
                return Err(Errno::PIPE);
            }
            let asked: usize = bufs.iter().map(|buf| buf.len()).sum();
            if asked == 0 {
                return Ok(0);
            }
            let (from, to) = (end.machine, connection.ends[other(side)].machine);
            connection.settle(state, side);
            let room = state.buffers.send.saturating_sub(connection.pipes[side].unacknowledged);
            let mut bytes = asked.min(room);
            bytes = state.link(from, to).cut_short(Decision::ShortWrite, bytes);
            let pipe = &mut connection.pipes[side];
            let mut left = bytes;
            for buf in bufs {
                let part = &buf[..left.min(buf.len())];
                pipe.bytes.extend(part);
                left -= part.len();
            }
            pipe.unacknowledged += bytes;
            if bytes < asked {
                pipe.wants_room = true;
                let soon = (bytes < room).then_some(SHORT_PAUSE);
                state.expect_room(number, connection, side, soon);
            }
            if bytes == 0 {
                return Err(Errno::AGAIN);
            }
            state.transmit(number, connection, side);
            Ok(bytes)
        })
        .unwrap_or(Err(Errno::BADF))
    }

    /// Puts the next acknowledgement on the agenda, if somebody waits for it.
    pub(in crate::sim) fn expect_room(
        &mut self,
        number: u32,
        connection: &mut Connection,
        side: usize,
        soon: Option<u64>,
    ) {
        let pipe = &mut connection.pipes[side];
        if !pipe.wants_room || pipe.is_room_expected {
            return;
        }
        let next = pipe.acknowledgements.front().map(|(at, _)| at.unwrap_or(self.now + RETRY_MIN));
        let soon = soon.map(|pause| self.now + pause);
        if let Some(at) = next.into_iter().chain(soon).min() {
            pipe.is_room_expected = true;
            self.agenda.note(at, Event::Acknowledgement { connection: number, from: side as u8 });
        }
    }

    /// Moves what has arrived to `bufs`; or copies it, if `peek`.
    pub(in crate::sim) fn read(
        &mut self,
        number: u32,
        side: usize,
        bufs: &mut [IoSliceMut<'_>],
        peek: bool,
    ) -> Result<usize, Errno> {
        self.at(number, |state, connection| {
            let (end, pipe) = (&mut connection.ends[side], &mut connection.pipes[other(side)]);
            if state.machine(end.machine).is_stalled {
                return Err(Errno::AGAIN);
            }
            if pipe.arrived == 0 {
                return match end.error {
                    _ if pipe.ending == Ending::Arrived => Ok(0),
                    Some(error) => {
                        end.error = None;
                        Err(error)
                    }
                    None if end.read_shut || end.phase == Phase::Closed => Ok(0),
                    None => Err(Errno::AGAIN),
                };
            }
            let mut bytes = 0;
            for buf in bufs {
                let part = buf.len().min(pipe.arrived - bytes);
                let (front, back) = pipe.bytes.as_slices();
                copy(front, back, bytes, &mut buf[..part]);
                bytes += part;
            }
            if !peek {
                pipe.bytes.drain(..bytes);
                pipe.arrived -= bytes;
                pipe.sent -= bytes;
                if pipe.bytes.len() > pipe.sent && bytes > 0 {
                    state.expect_window(number, connection, other(side));
                }
            }
            Ok(bytes)
        })
        .unwrap_or(Err(Errno::BADF))
    }

    /// The receiver has room again: the sender will learn of it.
    pub(in crate::sim) fn expect_window(&mut self, number: u32, connection: &mut Connection, side: usize) {
        let (from, to) = (connection.ends[side].machine, connection.ends[other(side)].machine);
        let pipe = &mut connection.pipes[side];
        if !pipe.is_window_expected {
            pipe.is_window_expected = true;
            let now = self.now;
            let at = self.link(to, from).reliable_arrival(now, 0);
            self.agenda.note(at, Event::Window { connection: number, from: side as u8 });
        }
    }

    /// The sender learns that there is room.
    pub(in crate::sim) fn open_window(&mut self, number: u32, side: u8) {
        let side = usize::from(side);
        self.at(number, |state, connection| {
            let (from, to) = (connection.ends[side].machine, connection.ends[other(side)].machine);
            if state.link(to, from).is_blocked() {
                // Asked again, as a sender does whose receiver had no room.
                let at = state.now + RETRY_MIN;
                return state.agenda.note(at, Event::Window { connection: number, from: side as u8 });
            }
            connection.pipes[side].is_window_expected = false;
            state.transmit(number, connection, side);
        });
    }

    /// The sender learns that bytes have arrived.
    pub(in crate::sim) fn acknowledge(&mut self, number: u32, side: u8) {
        let side = usize::from(side);
        self.at(number, |state, connection| {
            connection.pipes[side].is_room_expected = false;
            connection.settle(state, side);
            let (end, pipe) = (&connection.ends[side], &mut connection.pipes[side]);
            if state.buffers.send.saturating_sub(pipe.unacknowledged) >= state.buffers.send / 3 {
                pipe.wants_room = false;
                return state.raise(&end.tie, Happening { writable: true, ..Happening::default() });
            }
            state.expect_room(number, connection, side, None);
        });
    }
}

impl Connection {
    /// Counts what the sender at `side` knows by now to have arrived.
    fn settle(&mut self, state: &mut State, side: usize) {
        let (from, to) = (self.ends[side].machine, self.ends[other(side)].machine);
        let pipe = &mut self.pipes[side];
        while let Some(&(at, bytes)) = pipe.acknowledgements.front() {
            let is_known = match at {
                Some(at) => at <= state.now,
                // Lost; said again when the way is free.
                None => !state.link(to, from).is_blocked(),
            };
            if !is_known {
                break;
            }
            pipe.acknowledgements.pop_front();
            pipe.unacknowledged = pipe.unacknowledged.saturating_sub(bytes);
        }
    }
}

/// Copies `to.len()` bytes of `front` and `back`, one behind the other, that come after the first `skip`.
pub(in crate::sim) fn copy(front: &[u8], back: &[u8], skip: usize, to: &mut [u8]) {
    let of_front = front.len().saturating_sub(skip).min(to.len());
    let (first, rest) = to.split_at_mut(of_front);
    if of_front > 0 {
        first.copy_from_slice(&front[skip..skip + of_front]);
    }
    let skip = (skip + of_front).saturating_sub(front.len());
    rest.copy_from_slice(&back[skip..skip + rest.len()]);
}
