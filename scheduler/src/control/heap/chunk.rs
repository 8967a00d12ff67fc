//! A chunk: one mapping of equal blocks, its header in the place of the first.
//!
//! ```text
//!   │ header │ block │ block │ block │ ···  │ block │
//!             in use, or free (linked), or fresh: never used, so not even resident
//! ```

use std::cell::Cell;
use std::ptr::{self, NonNull};

use fibra_fiber::Mapping;

use super::{Returns, STEP};

/// Small, so that one fiber that lives long does not keep much memory with it; large enough that mapping is rare.
const CHUNK_SIZE: usize = 64 << 10;

/// Where the blocks begin.
const HEADER_SIZE: usize = size_of::<Chunk>().next_multiple_of(STEP);

/// A block that is not in use.
pub(super) struct Free {
    pub(super) next: *mut Free,
}

/// See the [module](self).
pub(crate) struct Chunk {
    free: Cell<*mut Free>,
    in_use: Cell<u32>,
    /// Whether it is in a list of its heap.
    listed: Cell<bool>,
    block_size: usize,
    /// Where the fresh blocks begin.
    fresh: Cell<usize>,
    previous: Cell<Link>,
    next: Cell<Link>,
    returns: &'static Returns,
    mapping: Mapping,
}

type Link = Option<NonNull<Chunk>>;

impl Chunk {
    /// A new chunk of blocks of that size. `None`: the system has no memory.
    pub(super) fn map(block_size: usize, returns: &'static Returns) -> Option<NonNull<Self>> {
        let mapping = Mapping::new(CHUNK_SIZE).ok()?;
        let chunk = mapping.start().cast::<Chunk>();
        let header = Chunk {
            free: Cell::new(ptr::null_mut()),
            in_use: Cell::new(0),
            listed: Cell::new(false),
            block_size,
            fresh: Cell::new(HEADER_SIZE),
            previous: Cell::new(None),
            next: Cell::new(None),
            returns,
            mapping,
        };
        // SAFETY: the beginning of a mapping, so aligned and large enough, and nobody else knows it.
        unsafe { chunk.write(header) };
        Some(chunk)
    }

    /// # Safety
    ///
    /// No block is in use, and nobody uses the chunk again.
    pub(super) unsafe fn unmap(chunk: NonNull<Self>) {
        // SAFETY: moved out of what it maps before that goes; the header has nothing else to drop.
        drop(unsafe { ptr::read(&raw const (*chunk.as_ptr()).mapping) });
    }

    /// A block, if there is one that is not in use.
    #[inline]
    pub(super) fn take(&self) -> Option<NonNull<u8>> {
        let Some(block) = NonNull::new(self.free.get()) else {
            return self.take_fresh();
        };
        // SAFETY: a block that is not in use holds this link.
        self.free.set(unsafe { block.as_ref() }.next);
        self.in_use.set(self.in_use.get() + 1);
        Some(block.cast())
    }

    fn take_fresh(&self) -> Option<NonNull<u8>> {
        let offset = self.fresh.get();
        if offset + self.block_size > CHUNK_SIZE {
            return None;
        }
        self.fresh.set(offset + self.block_size);
        self.in_use.set(self.in_use.get() + 1);
        // SAFETY: the block lies within the mapping.
        Some(unsafe { self.mapping.start().add(offset) })
    }

    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// The block is this chunk's, and nothing lives in it any more.
    #[inline]
    pub(super) unsafe fn give(&self, block: NonNull<u8>) {
        let block = block.cast::<Free>();
        // SAFETY: the caller gives it up, and it is larger than a link.
        unsafe { block.write(Free { next: self.free.get() }) };
        self.free.set(block.as_ptr());
        self.in_use.set(self.in_use.get() - 1);
    }

    /// Whether no block is in use.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.in_use.get() == 0
    }

    #[inline]
    pub(super) fn is_listed(&self) -> bool {
        self.listed.get()
    }

    /// Whether it is the first of a list.
    #[inline]
    pub(super) fn is_first(&self) -> bool {
        self.listed.get() && self.previous.get().is_none()
    }

    pub(super) fn block_size(&self) -> usize {
        self.block_size
    }

    #[inline]
    pub(super) fn returns(&self) -> &'static Returns {
        self.returns
    }
}

/// A list of chunks.
#[derive(Default)]
pub(super) struct List {
    first: Cell<Link>,
}

impl List {
    #[inline]
    pub(super) fn first(&self) -> Link {
        self.first.get()
    }

    #[cfg(all(test, not(loom), not(feature = "sanitizer")))]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Chunk> {
        // SAFETY: chunks in lists are mapped.
        let fields = |link: Link| link.map(|chunk| unsafe { chunk.as_ref() });
        std::iter::successors(fields(self.first.get()), move |chunk| fields(chunk.next.get()))
    }

    /// # Safety
    ///
    /// The chunk is mapped, and in no list.
    pub(super) unsafe fn push(&self, chunk: NonNull<Chunk>) {
        // SAFETY: mapped, as the caller says, and so is what the list holds.
        unsafe { link(&self.first, None, chunk) };
    }

    /// Behind the first, if there is one.
    ///
    /// # Safety
    ///
    /// As [`push`](List::push).
    pub(super) unsafe fn push_second(&self, chunk: NonNull<Chunk>) {
        match self.first.get() {
            // SAFETY: as in `push`.
            Some(first) => unsafe { link(&first.as_ref().next, Some(first), chunk) },
            // SAFETY: as in `push`.
            None => unsafe { self.push(chunk) },
        }
    }

    /// # Safety
    ///
    /// The chunk is in this list.
    pub(super) unsafe fn remove(&self, chunk: NonNull<Chunk>) {
        // SAFETY: chunks in lists are mapped.
        let fields = unsafe { chunk.as_ref() };
        let (previous, next) = (fields.previous.take(), fields.next.take());
        match previous {
            // SAFETY: as above.
            Some(previous) => unsafe { previous.as_ref() }.next.set(next),
            None => self.first.set(next),
        }
        if let Some(next) = next {
            // SAFETY: as above.
            unsafe { next.as_ref() }.previous.set(previous);
        }
        fields.listed.set(false);
    }
}

/// Puts `chunk` where `place` points, behind `previous`.
///
/// # Safety
///
/// `chunk` is mapped and in no list; `place` is in a list of mapped chunks.
unsafe fn link(place: &Cell<Link>, previous: Link, chunk: NonNull<Chunk>) {
    // SAFETY: mapped, as the caller says.
    let fields = unsafe { chunk.as_ref() };
    let next = place.replace(Some(chunk));
    if let Some(next) = next {
        // SAFETY: it is in the list.
        unsafe { next.as_ref() }.previous.set(Some(chunk));
    }
    fields.previous.set(previous);
    fields.next.set(next);
    fields.listed.set(true);
}

const _: () = assert!(HEADER_SIZE + super::SIZE_MAX <= CHUNK_SIZE);
const _: () = assert!(size_of::<Free>() <= STEP);
