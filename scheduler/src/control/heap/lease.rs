//! Who owns a heap: a worker as long as it lives, then nobody, then the next worker of any runtime.

use std::ops::Deref;

use parking_lot::Mutex;

use super::Heap;

/// Heaps without an owner: as many, with those that have one, as there have been owners at once.
static FREE: Mutex<Vec<Lease>> = Mutex::new(Vec::new());

/// The right to a heap, until it is dropped.
pub(crate) struct Lease(&'static Heap);

// SAFETY: who has the lease is the only one to touch the heap, but for what others may do with its returns.
unsafe impl Send for Lease {}

impl Lease {
    /// Some heap that nobody owns.
    pub(crate) fn take() -> Self {
        // Never freed: see the module's invariants.
        FREE.lock().pop().unwrap_or_else(|| Lease(Box::leak(Box::default())))
    }
}

impl Deref for Lease {
    type Target = Heap;

    #[inline]
    fn deref(&self) -> &Heap {
        self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.returns().set_owner(None);
        self.clear();
        retire(self.0);
    }
}

#[cfg(not(all(loom, test)))]
fn retire(heap: &'static Heap) {
    FREE.lock().push(Lease(heap));
}

/// In a model no heap is used again, since loom's atomics end with each run of it.
#[cfg(all(loom, test))]
fn retire(heap: &'static Heap) {
    // SAFETY: `take` has leaked it, and who gives the lease up was the last to use it: without chunks, no block names it.
    drop(unsafe { Box::from_raw(std::ptr::from_ref(heap).cast_mut()) });
}
