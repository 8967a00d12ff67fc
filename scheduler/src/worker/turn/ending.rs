//! How a worker ends: its fibers are cancelled, drained, and in the end given up.

use super::super::Worker;
use crate::clock;
use crate::control::{FiberRef, Runnable};
use crate::primitive::deque::Steal;

impl Worker {
    /// Whether the runtime stops, and this worker has not acted on it yet.
    pub(super) fn must_notice_shutdown(&self) -> bool {
        // After a deadlock the first worker, which stops the others, may be gone before they have been asked what their fibers wait
        // for: those are to be found waiting, and are not woken any more.
        self.shared.is_stopping() && !self.stopping.get() && self.shared.deadlock.get().is_none()
    }

    /// Asks every fiber of this worker to end.
    pub(super) fn cancel_all(&self) {
        let live: Vec<_> = self.live.borrow().iter().map(|(_, fiber)| fiber).collect();
        for fiber in live {
            // SAFETY: listed as live; we run no fiber in between.
            unsafe { FiberRef::acquire(fiber) }.cancel();
        }
    }

    /// Whether the runtime stops and this worker has nothing left to wait for.
    pub(super) fn is_finished(&self) -> bool {
        let is_stopped = self.stopping.get() && (self.is_empty() || self.is_grace_over());
        self.is_deadlocked.get() || is_stopped
    }

    /// Whether all of this worker's fibers have ended, and none will come out of the inbox any more.
    fn is_empty(&self) -> bool {
        self.live.borrow().is_empty() && self.owed.get() == 0
    }

    /// Whether the runtime stops and has waited long enough.
    pub(super) fn is_grace_over(&self) -> bool {
        self.deadline.get().is_some_and(|deadline| clock::now() >= deadline)
    }

    /// The loop has ended. If that was because of the grace period: gives up on the fibers that would not end, whether they have
    /// started or not. Returns whether it did.
    ///
    /// What is given up stays allocated for ever, since others may borrow from it: stacks, locals, closures, control blocks, and
    /// what wakers would touch. No destructor runs here, where it could not wait.
    pub(super) fn leave(&self) -> bool {
        self.take_inbox();
        let mut unstarted = Vec::new();
        while let Some(runnable) = self.pop_ready().or_else(|| self.fresh.pop()).or_else(|| self.pop_injected()) {
            // SAFETY: we hold the runnable, of a fiber that has not started or is at home here.
            if !unsafe { runnable.control().owned() }.context.is_filled() {
                unstarted.push(runnable.into_raw());
            }
        }
        let started: Vec<_> = self.live.borrow().iter().map(|(_, fiber)| fiber).collect();
        for &fiber in started.iter().filter(|_| !self.is_deadlocked.get()) {
            // SAFETY: listed as live.
            let origin = &unsafe { fiber.as_ref() }.origin;
            tracing::warn!(
                fiber = %origin.id,
                name = origin.name.as_deref(),
                spawned_at = %origin.spawned_at,
                "a fiber ignored its cancellation for the whole grace period of the shutdown: it is leaked",
            );
        }
        // In a deadlock nobody is left to be told, and nobody must be woken.
        let abandoned = unstarted.into_iter().chain(started.iter().copied()).filter(|_| !self.is_deadlocked.get());
        for fiber in abandoned {
            // SAFETY: this worker, the only one to run it, runs no more fibers.
            unsafe { Runnable::abandon(fiber) };
        }
        let leaks = !self.is_empty();
        if leaks {
            std::mem::forget(self.shared.clone());
        }
        leaks
    }

    pub(super) fn pop_ready(&self) -> Option<Runnable> {
        self.ready.pop_slot().or_else(|| self.ready.pop_front())
    }

    pub(super) fn pop_injected(&self) -> Option<Runnable> {
        loop {
            match self.shared.injected.steal() {
                Steal::Success(runnable) => return Some(runnable),
                Steal::Empty => return None,
                Steal::Retry => std::hint::spin_loop(),
            }
        }
    }
}
