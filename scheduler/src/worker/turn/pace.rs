//! When to look outside: the bound on the time between two looks at timers, driver and inbox.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::counters::Tally;

/// How many switches may pass before timers and the driver are looked at. Prime, so that it does not fall into step with a
/// program's own rounds; the number is Go's and tokio's.
pub(super) const SWITCHES_MAX: u32 = 61;

/// How long that many switches should take at the most.
const TURN_MAX: Duration = Duration::from_micros(100);
const TURN_MAX_NANOS: u64 = TURN_MAX.as_nanos() as u64;

/// Bounds the time between two looks outside without reading the clock at every switch: after each round of switches it
/// compares how long they took with [`TURN_MAX`] and fits the length of the next round.
pub(in crate::worker) struct Pace {
    /// Holds how many switches are left.
    pub(in crate::worker) tally: Arc<Tally>,
    round: Cell<u32>,
    /// When the round began, in nanoseconds since `start`.
    since: Cell<u64>,
    start: Instant,
    /// When the driver is to be asked next, at the earliest.
    ask_at: Cell<Instant>,
    /// How many fibers that it woke when it was last asked are still to have their turn, at most.
    woken: Cell<u64>,
}

impl Pace {
    pub(in crate::worker) fn new(now: Instant, tally: Arc<Tally>) -> Self {
        tally.grant(SWITCHES_MAX);
        Pace {
            tally,
            round: Cell::new(SWITCHES_MAX),
            since: Cell::new(0),
            start: now,
            ask_at: Cell::new(now),
            woken: Cell::new(0),
        }
    }

    /// When the worker last looked outside: what it knows of the time without reading a clock, right to about [`TURN_MAX`]. In
    /// nanoseconds since the worker began.
    #[inline]
    pub(in crate::worker) fn last_known_now(&self) -> u64 {
        self.since.get()
    }

    /// The instant of a [`last_known_now`](Pace::last_known_now).
    pub(in crate::worker) fn instant(&self, nanos: u64) -> Instant {
        self.start + Duration::from_nanos(nanos)
    }

    /// Where [`last_known_now`](Pace::last_known_now) is, for a debugger.
    pub(in crate::worker) fn known_now_ptr(&self) -> *const u64 {
        self.since.as_ptr()
    }

    /// How long ago the worker began.
    pub(in crate::worker) fn elapsed(&self) -> Duration {
        clock::now().saturating_duration_since(self.start)
    }

    /// Counts a switch; `true` if it is time to look outside.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        !self.tally.take_turn()
    }

    /// A round of switches has ended `now`: whether the driver is to be asked.
    pub(super) fn ends_round(&self, now: Instant) -> bool {
        self.woken.set(self.woken.get().saturating_sub(self.round.get().into()));
        self.woken.get() == 0 && now >= self.ask_at.get()
    }

    /// The driver has been asked, and has woken so many. It is not to be asked again before `ask_at`, nor before they have had their turn.
    pub(super) fn asked(&self, woken: u64, ask_at: Instant) {
        self.woken.set(woken);
        self.ask_at.set(ask_at);
    }

    /// A round of switches ended at `end`; the next begins `now`, behind the look outside.
    pub(super) fn next_round(&self, end: Instant, now: Instant) {
        let took = self.nanos(end).saturating_sub(self.since.get());
        let round = match self.round.get() {
            // The usual case, without a division.
            SWITCHES_MAX if took <= TURN_MAX_NANOS => SWITCHES_MAX,
            round => (u64::from(round) * TURN_MAX_NANOS / took.max(1)).clamp(1, SWITCHES_MAX.into()) as u32,
        };
        self.restart(now, round);
    }

    /// Whatever was measured is void: the worker has slept.
    pub(super) fn restart(&self, now: Instant, round: u32) {
        self.round.set(round);
        self.tally.grant(round);
        self.since.set(self.nanos(now));
    }

    /// Fits for five centuries.
    fn nanos(&self, instant: Instant) -> u64 {
        instant.saturating_duration_since(self.start).as_nanos() as u64
    }
}
