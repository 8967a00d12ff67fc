//! Ordered calls: which of them run, and whether it is their turn.

use std::time::Duration;

use fibra::seeded;

use super::super::desk::Place;
use super::{Call, Id, Ledger, is_up};

/// Whose lane, and which.
pub(super) type LaneOf = (u32, u32);

/// A lane of a client, at one life of a server.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// How many of its calls run.
    running: usize,
    /// When the last of them has ended.
    free_since: Duration,
}

/// An ordered call that runs.
#[derive(Debug)]
pub(crate) struct Turn {
    ledger: Ledger,
    life: usize,
    lane: LaneOf,
    id: Id,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut book = self.ledger.0.lock();
        let lane = book.lives[self.life].lanes.entry(self.lane).or_default();
        lane.running = lane.running.saturating_sub(1);
        lane.free_since = seeded::elapsed().unwrap_or_default();
        book.in_turn.retain(|(_, id, life)| (*id, *life) != (self.id, self.life));
    }
}

impl Ledger {
    /// An ordered call has been started.
    pub(crate) fn goes_out(&self, id: Id) {
        self.0.lock().calls[id as usize].out_at = seeded::elapsed();
    }

    /// An ordered call begins.
    pub(crate) fn turn(&self, id: Id, life: usize, client: u32, turn: Place) -> Turn {
        let Place { lane, caller, number } = turn;
        let mut guard = self.0.lock();
        let book = &mut *guard;
        if is_up() {
            // What a lost session has let go of may not have been told yet.
            let is_before = |&&(other, call, at): &&(Place, Id, usize)| {
                let Call { told, is_given_up, .. } = book.calls[call as usize];
                let is_awaited = told.is_none() && !is_given_up && book.lives[at].keeps_sessions;
                (other.caller, other.lane) == (caller, lane) && other.number < number && at != life && is_awaited
            };
            if let Some((before, ..)) = book.in_turn.iter().find(is_before) {
                let before = before.number;
                let what = format!("ordered call {number} of caller {caller} runs while {before} does, elsewhere");
                book.breaks(what);
            }
            book.in_turn.push((turn, id, life));
            let place = &mut book.lives[life];
            let last = place.turns.insert((caller, lane), number).unwrap_or(0);
            let of_lane = place.lanes.entry((client, lane)).or_default();
            of_lane.running += 1;
            // The handlers of a lost session run on beside the next one's.
            let is_alone = of_lane.running == 1 || !place.keeps_sessions;
            let could_begin = book.calls[id as usize].out_at.map(|out_at| out_at.max(of_lane.free_since));
            let waited = could_begin.map(|since| seeded::elapsed().unwrap_or_default().saturating_sub(since));
            if let Some(waited) = waited.filter(|waited| book.promptness.is_some_and(|soon| *waited > soon)) {
                book.breaks(format!(
                    "ordered call {number} of caller {caller} runs {waited:?} after its turn has come"
                ));
            }
            if number <= last {
                book.breaks(format!("ordered call {number} of caller {caller} runs behind {last}"));
            }
            if !is_alone {
                book.breaks(format!("ordered call {number} of caller {caller} runs beside another"));
            }
        }
        drop(guard);
        Turn { ledger: self.clone(), life, lane: (client, lane), id }
    }
}
