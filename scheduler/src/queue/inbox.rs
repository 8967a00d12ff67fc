//! A worker's inbox: the fibers of its own that other threads want unparked.
//!
//! A lock-free stack that producers push to one by one and the worker takes whole, then reverses: first in, first out.
//! The links are in the control blocks, so a push allocates nothing. Taking everything at once is what makes the simple
//! compare-and-swap push safe from ABA: no node is ever popped alone (Treiber, "Systems Programming: Coping with
//! Parallelism", 1986).
//!
//! Invariant: a fiber is pushed at most once until it has been drained, and stays allocated so long; see `control::ask`.

use std::ptr::{self, NonNull};

use crate::control::Control;
use crate::primitive::{AtomicPtr, Ordering, guess};

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    head: AtomicPtr<Control>,
}

impl Inbox {
    /// Adds a fiber. Any thread.
    ///
    /// # Safety
    ///
    /// The fiber is in no inbox, nobody else is about to push it, and it stays allocated until it has been drained.
    pub(crate) unsafe fn push(&self, node: NonNull<Control>) {
        let mut head = guess(&self.head);
        loop {
            // SAFETY: allocated, and until the exchange succeeds its link is ours.
            unsafe { node.as_ref() }.link.store(head, Ordering::Relaxed);
            // Release: whoever takes the node sees its link and all that happened before the wake.
            match self.head.compare_exchange_weak(head, node.as_ptr(), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Whether there is nothing to take.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Takes everything, in the order of arrival.
    pub(crate) fn drain(&self) -> Drain {
        let mut node = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        let mut first = ptr::null_mut();
        while let Some(current) = NonNull::new(node) {
            // SAFETY: the exchange made the whole chain ours.
            let link = &unsafe { current.as_ref() }.link;
            node = link.load(Ordering::Relaxed);
            link.store(first, Ordering::Relaxed);
            first = current.as_ptr();
        }
        Drain { next: first }
    }
}

/// The fibers taken by [`Inbox::drain`].
pub(crate) struct Drain {
    next: *mut Control,
}

impl Iterator for Drain {
    type Item = NonNull<Control>;

    fn next(&mut self) -> Option<NonNull<Control>> {
        let node = NonNull::new(self.next)?;
        // SAFETY: the chain is ours, and this node was not handed out yet. Once it is, it may be pushed anew.
        self.next = unsafe { node.as_ref() }.link.load(Ordering::Relaxed);
        Some(node)
    }
}
