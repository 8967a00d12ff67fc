//! How long fibers may go on without waiting: a budget of work, after which one lets the others run.
//!
//! A fiber whose socket is always ready never parks, and would hold its worker for as long as its peer keeps up. So what fibers do is
//! paid for from their worker's budget, and who finds it used up yields first. Each look that the worker takes outside renews it, and so does
//! each fiber that waits.
//!
//! Invariants:
//! * No clock is read: a unit is about what a small system call takes, 1 to 2 us, so that the budget fits the 100 us in which a
//!   worker means to look outside.
//! * A fiber that was cancelled, or is past its deadline, goes on for a whole budget before that is held against it: what it says
//!   in conclusion is not lost to chance. One that never waits ends, too.

use std::cell::Cell;

use fibra_scheduler::cancel::{self, Interrupted};
use fibra_scheduler::{LocalKey, in_fiber, yield_now};

/// What may be spent between two looks outside, or two yields.
const UNITS: u32 = 64;

/// As many bytes take about as long to copy as a system call does otherwise.
const BYTES_PER_UNIT: usize = 8 << 10;

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(UNITS) };
    /// How many of the worker's fibers are overdue.
    static OVERDUE: Cell<usize> = const { Cell::new(0) };
}

/// Kept: a fiber that runs a job after the other, and clears its locals between them, is overdue for all that.
static MARK: LocalKey<Mark> = LocalKey::kept(|| Mark(Cell::new(false)));

/// Whether its fiber should have ended when it last used up a budget.
struct Mark(Cell<bool>);

impl Mark {
    /// Returns what it was before.
    fn replace(&self, overdue: bool) -> bool {
        let before = self.0.replace(overdue);
        OVERDUE.set(OVERDUE.get() + usize::from(overdue) - usize::from(before));
        before
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.replace(false);
    }
}

/// Pays for an operation.
#[inline]
pub(crate) fn spend(bytes: usize) {
    let units = u32::try_from(bytes / BYTES_PER_UNIT).unwrap_or(u32::MAX).saturating_add(1);
    LEFT.set(LEFT.get().saturating_sub(units));
}

/// Whether the next operation has to [rest] first.
#[inline]
pub(crate) fn is_used_up() -> bool {
    LEFT.get() == 0
}

/// The worker looks outside.
#[inline]
pub(crate) fn renew() {
    LEFT.set(UNITS);
}

/// Lets the others run.
///
/// # Errors
///
/// As any wait's, if the fiber had to end already when it last was here.
#[cold]
pub(crate) fn rest() -> Result<(), Interrupted> {
    yield_now();
    renew();
    let verdict = if in_fiber() { cancel::check() } else { Ok(()) };
    if verdict.is_ok() && OVERDUE.get() == 0 {
        // The usual case, in which no mark is made.
        return Ok(());
    }
    if MARK.with(|mark| mark.replace(verdict.is_err())) { verdict } else { Ok(()) }
}
