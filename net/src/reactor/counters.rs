//! What a reactor counts about itself: system calls that tests and metrics want to know of.
//!
//! Invariant: only the reactor's own thread counts, so a count is a plain load and store; any thread may read.

use std::sync::atomic::{AtomicU64, Ordering};

/// What one reactor has done since it was made.
///
/// In a steady ping-pong, `registrations`, `would_block` and `wakes` stand still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Calls of `epoll_wait` that succeeded.
    pub polls: u64,
    /// Events of sockets that these calls returned.
    pub events: u64,
    /// Polls that another thread ended through the eventfd.
    pub wakes: u64,
    /// Sockets registered so far: calls of `epoll_ctl`.
    pub registrations: u64,
    /// System calls of this worker's fibers on sockets that only returned `EAGAIN`.
    pub would_block: u64,
    /// Sockets registered now.
    pub sockets: usize,
}

/// The counts themselves.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) polls: AtomicU64,
    pub(super) events: AtomicU64,
    pub(super) wakes: AtomicU64,
    pub(super) registrations: AtomicU64,
    pub(super) would_block: AtomicU64,
}

impl Tally {
    /// Counts one. Only on the reactor's own thread.
    pub(super) fn bump(count: &AtomicU64) {
        count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self, sockets: usize) -> Counters {
        Counters {
            polls: self.polls.load(Ordering::Relaxed),
            events: self.events.load(Ordering::Relaxed),
            wakes: self.wakes.load(Ordering::Relaxed),
            registrations: self.registrations.load(Ordering::Relaxed),
            would_block: self.would_block.load(Ordering::Relaxed),
            sockets,
        }
    }
}
