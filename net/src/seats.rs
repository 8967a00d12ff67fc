//! A listener's ties to reactors: one for each worker that accepts.
//!
//! ```text
//!   worker 0's fibers ─▶ seat 0 ─▶ epoll 0 ─┐                      an arrival wakes the one that has slept longest;
//!   worker 1's fibers ─▶ seat 1 ─▶ epoll 1 ─┴─ EPOLLEXCLUSIVE ─▶ listener        workers that do not sleep hear of it, too
//! ```
//!
//! With one registration for all workers, a connection that another worker's fiber accepts costs two wake-ups across threads.
//! With a socket for each (`SO_REUSEPORT`), a worker that is held up holds up connections that another could take, and closing one
//! socket resets those in its backlog.
//!
//! A single worker's seat stays registered, as any socket. Once there are several, a seat is registered only while somebody waits on
//! it. That makes the workers take turns: the kernel tells the first in its line, always, unless those who were told line up anew.
//!
//! Invariants:
//! * While a connection waits, nobody waits for one. Who comes asks the kernel before it parks; of what arrives then, the kernel tells a
//!   worker that sleeps, on which somebody waits and asks before anything else, be it late or cancelled. (Two that arrive at once wake
//!   two: epoll takes a sleeper out of its line when it wakes it.)
//! * No seat is registered, once there are several, on which nobody waits: it would be told in another's stead.

use std::io;
use std::os::fd::BorrowedFd;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::backend::Backend;
use crate::reactor::{self, Identity};
use crate::registration::{Registration, Side};

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Seats {
    taken: Mutex<Taken>,
    /// Whether the listening was ended.
    ended: AtomicBool,
}

#[derive(Debug, Default)]
struct Taken {
    seats: Vec<Seat>,
    /// Whether there have been seats of several workers.
    several: bool,
}

#[derive(Debug)]
struct Seat {
    /// `None`: that of all plain threads, and of workers without a reactor. It is never registered with one.
    reactor: Option<Identity>,
    registration: Arc<Registration>,
}

// Its lock is never held while user code runs, so a panic finds it consistent.
impl UnwindSafe for Seats {}
impl RefUnwindSafe for Seats {}

impl Seats {
    /// Of a listener on `backend`. A simulated network reports to one seat, that of workers without a reactor.
    pub(crate) fn of<L>(backend: &Backend<L>) -> Self {
        let seats = Self::default();
        if let Backend::Simulated(_) = backend {
            let registration = Arc::new(Registration::new());
            Registration::attach(&registration, backend);
            seats.taken.lock().seats.push(Seat { reactor: None, registration });
        }
        seats
    }

    /// The calling worker's seat.
    pub(crate) fn take(&self, fd: BorrowedFd<'_>) -> Arc<Registration> {
        let reactor = reactor::current();
        let mut taken = self.taken.lock();
        if let Some(seat) = taken.seats.iter().find(|seat| seat.reactor == reactor) {
            return Arc::clone(&seat.registration);
        }
        taken.seats.retain(|seat| seat.reactor.as_ref().is_none_or(|reactor| !reactor.is_gone()));
        if reactor.is_some() && !taken.several && taken.seats.iter().any(|seat| seat.reactor.is_some()) {
            taken.several = true;
            for seat in &taken.seats {
                seat.registration.share(fd);
            }
        }
        let registration = Arc::new(Registration::new());
        if taken.several {
            registration.share(fd);
        }
        taken.seats.push(Seat { reactor, registration: Arc::clone(&registration) });
        registration
    }

    /// A fiber of the calling worker, whose `seat` that is, does not wait any more.
    pub(crate) fn leave(seat: &Registration, fd: BorrowedFd<'_>) {
        if seat.is_shared() && seat.is_registered() && !seat.sides().direction(Side::Read).load().is_waited() {
            // Fails only for a descriptor that is not registered, and then it has left.
            let _ = seat.withdraw(fd);
        }
    }

    /// The listening has ended: wakes whoever waits.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        for seat in &self.taken.lock().seats {
            seat.registration.sides().direction(Side::Read).raise(true);
        }
    }

    /// Whether the listening has ended, as far as we ourselves or events have said.
    pub(crate) fn have_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
            || self.taken.lock().seats.iter().any(|seat| seat.registration.sides().has_ended())
    }

    /// Ends the ties of a listener that stays open.
    ///
    /// # Errors
    ///
    /// What `epoll_ctl` reports.
    pub(crate) fn withdraw(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.taken.lock().seats.iter().try_for_each(|seat| seat.registration.withdraw(fd))
    }
}
