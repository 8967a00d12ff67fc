//! The fibers that are ready to go on, on their own worker: a queue and a slot in front of it.
//!
//! A fiber that wakes another usually waits for it next (a channel, a lock, a join), so the woken one goes into the slot
//! and runs at once, its data still in cache. Two fibers that keep waking each other would starve the queue that way, so
//! after [`SLOT_RUNS_MAX`] runs in a row the slot's fiber goes to the back like any other.

use std::collections::VecDeque;

use crate::control::Runnable;

/// How many fibers may run from the slot in a row.
const SLOT_RUNS_MAX: u32 = 3;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Ready {
    slot: Option<Runnable>,
    slot_runs: u32,
    queue: VecDeque<Runnable>,
}

impl Ready {
    /// Adds a fiber at the back.
    #[inline]
    pub(crate) fn push_back(&mut self, runnable: Runnable) {
        self.queue.push_back(runnable);
    }

    /// Adds a fiber that the running fiber has just woken: into the slot; who was there goes to the back.
    #[inline]
    pub(crate) fn push_woken(&mut self, runnable: Runnable) {
        if let Some(previous) = self.slot.replace(runnable) {
            self.queue.push_back(previous);
        }
    }

    /// The fiber in the slot, if it may still jump the queue.
    #[inline]
    pub(crate) fn pop_slot(&mut self) -> Option<Runnable> {
        let runnable = self.slot.take()?;
        if self.slot_runs < SLOT_RUNS_MAX {
            self.slot_runs += 1;
            return Some(runnable);
        }
        self.queue.push_back(runnable);
        None
    }

    /// The fiber at the front of the queue.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<Runnable> {
        self.slot_runs = 0;
        self.queue.pop_front()
    }

    /// The fibers that are ready.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Runnable> {
        self.slot.iter().chain(&self.queue)
    }

    /// Whether no fiber is ready.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.slot.is_none() && self.queue.is_empty()
    }
}
