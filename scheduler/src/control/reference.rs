//! Counted references to a control block, for whoever names a fiber: handles, unparkers, scopes.
//!
//! Invariant: a reference keeps the memory, not the fiber, alive. What it offers is safe from any thread.

use std::ptr::NonNull;

use super::{Control, heap};
use crate::primitive::{Ordering, fence};
use crate::worker::Worker;

/// More references than this, and the count might wrap before every thread has noticed.
const REFS_MAX: u32 = u32::MAX / 2;

/// A counted reference to a control block: keeps the memory, not the fiber, alive.
pub(crate) struct FiberRef(pub(super) NonNull<Control>);

// SAFETY: what a reference reaches from another thread is atomic.
unsafe impl Send for FiberRef {}
// SAFETY: as above; no method relies on being called by one thread only unless it is unsafe and says so.
unsafe impl Sync for FiberRef {}

impl FiberRef {
    /// A reference of one's own to a fiber that is known to be live.
    ///
    /// # Safety
    ///
    /// `control` points to a live control block.
    #[inline]
    pub(crate) unsafe fn acquire(control: NonNull<Control>) -> Self {
        // SAFETY: live, as the caller says. Relaxed: a new reference comes from an existing one.
        let before = unsafe { control.as_ref() }.refs.fetch_add(1, Ordering::Relaxed);
        if before > REFS_MAX {
            // Only by leaking references in a loop; as in Arc.
            std::process::abort();
        }
        FiberRef(control)
    }

    /// Picks a reference up that was laid down.
    ///
    /// # Safety
    ///
    /// One such was forgotten, and is picked up once.
    pub(crate) unsafe fn from_raw(control: NonNull<Control>) -> Self {
        FiberRef(control)
    }

    pub(crate) fn control(&self) -> &Control {
        // SAFETY: the count that we hold keeps it allocated.
        unsafe { self.0.as_ref() }
    }

    /// The reference as a pointer, to be put together by [`from_note`](FiberRef::from_note).
    pub(crate) fn into_note(self) -> *mut () {
        std::mem::ManuallyDrop::new(self).0.as_ptr().cast()
    }

    /// # Safety
    ///
    /// `note` is null or came from [`into_note`](FiberRef::into_note), and is used once.
    pub(crate) unsafe fn from_note(note: *mut ()) -> Option<Self> {
        NonNull::new(note.cast()).map(FiberRef)
    }

    /// Uncounted, for who keeps the reference meanwhile.
    pub(crate) fn as_ptr(&self) -> NonNull<Control> {
        self.0
    }

    /// Whether both are the same fiber.
    pub(crate) fn is(&self, other: NonNull<Control>) -> bool {
        self.0 == other
    }

    /// Gives the fiber its token, and queues it on its worker if it was parked.
    #[inline]
    pub(crate) fn unpark(&self) {
        // SAFETY: the count that we hold keeps it allocated.
        unsafe { Control::unpark(self.0) };
    }

    /// As [`unpark`](FiberRef::unpark), behind all that are ready on its worker.
    pub(crate) fn unpark_in_turn(&self) {
        // SAFETY: the count that we hold keeps it allocated.
        unsafe { Control::unpark_in_turn(self.0) };
    }

    /// Asks the fiber to end: every wait of its own fails from now on.
    pub(crate) fn cancel(&self) {
        // SAFETY: the count that we hold keeps it allocated.
        unsafe { Control::cancel(self.0) };
    }
}

impl Clone for FiberRef {
    fn clone(&self) -> Self {
        // SAFETY: we hold a count.
        unsafe { FiberRef::acquire(self.0) }
    }
}

impl Drop for FiberRef {
    #[inline]
    fn drop(&mut self) {
        // As in Arc: release our writes to whoever frees, acquire everyone's before freeing.
        // Who holds the only reference has no rival: a further one would have to come from it. That spares a locked operation.
        let refs = &self.control().refs;
        if refs.load(Ordering::Acquire) == 1 || refs.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            // SAFETY: that was the last reference.
            unsafe { free(self.0) };
        }
    }
}

/// # Safety
///
/// Nobody refers to the control block any more. So its fiber has ended, and its stage is empty.
#[inline]
unsafe fn free(control: NonNull<Control>) {
    // SAFETY: live until here.
    let (place, layout) = unsafe { (control.as_ref().place, control.as_ref().vtable.layout) };
    // SAFETY: dropped once, here.
    unsafe { control.drop_in_place() };
    // SAFETY: the block came from `allocate`, from that place for that layout.
    Worker::with(|worker| unsafe { heap::free(control.cast(), layout, place, worker.map(Worker::heap)) });
}
