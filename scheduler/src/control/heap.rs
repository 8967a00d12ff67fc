//! Where control blocks lie: in chunks of equal blocks, each chunk owned by one worker.
//!
//! ```text
//!   Heap (of one worker)
//!     class of 384 bytes ─ room ──▶ chunk ⇄ chunk ⇄ chunk      have a free block; the first one is taken from
//!                        ─ empty ─▶ chunk ⇄ chunk              unmapped when the worker is idle, but for a few
//!     class of 448 bytes …                                     (a chunk without a free block is in no list)
//!     returns ◀── blocks that other threads have freed
//! ```
//!
//! Why not the global allocator: a million control blocks between others' allocations stay with it after a burst (glibc gives back
//! only the top of its heap), and a worker that takes and frees its own blocks needs no size lookup, no header and no lock.
//!
//! Invariants:
//! * Only who owns a heap touches its chunks. Who frees a block elsewhere pushes it to `returns`, which the owner empties.
//! * A heap is never destroyed: its blocks may outlive its worker, and who frees them then still needs `returns`. When its owner ends, the
//!   next one goes on with it ([`Lease`]).
//! * Under AddressSanitizer and in models there are no chunks, so that each control block is seen for itself.

mod chunk;
mod lease;
mod returns;
#[cfg(all(test, not(loom), not(feature = "sanitizer")))]
mod tests;

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};

pub(crate) use chunk::Chunk;
use chunk::List;
pub(crate) use lease::Lease;
pub(super) use returns::Returns;

/// Blocks come in multiples of a cache line.
const STEP: usize = 64;

/// Whether there are chunks.
const HAS_CHUNKS: bool = !cfg!(any(feature = "sanitizer", all(loom, test)));

/// Larger ones, which have a large closure, are the global allocator's.
const SIZE_MAX: usize = 1024;

/// How many empty chunks of each class an idle worker keeps: as with stacks, enough for some hundreds of fibers.
const EMPTY_KEPT: usize = 2;

/// See the [module](self).
#[derive(Default)]
pub(crate) struct Heap {
    returns: Returns,
    /// By size in steps. The first ones are never used: no control block is that small.
    classes: [Class; SIZE_MAX / STEP + 1],
}

#[derive(Default)]
struct Class {
    room: List,
    empty: List,
    empties: Cell<usize>,
}

/// Where a block comes from, which it remembers: `None` is the global allocator.
pub(crate) type Place = Option<NonNull<Chunk>>;

impl Heap {
    /// Memory for a `T`, and where it comes from.
    #[inline]
    pub(crate) fn allocate<T>(&self) -> (NonNull<T>, Place) {
        let class = const { size_of::<T>().div_ceil(STEP) };
        if const { size_of::<T>() > SIZE_MAX || align_of::<T>() > STEP || !HAS_CHUNKS } {
            return (allocate_globally(), None);
        }
        let room = &self.classes[class].room;
        if let Some(chunk) = room.first()
            // SAFETY: chunks in a list of ours are mapped, and we own them.
            && let Some(block) = unsafe { chunk.as_ref() }.take()
        {
            return (block.cast(), Some(chunk));
        }
        match self.find_room(class) {
            Some((block, chunk)) => (block.cast(), Some(chunk)),
            None => (allocate_globally(), None),
        }
    }

    /// A block from another chunk than the first, which becomes the first. `None`: the system has no memory.
    #[cold]
    fn find_room(&self, index: usize) -> Option<(NonNull<u8>, NonNull<Chunk>)> {
        let class = &self.classes[index];
        self.collect();
        loop {
            if let Some(chunk) = class.room.first() {
                // SAFETY: chunks in a list of ours are mapped, and we own them.
                if let Some(block) = unsafe { chunk.as_ref() }.take() {
                    return Some((block, chunk));
                }
                // SAFETY: in that list, as we have just seen.
                unsafe { class.room.remove(chunk) };
                continue;
            }
            let chunk = match class.empty.first() {
                Some(chunk) => {
                    // SAFETY: as above.
                    unsafe { class.empty.remove(chunk) };
                    class.empties.set(class.empties.get() - 1);
                    chunk
                }
                None => Chunk::map(index * STEP, self.returns())?,
            };
            // SAFETY: mapped, ours, and in no list.
            unsafe { class.room.push(chunk) };
        }
    }

