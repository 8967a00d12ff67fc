//! The connections of a worker that have a call for which too many wait at the server, one that cannot be refused: they are paused, and get back in line one
//! after the other as there is room.
//!
//! ```text
//!   a call that waits ends, on whatever worker ─▶ Load: not full any more ─▶ Key::ROOM to the lines that asked ─▶ the first of those here
//! ```
//!
//! Invariant: while there are such, their worker's line is to be told of room, or has been told and its leader has not yet come to that.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use fibra_net::ReadySet;

use super::dispatch::Key;
use super::load::Load;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Postponed {
    connections: RefCell<VecDeque<Key>>,
    is_told: Cell<bool>,
}

impl Postponed {
    /// One that has to wait for room, and is none of these.
    pub(super) fn add(&self, key: Key, load: &Load, line: &ReadySet) {
        self.connections.borrow_mut().push_back(key);
        self.await_room(load, line);
    }

    /// There may be room: for the first of them.
    pub(super) fn next(&self) -> Option<Key> {
        self.is_told.set(false);
        self.connections.borrow_mut().pop_front()
    }

    /// For the others, once that one is back in line.
    pub(super) fn await_room(&self, load: &Load, line: &ReadySet) {
        if !self.connections.borrow().is_empty() && !self.is_told.replace(true) {
            load.tell_of_room(line.clone());
        }
    }
}
