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

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use fibra_net::TcpStream;
use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Reason, Unparker};
use parking_lot::Mutex;

use crate::buffered::{Buffered, Share};
use crate::limits::{FLUSH_BYTES, WRITE_BYTES_MAX};
use crate::waiters::Waiters;

#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    buffered_bytes_max: usize,
    /// As many bytes go to one write at most.
    write_bytes_max: usize,
}

#[derive(Debug, Default)]
struct State {
    queued: Vec<u8>,
    /// What was taken from `queued` to be written; with the flusher, while there is one.
    batch: Vec<u8>,
    /// How much of `batch` has been written.
    written: usize,
    flushing: bool,
    /// Bytes of the batch that the flusher has in hand and has not written.
    writing: usize,
    /// Bytes ever queued: where in the stream `queued` ends.
    end: u64,
    /// The operating system has at most the first so many bytes of the stream.
    exposed: u64,
    closed: bool,
    /// No more is to come; what is queued is still to be written.
    finished: bool,
    room: Waiters,
    /// As of when a write last stopped half way, and since, until all is written.
    share: Share,
    /// The fiber that does nothing but write, if this connection has one.
    writer: Option<Unparker>,
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

    /// Queues the frames in `frames` and leaves it empty. The caller is to [flush](Self::flush), or to see to it that the
    /// writing fiber does.
    pub(crate) fn append(&self, frames: &mut Vec<u8>) -> Result<Queued, Refused> {
        self.queue(frames, false)
    }

    /// As [`append`](Self::append), but not refused for being full: for whoever stops bringing frames when [it is](Self::is_full), and for frames of a
    /// few bytes that are bounded otherwise.
    /// Returns the bytes now queued; none if the connection is over, and then the frames are dropped.
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

    /// As [`append`](Self::append); wakes the writing fiber if nobody else is writing.
    pub(crate) fn append_and_wake(&self, frames: &mut Vec<u8>) -> Result<Queued, Refused> {
        self.queue(frames, true)
    }

    /// As [`append`](Self::append), of a frame that stays with its sender.
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

    fn queue(&self, frames: &mut Vec<u8>, wake: bool) -> Result<Queued, Refused> {
        let mut state = self.state.lock();
        self.admit(&state)?;
        // Whoever writes finds the frame by itself.
        let writer = if wake && !state.flushing { state.writer.clone() } else { None };
        state.push(frames);
        let queued = Queued { end: state.end };
        drop(state);
        if let Some(writer) = writer {
            writer.unpark_in_turn();
        }
        Ok(queued)
    }

    /// Waits until a frame can be queued, or never again. The caller may find that another was faster.
    pub(crate) fn wait_for_room(&self, deadline: Option<Instant>) -> Result<(), Interrupted> {
        loop {
            let mut state = self.state.lock();
            if state.closed || !self.has_no_room(&state) {
                return Ok(());
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
            parked?;
        }
    }

    /// Writes what is queued, and what is queued meanwhile. Returns at once if another is at it. If `stream` would block,
    /// leaves the rest to the writing fiber; to which it also leaves the end, if it is [finished](Self::finish).
    ///
    /// # Errors
    ///
    /// Those of `stream`, `WouldBlock` excepted; the outbox is closed then.
    pub(crate) fn flush(&self, stream: impl Write) -> io::Result<()> {
        self.flush_telling(stream, || {})
    }

    /// As [`flush`](Self::flush); calls `has_room` after each piece with which there is, while more is left to write.
    ///
    /// # Errors
    ///
    /// As those of [`flush`](Self::flush).
    pub(crate) fn flush_telling(&self, mut stream: impl Write, mut has_room: impl FnMut()) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.flushing {
            return Ok(());
        }
        state.flushing = true;
        let mut result = Ok(());
        while result.is_ok() && !state.closed && state.next_batch() {
            let batch = mem::take(&mut state.batch);
            let rest = batch.get(state.written..).unwrap_or_default();
            let begin = state.exposed;
            state.writing = rest.len();
            let piece = rest.get(..self.write_bytes_max).unwrap_or(rest);
            state.exposed = begin + piece.len() as u64;
            drop(state);

            let count;
            (count, result) = write_all(&mut stream, piece);

            state = self.state.lock();
            state.exposed = begin + count as u64;
            state.writing = 0;
            state.written += count;
            state.batch = batch;
            state.count();
            if result.is_err() || !self.has_much_room(&state) {
                continue;
            }
            let room = state.room.take_all();
            let tells = state.buffered() > 0;
            if tells || !room.is_empty() {
                drop(state);
                room.wake();
                if tells {
                    has_room();
                }
                state = self.state.lock();
            }
        }
        state.flushing = false;
        let would_block = matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        state.closed |= result.is_err() && !would_block;
        // Whoever waits may have to write now, or to give up.
        let room = result.is_err().then(|| {
            let buffered = if state.closed { 0 } else { state.buffered() };
            state.share.set(buffered);
            state.room.take_all()
        });
        // The writer may have looked meanwhile, and found what was in hand here: nobody else would tell it that all is written.
        let writer = if would_block || state.finished { state.writer.clone() } else { None };
        drop(state);
        if let Some(room) = room {
            room.wake();
        }
        if let Some(writer) = writer {
            writer.unpark();
        }
        if would_block { Ok(()) } else { result }
    }

