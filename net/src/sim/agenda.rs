//! What will happen in the network, in the order in which it will.
//!
//! Invariant: of two events at one instant the one that was noted first comes first, so the order is the same in each run of a seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// An instant: nanoseconds since the beginning of the run.
pub(super) type Instant = u64;

/// Something that will happen. Connections and packets are named by their place in their table. That of a connection is never used twice;
/// to a packet there is one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// What side `from` of a connection has sent first arrives; unless another arrival has taken the place of this one.
    Arrival { connection: u32, from: u8, number: u32 },
    /// The sender at side `from` learns that bytes have arrived.
    Acknowledgement { connection: u32, from: u8 },
    /// The sender at side `from` learns that the receiver has room again.
    Window { connection: u32, from: u8 },
    /// The end at side `from` asks a peer that has gone whether it is there.
    Probe { connection: u32, from: u8 },
    /// A datagram arrives.
    Datagram { packet: u32 },
    /// A machine is to be started anew.
    Boot { machine: u16 },
    /// A fault begins, or ends.
    Fault { fault: u16, begins: bool },
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Agenda {
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    noted: u64,
}

impl Agenda {
    pub(super) fn note(&mut self, at: Instant, event: Event) {
        self.noted += 1;
        self.events.push(Reverse((at, self.noted, event)));
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.events.peek().map(|Reverse((at, ..))| *at)
    }

    /// The first event, if it is due at `now`.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Event> {
        if self.next()? > now {
            return None;
        }
        self.events.pop().map(|Reverse((.., event))| event)
    }
}
