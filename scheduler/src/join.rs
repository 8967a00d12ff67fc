//! Waiting for a fiber's end and taking its result.

#[cfg(all(loom, test))]
mod models;

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{fmt, thread};

use crate::FiberId;
use crate::control::Handle;
use crate::park::Unparker;

/// The right to a fiber's result. Dropping it detaches the fiber, as in std.
///
/// `Send` if the result is: a handle of [`spawn_local`](crate::spawn_local) with an `Rc` for a result stays on its thread.
pub struct JoinHandle<T> {
    fiber: Handle,
    result: PhantomData<T>,
}

impl<T> JoinHandle<T> {
    /// # Safety
    ///
    /// The fiber's result is a `T`.
    pub(crate) unsafe fn new(fiber: Handle) -> Self {
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
    #[inline(always)] // See `fibra_fiber::suspend`.
    pub fn join(self) -> thread::Result<T> {
        // SAFETY: `T` is its result; taking it ends the handle.
        unsafe { self.fiber.join() }
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
        Unparker::of(self.fiber.reference())
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
        // SAFETY: `T` is its result.
        unsafe { self.get_mut().fiber.poll(context.waker()) }.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// Drops the handle; whether a panic was dropped with it.
    pub(crate) fn detach(self) -> bool {
        self.fiber.detach()
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("id", &self.id()).field("name", &self.name()).finish_non_exhaustive()
    }
}
