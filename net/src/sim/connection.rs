//! A TCP connection: what its two ends and the way between them do, as Linux does.
//!
//! ```text
//!   write ─▶ │ unsent │ on the way: flights │ arrived │ ─▶ read        a pipe: one for each direction
//!            └─────────────── bytes ──────────────────┘
//!   ◀── acknowledgements, some time later: room for more
//! ```
//!
//! Invariants:
//! * What an end sends arrives in order, whole and once, or not at all: behind a reset or a loss of the machine.
//! * A pipe has at most one arrival on the agenda: that of its first flight.
//! * A write that took less than it was given, or nothing, is followed by an event "writable" as soon as there is room; a read that found
//!   less than it asked for by an event "readable" when there is more. So edge-triggered readiness loses nothing.

mod arrival;
mod closing;
mod keepalive;
mod pipe;
mod transfer;

use std::net::SocketAddr;

use fibra_scheduler::seeded::Host;
use rustix::io::Errno;

use super::options::Options;
use super::state::State;
use crate::registration::Tie;

use keepalive::Probing;
pub(super) use pipe::Flight;
use pipe::Pipe;
pub(super) use transfer::copy;

/// How far an end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has asked for the connection, and not been answered.
    Opening,
    Open,
    /// There is no connection any more: it was reset, or never came about.
    Closed,
    /// Its machine was lost, or it is not there yet.
    Absent,
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    pub(super) machine: u16,
    pub(super) host: Option<Host>,
    pub(super) addr: SocketAddr,
    pub(super) tie: Option<Tie>,
    pub(super) phase: Phase,
    /// Somebody has it, or will, by accepting it.
    pub(super) is_held: bool,
    pub(super) error: Option<Errno>,
    read_shut: bool,
    write_shut: bool,
    pub(super) options: Options,
}

impl End {
    pub(super) fn new(machine: u16, host: Option<Host>, addr: SocketAddr, phase: Phase) -> Self {
        Self {
            machine,
            host,
            addr,
            tie: None,
            phase,
            is_held: phase != Phase::Absent,
            error: None,
            read_shut: false,
            write_shut: false,
            options: Options::default(),
        }
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) ends: [End; 2],
    /// By who sends.
    pipes: [Pipe; 2],
    /// By who asks.
    probing: [Probing; 2],
}

impl Connection {
    pub(super) fn new(near: End, far: End) -> Self {
        Self { ends: [near, far], pipes: [Pipe::new(), Pipe::new()], probing: Default::default() }
    }

    /// The machine of an end is gone.
    pub(super) fn lose(&mut self, host: Host) {
        for side in [0, 1] {
            let end = &mut self.ends[side];
            if end.host != Some(host) {
                continue;
            }
            (end.phase, end.is_held) = (Phase::Absent, false);
            end.tie = None;
            self.pipes[side].stop();
        }
    }

    /// Whether nothing can happen any more.
    fn is_over(&self) -> bool {
        let is_done = |pipe: &Pipe| pipe.flights.is_empty() && (pipe.sent == pipe.bytes.len());
        self.ends.iter().all(|end| !end.is_held) && self.pipes.iter().all(is_done)
    }

    /// What `side` sends next does not arrive before `by` nanoseconds more.
    pub(super) fn delay(&mut self, side: usize, by: u64) {
        self.pipes[side].last += by;
    }

    /// The peer's address, while there is a connection.
    pub(super) fn peer(&self, side: usize) -> Result<SocketAddr, Errno> {
        match self.ends[side].phase {
            Phase::Open => Ok(self.ends[other(side)].addr),
            _ => Err(Errno::NOTCONN),
        }
    }
}

fn other(side: usize) -> usize {
    1 - side
}

impl State {
    /// Lets `f` at a connection and at all the rest.
    pub(super) fn at<R>(&mut self, connection: u32, f: impl FnOnce(&mut Self, &mut Connection) -> R) -> Option<R> {
        let mut taken = self.connections.get_mut(connection as usize)?.take()?;
        let result = f(self, &mut taken);
        self.watch(connection, &mut taken);
        if !taken.is_over() {
            self.connections[connection as usize] = Some(taken);
        }
        Some(result)
    }
}
