//! Both directions of a socket, and what an event does to them.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::Mutex;

use crate::direction::{Direction, Lines};
use crate::readiness::Readiness;

/// Which direction of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// In: data, connections to accept.
    Read,
    /// Out: room to send, the end of connecting.
    Write,
}

/// What an event says about a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Happening {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// Urgent data: a read may stop short in front of it although more follows.
    pub(crate) urgent: bool,
    /// The peer will send no more (FIN), or nothing more is read here.
    pub(crate) read_ended: bool,
    /// Hang-up or error: neither direction will work again.
    pub(crate) failed: bool,
}

/// Both directions of a socket.
#[derive(Debug)]
pub(crate) struct Sides {
    read: Readiness,
    write: Readiness,
    lines: Mutex<Lines>,
    /// Where the reactor has them; only while they are registered.
    pub(super) slot: AtomicU32,
    pub(super) registered: AtomicBool,
    /// Whether nothing more is read, as far as events or we ourselves have said.
    ended: AtomicBool,
    /// Whether other registrations of the same descriptor are to be told instead of this one, or this one instead of them.
    pub(super) shared: AtomicBool,
    /// Whether operations fail instead of waiting. It is the socket's, but here is room for it.
    nonblocking: AtomicBool,
}

impl Sides {
    pub(crate) const fn new() -> Self {
        Self {
            read: Readiness::new(),
            write: Readiness::new(),
            lines: Mutex::new(Lines::new()),
            slot: AtomicU32::new(0),
            registered: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            shared: AtomicBool::new(false),
            nonblocking: AtomicBool::new(false),
        }
    }

    pub(crate) fn direction(&self, side: Side) -> Direction<'_> {
        let readiness = match side {
            Side::Read => &self.read,
            Side::Write => &self.write,
        };
        Direction { side, readiness, lines: &self.lines, registered: &self.registered }
    }

    /// Notes an event and wakes who waited for it.
    pub(crate) fn dispatch(&self, happening: Happening) {
        let Happening { readable, writable, urgent, read_ended, failed } = happening;
        if read_ended {
            self.end();
        }
        let ended = read_ended || failed;
        if readable || urgent || ended {
            self.direction(Side::Read).raise(urgent || ended);
        }
        // The end of reading usually foretells the end of writing: let a waiting writer ask the kernel.
        if writable || ended {
            self.direction(Side::Write).raise(failed);
        }
    }

    /// Nothing more is read. Who waits to read has yet to be told.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Whether nothing more is read.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(crate) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn is_nonblocking(&self) -> bool {
        self.nonblocking.load(Ordering::Relaxed)
    }

    /// The reactor is going away: whoever waits has to register elsewhere.
    pub(crate) fn orphan(&self) {
        // In this order: one that wakes from `raise` has to find that it is not registered.
        self.registered.store(false, Ordering::Release);
        self.direction(Side::Read).raise(false);
        self.direction(Side::Write).raise(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both directions drained, then the event; which are ready after it, and which still are after a short transfer?
    fn after(happening: Happening) -> [(bool, bool); 2] {
        let sides = Sides::new();
        for side in [Side::Read, Side::Write] {
            let direction = sides.direction(side);
            direction.readiness().drained(direction.load());
        }
        sides.dispatch(happening);
        [Side::Read, Side::Write].map(|side| {
            let direction = sides.direction(side);
            let ready = direction.load().is_ready();
            direction.readiness().drained(direction.load());
            (ready, direction.load().is_ready())
        })
    }

    #[test]
    fn data_readies_reading_until_a_short_read() {
        let event = Happening { readable: true, ..Happening::default() };
        assert_eq!(after(event), [(true, false), (false, false)]);
    }

    #[test]
    fn data_with_fin_survives_a_short_read() {
        let event = Happening { readable: true, read_ended: true, ..Happening::default() };
        assert_eq!(after(event), [(true, true), (true, false)]);
    }

    #[test]
    fn a_failure_readies_both_for_good() {
        let event = Happening { failed: true, ..Happening::default() };
        assert_eq!(after(event), [(true, true), (true, true)]);
    }

    #[test]
    fn urgent_data_ends_the_short_read_shortcut() {
        let event = Happening { readable: true, urgent: true, ..Happening::default() };
        assert_eq!(after(event), [(true, true), (false, false)]);
    }

    #[test]
    fn an_orphan_is_ready_so_that_its_waiters_look_again() {
        let sides = Sides::new();
        sides.read.drained(sides.read.load());
        sides.registered.store(true, Ordering::Release);
        sides.orphan();
        assert!(sides.read.load().is_ready());
        assert!(!sides.registered.load(Ordering::Acquire));
    }
}
