//! What a connection sends: replies gathered over a turn, and written together.
//!
//! Invariants:
//! * Who has the reader's role waits for no peer: it writes what goes at once, and has a fiber of its own write the rest.
//! * Whatever fiber writes puts a paused connection back in line, if there is room by then.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use fibra_scheduler::{cancel, in_fiber};

use super::{Connection, End};
use crate::outbox::{AtOnce, Outbox};
use crate::scratch;
use crate::server::replies::Replies;
use crate::server::store::Session;

impl Connection {
    /// Nothing leaves once the server shuts down: a handler may have been cancelled for that, and have ended for it.
    #[inline]
    fn may_answer(&self) -> io::Result<()> {
        self.context().stage.may_answer()
    }

    /// The replies of this turn, once the session knows of all of them.
    fn leaving(&self, replies: &mut Replies) -> Vec<u8> {
        if let Some(ended) = replies.take_ended() {
            self.session.finish(ended);
        }
        replies.leave()
    }

    /// Queues the replies of this turn, for who writes next.
    pub(super) fn queue(&self, replies: &mut Replies) {
        let mut leaving = self.leaving(replies);
        if !leaving.is_empty() && self.may_answer().is_ok() {
            self.shared_outbox().append_anyway(&mut leaving);
        }
        scratch::give(leaving);
    }

    /// Sends a reply, by who does not have the role.
    pub(super) fn answer(&self, mut reply: Vec<u8>) -> io::Result<()> {
        self.may_answer()?;
        while self.outbox.is_full() && !reply.is_empty() {
            self.flush()?;
            // Without a deadline it ends by a cancellation only. How long a peer may take is bounded by the write timeout.
            self.outbox.wait_for_room()?;
        }
        let sent = self.send_at_once(&mut reply);
        scratch::give(reply);
        sent.and_then(|()| self.flush())
    }

    /// Writes what is queued, for as long as that takes.
    pub(super) fn flush(&self) -> io::Result<()> {
        // What goes at once is not counted among what connections hold.
        self.outbox.flush(AtOnce(self.stream()))?;
        let flushed = if !in_fiber() {
            // Whoever drains the server may be at it, and would leave the rest to the next answer.
            self.outbox.flush_all(self.stream())
        } else if self.outbox.is_stuck() {
            self.outbox.flush_telling(self.stream(), || self.resume())
        } else {
            Ok(())
        };
        self.resume();
        flushed
    }

    /// As [`LazyOutbox::send`](super::super::lazy_outbox::LazyOutbox::send).
    pub(super) fn send_at_once(&self, frames: &mut Vec<u8>) -> io::Result<()> {
        self.outbox.send(frames, AtOnce(self.stream()), || self.new_outbox())
    }

    pub(super) fn shared_outbox(&self) -> Arc<Outbox> {
        self.outbox.shared(|| self.new_outbox())
    }

    pub(super) fn new_outbox(&self) -> Outbox {
        Outbox::counted(self.context().limits.buffered_bytes, Arc::clone(&self.context().load.buffered))
    }

    /// Writes what the peer takes at once. A fiber of its own waits for it to take the rest.
    pub(super) fn write_now(self: &Rc<Self>) -> io::Result<()> {
        if !in_fiber() {
            return self.flush();
        }
        self.outbox.flush(AtOnce(self.stream()))?;
        if !self.outbox.is_stuck() || self.extras().draining.get() {
            return Ok(());
        }
        let draining = Draining(Rc::clone(self));
        let drain = move || {
            let Draining(connection) = &draining;
            let drained = connection.flush();
            connection.extras().draining.set(false);
            if let Err(error) = drained {
                connection.end(End::Io(error));
            }
            connection.resume();
        };
        match cancel::shield(|| fibra_scheduler::Builder::new().spawn_local(drain)) {
            Ok(fiber) => {
                self.extras().draining.set(true);
                self.run_by(0, fiber);
                Ok(())
            }
            // There is no other way than to wait here.
            Err(_) => self.flush(),
        }
    }

    /// Writes the replies of this turn, and what is queued, as far as the peer takes it at once.
    pub(super) fn send(self: &Rc<Self>, replies: &mut Replies) -> io::Result<()> {
        let mut leaving = self.leaving(replies);
        self.may_answer()?;
        let sent = self.send_at_once(&mut leaving);
        scratch::give(leaving);
        sent?;
        self.write_now()
    }

    /// As [`send`](Self::send); whether there is room then.
    pub(super) fn make_room(self: &Rc<Self>, replies: &mut Replies) -> io::Result<bool> {
        self.send(replies)?;
        Ok(!self.outbox.is_full())
    }
}

/// The fiber that waits for the peer to take what is written. If it never runs, since there was no stack for it, the connection is closed.
struct Draining(Rc<Connection>);

impl Drop for Draining {
    fn drop(&mut self) {
        if self.0.extras().draining.replace(false) {
            self.0.close();
        }
    }
}
