//! Where the lanes of a channel are: each at one link at a time, as long as calls of it are under way there.
//!
//! ```text
//!   a call of lane 7 ─┬ none of it under way: goes where any call may go ─▶ Hold ─▶ its link's table, until it has ended
//!                     └ some are, at a link ─┬ that takes calls: there
//!                                            └ that does not, at present or any more: waits
//! ```
//!
//! Within a session the server keeps the order of a lane; between two sessions nobody could. So a lane moves only when it is empty: then all that was
//! made before has ended, as far as its callers know.
//!
//! Invariant: while a [`Hold`] of a lane is there, the lane does not move.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::common::Common;
use super::link::Link;
use crate::session::Lane;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Lanes {
    seats: Mutex<HashMap<Lane, Seat>>,
}

#[derive(Debug, Default)]
struct Seat {
    /// Calls made so far.
    made: u64,
    /// Those that have not ended, ...
    calls: usize,
    /// ... and where they are.
    at: Place,
    /// Somebody waits for them to end.
    is_awaited: bool,
}

/// A link, and the place of its endpoint among several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Told apart by its address: it is not freed while it has calls.
    link: usize,
    pub(super) endpoint: usize,
}

impl Place {
    pub(super) fn of(link: &Arc<Link>, endpoint: usize) -> Self {
        Self { link: Arc::as_ptr(link).addr(), endpoint }
    }
}

/// When a call of a lane was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// How many of its lane had been made by then, itself included.
    made: u64,
    /// It was refused, and is made again.
    is_again: bool,
}

impl Ticket {
    /// The same for a further attempt, which is not to come behind calls that were made later.
    pub(super) fn again(self) -> Self {
        Self { is_again: true, ..self }
    }
}

/// A call of a lane that is under way, or about to be.
pub(super) struct Hold {
    common: Arc<Common>,
    pub(super) lane: Lane,
    ticket: Ticket,
}

impl Lanes {
    /// A call is made, for the first time.
    pub(super) fn ticket(&self, lane: Lane) -> Ticket {
        let mut seats = self.seats.lock();
        let seat = seats.entry(lane).or_default();
        seat.made += 1;
        Ticket { made: seat.made, is_again: false }
    }

    /// It is to be made again. `false`: it would come after one that was made later.
    pub(super) fn is_last(&self, lane: Lane, ticket: Ticket) -> bool {
        self.seats.lock().get(&lane).is_none_or(|seat| seat.made == ticket.made)
    }

    /// Where the lane has to stay; `None`: it may go anywhere. If it `awaits` that, there is a [change](Common::changed) then.
    pub(super) fn at(&self, lane: Lane, awaits: bool) -> Option<Place> {
        let mut seats = self.seats.lock();
        let seat = seats.get_mut(&lane).filter(|seat| seat.calls > 0)?;
        seat.is_awaited |= awaits;
        Some(seat.at)
    }

    /// A call goes there; `None`: the lane is elsewhere.
    pub(super) fn hold(common: &Arc<Common>, lane: Lane, ticket: Ticket, at: Place) -> Option<Hold> {
        let mut seats = common.lanes.seats.lock();
        let seat = seats.entry(lane).or_default();
        if seat.calls > 0 && seat.at != at {
            return None;
        }
        seat.at = at;
        seat.calls += 1;
        Some(Hold { common: Arc::clone(common), lane, ticket })
    }
}

impl Hold {
    /// Whether it is made again, and would come after one that was made later. To be asked under the lock under which calls get their xids: what
    /// is made from then on gets a later one.
    pub(super) fn is_overtaken(&self) -> bool {
        self.ticket.is_again && !self.common.lanes.is_last(self.lane, self.ticket)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut seats = self.common.lanes.seats.lock();
        let Some(seat) = seats.get_mut(&self.lane) else { return };
        seat.calls -= 1;
        let tells = seat.calls == 0 && std::mem::take(&mut seat.is_awaited);
        drop(seats);
        if tells {
            self.common.changed();
        }
    }
}
