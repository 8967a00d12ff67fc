//! The flusher: who writes what an [outbox](super) holds. A sender who is done, the connection's writer fiber, or another that has it to do; one at a time.

use std::io::{self, Write};
use std::mem;
use std::time::Instant;

use fibra_net::TcpStream;
use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Reason};

use super::Outbox;

impl Outbox {
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
