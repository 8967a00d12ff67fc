//! What a connection sends: replies gathered over a turn, and written together.
//!
//! Invariants:
//! * Who has the reader's role waits for no peer: it writes what goes at once, and has a fiber of its own write the rest.
//! * Whatever fiber writes puts a paused connection back in line, if there is room by then.

use std::io;
use std::rc::Rc;

use fibra_scheduler::{cancel, in_fiber};

use super::{Connection, End};
use crate::limits::FLUSH_BYTES;
use crate::outbox::{AtOnce, Refused};
use crate::scratch;

impl Connection {
    /// Adds a reply to those of this turn: by who has the role, who writes them together. Whether they are enough for a write.
    #[inline]
    pub(super) fn batch(&self, mut reply: Vec<u8>) -> bool {
        if reply.is_empty() {
            return false;
        }
        let mut replies = self.replies.take();
        if replies.is_empty() {
            std::mem::swap(&mut replies, &mut reply);
        } else {
            replies.extend_from_slice(&reply);
        }
        scratch::give(reply);
        let is_enough = replies.len() >= FLUSH_BYTES;
        self.replies.set(replies);
        is_enough
    }

    /// Queues the replies of this turn.
    pub(super) fn queue(&self) {
        let mut replies = self.replies.take();
        if !replies.is_empty() {
            self.outbox.append_anyway(&mut replies);
        }
        scratch::give(replies);
    }

    /// Sends a reply, by who does not have the role.
    pub(super) fn answer(&self, mut reply: Vec<u8>) -> io::Result<()> {
        while !reply.is_empty() {
            match self.outbox.append(&mut reply) {
                Ok(_) => {}
                Err(Refused::Full) => {
                    self.flush()?;
                    // Without a deadline it ends by a cancellation only. How long a peer may take is bounded by the write timeout.
                    self.outbox.wait_for_room(None)?;
                }
                // Nobody is there to read it. The reader finds out by itself.
                Err(Refused::Closed) => break,
            }
        }
        scratch::give(reply);
        self.flush()
    }

    /// Writes what is queued, for as long as that takes.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.queue();
        let flushed = self.outbox.flush(self.stream());
        self.resume();
        flushed
    }

    /// Writes what the peer takes at once. A fiber of its own waits for it to take the rest.
    pub(super) fn write_now(self: &Rc<Self>) -> io::Result<()> {
        if !in_fiber() {
            return self.flush();
        }
        self.queue();
        self.outbox.flush(AtOnce(self.stream()))?;
        if !self.outbox.is_stuck() || self.draining.get() {
            return Ok(());
        }
        let draining = Draining(Rc::clone(self));
        let drain = move || {
            let Draining(connection) = &draining;
            let drained = connection.flush();
            connection.draining.set(false);
            if let Err(error) = drained {
                connection.end(End::Io(error));
            }
            connection.resume();
        };
        match cancel::shield(|| fibra_scheduler::Builder::new().spawn_local(drain)) {
            Ok(fiber) => {
                self.draining.set(true);
                self.run_by(0, fiber);
                Ok(())
            }
            // There is no other way than to wait here.
            Err(_) => self.flush(),
        }
    }

    /// Writes what is in the way; whether there is room then.
    pub(super) fn make_room(self: &Rc<Self>) -> io::Result<bool> {
        self.write_now()?;
        Ok(!self.outbox.is_full())
    }
}

/// The fiber that waits for the peer to take what is written. If it never runs, since there was no stack for it, the connection is closed.
struct Draining(Rc<Connection>);

impl Drop for Draining {
    fn drop(&mut self) {
        if self.0.draining.replace(false) {
            self.0.close();
        }
    }
}
