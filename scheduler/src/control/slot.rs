//! Where a fiber's context lies, from its start to its end.
//!
//! It never moves in between, so that whoever hands over to the fiber needs its address only.
//!
//! Invariant: touched by the home worker's thread only.

use std::cell::{Cell, UnsafeCell};
use std::mem::{MaybeUninit, offset_of};

use fibra_fiber::{Context, Stack};

/// See the [module](self).
#[repr(C)] // In this order all that a switch touches is at the beginning.
pub(crate) struct Slot {
    is_filled: Cell<bool>,
    context: UnsafeCell<MaybeUninit<Context>>,
}

impl Slot {
    /// Where the context is in it.
    pub(super) const CONTEXT: usize = offset_of!(Slot, context);

    pub(super) const fn empty() -> Self {
        Slot { is_filled: Cell::new(false), context: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// Puts the context of a fiber there that starts.
    #[inline]
    pub(crate) fn fill(&self, context: Context) {
        debug_assert!(!self.is_filled.get());
        // SAFETY: empty, so nobody has a reference to what is overwritten.
        unsafe { (*self.context.get()).write(context) };
        self.is_filled.set(true);
    }

    /// Whether the fiber has started and not ended.
    #[inline]
    pub(crate) fn is_filled(&self) -> bool {
        self.is_filled.get()
    }

    /// The context, if the fiber has started and not ended.
    #[inline]
    pub(crate) fn get(&self) -> Option<&Context> {
        // SAFETY: filled.
        self.is_filled.get().then(|| unsafe { self.get_unchecked() })
    }

    /// The context of a fiber that has started.
    ///
    /// # Safety
    ///
    /// The fiber has started, and has not ended.
    #[inline]
    pub(crate) unsafe fn get_unchecked(&self) -> &Context {
        // SAFETY: filled, as the caller says.
        unsafe { (*self.context.get()).assume_init_ref() }
    }

    /// Gives up the context of a fiber that has ended, for its stack.
    ///
    /// # Safety
    ///
    /// Nobody has a reference to the context.
    #[inline]
    pub(crate) unsafe fn take_stack(&self) -> Option<Stack> {
        // SAFETY: filled until now, and no more.
        self.is_filled.replace(false).then(|| unsafe { (*self.context.get()).assume_init_ref().take_stack() })
    }
}
