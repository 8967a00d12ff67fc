//! The one loop in which every socket operation waits.
//!
//! ```text
//!   ready, nobody queues ─▶ system call ─┬─▶ done, or failed ─▶ return
//!        otherwise ─┐                    └─▶ EAGAIN: clear readiness ─┐
//!                   ▼                                                 ▼
//!             line up ─▶ my turn and ready? ─ no ─▶ cancelled? out of time? registered? ─▶ park ─┐
//!                            ▲     └─ yes ─▶ system call, as above                               │
//!                            └───────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Invariants:
//! * Readiness is read before the system call and given back with its verdict, so that an event in between is not lost
//!   ([`readiness`](crate::readiness)).
//! * What succeeds at once is not refused for a deadline or a cancellation: both are asked only before parking, and once in a
//!   while of a fiber that never parks ([`budget`](crate::budget)). Data that comes with the deadline is taken.
//! * Nothing is locked or borrowed across a park.
//! * On a plain thread no readiness is used and no reactor needed: the kernel is asked, and waited for in `poll(2)`. Such
//!   a thread is not in the queue; it competes with the fibers as threads compete in std.

mod first;
#[cfg(feature = "tokio-io")]
mod poll;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{cancel, clock, in_fiber};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::budget;
use crate::direction::Direction;
use crate::reactor;
use crate::registration::{Registered, Registration, Side};

pub(crate) use first::first;

/// What `poll(2)` says of a socket from which nothing more is read.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ENDED: PollFlags = PollFlags::HUP.union(PollFlags::RDHUP);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const ENDED: PollFlags = PollFlags::HUP;

/// What the success of a system call says beyond its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// How many bytes it has moved.
    pub(crate) bytes: usize,
    /// Whether it proves that the next call would find nothing.
    pub(crate) drained: bool,
}

/// One operation's way of waiting.
pub(crate) struct Wait<'a, R> {
    pub(crate) fd: BorrowedFd<'a>,
    /// What has the registration.
    pub(crate) registered: &'a Arc<R>,
    pub(crate) side: Side,
    /// From the moment that the operation first has to wait; `None`: for ever.
    pub(crate) timeout: Option<Duration>,
}

impl<R: Registered + 'static> Wait<'_, R> {
    /// Runs `op`, a non-blocking system call, until it succeeds or fails for good. `evidence` is what a success says.
    ///
    /// # Errors
    ///
    /// What `op` reports, but neither `WouldBlock` nor `Interrupted`; `TimedOut`; `Interrupted::Cancelled` as source, if the fiber was
    /// cancelled; and what stops the socket from being registered.
    pub(crate) fn run<T>(
        &self,
        mut op: impl FnMut() -> io::Result<T>,
        evidence: impl Fn(&T) -> Evidence,
    ) -> io::Result<T> {
        if !in_fiber() {
            return self.on_a_thread(op);
        }
        if budget::is_used_up() {
            budget::rest()?;
        }
        match self.at_once(&mut op, &evidence) {
            Some(result) => result,
            None => self.in_turn(op, evidence),
        }
    }

    /// Runs `op` if it need not wait, neither for the socket nor for others who were first.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if it had to; else what `op` reports.
    pub(crate) fn run_now<T>(
        &self,
        mut op: impl FnMut() -> io::Result<T>,
        evidence: impl Fn(&T) -> Evidence,
    ) -> io::Result<T> {
        // Before it is registered no event corrects what is known of its readiness, so nothing must be.
        if !in_fiber() || !self.registration().is_registered() {
            return uninterrupted(&mut op);
        }
        self.at_once(&mut op, &evidence).unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }

    /// The fast path: nothing is stored and nobody is asked. `None`: not ready, or others came first.
    fn at_once<T>(
        &self,
        op: &mut impl FnMut() -> io::Result<T>,
        evidence: &impl Fn(&T) -> Evidence,
    ) -> Option<io::Result<T>> {
        let seen = self.direction().load();
        if seen.is_ready() && !seen.is_waited() { self.attempt(op, evidence) } else { None }
    }

    /// One system call, with its verdict on the readiness. `None`: it would have blocked.
    fn attempt<T>(
        &self,
        op: &mut impl FnMut() -> io::Result<T>,
        evidence: &impl Fn(&T) -> Evidence,
    ) -> Option<io::Result<T>> {
        let readiness = self.direction().readiness();
        let seen = readiness.load();
        match uninterrupted(op) {
            Ok(value) => {
                let Evidence { bytes, drained } = evidence(&value);
                budget::spend(bytes);
                if drained {
                    readiness.drained(seen);
                }
                Some(Ok(value))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                reactor::count_would_block();
                readiness.clear(seen);
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// The slow path of a fiber: lines up, and parks until it is its turn and the direction is ready.
    fn in_turn<T>(&self, mut op: impl FnMut() -> io::Result<T>, evidence: impl Fn(&T) -> Evidence) -> io::Result<T> {
        let deadline = self.deadline();
        let (reason, direction) = (self.reason(), self.direction());
        let mut turn = direction.line_up(park::current());
        let mut waited = Ok(());
        loop {
            if direction.load().is_ready() && turn.has_come() {
                match self.attempt(&mut op, &evidence) {
                    Some(result) => return result,
                    // Not straight to parking: an event since may have found it still ready, and then it woke nobody.
                    None => continue,
                }
            }
            waited?;
            Registration::ensure(self.registered, self.fd)?;
            // Who waits does not hold the worker up.
            budget::renew();
            waited = park::wait(reason, deadline);
        }
    }

    fn on_a_thread<T>(&self, mut op: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let mut deadline = None;
        loop {
            match uninterrupted(&mut op) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            let deadline = *deadline.get_or_insert_with(|| match (self.deadline(), cancel::deadline()) {
                (Some(own), Some(ambient)) => Some(own.min(ambient)),
                (own, ambient) => own.or(ambient),
            });
            let mut fd = PollFd::from_borrowed_fd(self.fd, self.flags());
            if !poll_until(std::slice::from_mut(&mut fd), deadline)? {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.heed(fd.revents());
        }
    }

    fn registration(&self) -> &Registration {
        self.registered.registration()
    }

    fn direction(&self) -> Direction<'_> {
        self.registration().sides().direction(self.side)
    }

    fn reason(&self) -> Reason {
        match self.side {
            Side::Read => Reason::Readable(self.fd.as_raw_fd()),
            Side::Write => Reason::Writable(self.fd.as_raw_fd()),
        }
    }

    fn flags(&self) -> PollFlags {
        match self.side {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Side::Read => PollFlags::IN | PollFlags::RDHUP,
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Side::Read => PollFlags::IN,
            Side::Write => PollFlags::OUT,
        }
    }

    /// Notes what `poll(2)` says beyond "ready".
    fn heed(&self, polled: PollFlags) {
        if polled.intersects(ENDED) {
            self.registration().sides().end();
        }
    }

    /// `None` also if it is further away than the clock reaches.
    fn deadline(&self) -> Option<Instant> {
        self.timeout.and_then(|timeout| clock::now().checked_add(timeout))
    }
}

/// Runs `op` until a signal does not cut it.
pub(crate) fn uninterrupted<T>(op: &mut impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match op() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Blocks the thread until an event, then true, or the deadline, then false.
fn poll_until(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        // A timeout too long for the kernel's type is as good as none.
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(clock::now()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(fds, timeout.as_ref()) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
