//! Keepalive (`SO_KEEPALIVE`): an end whose peer is no longer there learns of it, though nobody sends anything.
//!
//! Probes that would be answered change nothing, so they are not simulated: an end is looked at only from when its peer has gone on.

use super::{Connection, End, Phase, other};
use crate::sim::agenda::Event;
use crate::sim::link::nanos;
use crate::sim::state::State;
use rustix::io::Errno;

/// How far the probing of a peer has come that is not there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Probing {
    is_on: bool,
    unanswered: u32,
}

impl Connection {
    /// Whether `side` believes in a peer that has gone, and would find out.
    fn is_deceived(&self, side: usize) -> bool {
        let (End { phase, is_held, options, .. }, far) = (&self.ends[side], &self.ends[other(side)]);
        options.keepalive.is_some()
            && *is_held
            && *phase == Phase::Open
            && matches!(far.phase, Phase::Closed | Phase::Absent)
    }
}

impl State {
    /// Puts the first probe on the agenda, if there is reason for it.
    pub(super) fn watch(&mut self, number: u32, connection: &mut Connection) {
        for side in 0..2 {
            if connection.is_deceived(side)
                && !connection.probing[side].is_on
                && let Some(keepalive) = connection.ends[side].options.keepalive
            {
                connection.probing[side] = Probing { is_on: true, unanswered: 0 };
                let at = self.now.saturating_add(nanos(keepalive.idle));
                self.agenda.note(at, Event::Probe { connection: number, from: side as u8 });
            }
        }
    }

    /// `side` probes its peer.
    pub(in crate::sim) fn probe(&mut self, number: u32, side: u8) {
        let side = usize::from(side);
        self.at(number, |state, connection| {
            let Some(keepalive) = connection.ends[side].options.keepalive.filter(|_| connection.is_deceived(side))
            else {
                connection.probing[side] = Probing::default();
                return;
            };
            let (from, to) = (connection.ends[side].machine, connection.ends[other(side)].machine);
            let is_cut = state.link(from, to).is_blocked() || state.link(to, from).is_blocked();
            if !is_cut && state.machine(to).host.is_some() {
                // A machine that knows of no such connection says so.
                state.tell("a reset for a probe", to, from, 0);
                return state.fail(connection, side, Errno::CONNRESET);
            }
            let probing = &mut connection.probing[side];
            probing.unanswered += 1;
            if probing.unanswered > keepalive.probes {
                state.tell("probes are not answered", from, to, 0);
                return state.fail(connection, side, Errno::TIMEDOUT);
            }
            let at = state.now.saturating_add(nanos(keepalive.interval));
            state.agenda.note(at, Event::Probe { connection: number, from: side as u8 });
        });
    }
}
