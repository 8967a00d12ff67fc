//! From one fiber straight to the next, without the worker's loop in between.
//!
//! A fiber that parks or yields goes itself to the next that is ready, if all that the loop would do is to resume that: nothing has to be
//! looked at outside, no closure waits to be started, no seed decides. One switch where two would be.
//!
//! Invariants:
//! * Who leaves is parked or queued by then, and who comes counts as running, before the switch.
//! * Each hand-over takes a turn of the [round](super::turn), so that the loop has its own in time.

use fibra_fiber::Context;

use super::park::check_innermost;
use super::{CURRENT, Worker};
use crate::control::Runnable;
use crate::hook;
use crate::spans;

/// Where a fiber that switches away goes.
pub(super) enum Next {
    Other(*const Context),
    /// It is itself the next: it has yielded, and nobody else is ready.
    Same,
    /// The worker's loop decides.
    Loop,
}

impl Worker {
    /// The way of nearly every yield: straight to the next fiber. `false`, and nothing has been done: there is more to see to.
    #[inline(always)] // Into the caller, who saves only those registers that it needs.
    pub(crate) fn yield_to_next() -> bool {
        // SAFETY: as in `with`; a fiber inside never changes its worker.
        let Some(worker) = (unsafe { CURRENT.get().as_ref() }) else { return false };
        let Some(fiber) = worker.running.get() else { return false };
        // SAFETY: it runs on this thread: it has not ended, and this is its home.
        let owned = unsafe { fiber.as_ref().owned() };
        // SAFETY: it runs, so it has started.
        let context = unsafe { owned.context.get_unchecked() };
        if owned.hook.get().is_some() || !context.is_innermost() || !worker.hands_over.get() || spans::are_possible() {
            return false;
        }
        if !worker.pace.tally.take_turn() {
            return false;
        }
        let Some(next) = worker.ready.rotate(fiber) else {
            worker.pace.tally.return_turn();
            return false;
        };
        worker.running.set(Some(next));
        // SAFETY: we run, and are innermost; the other was ready, so it is suspended, stays in the control block until its fiber has
        // ended, and only this thread resumes it.
        unsafe { fibra_fiber::hand_over(context, next.as_ref().owned().context.get_unchecked()) };
        true
    }

    /// Puts the running fiber at the back of the queue and runs the others first. `false` if no fiber runs here.
    #[cold]
    #[inline(never)]
    pub(crate) fn yield_running() -> bool {
        if spans::are_possible() && crate::in_fiber() {
            return spans::outside(Worker::yield_bare);
        }
        Worker::yield_bare()
    }

    /// As [`yield_running`](Worker::yield_running), whatever spans the fiber is in.
    fn yield_bare() -> bool {
        let queue_it = |worker: Option<&Worker>| {
            let (worker, fiber) = worker.and_then(|worker| Some((worker, worker.running.get()?)))?;
            // SAFETY: the running fiber has not ended, so it is live.
            let control = unsafe { fiber.as_ref() };
            check_innermost(control);
            // SAFETY: it runs on this thread, so this is its home worker.
            let owned = unsafe { control.owned() };
            hook::fire(&owned.hook);
            // SAFETY: the running fiber gives up running for this runnable, and switches away at once; nobody can take it
            // before, since only this worker reads the queue.
            worker.ready.push_back(unsafe { Runnable::from_raw(fiber) });
            // SAFETY: it runs, so it has started; the control block stays until it has ended.
            let context: *const Context = unsafe { owned.context.get_unchecked() };
            Some((context, worker.pop_next()))
        };
        let Some((context, next)) = Worker::with(queue_it) else { return false };
        // SAFETY: it runs, and is innermost: that was checked.
        unsafe { Worker::go_to(context, next) };
        true
    }

    /// Leaves the running fiber, which is parked or queued by now. Returns when it is resumed.
    ///
    /// # Safety
    ///
    /// `from` is its context, and innermost.
    #[inline(always)]
    pub(super) unsafe fn go_to(from: *const Context, next: Next) {
        match next {
            // SAFETY: `from` runs, as the caller says; the other was ready, so it is suspended, stays in the control block until its fiber has ended, and
            // only this thread resumes it.
            Next::Other(context) => unsafe { fibra_fiber::hand_over(from, context) },
            Next::Same => {}
            Next::Loop => fibra_fiber::suspend(),
        }
    }

    /// Where to go from the running fiber: straight to the next one, which counts as running from now on, if all that the worker's loop
    /// would do is to resume that.
    #[inline(always)]
    pub(super) fn pop_next(&self) -> Next {
        if !self.hands_over.get() || !self.pace.tally.take_turn() {
            return Next::Loop;
        }
        let Some(next) = self.ready.pop_started() else {
            self.pace.tally.return_turn();
            return Next::Loop;
        };
        let next = next.into_raw();
        if self.running.replace(Some(next)) == Some(next) {
            return Next::Same;
        }
        // SAFETY: its fiber has not ended, so it is live; we are its home.
        Next::Other(unsafe { next.as_ref().owned().context.get_unchecked() })
    }
}
