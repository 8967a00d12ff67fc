//! What all connections of a server have under way, for the limits that hold for all of them together.
//!
//! Invariants:
//! * A call that never waits is not counted: it begins and ends within one turn of its worker.
//! * Calls are let in while fewer wait than may; those that workers have begun at that moment may still come to wait, one each.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fibra_net::ReadySet;
use parking_lot::Mutex;

use super::dispatch::Key;
use crate::buffered::Buffered;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Load {
    waiting: AtomicUsize,
    waiting_max: usize,
    /// The lines that are to be told when fewer wait than may.
    lines: Mutex<Vec<ReadySet>>,
    pub(super) buffered: Arc<Buffered>,
}

impl Load {
    pub(super) fn new(waiting_max: usize, buffered_max: usize) -> Self {
        let (waiting, lines) = (AtomicUsize::new(0), Mutex::default());
        Self { waiting, waiting_max, lines, buffered: Buffered::new(buffered_max) }
    }

    /// Calls whose handlers wait for something, or whose replies wait for room.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The limit, if as many wait as may.
    #[inline]
    pub(super) fn is_full(&self) -> Option<usize> {
        (self.waiting() >= self.waiting_max).then_some(self.waiting_max)
    }

    /// A call has come to wait; until what is returned is dropped.
    pub(super) fn waits(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    /// Puts [`Key::ROOM`] in that line, once, as soon as fewer wait than may.
    pub(super) fn tell_of_room(&self, line: ReadySet) {
        self.lines.lock().push(line);
        // It may have come to that before: then nobody has told it.
        if self.is_full().is_none() {
            self.tell_lines();
        }
    }

    #[cold]
    fn tell_lines(&self) {
        let lines = mem::take(&mut *self.lines.lock());
        lines.iter().for_each(|line| line.push(Key::ROOM.0));
    }
}

/// A call that has waited and not ended.
#[must_use = "it is counted only for as long as this lives"]
pub(super) struct Waiting<'a>(&'a Load);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let before = self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        if before == self.0.waiting_max {
            self.0.tell_lines();
        }
    }
}
