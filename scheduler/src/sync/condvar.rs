//! [`Condvar`]: waiting for what a mutex guards to change.

use std::fmt;
use std::time::{Duration, Instant};

use super::mutex::MutexGuard;
use super::primitive::Sleeper;
use super::waiters::{Limit, Outcome, Waiters};
use crate::cancel::Interrupted;
use crate::clock;
use crate::park::Reason;

/// A condition variable, as parking_lot has it, for a [`Mutex`](super::Mutex).
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// use std::sync::Arc;
/// use fibra_scheduler::sync::{Condvar, Mutex};
///
/// let shared = Arc::new((Mutex::new(false), Condvar::new()));
/// let other = shared.clone();
/// fibra_scheduler::spawn(move || {
///     *other.0.lock() = true;
///     other.1.notify_one();
/// });
/// let (ready, changed) = &*shared;
/// let mut ready = ready.lock();
/// changed.wait_while(&mut ready, |ready| !*ready)?;
/// assert!(*ready);
/// # Ok::<(), fibra_scheduler::cancel::Interrupted>(()) }).unwrap().unwrap();
/// ```
///
/// * **Cancellation and ambient deadlines cut the wait**; the mutex is locked again first, and that is not cut.
/// * Notifications go first come, first served, and none is lost: one that arrives together with a timeout or a cancellation
///   counts, and the wait succeeds.
/// * No wait returns for no reason; still, what was true at the notification may be over once the mutex is locked: prefer
///   [`wait_while`](Condvar::wait_while).
///
/// # Differences from parking_lot
///
/// Waits return a `Result`, whose error also says that the time is up.
pub struct Condvar {
    waiters: Waiters<()>,
}

impl Condvar {
    /// Nobody waits.
    pub const fn new() -> Self {
        Condvar { waiters: Waiters::new(()) }
    }

    /// Unlocks the mutex, waits for a notification, and locks it again.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](Interrupted::Cancelled) or, by an ambient deadline, [`TimedOut`](Interrupted::TimedOut). The mutex is locked.
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) -> Result<(), Interrupted> {
        self.wait_limited(guard, None)
    }

    /// As [`wait`](Condvar::wait), but no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`wait`](Condvar::wait), and [`TimedOut`](Interrupted::TimedOut) after `timeout`.
    pub fn wait_for<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, timeout: Duration) -> Result<(), Interrupted> {
        self.wait_limited(guard, clock::now().checked_add(timeout))
    }

    /// As [`wait`](Condvar::wait), but no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Condvar::wait_for).
    pub fn wait_until<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> Result<(), Interrupted> {
        self.wait_limited(guard, Some(deadline))
    }

    /// Waits until `condition` is false.
    ///
    /// # Errors
    ///
    /// As [`wait`](Condvar::wait).
    pub fn wait_while<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> Result<(), Interrupted> {
        self.wait_while_limited(guard, condition, None)
    }

    /// Waits until `condition` is false, but no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Condvar::wait_for). The condition may have changed at the last moment.
    pub fn wait_while_for<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        condition: impl FnMut(&mut T) -> bool,
        timeout: Duration,
    ) -> Result<(), Interrupted> {
        self.wait_while_limited(guard, condition, clock::now().checked_add(timeout))
    }

    /// Wakes the first of those who wait. `false`: nobody does.
    pub fn notify_one(&self) -> bool {
        self.waiters.lock().next(0).map(|grant| grant.give()).is_ok()
    }

    /// Wakes all of those who wait, and says how many they were.
    pub fn notify_all(&self) -> usize {
        let mut woken = 0;
        self.waiters.lock().grant_all(0, |_, _| woken += 1);
        woken
    }

    fn wait_while_limited<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
        deadline: Option<Instant>,
    ) -> Result<(), Interrupted> {
        while condition(guard) {
            self.wait_limited(guard, deadline)?;
        }
        Ok(())
    }

    fn wait_limited<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        deadline: Option<Instant>,
    ) -> Result<(), Interrupted> {
        // Before the mutex is unlocked, since what follows must not panic.
        let sleeper = Sleeper::prepared();
        let mut waited = Ok(());
        let outcome = self.waiters.lock().enlist(sleeper, 0, (), None, |enlisted| {
            MutexGuard::unlocked(guard, || waited = enlisted.park(&Reason::Condvar, Limit::cut(deadline)));
        });
        match outcome {
            Outcome::Granted(()) => Ok(()),
            Outcome::Left(..) => waited,
        }
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}
