//! A socket's tie to a reactor: registered once, with the reactor of the worker whose fiber first has to wait.
//!
//! ```text
//!   Arc<Socket { Registration { Sides, Home } }> ◀── Tie: Weak ── slot in the home reactor, which the sides know by its number
//! ```
//!
//! All of it is in the socket, one allocation: a server may have a hundred thousand of them that are idle.
//!
//! Invariants:
//! * Who reports events does not keep a socket open, but for as long as it takes to note one. Then it may be the one who closes it.
//! * Registering is lazy, because many sockets never wait, and edge-triggered for both directions, so there is nothing to change
//!   or to renew later. `EPOLL_CTL_ADD` reports whatever is already there, so nothing is lost before it.
//! * Any worker may use the socket; its events then come from the home reactor's thread.
//! * Only a listener has several registrations, see [`seats`](crate::seats); each is made, and waited on, by one worker.
//! * A reactor that goes away [orphans](Sides::orphan) its sockets: their waiters wake, and register with the reactor of their
//!   own worker.

mod sides;

use std::os::fd::BorrowedFd;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::{fmt, io};

use parking_lot::Mutex;

use crate::backend::Backend;
use crate::lingering::Lingering;
use crate::reactor::{self, Home, Interest};

pub(crate) use sides::{Happening, Side, Sides};

/// What has a registration: a socket, or a listener's seat.
pub(crate) trait Registered: Send + Sync {
    fn registration(&self) -> &Registration;
}

/// What whoever reports the events of a socket has of it.
#[derive(Clone)]
pub(crate) struct Tie(Weak<dyn Registered>);

impl Tie {
    pub(crate) fn to<R: Registered + 'static>(registered: &Arc<R>) -> Self {
        let tie: Weak<R> = Arc::downgrade(registered);
        Self(tie)
    }

    /// The socket, unless it is closed or about to be.
    pub(crate) fn get(&self) -> Option<Arc<dyn Registered>> {
        self.0.upgrade()
    }

    /// Notes an event of the socket, if there is one still.
    pub(crate) fn dispatch(&self, happening: Happening) {
        if let Some(registered) = self.get() {
            registered.registration().sides().dispatch(happening);
        }
    }
}

impl fmt::Debug for Tie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tie")
    }
}

/// A socket's own end of the tie. Dropping it frees the reactor's slot; close the descriptor first.
#[derive(Debug)]
pub(crate) struct Registration {
    sides: Sides,
    /// Tells it from the one before in the same slot.
    generation: AtomicU32,
    ends: Mutex<Ends>,
}

/// What a registration is still to end.
#[derive(Debug, Default)]
struct Ends {
    home: Option<Home>,
    /// The socket's, but here is room for it, and it is to be the last.
    lingering: Lingering,
}

// Its locks are never held while user code runs, so a panic finds it consistent; std's sockets are unwind safe, too.
impl UnwindSafe for Registration {}
impl RefUnwindSafe for Registration {}

impl Registered for Registration {
    fn registration(&self) -> &Registration {
        self
    }
}

impl Registration {
    pub(crate) fn new() -> Self {
        Self { sides: Sides::new(), generation: AtomicU32::new(0), ends: Mutex::default() }
    }

    /// Has the simulated network, if `backend` is on one, report its events from now on: what is on one is registered from the beginning.
    pub(crate) fn attach<R: Registered + 'static, S>(registered: &Arc<R>, backend: &Backend<S>) {
        if let Backend::Simulated(endpoint) = backend {
            registered.registration().sides.registered.store(true, Ordering::Release);
            endpoint.attach(Tie::to(registered));
        }
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

    /// The reactor has it in that slot.
    pub(crate) fn settle(&self, slot: u32, generation: u32) {
        self.sides.slot.store(slot, Ordering::Relaxed);
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// Which tenant of its slot it is.
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Makes sure that some reactor reports the events of `fd`, which is of `registered`.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the calling fiber's worker has no reactor; else what `epoll_ctl` reports (`ENOMEM`, `ENOSPC`).
    #[inline]
    pub(crate) fn ensure<R: Registered + 'static>(registered: &Arc<R>, fd: BorrowedFd<'_>) -> io::Result<()> {
        let registration = registered.registration();
        if registration.is_registered() { Ok(()) } else { registration.register(fd, Tie::to(registered)) }
    }

    #[cold]
    fn register(&self, fd: BorrowedFd<'_>, tie: Tie) -> io::Result<()> {
        let mut ends = self.ends.lock();
        if !self.is_registered() {
            let interest = if self.is_shared() { Interest::ToAccept } else { Interest::Both };
            // One that it had before is gone, slots and all.
            ends.home = Some(reactor::register(fd, self, tie, interest)?);
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
        let mut ends = self.ends.lock();
        self.sides.registered.store(false, Ordering::Release);
        match ends.home.take() {
            Some(home) => {
                let deregistered = home.deregister(fd);
                home.release(self.slot());
                deregistered
            }
            None => Ok(()),
        }
    }

    /// The reactor that reports its events.
    pub(crate) fn home(&self) -> Option<Home> {
        self.ends.lock().home
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

    /// Whether closing `fd` may take time.
    ///
    /// # Errors
    ///
    /// What duplicating the descriptor reports.
    pub(crate) fn set_lingering(&self, lingering: bool, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.ends.lock().lingering.set(lingering, fd)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let slot = self.slot();
        if let Some(home) = self.ends.get_mut().home.take() {
            home.release(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    /// With what `Arc` and the allocator add, it is what an idle connection takes here: 112 bytes.
    #[test]
    #[cfg(not(feature = "tokio-io"))]
    fn an_idle_socket_is_small() {
        let socket = size_of::<crate::socket::Socket<std::net::TcpStream>>();
        assert!(socket <= 88, "{socket}");
    }
}
