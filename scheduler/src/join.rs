//! Waiting for a fiber's end and taking its result.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{fmt, ptr, thread};

use crate::FiberId;
use crate::control::{FiberRef, Joiner, take_result};
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
        if self.fiber.set_joiner(Joiner::Unparker(park::current())) {
            while !self.fiber.is_finished() {
                park::park(Reason::Join(self.id()));
            }
        }
        // SAFETY: the fiber is done, `T` is its result type, and we own the handle, which is dropped here and asks no more.
        unsafe { take_result(&self.fiber) }
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

/// Joining as a future, for code that runs under [`block_on`](crate::block_on()) or another executor: the output is that of
/// [`join`](JoinHandle::join).
///
/// # Panics
///
/// If polled after it was ready.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// let fiber = fibra_scheduler::spawn(|| 3 + 5);
/// let sum = fibra_scheduler::block_on(async { fiber.await.unwrap() + 1 });
/// assert_eq!(sum, Ok(9));
/// # }).unwrap();
/// ```
impl<T> Future for JoinHandle<T> {
    type Output = thread::Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.fiber.set_joiner(Joiner::Waker(context.waker().clone())) {
            return Poll::Pending;
        }
        // SAFETY: the fiber is done, `T` is its result type, and we own the handle; a second time panics before it reads.
        Poll::Ready(unsafe { take_result(&self.fiber) })
    }
}

impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// Drops the handle; whether a panic was dropped with it.
    pub(crate) fn detach(self) -> bool {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so the reference is moved out once.
        let fiber = unsafe { ptr::read(&this.fiber) };
        // SAFETY: as in `drop`, which does not run.
        unsafe { fiber.detach() }
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
