//! The handle's half of a fiber's [`Ending`](super::Ending): waits for the end and takes the result.
//!
//! Invariant: who has a [`Handle`] has, with the fiber, the reference that the two of them share; so the control block is there.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::Waker;
use std::thread;

use super::ending::Caller;
use super::{Control, FiberRef, take_result};
use crate::block_on::WakeByUnpark;
use crate::park::{self, Reason};
use crate::worker::Worker;

/// The right to a fiber's result, of a type that [`JoinHandle`](crate::JoinHandle) knows.
pub(crate) struct Handle(NonNull<Control>);

// SAFETY: what it reaches from another thread is atomic, or the result, which `JoinHandle` lets travel only if that is `Send`.
unsafe impl Send for Handle {}
// SAFETY: by reference it offers only what is safe from any thread.
unsafe impl Sync for Handle {}

impl Handle {
    /// # Safety
    ///
    /// The caller has made the fiber, and makes one handle.
    pub(super) unsafe fn new(control: NonNull<Control>) -> Self {
        Handle(control)
    }

    #[inline]
    pub(crate) fn control(&self) -> &Control {
        // SAFETY: the reference that we share keeps it allocated.
        unsafe { self.0.as_ref() }
    }

    /// A reference of one's own.
    pub(crate) fn reference(&self) -> FiberRef {
        // SAFETY: the reference that we share keeps it allocated.
        unsafe { FiberRef::acquire(self.0) }
    }

    /// As [`FiberRef::cancel`].
    pub(crate) fn cancel(&self) {
        // SAFETY: the reference that we share keeps it allocated.
        unsafe { Control::cancel(self.0) };
    }

    /// Whether the fiber has ended.
    #[inline]
    pub(crate) fn is_finished(&self) -> bool {
        self.control().ending.is_done()
    }

    /// Waits until the fiber has ended, and takes its result.
    ///
    /// # Safety
    ///
    /// The result is a `T`, and has not been taken.
    #[inline]
    pub(crate) unsafe fn join<T>(self) -> thread::Result<T> {
        if !self.is_finished() {
            self.wait();
        }
        let this = ManuallyDrop::new(self);
        // SAFETY: the fiber is done, and `T` its result, as the caller says.
        let result = unsafe { take_result(this.0) };
        // SAFETY: the fiber is done, and `this` is never dropped.
        unsafe { this.leave() };
        result
    }

    #[inline(never)] // One copy, with all of the way to the switch in it.
    fn wait(&self) {
        let Some(joiner) = Worker::with(|worker| worker?.running_to_park()) else {
            return self.wait_on_thread();
        };
        if self.control().ending.join(joiner, self.caller()) {
            while !self.is_finished() {
                Worker::park_here(Reason::Join(self.control().origin.id), None);
            }
        }
    }

    #[cold]
    fn wait_on_thread(&self) {
        let waker = Waker::from(Arc::new(WakeByUnpark(park::current())));
        while self.control().ending.poll(&waker) {
            park::park(Reason::Join(self.control().origin.id));
        }
    }

    /// Takes the result if it is there; else `waker` is called when it is. The last waker counts.
    ///
    /// # Safety
    ///
    /// The result is a `T`.
    ///
    /// # Panics
    ///
    /// If it has been taken.
    pub(crate) unsafe fn poll<T>(&mut self, waker: &Waker) -> Option<thread::Result<T>> {
        // SAFETY: done, and `T` is its result, as the caller says; a second time panics before it reads.
        (!self.control().ending.poll(waker)).then(|| unsafe { take_result(self.0) })
    }

    /// Drops the handle; whether a panic was dropped with it.
    pub(crate) fn detach(self) -> bool {
        ManuallyDrop::new(self).end()
    }

    fn end(&self) -> bool {
        if self.control().ending.detach(self.caller()) {
            return false;
        }
        // SAFETY: the fiber is done, so the stage is ours; we are on a thread where the result may be dropped, since a handle travels
        // only if the result may.
        let panicked = unsafe { (self.control().vtable.discard)(self.0) };
        // SAFETY: the fiber is done, and the handle ends here.
        unsafe { self.leave() };
        panicked
    }

    /// Gives up the reference that was shared with the fiber.
    ///
    /// # Safety
    ///
    /// The fiber is done, and the handle is not used again.
    #[inline]
    unsafe fn leave(&self) {
        self.control().ending.wait_until_clean();
        drop(FiberRef(self.0));
    }

    #[inline]
    fn caller(&self) -> Caller {
        let is_home = Worker::with(|worker| worker.is_some_and(|worker| worker.is_home_of(self.control())));
        if is_home { Caller::AtHome } else { Caller::Elsewhere }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}
