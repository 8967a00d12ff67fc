//! Who waits for a condition that a lock guards, in the order they came.
//!
//! The list lives under the same lock as the condition. To wait: [`add`](Waiters::add) yourself, unlock, park, lock,
//! [`leave`](Waiters::leave), look again. To signal: [`next`](Waiters::next), unlock, unpark.
//!
//! Invariant: whoever [`next`](Waiters::next) returned has been woken for a reason. If it leaves without looking again
//! it owes the signal to the one behind it; [`leave`](Waiters::leave) says whether.

use std::collections::VecDeque;
use std::mem;

use fibra_scheduler::park::{self, Unparker};

#[derive(Debug, Default)]
pub(crate) struct Waiters {
    queue: VecDeque<(u64, Unparker)>,
    last: u64,
}

/// A place in the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u64);

impl Waiters {
    /// Puts the caller at the end of the queue.
    pub(crate) fn add(&mut self) -> Ticket {
        self.last += 1;
        self.queue.push_back((self.last, park::current()));
        Ticket(self.last)
    }

    /// Puts the caller back where it was, who has been signalled and has come too late.
    pub(crate) fn add_again(&mut self, ticket: Ticket) {
        let place = self.queue.partition_point(|(number, _)| *number < ticket.0);
        self.queue.insert(place, (ticket.0, park::current()));
    }

    /// Takes the caller out; whether it had been signalled before.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> bool {
        match self.queue.binary_search_by_key(&ticket.0, |(number, _)| *number) {
            Ok(index) => {
                self.queue.remove(index);
                false
            }
            Err(_) => true,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes all out, to be [woken](Self::wake) once the lock is released.
    pub(crate) fn take_all(&mut self) -> Self {
        Self { queue: mem::take(&mut self.queue), last: self.last }
    }

    /// Unparks all.
    pub(crate) fn wake(self) {
        for (_, waiter) in self.queue {
            waiter.unpark();
        }
    }

    /// Takes out the one who has waited longest, to be unparked once the lock is released.
    pub(crate) fn next(&mut self) -> Option<Unparker> {
        self.queue.pop_front().map(|(_, waiter)| waiter)
    }
}
