//! The fibers that are ready to go on, on their own worker: a queue and a slot in front of it.
//!
//! A fiber that wakes another usually waits for it next (a channel, a lock, a join), so the woken one goes into the slot
//! and runs at once, its data still in cache. Two fibers that keep waking each other would starve the queue that way, so
//! after [`SLOT_RUNS_MAX`] runs in a row the slot's fiber goes to the back like any other.
//!
//! The queue is a list through the control blocks, so queueing allocates nothing and touches only what the switch touches anyway.
//!
//! Invariants:
//! * A queue is its worker's own, and no fiber is in it twice, since a [`Runnable`] is in one place only.
//! * The links of the fibers in it, and of no others, mean something; the last one's is null.

use std::cell::Cell;
use std::iter;
use std::ptr::NonNull;

use crate::control::{Control, Runnable};

/// How many fibers may run from the slot in a row.
const SLOT_RUNS_MAX: u32 = 3;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Ready {
    slot: Cell<Option<NonNull<Control>>>,
    slot_runs: Cell<u32>,
    first: Cell<Option<NonNull<Control>>>,
    /// Means nothing while there is no first.
    last: Cell<Option<NonNull<Control>>>,
}

/// The link of a fiber in this queue.
#[inline]
fn next<'a>(fiber: NonNull<Control>) -> &'a Cell<Option<NonNull<Control>>> {
    // SAFETY: a queued fiber is live, and only its worker, which owns the queue, touches what is owned.
    &unsafe { fiber.as_ref().owned() }.next
}

/// Whether a fiber in this queue has started.
#[inline]
fn is_started(fiber: NonNull<Control>) -> bool {
    // SAFETY: as in `next`.
    unsafe { fiber.as_ref().owned() }.context.is_filled()
}

impl Ready {
    /// Adds a fiber at the back.
    #[inline]
    pub(crate) fn push_back(&self, runnable: Runnable) {
        self.link(runnable.into_raw());
    }

    #[inline]
    fn link(&self, fiber: NonNull<Control>) {
        next(fiber).set(None);
        match (self.first.get(), self.last.replace(Some(fiber))) {
            (Some(_), Some(last)) => next(last).set(Some(fiber)),
            _ => self.first.set(Some(fiber)),
        }
    }

    /// Adds a fiber that the running fiber has just woken: into the slot; who was there goes to the back.
    #[inline]
    pub(crate) fn push_woken(&self, runnable: Runnable) {
        if let Some(previous) = self.slot.replace(Some(runnable.into_raw())) {
            self.link(previous);
        }
    }

    /// The fiber in the slot, if it may still jump the queue.
    #[inline]
    pub(crate) fn pop_slot(&self) -> Option<Runnable> {
        let fiber = self.slot.get()?;
        self.slot.set(None);
        if self.slot_runs.get() < SLOT_RUNS_MAX {
            self.slot_runs.set(self.slot_runs.get() + 1);
            // SAFETY: `push_woken` has dissolved the runnable.
            return Some(unsafe { Runnable::from_raw(fiber) });
        }
        self.link(fiber);
        None
    }

    /// The fiber at the front of the queue.
    #[inline]
    pub(crate) fn pop_front(&self) -> Option<Runnable> {
        self.slot_runs.set(0);
        let fiber = self.first.get()?;
        self.first.set(next(fiber).get());
        // SAFETY: a push has dissolved the runnable.
        Some(unsafe { Runnable::from_raw(fiber) })
    }

    /// The fiber that comes next, if there is one and it has started.
    #[inline]
    pub(crate) fn pop_started(&self) -> Option<Runnable> {
        // What is in the slot was woken, so it has started.
        if let Some(runnable) = self.pop_slot() {
            return Some(runnable);
        }
        self.first.get().filter(|&first| is_started(first)).and_then(|_| self.pop_front())
    }

    /// Puts the running fiber at the back and takes the fiber that comes next instead, if it comes from the queue and has started.
    #[inline(always)]
    pub(crate) fn rotate(&self, running: NonNull<Control>) -> Option<NonNull<Control>> {
        let first = self.first.get()?;
        if self.slot.get().is_some() || !is_started(first) {
            return None;
        }
        self.slot_runs.set(0);
        next(running).set(None);
        // The queue is not empty, so there is a last one.
        if let Some(last) = self.last.replace(Some(running)) {
            next(last).set(Some(running));
        }
        // Only now: the first may have been the last, too.
        self.first.set(next(first).get());
        Some(first)
    }

    /// The fibers that are ready.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Control> {
        let queue = iter::successors(self.first.get(), |&fiber| next(fiber).get());
        // SAFETY: a queued fiber is live; the caller runs none while it looks at them.
        self.slot.get().into_iter().chain(queue).map(|fiber| unsafe { fiber.as_ref() })
    }

    /// Whether no fiber is ready.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.slot.get().is_none() && self.first.get().is_none()
    }
}
