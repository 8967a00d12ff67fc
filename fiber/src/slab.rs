//! A slab: one mapping that holds many stacks of one size, each with its guard below it.
//!
//! ```text
//!   mapping start                                                          end
//!   ├ guard │ stack 0 ┤ guard │ stack 1 ┤ guard │ stack 2 ┤ · · · ┤ guard │ stack n ┤
//!   └──── slot 0 ─────┘
//! ```
//!
//! One mapping for many stacks keeps a million fibers within the stock `vm.max_map_count`. Slots are carved (guarded) one
//! by one when first used, so an unused slab costs address space only.
//!
//! Invariants:
//! * A slot is in exactly one place: never carved, free, or inside one [`Stack`](crate::Stack).
//! * A slot that is free holds no pages: they went back to the kernel when it was released.
//! * The mapping lives as long as any stack of it, since each holds the slab by `Rc`.

use std::cell::{Cell, RefCell};
use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::guard::{GuardKind, guard_size, install};
use crate::memory::Mapping;

/// How much address space a slab takes. Large enough that mapping is rare, small enough that one busy stack does not
/// keep much address space (and its page tables) from going back.
const SLAB_BYTES: usize = 16 << 20;

/// Bytes of address space that all slabs take.
static RESERVED: AtomicUsize = AtomicUsize::new(0);

/// How many bytes of address space the stacks of this process take, guards included. Only touched pages take memory.
pub fn reserved_bytes() -> usize {
    RESERVED.load(Ordering::Relaxed)
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Slab {
    mapping: Mapping,
    guard_kind: GuardKind,
    /// Usable bytes of each stack.
    stack_size: usize,
    slots: u32,
    /// Slots `0..carved` have their guard.
    carved: Cell<u32>,
    /// Carved slots without a stack, last released first.
    free: RefCell<Vec<u32>>,
}

impl Slab {
    /// Maps a slab of stacks with `stack_size` usable bytes (whole pages) each.
    pub(crate) fn new(stack_size: usize, guard_kind: GuardKind) -> io::Result<Self> {
        let too_large =
            || io::Error::new(io::ErrorKind::InvalidInput, format!("a stack of {stack_size} bytes is too large"));
        let slot = stack_size.checked_add(guard_size()).ok_or_else(too_large)?;
        let slots = (SLAB_BYTES / slot).max(1);
        let len = slot.checked_mul(slots).ok_or_else(too_large)?;
        let mapping = Mapping::new(len)?;
        RESERVED.fetch_add(len, Ordering::Relaxed);
        Ok(Slab {
            mapping,
            guard_kind,
            stack_size,
            slots: slots as u32,
            carved: Cell::new(0),
            free: RefCell::new(Vec::new()),
        })
    }

    /// A slot for a new stack; `None` when all are taken.
    pub(crate) fn take(&self) -> io::Result<Option<u32>> {
        if let Some(slot) = self.free.borrow_mut().pop() {
            return Ok(Some(slot));
        }
        let slot = self.carved.get();
        if slot == self.slots {
            return Ok(None);
        }
        // SAFETY: the slot lies within the mapping and was never carved, so nothing lives in it.
        unsafe { install(self.guard_kind, self.mapping.start().add(self.offset(slot)), guard_size())? };
        self.carved.set(slot + 1);
        Ok(Some(slot))
    }

    /// Takes a slot back and gives its pages to the kernel.
    ///
    /// # Safety
    ///
    /// The slot came from [`take`](Slab::take), is released once, and nothing lives on its stack any more.
    pub(crate) unsafe fn release(&self, slot: u32) {
        // SAFETY: the caller says that the stack is dead; the range is its usable part.
        unsafe { self.mapping.give_back(self.offset(slot) + guard_size(), self.stack_size) };
        self.free.borrow_mut().push(slot);
    }

    /// Whether [`take`](Slab::take) would find a slot.
    pub(crate) fn has_room(&self) -> bool {
        self.carved.get() < self.slots || !self.free.borrow().is_empty()
    }

    /// Whether no slot is in use.
    pub(crate) fn is_idle(&self) -> bool {
        self.free.borrow().len() == self.carved.get() as usize
    }

    /// The lowest address of `slot`'s guard.
    pub(crate) fn limit(&self, slot: u32) -> NonZeroUsize {
        self.start(slot).addr()
    }

    /// Where `slot` begins, with its guard.
    pub(crate) fn start(&self, slot: u32) -> NonNull<u8> {
        // SAFETY: slots lie within the mapping.
        unsafe { self.mapping.start().add(self.offset(slot)) }
    }

    /// Usable bytes of each stack.
    #[inline]
    pub(crate) fn stack_size(&self) -> usize {
        self.stack_size
    }

    fn offset(&self, slot: u32) -> usize {
        slot as usize * (self.stack_size + guard_size())
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        RESERVED.fetch_sub(self.offset(self.slots), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::guard_kind;

    #[test]
    fn slots_do_not_overlap_and_run_out() {
        let slab = Slab::new(1 << 20, guard_kind()).expect("map");
        let mut limits = Vec::new();
        while let Some(slot) = slab.take().expect("carve") {
            limits.push(slab.limit(slot).get());
        }
        assert_eq!(limits.len(), slab.slots as usize);
        assert!(limits.windows(2).all(|pair| pair[1] - pair[0] == (1 << 20) + guard_size()));
        assert!(!slab.has_room());
    }

    #[test]
    fn a_released_slot_is_taken_again_first() {
        let slab = Slab::new(64 << 10, guard_kind()).expect("map");
        let (first, second) = (slab.take().expect("carve"), slab.take().expect("carve"));
        assert!(!slab.is_idle());
        // SAFETY: both were taken above and never ran anything.
        unsafe {
            slab.release(first.expect("room"));
            slab.release(second.expect("room"));
        }
        assert!(slab.is_idle());
        assert_eq!(slab.take().expect("carve"), second);
    }

    #[test]
    fn a_stack_larger_than_a_slab_gets_a_slab_of_its_own() {
        let slab = Slab::new(64 << 20, guard_kind()).expect("map");
        assert!(slab.take().expect("carve").is_some());
        assert!(slab.take().expect("carve").is_none());
    }
}
