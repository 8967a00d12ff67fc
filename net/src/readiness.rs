//! The readiness word: what is known about one direction of a socket, in one atomic.
//!
//! ```text
//!   31 ........................ 3    2        1       0
//!  [ tick: counts events, wraps ] [WAITED] [PROBE] [READY]
//! ```
//!
//! * `READY`: the next system call may succeed. Set by events, cleared by whoever saw that it cannot.
//! * `PROBE`: sticky. The direction has ended, failed or carries urgent data, so a short transfer no longer proves that the
//!   kernel has nothing left to say; only `EAGAIN` does.
//! * `WAITED`: somebody queues for the direction (kept by [`Direction`](crate::direction::Direction)).
//!
//! Invariants:
//! * Edge-triggered epoll reports a change once. So `READY` may be cleared only by evidence that is newer than the last
//!   event: the word is read **before** the system call and cleared only if its tick is still the same. An event that is
//!   dispatched in between, by whichever thread, advances the tick and wins. An event that is dispatched later sets
//!   `READY` again. At worst `READY` is set without cause, which costs one `EAGAIN`.
//! * All three bits live in one word, so that "ready?" and "anyone waiting?" have one order: an event sees the waiter, or the
//!   waiter sees the event.

use std::sync::atomic::{AtomicU32, Ordering};

const READY: u32 = 1;
const PROBE: u32 = 1 << 1;
const WAITED: u32 = 1 << 2;
const TICK: u32 = 1 << 3;

/// One direction's readiness. See the [module](self).
#[derive(Debug)]
pub(crate) struct Readiness(AtomicU32);

/// The readiness word at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot(u32);

impl Snapshot {
    pub(crate) fn is_ready(self) -> bool {
        self.0 & READY != 0
    }

    pub(crate) fn is_waited(self) -> bool {
        self.0 & WAITED != 0
    }

    fn tick(self) -> u32 {
        self.0 / TICK
    }
}

impl Readiness {
    /// A direction about which nothing is known yet: ready, so that the first operation asks the kernel.
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(READY))
    }

    pub(crate) fn load(&self) -> Snapshot {
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// An event: ready from now on, and every earlier snapshot is out of date. Returns the word before.
    pub(crate) fn raise(&self, probe: bool) -> Snapshot {
        let bits = READY | if probe { PROBE } else { 0 };
        self.update(|word| Some(word.wrapping_add(TICK) | bits))
    }

    /// The kernel said `EAGAIN` after `seen` was read: not ready, unless there was an event since.
    pub(crate) fn clear(&self, seen: Snapshot) {
        self.update(|word| (Snapshot(word).tick() == seen.tick()).then_some(word & !READY));
    }

    /// A transfer after `seen` was read moved less than asked: not ready, unless there was an event since or a short
    /// transfer proves nothing here (`PROBE`).
    pub(crate) fn drained(&self, seen: Snapshot) {
        self.update(|word| (Snapshot(word).tick() == seen.tick() && word & PROBE == 0).then_some(word & !READY));
    }

    /// Somebody queues from now on, or nobody does. Only under the lock of the direction's queue.
    pub(crate) fn set_waited(&self, waited: bool) {
        if waited {
            self.0.fetch_or(WAITED, Ordering::AcqRel);
        } else {
            self.0.fetch_and(!WAITED, Ordering::AcqRel);
        }
    }

    /// Applies `change` unless it declines; returns the word before, or the word that made it decline.
    fn update(&self, change: impl Fn(u32) -> Option<u32>) -> Snapshot {
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, change) {
            Ok(word) | Err(word) => Snapshot(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained_readiness() -> Readiness {
        let readiness = Readiness::new();
        readiness.drained(readiness.load());
        assert!(!readiness.load().is_ready());
        readiness
    }

    #[test]
    fn a_new_direction_is_ready_so_that_the_kernel_is_asked() {
        assert!(Readiness::new().load().is_ready());
    }

    #[test]
    fn an_event_between_the_snapshot_and_clear_survives() {
        let readiness = Readiness::new();
        let seen = readiness.load();
        readiness.raise(false);
        readiness.clear(seen);
        assert!(readiness.load().is_ready());
        readiness.drained(seen);
        assert!(readiness.load().is_ready());
    }

    #[test]
    fn an_event_after_clear_makes_it_ready_again() {
        let readiness = drained_readiness();
        assert!(!readiness.raise(false).is_ready());
        assert!(readiness.load().is_ready());
    }

    #[test]
    fn once_probing_only_eagain_clears() {
        let readiness = drained_readiness();
        readiness.raise(true);
        readiness.drained(readiness.load());
        assert!(readiness.load().is_ready(), "a short read must not hide the end of the stream");
        readiness.clear(readiness.load());
        assert!(!readiness.load().is_ready());
        readiness.raise(false);
        readiness.drained(readiness.load());
        assert!(readiness.load().is_ready(), "probing is sticky");
    }

    #[test]
    fn the_waited_bit_does_not_disturb_clearing() {
        let readiness = Readiness::new();
        let seen = readiness.load();
        readiness.set_waited(true);
        readiness.clear(seen);
        assert!(!readiness.load().is_ready() && readiness.load().is_waited());
        readiness.raise(true);
        assert!(readiness.load().is_waited());
        readiness.set_waited(false);
        assert!(readiness.load().is_ready() && !readiness.load().is_waited());
    }

    #[test]
    fn the_tick_wraps_without_touching_the_flags() {
        let readiness = Readiness(AtomicU32::new(!(READY | PROBE)));
        let seen = readiness.load();
        readiness.raise(false);
        let after = readiness.load();
        assert_eq!((after.tick(), after.is_ready(), after.is_waited()), (0, true, true));
        readiness.clear(seen);
        assert!(readiness.load().is_ready());
    }
}
