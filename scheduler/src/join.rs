//! Waiting for a fiber's end and taking its result.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::{fmt, ptr, thread};

use crate::FiberId;
use crate::control::{FiberRef, take_result};
use crate::park::{self, Reason, Unparker};

/// The right to a fiber's result. Dropping it detaches the fiber, as in std.
///
/// `Send` if the result is: a handle of [`spawn_local`](crate::spawn_local) with an `Rc` for a result stays on its thread.
pub struct JoinHandle<T> {
    fiber: FiberRef,
    result: PhantomData<T>,
}

impl<T> JoinHandle<T> {
    /// # Safety
    ///
    /// `fiber` is the handle's reference of a fiber whose result is a `T`.
    pub(crate) unsafe fn new(fiber: FiberRef) -> Self {
        JoinHandle { fiber, result: PhantomData }
    }

    /// Waits for the fiber to end. Works from fibers of any worker and from plain threads.
    ///
    /// The wait is not cut short by cancellation of the caller: who joins wants to know that the other has ended.
    ///
    /// # Errors
    ///
    /// The payload, if the fiber panicked, as [`std::thread::JoinHandle::join`] has it. If it never ran because its runtime
    /// shut down, the payload is [`Interrupted::Cancelled`](crate::cancel::Interrupted::Cancelled); if no stack could be had for it, it is the
    /// [`std::io::Error`] that says why.
    ///
    /// ```
    /// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
    /// let fiber = fibra_scheduler::spawn(|| 3 + 5);
    /// assert_eq!(fiber.join().unwrap(), 8);
    ///
    /// let fiber = fibra_scheduler::spawn(|| panic!("contained"));
    /// assert!(fiber.join().is_err());
    /// # }).unwrap();
    /// ```
    pub fn join(self) -> thread::Result<T> {
        // SAFETY: we own the handle, and `join` consumes it.
        if unsafe { self.fiber.set_joiner(park::current()) } {
            while !self.fiber.is_finished() {
                park::park(Reason::Join(self.id()));
            }
        }
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so the reference is moved out once.
        let fiber = unsafe { ptr::read(&this.fiber) };
        // SAFETY: the fiber is done, `T` is its result type, and we own the handle.
        unsafe { take_result(&fiber) }
    }

    /// Whether the fiber has ended, so that [`join`](JoinHandle::join) would not wait.
    pub fn is_finished(&self) -> bool {
        self.fiber.is_finished()
    }

    /// Asks the fiber to end: whatever it waits for now or later fails with
    /// [`Interrupted::Cancelled`](crate::cancel::Interrupted::Cancelled). See [`cancel`](crate::cancel).
    pub fn cancel(&self) {
        self.fiber.cancel();
    }

    /// What wakes the fiber from [`park`](crate::park::park), as `thread().unpark()` does in std.
    pub fn unparker(&self) -> Unparker {
        Unparker::of(self.fiber.clone())
    }

    /// The fiber's number.
    pub fn id(&self) -> FiberId {
        self.fiber.control().origin.id
    }

    /// The fiber's name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.fiber.control().origin.name.as_deref()
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        // SAFETY: the handle ends here without taking the result; it is on a thread where a `T` may be dropped, since it
        // is `Send` only if `T` is.
        unsafe { self.fiber.detach() };
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("id", &self.id()).field("name", &self.name()).finish_non_exhaustive()
    }
}
