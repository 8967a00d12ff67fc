//! One direction of a socket: its readiness and who waits for it.
//!
//! The first in the queue is the only one to try the system call; it stays first while it tries, so that newcomers line up
//! behind it and those who waited longer are served first. A wake-up is no message that could get lost, only a hint to look:
//! what counts is the pair "I am first" and "the direction is ready", and whoever changes either side of it unparks the one for
//! whom the pair became true.
//!
//! | change | who unparks whom |
//! |---|---|
//! | not ready → ready | the event's dispatcher: the first |
//! | first → next, while ready | the leaver ([`Turn`]'s drop: done, timed out, cancelled or panicking): the new first |
//! | first → next, while no reactor reports | the leaver: the new first, who registers the socket anew |
//! | joined an empty queue, while ready | nobody: the joiner looks before it parks |
//!
//! With the feature `tokio-io` there may be a task as well, which is polled: it does not line up, since a future that is dropped says
//! so to nobody, and would keep its place for ever. It tries whenever the direction is ready, and leaves its waker if not. There is one
//! place for each [`Role`]: `AsyncRead` and `AsyncWrite` promise to wake whoever polled last, but a TLS stream's reader, who sends what
//! nobody else does, is not to take the place of its writer.
//!
//! Or a [`ReadySet`](crate::ReadySet) watches the direction, for a fiber that serves many sockets: told once, when it is ready next.
//!
//! Invariants:
//! * The readiness word's `WAITED` bit is set exactly while the queue is not empty or some waker or watch is there, and changes only
//!   under the lock.
//! * Nobody parks or makes a system call under the lock, nor is a waker woken or dropped.

use std::sync::atomic::{AtomicBool, Ordering};

use fibra_scheduler::park::Unparker;
use parking_lot::Mutex;

use crate::queue::Ticket;
use crate::readiness::{Readiness, Snapshot};
use crate::ready_set::Watch;
use crate::registration::Side;
#[cfg(feature = "tokio-io")]
use crate::task::Role;
use crate::waiting::Waiting;

/// See the [module](self).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Direction<'a> {
    pub(crate) side: Side,
    pub(crate) readiness: &'a Readiness,
    /// Of both directions of the socket: one lock for both takes less room.
    pub(crate) lines: &'a Mutex<Lines>,
    /// Whether some reactor reports events.
    pub(crate) registered: &'a AtomicBool,
}

/// Who waits for either direction of a socket.
#[derive(Debug)]
pub(crate) struct Lines {
    read: Waiting,
    /// Made when somebody first waits to write; few sockets are ever waited for so.
    write: Option<Box<Waiting>>,
}

impl Lines {
    pub(crate) const fn new() -> Self {
        Self { read: Waiting::Nobody, write: None }
    }

    fn of(&mut self, side: Side) -> &mut Waiting {
        match side {
            Side::Read => &mut self.read,
            Side::Write => self.write.get_or_insert_default(),
        }
    }
}

impl<'a> Direction<'a> {
    pub(crate) fn readiness(self) -> &'a Readiness {
        self.readiness
    }

    pub(crate) fn load(self) -> Snapshot {
        self.readiness.load()
    }

    /// Whether whoever is first has something to do: to try, or to register the socket.
    fn is_to_be_seen_to(self) -> bool {
        self.load().is_ready() || !self.registered.load(Ordering::Acquire)
    }

    /// An event says that the direction may be ready. `probe`: from now on, only `EAGAIN` proves that it is not.
    pub(crate) fn raise(self, probe: bool) {
        let before = self.readiness.raise(probe);
        // If it was ready before, then the first has been told, or is trying right now and will see the new tick.
        if before.is_waited() && !before.is_ready() {
            let mut lines = self.lines.lock();
            let waiting = lines.of(self.side);
            let told = waiting.tell();
            if waiting.is_nobody() {
                self.readiness.set_waited(false);
            }
            drop(lines);
            if let Some(first) = told.first {
                first.unpark();
            }
            told.tasks.wake();
            if let Some(watch) = told.watch {
                watch.announce();
            }
        }
    }

    /// Has the task of `waker` woken when the direction is ready next, instead of who polled in the same `role` before. Who calls this
    /// looks at the readiness afterwards.
    #[cfg(feature = "tokio-io")]
    pub(crate) fn leave_waker(self, role: Role, waker: &std::task::Waker) {
        let mut lines = self.lines.lock();
        let before = lines.of(self.side).leave_waker(role, waker);
        self.readiness.set_waited(true);
        drop(lines);
        drop(before);
    }

    /// Has `watch` announced once, when the direction is ready: at once if it may be. It takes the place of an earlier one.
    pub(crate) fn announce_to(self, watch: Watch) {
        let mut lines = self.lines.lock();
        let waiting = lines.of(self.side);
        let before = waiting.watch(watch);
        self.readiness.set_waited(true);
        // After the bit: an event sees that, or is seen here.
        let now = if self.load().is_ready() { waiting.take_watch() } else { None };
        if waiting.is_nobody() {
            self.readiness.set_waited(false);
        }
        drop(lines);
        drop(before);
        if let Some(now) = now {
            now.announce();
        }
    }

    /// Lines up for the direction until the turn is dropped.
    pub(crate) fn line_up(self, unparker: Unparker) -> Turn<'a> {
        let mut lines = self.lines.lock();
        let waiting = lines.of(self.side);
        let ticket = waiting.join(unparker);
        self.readiness.set_waited(true);
        let come = waiting.is_first(ticket);
        drop(lines);
        Turn { direction: self, ticket, come }
    }
}

/// A place in the queue for a direction; dropping it gives it up and lets the next one have its turn.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    direction: Direction<'a>,
    ticket: Ticket,
    come: bool,
}

impl Turn<'_> {
    /// Whether it is this one's turn to try. Stays true from then on.
    pub(crate) fn has_come(&mut self) -> bool {
        self.come = self.come || self.direction.lines.lock().of(self.direction.side).is_first(self.ticket);
        self.come
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut lines = self.direction.lines.lock();
        let waiting = lines.of(self.direction.side);
        let was_first = waiting.leave(self.ticket);
        let next = match waiting.first() {
            None => {
                if waiting.is_nobody() {
                    self.direction.readiness.set_waited(false);
                }
                None
            }
            Some(next) if was_first && self.direction.is_to_be_seen_to() => Some(next.clone()),
            Some(_) => None,
        };
        drop(lines);
        if let Some(next) = next {
            next.unpark();
        }
    }
}
