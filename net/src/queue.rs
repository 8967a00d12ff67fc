//! A short first-in first-out queue from which anyone may leave.
//!
//! Nearly always it holds nobody or one, so the first place is inline and allocates nothing. The rest is a deque that
//! exists only while several wait at once, boxed since it is so rare.
//!
//! Invariants: if there is a `rest`, it holds someone, and `first` is taken.

use std::collections::VecDeque;

/// The queue; `T` is how to reach whoever queues.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    issued: u32,
    first: Option<(Ticket, T)>,
    #[expect(clippy::box_collection, reason = "a pointer instead of four words, and nearly always none")]
    rest: Option<Box<VecDeque<(Ticket, T)>>>,
}

/// A place in one queue. Numbers come again after 2^32 others, of which none can be there still: each has a fiber that waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ticket(u32);

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self { issued: 0, first: None, rest: None }
    }

    /// Of one who has a place already.
    pub(crate) fn beginning_with(ticket: Ticket, who: T) -> Self {
        Self { issued: ticket.0.wrapping_add(1), first: Some((ticket, who)), rest: None }
    }

    /// Joins at the end.
    #[inline]
    pub(crate) fn push(&mut self, who: T) -> Ticket {
        let ticket = Ticket(self.issued);
        self.issued = self.issued.wrapping_add(1);
        if self.first.is_none() {
            self.first = Some((ticket, who));
        } else {
            self.rest.get_or_insert_default().push_back((ticket, who));
        }
        ticket
    }

    /// Leaves, from whichever place. Returns whether it was the first.
    #[inline]
    pub(crate) fn remove(&mut self, ticket: Ticket) -> bool {
        if self.rest.is_some() {
            return self.remove_from_many(ticket);
        }
        let was_first = self.is_first(ticket);
        if was_first {
            self.first = None;
        }
        was_first
    }

    #[cold]
    fn remove_from_many(&mut self, ticket: Ticket) -> bool {
        let was_first = self.is_first(ticket);
        if was_first {
            self.first = self.rest.as_mut().and_then(|rest| rest.pop_front());
        } else if let Some(rest) = &mut self.rest
            && let Some(place) = rest.iter().position(|(other, _)| *other == ticket)
        {
            rest.remove(place);
        }
        self.rest = self.rest.take().filter(|rest| !rest.is_empty());
        was_first
    }

    #[inline]
    pub(crate) fn is_first(&self, ticket: Ticket) -> bool {
        matches!(&self.first, Some((first, _)) if *first == ticket)
    }

    pub(crate) fn first(&self) -> Option<&T> {
        self.first.as_ref().map(|(_, who)| who)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_join_is_the_first() {
        let mut queue = Queue::new();
        assert_eq!(queue.first(), None);
        let tickets = ["a", "b", "c"].map(|who| queue.push(who));
        for (ticket, who) in tickets.into_iter().zip(["a", "b", "c"]) {
            assert!(queue.is_first(ticket));
            assert_eq!(queue.first(), Some(&who));
            assert!(queue.remove(ticket));
        }
        assert_eq!(queue.first(), None);
    }

    #[test]
    fn leaving_from_the_middle_keeps_the_order() {
        let mut queue = Queue::new();
        let [a, b, c] = ["a", "b", "c"].map(|who| queue.push(who));
        assert!(!queue.remove(b));
        assert!(!queue.remove(b), "leaving twice is leaving once");
        assert!(queue.remove(a));
        assert!(queue.is_first(c));
        assert!(queue.rest.is_none(), "what is empty is given back");
    }

    #[test]
    fn alone_it_allocates_nothing() {
        let mut queue = Queue::new();
        let ticket = queue.push(());
        assert!(queue.rest.is_none());
        queue.remove(ticket);
        assert!(queue.rest.is_none());
    }
}