    /// Takes back a block that nothing lives in any more.
    ///
    /// # Safety
    ///
    /// The block was taken from `chunk`, which is of this heap, and is given back once.
    #[inline]
    unsafe fn give(&self, block: NonNull<u8>, chunk: NonNull<Chunk>) {
        // SAFETY: a chunk that has a block in use is mapped.
        let fields = unsafe { chunk.as_ref() };
        // SAFETY: the caller's promise, passed on.
        unsafe { fields.give(block) };
        if !fields.is_first() && (fields.is_empty() || !fields.is_listed()) {
            self.relist(chunk);
        }
    }

    /// A chunk that is not taken from has become empty, or has room again.
    #[cold]
    fn relist(&self, chunk: NonNull<Chunk>) {
        // SAFETY: mapped, as `give` has seen.
        let fields = unsafe { chunk.as_ref() };
        let class = &self.classes[fields.block_size() / STEP];
        if !fields.is_listed() {
            // Behind the first, which goes on to be taken from: it is in cache.
            // SAFETY: ours, and in no list.
            unsafe { class.room.push_second(chunk) };
        }
        if fields.is_empty() && !fields.is_first() {
            // SAFETY: ours, and in that list: it has room, and is not in `empty`, since a block was in use.
            unsafe {
                class.room.remove(chunk);
                class.empty.push(chunk);
            }
            class.empties.set(class.empties.get() + 1);
        }
    }

    /// Takes back what other threads have freed.
    #[inline]
    pub(crate) fn collect(&self) {
        if !self.returns.is_empty() {
            for (block, chunk) in self.returns.drain() {
                // SAFETY: freed once, into the returns of the heap that its chunk belongs to.
                unsafe { self.give(block, chunk) };
            }
        }
    }

    /// Unmaps empty chunks, all but a few.
    pub(crate) fn trim(&self) {
        self.collect();
        self.unmap(EMPTY_KEPT);
    }

    fn unmap(&self, kept: usize) {
        for class in &self.classes {
            while class.empties.get() > kept
                && let Some(chunk) = class.empty.first()
            {
                class.empties.set(class.empties.get() - 1);
                // SAFETY: in that list, so of no use to anyone.
                unsafe {
                    class.empty.remove(chunk);
                    Chunk::unmap(chunk);
                }
            }
        }
    }

    /// Unmaps everything that is empty.
    fn clear(&self) {
        self.collect();
        for class in &self.classes {
            // SAFETY: chunks in a list of ours are mapped.
            if let Some(first) = class.room.first().filter(|chunk| unsafe { chunk.as_ref() }.is_empty()) {
                // SAFETY: in that list; then in none.
                unsafe {
                    class.room.remove(first);
                    class.empty.push(first);
                }
                class.empties.set(class.empties.get() + 1);
            }
        }
        self.unmap(0);
    }

    /// Where other threads give blocks back.
    pub(crate) fn returns(&self) -> &'static Returns {
        // SAFETY: only `Lease::take` makes heaps, and it leaks them.
        unsafe { NonNull::from(&self.returns).as_ref() }
    }
}

fn allocate_globally<T>() -> NonNull<T> {
    let layout = const { Layout::new::<T>() };
    // SAFETY: nothing that has a control block in it is of size zero.
    let memory = unsafe { alloc(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout)).cast()
}

/// Frees a block, on any thread. `own`: the heap of the worker that this thread is.
///
/// # Safety
///
/// `block` and `place` came from one call of [`allocate`](Heap::allocate) for a type of that layout; nothing lives in the block any
/// more.
#[inline]
pub(crate) unsafe fn free(block: NonNull<u8>, layout: Layout, place: Place, own: Option<&Heap>) {
    let Some(chunk) = place else {
        // SAFETY: without a chunk, it is the global allocator's.
        return unsafe { dealloc(block.as_ptr(), layout) };
    };
    // SAFETY: a chunk that has a block in use is mapped, and this field never changes.
    let returns = unsafe { chunk.as_ref() }.returns();
    match own {
        // SAFETY: the chunk is this heap's, and the caller gives the block up.
        Some(heap) if ptr::eq(&heap.returns, returns) => unsafe { heap.give(block, chunk) },
        // SAFETY: as above.
        _ => unsafe { returns.push(block, chunk) },
    }
}
