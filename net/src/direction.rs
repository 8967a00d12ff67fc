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
//! | joined an empty queue, while ready | nobody: the joiner looks before it parks |
//!
//! Invariants:
//! * The readiness word's `WAITED` bit is set exactly while the queue is not empty, and changes only under its lock.
//! * Nobody parks or makes a system call under the lock.

use fibra_scheduler::park::Unparker;
use parking_lot::Mutex;

use crate::queue::{Queue, Ticket};
use crate::readiness::{Readiness, Snapshot};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Direction {
    readiness: Readiness,
    queue: Mutex<Queue<Unparker>>,
}

impl Direction {
    pub(crate) const fn new() -> Self {
        Self { readiness: Readiness::new(), queue: Mutex::new(Queue::new()) }
    }

    pub(crate) fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    pub(crate) fn load(&self) -> Snapshot {
        self.readiness.load()
    }

    /// An event says that the direction may be ready. `probe`: from now on, only `EAGAIN` proves that it is not.
    pub(crate) fn raise(&self, probe: bool) {
        let before = self.readiness.raise(probe);
        // If it was ready before, then the first has been told, or is trying right now and will see the new tick.
        if before.is_waited() && !before.is_ready() {
            let first = self.queue.lock().first().cloned();
            if let Some(first) = first {
                first.unpark();
            }
        }
    }

    /// Lines up for the direction until the turn is dropped.
    pub(crate) fn line_up(&self, unparker: Unparker) -> Turn<'_> {
        let mut queue = self.queue.lock();
        let ticket = queue.push(unparker);
        self.readiness.set_waited(true);
        let come = queue.is_first(ticket);
        drop(queue);
        Turn { direction: self, ticket, come }
    }
}

/// A place in the queue for a direction; dropping it gives it up and lets the next one have its turn.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    direction: &'a Direction,
    ticket: Ticket,
    come: bool,
}

impl Turn<'_> {
    /// Whether it is this one's turn to try. Stays true from then on.
    pub(crate) fn has_come(&mut self) -> bool {
        self.come = self.come || self.direction.queue.lock().is_first(self.ticket);
        self.come
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.direction.queue.lock();
        let was_first = queue.remove(self.ticket);
        let next = match queue.first() {
            None => {
                self.direction.readiness.set_waited(false);
                None
            }
            Some(next) if was_first && self.direction.load().is_ready() => Some(next.clone()),
            Some(_) => None,
        };
        drop(queue);
        if let Some(next) = next {
            next.unpark();
        }
    }
}
