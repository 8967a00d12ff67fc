//! One guarded stack, owned.
//!
//! ```text
//!   limit          usable                                   base (16-aligned)           slot end
//!   ├── guard ─────┼──────────────── frames ───────────────────┼── header ──┼── colour ──────┤
//!                                        ◀── grows down                       0..=960 bytes
//! ```
//!
//! Header: what is known of the stack, at its own top, which is resident as soon as it is used. So a [`Stack`] is one pointer, cheap to
//! move from the pool to a context and back.
//!
//! Colour: stacks lie at equal distances, so without an offset the hot top of every stack would fall into the same few
//! cache sets and a thousand fibers would evict each other (Photon measured L1 misses falling from 15.8 % to about
//! none). It stays under 1 KiB so that a fiber that does little still touches one page.

mod list;

use std::cell::Cell;
use std::mem::offset_of;
use std::ops::Range;
use std::ptr::NonNull;
use std::rc::Rc;

use corosensei::stack::valgrind::ValgrindStackRegistration;

use crate::guard::guard_size;
use crate::memory::round_up;
use crate::slab::Slab;

pub(crate) use list::StackList;

/// The default usable size of a stack: 256 KiB of address space. Only touched pages take memory.
pub const DEFAULT_STACK_SIZE: usize = 256 << 10;

/// The smallest usable size of a stack: 16 KiB, enough to start, to panic and to say so.
pub const MIN_USABLE_STACK_SIZE: usize = 16 << 10;

/// Sixteen colours, a cache line of 64 bytes apart.
const COLOURS: u32 = 16;
const COLOUR_STEP: usize = 64;

const _: () = assert!(size_of::<Header>().is_multiple_of(16));

/// A stack with a guard below it. Made by a [`StackPool`](crate::StackPool); goes back to the kernel when dropped.
pub struct Stack(NonNull<Header>);

#[repr(C, align(16))]
struct Header {
    /// The lowest address of the guard.
    limit: usize,
    /// Where the guard ends and the usable part begins.
    usable: usize,
    slab: Rc<Slab>,
    slot: u32,
    /// Its neighbours, if it is in a [`StackList`].
    colder: Cell<Option<NonNull<Header>>>,
    hotter: Cell<Option<NonNull<Header>>>,
    /// Tells valgrind that this range is a stack; a no-op elsewhere.
    _valgrind: ValgrindStackRegistration,
}

impl Stack {
    /// Where it lies in this struct how far the fiber's frames may reach up: the header's address is that.
    pub(crate) const BASE: usize = offset_of!(Stack, 0);

    /// Wraps `slot`, which the caller has just taken from `slab`.
    pub(crate) fn new(slab: Rc<Slab>, slot: u32) -> Self {
        let limit = slab.limit(slot).get();
        let usable = limit + guard_size();
        let colour = (slot % COLOURS) as usize * COLOUR_STEP;
        let end = usable + slab.stack_size() - colour;
        let _valgrind = ValgrindStackRegistration::new(usable as *mut u8, slab.stack_size());
        // SAFETY: within the slot, behind its guard.
        let header = unsafe { slab.start(slot).byte_add(end - limit).cast::<Header>().sub(1) };
        // SAFETY: nothing lives on this stack, which is ours; its end is aligned to a cache line.
        unsafe {
            header.write(Header {
                limit,
                usable,
                slab,
                slot,
                colder: Cell::new(None),
                hotter: Cell::new(None),
                _valgrind,
            })
        };
        Stack(header)
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: written by `new`, and above whatever runs on the stack.
        unsafe { self.0.as_ref() }
    }

    /// Usable bytes, of which the header and the colour take up to 1 KiB.
    #[inline]
    pub fn size(&self) -> usize {
        self.header().slab.stack_size()
    }

    /// The addresses of the guard below: who touches them has overflowed this stack.
    #[inline]
    pub fn guard(&self) -> Range<usize> {
        self.header().limit..self.header().usable
    }

    /// The addresses that a fiber may use: from where the guard ends to where its frames begin, which is aligned to 16.
    #[inline]
    pub fn range(&self) -> Range<usize> {
        self.header().usable..self.base()
    }

    /// Where the fiber's frames begin: right below the header.
    #[inline]
    fn base(&self) -> usize {
        self.0.addr().get()
    }

    pub(crate) fn slab(&self) -> &Rc<Slab> {
        &self.header().slab
    }
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stack({:#x}..{:#x})", self.guard().end, self.0.addr())
    }
}

/// What a requested stack size becomes: at least [`MIN_USABLE_STACK_SIZE`], in whole pages.
#[inline]
pub(crate) fn usable_size(requested: usize) -> usize {
    round_up(requested.max(MIN_USABLE_STACK_SIZE))
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: written by `new`, and moved out once, here.
        let Header { slab, slot, .. } = unsafe { self.0.read() };
        // SAFETY: whoever ran on the stack has ended, or it would own the stack (`Context` forgets the stack of a
        // context that is dropped while suspended).
        unsafe { slab.release(slot) };
    }
}
