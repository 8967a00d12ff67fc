//! The timers of one worker: each parked fiber has at most one, and its node is in the fiber's control block.
//!
//! Setting and cancelling are O(1) and allocate nothing; a timer fires on the worker that set it, never early, and at most
//! one tick (65.5 us) after its deadline, plus however long the worker takes to look.

mod wheel;

use std::ptr::NonNull;
use std::time::{Duration, Instant};

pub(crate) use wheel::Node;
use wheel::Wheel;

/// log2 of the nanoseconds in a tick: fine enough for a deadline of 100 us, coarse enough that seven levels of 64 slots
/// span nine years.
const TICK_SHIFT: u32 = 16;

/// See the [module](self).
pub(crate) struct Timers {
    wheel: Wheel,
    /// Tick 0.
    start: Instant,
}

impl Timers {
    pub(crate) fn new(start: Instant) -> Self {
        Timers { wheel: Wheel::new(), start }
    }

    /// Arms `node` for `deadline`.
    ///
    /// # Safety
    ///
    /// `node` is not armed, and stays in place until it has fired or is cancelled.
    pub(crate) unsafe fn arm(&mut self, node: NonNull<Node>, deadline: Instant) {
        // Rounded up: a timer may be late, never early.
        let tick = (self.nanos(deadline) >> TICK_SHIFT) + 1;
        // SAFETY: the caller's promise, passed on.
        unsafe { self.wheel.insert(node, tick) };
    }

    /// Disarms `node`; nothing happens if it has fired.
    ///
    /// # Safety
    ///
    /// `node` was armed here, if it was ever armed.
    pub(crate) unsafe fn cancel(&mut self, node: NonNull<Node>) {
        // SAFETY: the caller's promise, passed on.
        unsafe { self.wheel.remove(node) };
    }

    /// Moves an armed `node` to when `translate` says, in nanoseconds since the beginning, for an instant of another clock. Nothing happens
    /// if it is not armed.
    ///
    /// # Safety
    ///
    /// As [`cancel`](Timers::cancel); and it stays in place until it has fired or is cancelled.
    pub(crate) unsafe fn translate(&mut self, node: NonNull<Node>, translate: impl FnOnce(u64) -> u64) {
        // SAFETY: the caller's promise, passed on.
        let Some(tick) = (unsafe { self.wheel.armed_for(node) }) else { return };
        // SAFETY: as above.
        unsafe { self.wheel.remove(node) };
        let nanos = translate(tick.saturating_mul(1 << TICK_SHIFT));
        // SAFETY: as above, and it is not armed any more.
        unsafe { self.wheel.insert(node, (nanos >> TICK_SHIFT) + 1) };
    }

    /// A node whose deadline has passed, disarmed; `None` when there is no further one.
    pub(crate) fn pop_expired(&mut self, now: Instant) -> Option<NonNull<Node>> {
        let tick = self.nanos(now) >> TICK_SHIFT;
        self.wheel.pop_expired(tick)
    }

    /// How long from `now` until there may be something to expire; `None` when no timer is armed.
    pub(crate) fn next(&self, now: Instant) -> Option<Duration> {
        let nanos = self.wheel.next_tick()? << TICK_SHIFT;
        Some(Duration::from_nanos(nanos.saturating_sub(self.nanos(now))))
    }

    fn nanos(&self, instant: Instant) -> u64 {
        // Seven levels span 2^42 ticks; what lies beyond is clamped, and looked at again when its slot comes up.
        u64::try_from(instant.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX >> 1)
    }
}
