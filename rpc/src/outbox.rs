//! The output half of a connection: many append whole frames, one at a time writes them.
//!
//! ```text
//!   append ─▶ queued ─swap─▶ batch ─▶ write(2)     whoever flushes takes all that is queued; others go on appending
//! ```
//!
//! A frame is encoded in a buffer of its sender's and then adopted: swapped in if the queue is empty, else copied. So no
//! user code (`Serialize`) runs under the lock, nothing parks under it, and a frame is queued whole or not at all.
//!
//! Invariants:
//! * At most one flusher. A frame that is queued while one is at work is written by it.
//! * Bytes leave in the order of the queue. What a flusher could not write stays, and the next goes on from there.
//! * Once closed, no write begins. [`exposed`](Outbox::exposed) is exact for whole frames except while a write is under way, which it
//!   takes for done.
//! * Who waits for room is woken when half of it is free, not for each frame that leaves; in any case before nothing is left to write.
//! * The writing fiber is woken to write what others queue in its turn, not at once: so those who are ready add theirs before.
//! * At most `buffered_bytes` and one frame more are held, and what is appended `anyway`; other senders wait for room.
//! * What was not written at once counts among what all connections of a server hold. If that is too much, whoever has any of it is full.

mod flusher;
mod state;

use std::sync::Arc;
use std::time::Instant;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Reason};
use parking_lot::Mutex;

use crate::buffered::{Buffered, Share};
use crate::limits::WRITE_BYTES_MAX;
use state::State;

pub(crate) use flusher::{AtOnce, write_all};

#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    buffered_bytes_max: usize,
    /// As many bytes go to one write at most.
    write_bytes_max: usize,
}

/// A frame that has been queued.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queued {
    /// Where in the stream it ends.
    pub(crate) end: u64,
}

/// Why a frame was not queued. It is still with its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Wait for [room](Outbox::wait_for_room).
    Full,
    /// The connection is over.
    Closed,
}

impl Outbox {
    pub(crate) fn new(buffered_bytes_max: usize) -> Self {
        Self { state: Mutex::default(), buffered_bytes_max, write_bytes_max: WRITE_BYTES_MAX }
    }

    /// The same, of one that hands whole frames to each write, however long they are: for who takes frames, and not bytes.
    pub(crate) fn of_whole_frames(buffered_bytes_max: usize) -> Self {
        Self { write_bytes_max: usize::MAX, ..Self::new(buffered_bytes_max) }
    }

    /// The same, of one that counts among `all`.
    pub(crate) fn counted(buffered_bytes_max: usize, all: Arc<Buffered>) -> Self {
        let state = State { share: Share::new(all), ..State::default() };
        Self { state: Mutex::new(state), ..Self::new(buffered_bytes_max) }
    }

    /// As [`append_and_wake`](Self::append_and_wake), but wakes nobody, and not refused for being full: for whoever stops bringing frames
    /// when [it is](Self::is_full), and for frames of a few bytes that are bounded otherwise. Returns the bytes now queued; none if the
    /// connection is over, and then the frames are dropped.
    pub(crate) fn append_anyway(&self, frames: &mut Vec<u8>) -> usize {
        let mut state = self.state.lock();
        if state.is_over() {
            frames.clear();
            return 0;
        }
        state.push(frames);
        state.queued.len()
    }

    /// Whether senders have to wait for room.
    pub(crate) fn is_full(&self) -> bool {
        let state = self.state.lock();
        !state.closed && self.has_no_room(&state)
    }

