//! The right to run a fiber, from its start to its end.
//!
//! Invariant: a fiber that has not ended is running, parked, or in one place as a [`Runnable`]; never in two.

use std::any::Any;
use std::ptr::NonNull;

use super::{Control, Counterpart, FiberRef, contain};
use crate::cancel::Interrupted;
use crate::park::Sleeper;
use crate::spans;
use crate::worker::Worker;

/// The right to run a fiber: it is in no queue, not running, not parked. The fiber is live.
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
        // SAFETY: its fiber has not ended, so it is live.
        unsafe { self.0.as_ref() }
    }

    /// A reference that keeps the control block.
    pub(crate) fn reference(&self) -> FiberRef {
        // SAFETY: its fiber has not ended, so it is live.
        unsafe { FiberRef::acquire(self.0) }
    }

    /// What a fiber that has a stack now runs: its closure, to the end; or, if it comes too late, its refusal.
    pub(crate) fn entry(&self, refused: bool) -> impl FnOnce() + 'static {
        let control = self.0;
        move || {
            // SAFETY: live as long as this runs.
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
            if spans::are_possible() {
                spans::leave().forget();
            }
            // SAFETY: the stage holds the result.
            unsafe { finish(control) };
        }
    }

    /// Ends a fiber that never ran and has no stack to run on: its closure is dropped here, and its join returns `payload`. To be
    /// [left](leave) by the caller.
    pub(crate) fn refuse(self, payload: Box<dyn Any + Send>) {
        // SAFETY: never ran, so the stage holds the closure, and we hold the fiber.
        unsafe { (self.control().vtable.refuse)(self.0, payload) };
        // SAFETY: the stage holds a result now.
        unsafe { finish(self.0) };
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
        // A reference that is never given up: queues, stacks and wakers may go on to name the fiber.
        // SAFETY: it has not ended, so it is live.
        std::mem::forget(unsafe { FiberRef::acquire(control) });
        // SAFETY: the stage holds a result.
        unsafe { finish(control) };
        // SAFETY: as far as anyone can see, it has ended.
        unsafe { leave(control) };
    }
}

/// Publishes the result: wakes who joins, or drops it if nobody will.
///
/// # Safety
///
/// Called once, by who runs (or refuses) the fiber, when the stage holds the result.
unsafe fn finish(control: NonNull<Control>) {
    // SAFETY: live until `leave`.
    let this = unsafe { control.as_ref() };
    // SAFETY: the caller runs (or refuses) the fiber.
    let owned = unsafe { this.owned() };
    let (mut panicked, mut handle_asks) = (false, true);
    // Counted as ended before others learn of it, so that whoever joins it may spawn another in its place. If nobody can learn of it,
    // the result is dropped here first, for that may take its time.
    let is_detached = this.ending.is_detached();
    if !is_detached {
        Worker::count_end();
    }
    // SAFETY: called once, as the caller says, and fibers join.
    match unsafe { this.ending.finish() } {
        Counterpart::Nobody => {}
        Counterpart::Blocked(joiner) => {
            handle_asks = false;
            // SAFETY: it waits until the fiber is done.
            unsafe { Sleeper::Fiber(joiner).release(|| this.ending.publish()) };
        }
        Counterpart::Waker(waker) => {
            // Code of the user's runs now, on this fiber, which may drop the handle; and that must not wait for us. So we keep a reference
            // of our own.
            // SAFETY: the handle does not leave before `clean`, so the shared one is still there.
            std::mem::forget(unsafe { FiberRef::acquire(control) });
            owned.outstays.set(true);
            this.ending.clean();
            contain(move || waker.wake());
        }
        Counterpart::Detached => {
            // The shared reference is ours alone now.
            owned.outstays.set(true);
            handle_asks = false;
            // SAFETY: done and detached, and we came second: the stage is ours.
            panicked = unsafe { (this.vtable.discard)(control) };
        }
    }
    if is_detached {
        Worker::count_end();
    }
    // For what the closure and the result have borrowed: from here on the scope may end.
    if let Some(membership) = owned.scope.take() {
        membership.end(panicked);
    }
    // Last, since what it has run until now may have waited.
    // SAFETY: called once, at home, or while nobody runs the fiber.
    unsafe { Control::close(control, handle_asks) };
}

/// Lets go of a fiber that has ended, when its worker has its stack back. From here on its control block may be gone.
///
/// # Safety
///
/// Called once, by the last who touches the fiber without a reference.
#[inline]
pub(crate) unsafe fn leave(control: NonNull<Control>) {
    // SAFETY: the shared reference, or one of our own, keeps it allocated until one of the two lines below.
    let this = unsafe { control.as_ref() };
    // SAFETY: nobody runs the fiber.
    if unsafe { this.owned() }.outstays.get() {
        drop(FiberRef(control));
    } else {
        this.ending.clean();
    }
}
