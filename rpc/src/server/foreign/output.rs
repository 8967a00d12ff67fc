//! What a connection of another protocol sends: whole answers, each by who has made it; those to what came with one read together.
//!
//! Invariants:
//! * What is queued and what nobody writes waits for fibers that have not begun, or have begun and not waited: the last of them writes it when it ends, or
//!   before it waits. Without any of them, who reads writes it before it waits.
//! * Who cannot send closes the connection, so that nobody else tries, and who reads ends.

use std::io;
use std::rc::Rc;

use fibra_scheduler::{cancel, in_fiber, park};

use super::Foreign;
use crate::limits::FLUSH_BYTES;
use crate::outbox::AtOnce;
use crate::scratch;
use crate::server::roster::Task;

impl Foreign {
    /// Sends an answer, once there is room for it, with those that were queued before.
    pub(super) fn send(&self, answer: Vec<u8>) {
        self.queue(answer);
        self.flush();
    }

    /// Leaves an answer to be sent with the next, once there is room for it. The caller is to [flush](Self::flush), or to see to it that another does.
    pub(super) fn queue(&self, mut answer: Vec<u8>) {
        let queued = if answer.is_empty() { Ok(()) } else { self.try_queue(&mut answer) };
        scratch::give(answer);
        self.closed_by(queued);
    }

    fn try_queue(&self, answer: &mut Vec<u8>) -> io::Result<()> {
        self.context.stage.may_answer()?;
        self.wait_for_room()?;
        let is_enough = self.outbox.append_anyway(answer) >= FLUSH_BYTES;
        // A thread is not told before it blocks, as a fiber is.
        if is_enough || !in_fiber() { self.outbox.flush_all(self.seat.stream()) } else { Ok(()) }
    }

    /// Writes what is queued, for as long as that takes.
    pub(super) fn flush(&self) {
        self.closed_by(self.outbox.flush_all(self.seat.stream()));
    }

    /// As [`flush`](Self::flush), unless another is still to do so.
    pub(super) fn flush_if_last(&self) {
        if self.unbegun.get() == 0 {
            self.flush();
        }
    }

    /// Does what a message asks for. What is queued does not wait for it, should it wait itself.
    pub(super) fn acting<R>(self: &Rc<Self>, act: impl FnOnce() -> R) -> R {
        park::on_first_park(&mut || self.flush_before_a_park(), act)
    }

    /// As [`flush_if_last`](Self::flush_if_last), without waiting: for what the client does not take at once there is another fiber.
    fn flush_before_a_park(self: &Rc<Self>) {
        if self.unbegun.get() > 0 || self.outbox.is_empty() {
            return;
        }
        if self.outbox.flush(AtOnce(self.seat.stream())).is_err() {
            // Nothing is logged from here: what a logger does nobody knows. Who reads says it.
            return self.close();
        }
        if !self.outbox.is_stuck() {
            return;
        }
        let connection = Rc::clone(self);
        // Whoever gives up on what waits here has not given up on the others' answers.
        let spawned = cancel::shield(|| fibra_scheduler::Builder::new().spawn_local(move || connection.flush()));
        // If there is none, what is left goes with the next answer.
        if let Ok(fiber) = spawned {
            self.seat.add(0, Task::Fiber(fiber));
        }
    }

    fn closed_by(&self, sent: io::Result<()>) {
        let Err(error) = sent else { return };
        if error.kind() == io::ErrorKind::TimedOut {
            tracing::warn!(peer = %self.peer, reason = "the peer does not read its replies", "closed a connection");
        } else {
            tracing::debug!(peer = %self.peer, %error, "a connection was lost");
        }
        // Wakes who reads.
        self.close();
    }

    /// Waits while more is held for the client than it may have: who does not take answers is not read from.
    pub(super) fn wait_for_room(&self) -> io::Result<()> {
        while self.outbox.is_full() {
            self.outbox.flush_all(self.seat.stream())?;
            self.outbox.wait_for_room(None)?;
        }
        Ok(())
    }
}