    /// Whether there is room for many: who has stopped for want of it is not to begin again for one frame.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.state.lock();
        state.closed || self.has_much_room(&state)
    }

    /// Whether there is nothing that the operating system has not taken.
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.closed || state.buffered() == 0
    }

    /// Whether it is as good as new: nothing is in it, and it takes more.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state.lock();
        !state.is_over() && state.buffered() == 0
    }

    /// Whether there is something to write that nobody is writing.
    pub(crate) fn is_stuck(&self) -> bool {
        let state = self.state.lock();
        !state.closed && !state.flushing && state.buffered() > 0
    }

    /// Queues the frames in `frames` and leaves it empty; wakes the writing fiber if nobody else is writing.
    pub(crate) fn append_and_wake(&self, frames: &mut Vec<u8>) -> Result<Queued, Refused> {
        let mut state = self.state.lock();
        self.admit(&state)?;
        // Whoever writes finds the frame by itself.
        let writer = if !state.flushing { state.writer.clone() } else { None };
        state.push(frames);
        let queued = Queued { end: state.end };
        drop(state);
        if let Some(writer) = writer {
            writer.unpark_in_turn();
        }
        Ok(queued)
    }

    /// Queues a frame that stays with its sender. The caller is to [flush](Self::flush), or to see to it that the writing fiber does.
    pub(crate) fn append_copy(&self, frame: &[u8]) -> Result<Queued, Refused> {
        let mut state = self.state.lock();
        self.admit(&state)?;
        Ok(state.push_copy(frame))
    }

    /// As [`append_copy`](Self::append_copy), but not refused for being full: of a frame that takes memory in any case, and whose sender cannot
    /// wait. `None` if the connection is over.
    pub(crate) fn append_copy_anyway(&self, frame: &[u8]) -> Option<Queued> {
        let mut state = self.state.lock();
        (!state.is_over()).then(|| state.push_copy(frame))
    }

    /// Wakes the writing fiber if nobody else is writing what is queued.
    pub(crate) fn wake_writer(&self) {
        let state = self.state.lock();
        let writer = if state.flushing { None } else { state.writer.clone() };
        drop(state);
        if let Some(writer) = writer {
            writer.unpark_in_turn();
        }
    }

    fn admit(&self, state: &State) -> Result<(), Refused> {
        if state.is_over() {
            return Err(Refused::Closed);
        }
        if self.has_no_room(state) {
            return Err(Refused::Full);
        }
        Ok(())
    }

    fn has_no_room(&self, state: &State) -> bool {
        let buffered = state.buffered();
        buffered >= self.buffered_bytes_max || (buffered > 0 && state.share.is_over())
    }

    fn has_much_room(&self, state: &State) -> bool {
        state.buffered() <= self.buffered_bytes_max / 2 && !self.has_no_room(state)
    }

    /// Waits until a frame can be queued, or never again. The caller may find that another was faster.
    pub(crate) fn wait_for_room(&self, deadline: Option<Instant>) -> Result<(), Interrupted> {
        while self.park_for_room(deadline)? {}
        Ok(())
    }

    /// The same for who may be told meanwhile that there is no use in waiting: returns whenever it is woken, by whomever. Whether it has waited.
    pub(crate) fn park_for_room(&self, deadline: Option<Instant>) -> Result<bool, Interrupted> {
        let mut state = self.state.lock();
        if state.closed || !self.has_no_room(&state) {
            return Ok(false);
        }
        let ticket = state.room.add();
        // What fills it may have been left to be written with more.
        let writer = if state.flushing { None } else { state.writer.clone() };
        drop(state);
        if let Some(writer) = writer {
            writer.unpark_in_turn();
        }
        let parked = park::wait(Reason::Call, deadline);
        // Whoever makes room wakes all, so that a signal which comes too late is owed to nobody.
        self.state.lock().room.leave(ticket);
        parked.map(|()| true)
    }

    /// Wakes all who [wait for room](Self::park_for_room): it may be of no use to them any more.
    pub(crate) fn wake_waiting(&self) {
        let waiting = self.state.lock().room.take_all();
        waiting.wake();
    }

    /// How much of the stream the operating system may have: the peer may act on the frames that end there or before.
    pub(crate) fn exposed(&self) -> u64 {
        self.state.lock().exposed
    }

    /// Takes no more frames; those queued are still written.
    pub(crate) fn finish(&self) {
        self.end(|state| state.finished = true);
    }

    /// Takes no more frames, begins no more writes.
    pub(crate) fn close(&self) {
        self.end(|state| {
            state.closed = true;
            state.share.set(0);
        });
    }

    fn end(&self, how: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        how(&mut state);
        let room = state.room.take_all();
        let writer = state.writer.clone();
        drop(state);
        room.wake();
        if let Some(writer) = writer {
            writer.unpark();
        }
    }
}

#[cfg(test)]
mod tests;
