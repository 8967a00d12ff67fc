//! Blocks on their way back to the heap that they came from: a stack that any thread pushes to and the heap's owner empties.
//!
//! The owner takes all at once, so there is no ABA problem. It does so when it looks outside anyway; if it sleeps meanwhile, it is woken
//! for every [`WAKE_EVERY`] blocks, so that what others free in bulk goes back to the system.

use std::ptr::{self, NonNull};
use std::sync::Arc;

use parking_lot::Mutex;

use super::Chunk;
use crate::driver::DriverWaker;
use crate::primitive::{AtomicPtr, AtomicUsize, Ordering, guess};

/// How many blocks may wait for an owner that sleeps.
const WAKE_EVERY: usize = 1024;

/// What lies in a block that is on its way back.
struct Returned {
    next: *mut Returned,
    chunk: NonNull<Chunk>,
}

/// See the [module](self). Aligned so that pushing it does not take the owner's cache line away.
#[repr(align(128))]
pub(crate) struct Returns {
    last: AtomicPtr<Returned>,
    /// How many have come since the owner last looked, more or less.
    count: AtomicUsize,
    /// What wakes the owner, if it is one that sleeps.
    owner: Mutex<Option<Arc<dyn DriverWaker>>>,
}

impl Default for Returns {
    fn default() -> Self {
        Returns { last: AtomicPtr::new(ptr::null_mut()), count: AtomicUsize::new(0), owner: Mutex::new(None) }
    }
}

impl Returns {
    /// Gives a block back. Any thread.
    ///
    /// # Safety
    ///
    /// The block was taken from `chunk`, of the heap that these returns are of; nothing lives in it any more.
    #[cold]
    pub(in crate::control) unsafe fn push(&self, block: NonNull<u8>, chunk: NonNull<Chunk>) {
        let block = block.cast::<Returned>();
        let mut last = guess(&self.last);
        loop {
            // SAFETY: the caller gives the block up, and until the exchange succeeds it is ours.
            unsafe { block.write(Returned { next: last, chunk }) };
            // Release: what was done with the block comes before what its next user does.
            match self.last.compare_exchange_weak(last, block.as_ptr(), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => last = now,
            }
        }
        if (self.count.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(WAKE_EVERY) {
            let owner = self.owner.lock().clone();
            owner.inspect(|owner| owner.wake());
        }
    }

    /// Says what wakes the heap's owner.
    pub(crate) fn set_owner(&self, owner: Option<Arc<dyn DriverWaker>>) {
        // Dropped behind the lock: it is a driver's.
        let _previous = std::mem::replace(&mut *self.owner.lock(), owner);
    }

    /// Whether there is nothing to take.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.last.load(Ordering::Relaxed).is_null()
    }

    /// Takes everything. Only the heap's owner, who may give each block its next use.
    pub(in crate::control) fn drain(&self) -> impl Iterator<Item = (NonNull<u8>, NonNull<Chunk>)> + use<> {
        self.count.store(0, Ordering::Relaxed);
        let mut next = self.last.swap(ptr::null_mut(), Ordering::Acquire);
        std::iter::from_fn(move || {
            let block = NonNull::new(next)?;
            // SAFETY: the swap made the whole chain ours, and this block was not handed out yet.
            let returned = unsafe { block.read() };
            next = returned.next;
            Some((block.cast(), returned.chunk))
        })
    }
}
