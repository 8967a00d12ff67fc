//! The stacks that a worker keeps while it sleeps: enough for the next burst at first, and few once it is clear that there is none.
//!
//! A worker that goes to sleep between two events keeps the stacks that it has used, since it may need them within microseconds. One that has
//! slept for [`QUIET`] gives all but a few back; to take them again then costs a page fault each.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::Worker;
use crate::clock;

/// How many stacks a worker keeps hot when it goes to sleep, ...
const HOT_STACKS: usize = 256;

/// ... and how many once it has slept for this long.
const QUIET_STACKS: usize = 16;
const QUIET: Duration = Duration::from_millis(50);

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Cooling {
    /// How many switches there had been when it began to sleep, and when that was.
    since: Cell<(u64, Instant)>,
}

impl Cooling {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: Cell::new((u64::MAX, now)) }
    }
}

impl Worker {
    /// Gives back the stacks that it does not need while it sleeps. How long it may sleep before there are more; `None`: for ever.
    pub(super) fn cool(&self) -> Option<Duration> {
        if self.stacks.borrow_mut().trim(HOT_STACKS) <= QUIET_STACKS { None } else { self.cool_down() }
    }

    #[cold]
    fn cool_down(&self) -> Option<Duration> {
        let now = clock::now();
        let switches = self.remote().tally().switches();
        let (before, since) = self.cooling.since.get();
        if switches != before {
            self.cooling.since.set((switches, now));
            return Some(QUIET);
        }
        let left = QUIET.saturating_sub(now.saturating_duration_since(since));
        if left.is_zero() {
            self.stacks.borrow_mut().trim(QUIET_STACKS);
            return None;
        }
        Some(left)
    }
}
