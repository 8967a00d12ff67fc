//! The right to run a fiber, from its start to its end.
//!
//! Invariant: a fiber that has not ended is running, parked, or in one place as a [`Runnable`]; never in two.

use std::any::Any;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use super::{ASKED, Control, DETACHED, DONE, FiberRef, JOINER, Joiner, STARTED};
use crate::cancel::Interrupted;
use crate::worker::Worker;

/// The right to run a fiber: it is in no queue, not running, not parked. Carries the scheduler's reference.
#[derive(Debug)]
pub(crate) struct Runnable(NonNull<Control>);

// SAFETY: a runnable that crosses threads is fresh, and its closure is Send: all others stay in their own worker's queues.
unsafe impl Send for Runnable {}

impl Runnable {
    /// # Safety
    ///
    /// The caller has the right to run the fiber and gives it up for this value.
    #[inline]
    pub(crate) unsafe fn from_raw(control: NonNull<Control>) -> Self {
        Runnable(control)
    }

    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<Control> {
        self.0
    }

    #[inline]
    pub(crate) fn control(&self) -> &Control {
        // SAFETY: the scheduler's reference, which we carry, keeps it allocated.
        unsafe { self.0.as_ref() }
    }

    /// A reference that keeps the control block.
    pub(crate) fn reference(&self) -> FiberRef {
        // SAFETY: the scheduler's reference, which we carry, keeps it allocated.
        unsafe { FiberRef::acquire(self.0) }
    }

    /// What a fiber that has a stack now runs: its closure, to the end; or, if it comes too late, its refusal.
    pub(crate) fn entry(&self, refused: bool) -> impl FnOnce() + 'static {
        let control = self.0;
        move || {
            // SAFETY: the scheduler's reference outlives the context that this runs in.
            let this = unsafe { control.as_ref() };
            // SAFETY: the fiber runs, on this thread.
            let owned = unsafe { this.owned() };
            if refused {
                // SAFETY: runs once, so the stage still holds the closure.
                unsafe { (this.vtable.refuse)(control, Box::new(Interrupted::Cancelled)) };
            } else {
                // SAFETY: as above.
                unsafe { (this.vtable.run)(control) };
            }
            owned.locals.close();
            // SAFETY: the stage holds the result.
            unsafe { finish(control) };
        }
    }

    /// Ends a fiber that never ran and has no stack to run on: its closure is dropped here, and its join returns `payload`.
    pub(crate) fn refuse(self, payload: Box<dyn Any + Send>) {
        debug_assert!(self.control().home().is_null());
        // SAFETY: never ran, so the stage holds the closure, and we hold the fiber.
        unsafe { (self.control().vtable.refuse)(self.0, payload) };
        // SAFETY: the stage holds a result now.
        unsafe { finish(self.0) };
        // SAFETY: the fiber has ended: the scheduler's reference has served its purpose.
        drop(unsafe { self.release() });
    }

    /// Gives a fiber up that will never run (again): who joins it is told that it was cancelled; all else of it is leaked. One
    /// whose scope waits for it keeps its joiners waiting, since they may borrow from it.
    ///
    /// # Safety
    ///
    /// Nobody will resume the fiber.
    pub(crate) unsafe fn abandon(control: NonNull<Control>) {
        // SAFETY: leaked from here on, so it stays allocated.
        let this = unsafe { control.as_ref() };
        // SAFETY: nobody resumes it, so nobody else touches what is its worker's.
        let scope = &unsafe { this.owned() }.scope;
        if let Some(membership) = scope.take() {
            scope.set(Some(membership));
            return;
        }
        // SAFETY: it does not run, so the stage is free for a result.
        unsafe { (this.vtable.abandon)(control, Box::new(Interrupted::Cancelled)) };
        // SAFETY: the stage holds a result.
        unsafe { finish(control) };
    }

    /// The scheduler's reference, to be dropped.
    ///
    /// # Safety
    ///
    /// The fiber has ended.
    pub(crate) unsafe fn release(self) -> FiberRef {
        FiberRef(self.0)
    }
}

/// Publishes the result: unparks who joins, or drops it if nobody will.
///
/// # Safety
///
/// Called once, by who runs (or refuses) the fiber, when the stage holds the result.
unsafe fn finish(control: NonNull<Control>) {
    // SAFETY: the scheduler's reference is held by the caller.
    let this = unsafe { control.as_ref() };
    // Counted as ended before others learn of it, so that whoever joins it may spawn another in its place. If nobody can learn of it,
    // the result is dropped here first, for that may take its time.
    let is_detached = this.life.load(Ordering::Relaxed) & DETACHED != 0;
    if !is_detached {
        Worker::count_end();
    }
    let before = this.life.fetch_or(DONE, Ordering::AcqRel);
    if before & (STARTED | ASKED) == STARTED | ASKED {
        // SAFETY: the caller runs the fiber.
        unsafe { this.owned() }.is_owed.set(true);
    }
    let mut panicked = false;
    if before & DETACHED != 0 {
        // SAFETY: done and detached, and we came second: the stage is ours.
        panicked = unsafe { (this.vtable.discard)(control) };
    } else if before & JOINER != 0 {
        let joiner = this.joiner.lock().take();
        match joiner {
            Some(Joiner::Unparker(joiner)) => joiner.unpark(),
            Some(Joiner::Waker(waker)) => waker.wake(),
            None => {}
        }
    }
    if is_detached {
        Worker::count_end();
    }
    // Last, for what the closure and the result have borrowed: from here on the scope may end.
    // SAFETY: the caller runs (or refuses) the fiber.
    if let Some(membership) = unsafe { this.owned() }.scope.take() {
        membership.end(panicked);
    }
}
