//! Someone in the middle of a wait, as its own waiter node names it: without a reference, so that waiting and waking on one worker count
//! none.
//!
//! Invariant: who keeps a sleeper beyond the wait does not use it.

use std::ptr::NonNull;
use std::thread::{self, Thread};
use std::time::Instant;

use super::{Reason, Unparker, Waiter, park_until, wait};
use crate::cancel::{self, Interrupted};
use crate::control::{Control, FiberRef};
use crate::worker::Worker;

/// See the [module](self).
#[derive(Clone)]
pub(crate) enum Sleeper {
    Fiber(NonNull<Control>),
    /// The thread's own handle to itself.
    Thread(NonNull<Thread>),
}

impl Sleeper {
    /// The caller.
    #[inline]
    pub(crate) fn current() -> Self {
        match Worker::with(|worker| worker?.running_raw()) {
            Some(fiber) => Sleeper::Fiber(fiber),
            None => Sleeper::of_thread(),
        }
    }

    /// The caller, which is about to line up: calls the hook of [`on_first_park`](super::on_first_park), if there is one, so that the park
    /// itself runs nobody's code, and does not panic.
    ///
    /// # Panics
    ///
    /// As the park would, inside a [`fibra_fiber::Context`] that runs on a fiber: one in line might be granted something while it unwinds.
    #[inline]
    pub(crate) fn prepared() -> Self {
        let sleeper = Sleeper::current();
        if sleeper.must_prepare() {
            Worker::prepare_running();
        }
        sleeper
    }

    #[cold]
    fn of_thread() -> Self {
        thread_local! {
            static THREAD: Thread = thread::current();
        }
        // Where its thread-locals are gone already, it leaks a handle: there it hardly waits any more.
        let leak = || NonNull::from(Box::leak(Box::new(thread::current())));
        Sleeper::Thread(THREAD.try_with(|thread| NonNull::from(thread)).unwrap_or_else(|_| leak()))
    }

    /// Whether it is to be [prepared](Sleeper::prepared) before it lines up: it is inside [`on_first_park`](super::on_first_park) and has not
    /// switched away yet, or in a context of its own. By the sleeper itself.
    #[inline]
    pub(crate) fn must_prepare(&self) -> bool {
        let &Sleeper::Fiber(fiber) = self else { return false };
        // SAFETY: it runs, on this thread.
        let control = unsafe { fiber.as_ref() };
        // SAFETY: as above.
        unsafe { control.owned() }.hook.get().is_some() || !unsafe { control.is_innermost() }
    }

    /// One park, no longer than until `deadline`; if `is_cut`, cancellation and the ambient deadline end it, too. By the sleeper itself. May
    /// return `Ok` for no reason.
    #[inline(always)]
    pub(crate) fn park(&self, reason: &Reason, deadline: Option<Instant>, is_cut: bool) -> Result<(), Interrupted> {
        let &Sleeper::Fiber(fiber) = self else { return park_thread(*reason, deadline, is_cut) };
        let deadline = match is_cut {
            // SAFETY: it runs, on this thread.
            true => unsafe { cancel::admit_fiber(fiber.as_ref(), deadline) }?,
            false => deadline,
        };
        // SAFETY: as above.
        unsafe { Worker::park_fiber(fiber, *reason, deadline) }.in_time()
    }

    /// Ends its wait by `release`, and wakes it.
    ///
    /// # Safety
    ///
    /// It waits until `release` is called.
    #[inline]
    pub(crate) unsafe fn release(self, release: impl FnOnce()) {
        Worker::with(|worker| match (&self, worker) {
            // SAFETY: a fiber that waits has not ended, so its control block is live.
            (&Sleeper::Fiber(fiber), Some(worker)) if worker.is_home_of(unsafe { fiber.as_ref() }) => {
                release();
                // SAFETY: only this thread runs the fiber, and it runs us: it cannot end before we are done.
                unsafe { worker.wake_own(fiber) };
            }
            // SAFETY: as the caller says.
            _ => unsafe { self.release_elsewhere(release) },
        });
    }

    /// # Safety
    ///
    /// As [`release`](Sleeper::release).
    #[cold]
    #[inline(never)]
    unsafe fn release_elsewhere(self, release: impl FnOnce()) {
        // What wakes it outlives the wait, so it needs a reference.
        let unparker = match self {
            // SAFETY: a fiber that waits has not ended, so its control block is live.
            Sleeper::Fiber(fiber) => Unparker::of(unsafe { FiberRef::acquire(fiber) }),
            // SAFETY: the thread waits, so what is its own is there.
            Sleeper::Thread(thread) => Unparker(Waiter::Thread(unsafe { thread.as_ref() }.clone())),
        };
        release();
        unparker.unpark();
    }
}

#[cold]
#[inline(never)]
fn park_thread(reason: Reason, deadline: Option<Instant>, is_cut: bool) -> Result<(), Interrupted> {
    match is_cut {
        true => wait(reason, deadline),
        false => park_until(reason, deadline).in_time(),
    }
}
