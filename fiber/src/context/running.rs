//! Which context runs on a thread, and the ways in and out of it.
//!
//! ```text
//!   resume, visit ── enter ─▶ a context ── leave ─▶ its resumer (suspend), or another context (hand_over)
//! ```
//!
//! Invariants:
//! * `RUNNING` is the innermost context that runs on this thread, null outside. Who switches to a context sets it before, and
//!   [`Context::resume`] restores it after; during a visit it is null.

use std::cell::Cell;
use std::ops::Range;
use std::ptr;
use std::thread;

use super::Context;
use super::visit::{self, Visitor};
use crate::sanitizer;
use crate::switch::switch;

/// What a switch back to the resumer brings: null if the context has suspended, or how its closure ended, which lies on its stack.
pub(super) type Outcome = *const thread::Result<()>;

thread_local! {
    pub(super) static RUNNING: Cell<*const Context> = const { Cell::new(ptr::null()) };
}

impl Context {
    /// Switches to it. Returns when it suspends or ends, or, if it hands over, when one of those does who come in its place.
    #[inline(always)]
    pub(super) fn enter(&self, visitor: Visitor) -> Outcome {
        let at = self.take_turn();
        let outer = RUNNING.replace(self);
        #[cfg(feature = "sanitizer")]
        self.outer.set(outer);
        // SAFETY: `at` is where it goes on, and was taken, so this is the only switch there; its stack is ours. We stay until one of
        // those who run in its place switches to `resumer`.
        let outcome = sanitizer::around(self.stack.range(), || unsafe {
            switch(self.resumer.as_ptr(), at, visitor.expose_provenance())
        });
        RUNNING.set(outer);
        ptr::with_exposed_provenance(outcome)
    }

    /// The right to switch to it.
    #[inline(always)]
    fn take_turn(&self) -> usize {
        let at = self.at.replace(0);
        if at == 0 {
            self.panic_not_suspended();
        }
        at
    }

    #[cold]
    fn panic_not_suspended(&self) -> ! {
        match self.is_finished() {
            true => panic!("the context has ended"),
            false => panic!("the context runs already"),
        }
    }

    /// Whether the caller runs in this context, and not in another inside it.
    ///
    /// A scheduler asks before it parks a fiber: what runs in a context of its own *inside* a fiber would suspend only that.
    #[inline]
    pub fn is_innermost(&self) -> bool {
        ptr::eq(RUNNING.get(), self)
    }

    /// The stack of whoever goes on when this context suspends.
    #[cfg(feature = "sanitizer")]
    pub(super) fn resumer_stack(&self) -> Range<usize> {
        // SAFETY: null, or a context that waits in a `resume`, which borrows it.
        unsafe { self.outer.get().as_ref() }.map_or_else(sanitizer::thread_stack, |outer| outer.stack.range())
    }

    #[cfg(not(feature = "sanitizer"))]
    pub(super) fn resumer_stack(&self) -> Range<usize> {
        0..0
    }
}

/// Whether the caller runs inside a [`Context`], so that [`suspend`] may be called.
#[inline]
pub fn in_context() -> bool {
    !RUNNING.get().is_null()
}

/// Stops the running context here; its [`Context::resume`] returns [`Resumed::Suspended`](super::Resumed::Suspended). Returns when it is resumed.
///
/// # Panics
///
/// If the caller is not inside a context: there is nothing to switch to.
#[inline]
pub fn suspend() {
    let running = running();
    // SAFETY: running, so it is there, and borrowed by whoever has resumed it.
    unsafe { leave(running, (*running).resumer.get(), (*running).resumer_stack()) };
}

/// Stops the running context here and resumes `next` in its place: `next` [suspends](suspend) to whoever has resumed the running one.
/// Returns when the running context is resumed.
///
/// # Safety
///
/// `running` points to the innermost running context, and `next` to a context of this thread that neither runs nor has ended, and that is
/// not moved or dropped before it has suspended or ended.
///
/// ```
/// # use fibra_fiber::{Context, StackPool, hand_over, suspend};
/// # use std::rc::{Rc, Weak};
/// let mut pool = StackPool::new();
/// let second = Rc::new(Context::new(pool.take(64 << 10)?, suspend));
/// let next = second.clone();
/// let stack = pool.take(64 << 10)?;
/// let first = Rc::new_cyclic(|first: &Weak<Context>| {
///     let first = first.clone();
///     // SAFETY: `first` runs then, and is innermost; `second` stays where it is until both have ended.
///     Context::new(stack, move || unsafe { hand_over(first.as_ptr(), Rc::as_ptr(&next)) })
/// });
///
/// let _ = first.resume(); // Goes on when `second` suspends.
/// assert!(first.is_started() && second.is_started());
/// let _ = first.resume();
/// assert!(first.is_finished() && !second.is_finished());
/// # let _ = second.resume();
/// # Ok::<(), std::io::Error>(())
/// ```
#[inline(always)]
pub unsafe fn hand_over(running: *const Context, next: *const Context) {
    debug_assert_eq!(running, RUNNING.get(), "not the innermost running context");
    // SAFETY: both are there: the one runs, for the other the caller answers, and for that it can be switched to.
    unsafe {
        let at = (*next).at.replace(0);
        debug_assert_ne!(at, 0, "the context runs, or has ended");
        (*next).resumer.set((*running).resumer.get());
        #[cfg(feature = "sanitizer")]
        (*next).outer.set((*running).outer.get());
        RUNNING.with(|running| running.set(next));
        leave(running, at, (*next).stack.range());
    }
}

#[inline(always)]
fn running() -> *const Context {
    let running = RUNNING.get();
    assert!(!running.is_null(), "switching away outside a fiber");
    running
}

/// Leaves the running context for `to`, and receives visitors until it is resumed.
///
/// # Safety
///
/// `to` is where another stack goes on, and the caller has the right to switch there; `running` is the running context, and `stack` is
/// that other one.
#[inline(always)]
unsafe fn leave(mut running: *const Context, mut to: usize, mut stack: Range<usize>) {
    loop {
        // SAFETY: as the caller says. Our stack stays: who drops a suspended context leaks it.
        let visitor = sanitizer::around(stack, || unsafe { switch((*running).at.as_ptr(), to, 0) });
        if visitor == 0 {
            return;
        }
        visit::receive(ptr::with_exposed_provenance_mut(visitor));
        // Back to the `visit` that has brought it. It may have moved since it was left.
        running = RUNNING.get();
        // SAFETY: it runs, so it is there.
        (to, stack) = unsafe { ((*running).resumer.get(), (*running).resumer_stack()) };
    }
}
