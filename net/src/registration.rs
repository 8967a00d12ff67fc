//! A socket's tie to a reactor: registered once, with the reactor of the worker whose fiber first has to wait.
//!
//! ```text
//!   Socket ─▶ Registration ─▶ Home: Weak<reactor::Handle>
//!                  │                             ▼
//!                  └────────▶ Arc<Sides> ◀── slot in the reactor, which the sides know by its number
//! ```
//!
//! Invariants:
//! * Registering is lazy, because many sockets never wait, and edge-triggered for both directions, so there is nothing to change
//!   or to renew later. `EPOLL_CTL_ADD` reports whatever is already there, so nothing is lost before it.
//! * Any worker may use the socket; its events then come from the home reactor's thread.
//! * Only a listener has several registrations, see [`seats`](crate::seats); each is made, and waited on, by one worker.
//! * A reactor that goes away [orphans](Sides::orphan) its sockets: their waiters wake, and register with the reactor of their
//!   own worker.

use std::io;
use std::os::fd::BorrowedFd;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::Mutex;

use crate::backend::Backend;
use crate::direction::{Direction, Lines};
use crate::reactor::{self, Home, Interest};
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

/// Both directions of a socket; shared with the reactor that reports its events.
#[derive(Debug)]
pub(crate) struct Sides {
    read: Readiness,
    write: Readiness,
    lines: Mutex<Lines>,
    /// Where the reactor has them; only while they are registered.
    slot: AtomicU32,
    registered: AtomicBool,
    /// Whether nothing more is read, as far as events or we ourselves have said.
    ended: AtomicBool,
    /// Whether other registrations of the same descriptor are to be told instead of this one, or this one instead of them.
    shared: AtomicBool,
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
        Direction { side, readiness, lines: &self.lines }
    }

    /// The reactor has them in that slot.
    pub(crate) fn settle(&self, slot: u32) {
        self.slot.store(slot, Ordering::Relaxed);
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

/// A socket's own end of the tie. Dropping it frees the reactor's slot; close the descriptor first.
#[derive(Debug)]
pub(crate) struct Registration {
    sides: Arc<Sides>,
    home: Mutex<Option<Home>>,
}

// Its locks are never held while user code runs, so a panic finds it consistent; std's sockets are unwind safe, too.
impl UnwindSafe for Registration {}
impl RefUnwindSafe for Registration {}

impl Registration {
    pub(crate) fn new() -> Self {
        Self { sides: Arc::new(Sides::new()), home: Mutex::new(None) }
    }

    /// For a socket on `backend`: registered from the beginning if that is a simulated network, which reports its events itself.
    pub(crate) fn of<S>(backend: &Backend<S>) -> Self {
        let registration = Self::new();
        if let Backend::Simulated(endpoint) = backend {
            registration.sides.registered.store(true, Ordering::Release);
            endpoint.attach(&registration.sides);
        }
        registration
    }

    /// One whose events a test reports itself.
    #[cfg(test)]
    pub(crate) fn without_reactor() -> Self {
        let registration = Self::new();
        registration.sides.registered.store(true, Ordering::Release);
        registration
    }

    pub(crate) fn sides(&self) -> &Sides {
        &self.sides
    }

    /// Whether some reactor reports the events of the descriptor.
    pub(crate) fn is_registered(&self) -> bool {
        self.sides.registered.load(Ordering::Acquire)
    }

    /// Makes sure that some reactor reports the events of `fd`.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the calling fiber's worker has no reactor; else what `epoll_ctl` reports (`ENOMEM`, `ENOSPC`).
    #[inline]
    pub(crate) fn ensure(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        if self.is_registered() { Ok(()) } else { self.register(fd) }
    }

    #[cold]
    fn register(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let mut home = self.home.lock();
        if !self.is_registered() {
            let interest = if self.is_shared() { Interest::ToAccept } else { Interest::Both };
            // One that it had before is gone, slots and all.
            *home = Some(reactor::register(fd, &self.sides, interest)?);
            self.sides.registered.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Ends the tie of a descriptor that stays open.
    ///
    /// # Errors
    ///
    /// What `epoll_ctl` reports.
    pub(crate) fn withdraw(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        // Under the lock, so that who registers it anew finds it out of epoll.
        let mut home = self.home.lock();
        self.sides.registered.store(false, Ordering::Release);
        match home.take() {
            Some(home) => {
                let deregistered = home.deregister(fd);
                home.release(self.slot());
                deregistered
            }
            None => Ok(()),
        }
    }

    /// Where its reactor has it. Under the lock of its home, which is held when that changes.
    fn slot(&self) -> u32 {
        self.sides.slot.load(Ordering::Relaxed)
    }

    /// From now on it is one of several of the same listener. Any thread; whoever waits registers it anew.
    pub(crate) fn share(&self, fd: BorrowedFd<'_>) {
        self.sides.shared.store(true, Ordering::Release);
        // If it cannot be taken out, it is told of every arrival as before, which costs a system call in vain now and then.
        let _ = self.withdraw(fd);
        self.sides.direction(Side::Read).raise(false);
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.sides.shared.load(Ordering::Acquire)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let slot = self.slot();
        if let Some(home) = self.home.get_mut().take() {
            home.release(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two of them, each with what the allocator adds, are what an idle connection takes here: 160 bytes.
    #[test]
    #[cfg(not(feature = "tls"))]
    fn an_idle_socket_is_small() {
        assert!(size_of::<Sides>() <= 56, "{}", size_of::<Sides>());
        let socket = size_of::<crate::socket::Socket<std::net::TcpStream>>();
        assert!(socket <= 48, "{socket}");
    }

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