    /// Writes all that is queued, or waits for the one who does.
    ///
    /// # Errors
    ///
    /// Those of `stream`; the outbox is closed then. [`Interrupted`] if the wait was.
    pub(crate) fn flush_all(&self, mut stream: impl Write) -> io::Result<()> {
        loop {
            self.flush(&mut stream)?;
            let mut state = self.state.lock();
            if state.closed || state.buffered() == 0 {
                return Ok(());
            }
            if !state.flushing {
                continue;
            }
            let ticket = state.room.add();
            drop(state);
            let parked = park::wait(Reason::Call, None);
            self.state.lock().room.leave(ticket);
            parked?;
        }
    }

    /// Writes for as long as the connection lasts, parking while there is nothing to write. Returns once
    /// [`finish`](Self::finish)ed and all is written, or closed.
    ///
    /// Calls `look` at the time that it has said last, or a few writes later.
    ///
    /// # Errors
    ///
    /// Those of `stream`; [`Interrupted`] if the fiber was.
    pub(crate) fn write_for_ever(
        &self,
        mut stream: impl Write,
        mut look: impl FnMut() -> Option<Instant>,
    ) -> io::Result<()> {
        self.state.lock().writer = Some(park::current());
        let mut look_at = look();
        let mut parks: u8 = 0;
        loop {
            self.flush(&mut stream)?;
            let state = self.state.lock();
            if state.closed || (state.finished && state.buffered() == 0) {
                return Ok(());
            }
            drop(state);
            parks = parks.wrapping_add(1);
            match park::wait(Reason::Call, look_at) {
                // Who is always woken in time is never late: it reads no clock, but counts.
                Ok(()) if parks != 0 => {}
                Ok(()) | Err(Interrupted::TimedOut) => look_at = look(),
                Err(interrupted) => return Err(interrupted.into()),
            }
        }
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

impl State {
    /// Whether it takes no more frames.
    fn is_over(&self) -> bool {
        self.closed || self.finished
    }

    fn push(&mut self, frames: &mut Vec<u8>) {
        self.end += frames.len() as u64;
        if self.queued.is_empty() {
            mem::swap(&mut self.queued, frames);
        } else {
            self.queued.append(frames);
        }
        self.count();
    }

    fn push_copy(&mut self, frame: &[u8]) -> Queued {
        self.end += frame.len() as u64;
        self.queued.extend_from_slice(frame);
        self.count();
        Queued { end: self.end }
    }

    /// While there is something that was not written at once, all that is buffered counts.
    #[inline]
    fn count(&mut self) {
        if self.share.is_some() && !self.closed {
            let buffered = self.buffered();
            self.share.set(buffered);
        }
    }

    fn buffered(&self) -> usize {
        self.queued.len() + self.writing + self.batch.len().saturating_sub(self.written)
    }

    /// Makes `batch` what is to be written next; false if there is nothing.
    fn next_batch(&mut self) -> bool {
        if self.written < self.batch.len() {
            return true;
        }
        self.written = 0;
        self.batch.clear();
        if self.batch.capacity() > FLUSH_BYTES {
            self.batch = Vec::new();
        }
        mem::swap(&mut self.batch, &mut self.queued);
        !self.batch.is_empty()
    }
}

/// A socket for who is not to wait: what the peer does not take at once is left to another fiber.
pub(crate) struct AtOnce<'a>(pub(crate) &'a TcpStream);

impl Write for AtOnce<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As [`Write::write_all`], but says how much was written before it failed.
pub(crate) fn write_all(stream: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match stream.write(rest) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

#[cfg(test)]
mod tests;
