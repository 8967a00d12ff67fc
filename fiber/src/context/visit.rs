//! A visit: a closure that runs on the stack of a suspended context, inside its [`suspend`](super::suspend).
//!
//! It travels as the message of the switch, and `suspend` goes on waiting afterwards: code that suspends knows nothing of it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

use super::Context;
use super::running::RUNNING;

/// What to run inside [`suspend`](super::suspend) before suspending again; null: nothing, go on. The message of a switch to a context.
pub(super) type Visitor = *mut &'static mut dyn FnMut();

impl Context {
    /// Runs `f` on the stack of a suspended context, on top of what is suspended there, which notices nothing. `None`: the
    /// context is not suspended.
    ///
    /// For looking at a stack from the inside: a backtrace taken by `f` begins with the frames of `f` and goes on with those that
    /// suspended. `f` needs room on the stack: see [`stack_room`](Context::stack_room). It cannot [`suspend`](super::suspend).
    ///
    /// # Panics
    ///
    /// If `f` panics, with its payload.
    ///
    /// ```
    /// # use fibra_fiber::{Context, StackPool, suspend};
    /// let context = Context::new(StackPool::new().take(64 << 10)?, suspend);
    /// assert_eq!(context.visit(|| 42), None);
    /// let _ = context.resume();
    /// assert_eq!(context.visit(|| 42), Some(42));
    /// # let _ = context.resume();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn visit<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        if !self.is_suspended() {
            return None;
        }
        let (mut f, mut result) = (Some(f), None);
        let mut call = || result = f.take().map(|f| catch_unwind(AssertUnwindSafe(f)));
        let mut call: &mut dyn FnMut() = &mut call;
        // Only the lifetime is erased: `receive` calls it before the switch below returns, and forgets it.
        self.enter((&raw mut call).cast());
        result.map(|result| result.unwrap_or_else(|payload| resume_unwind(payload)))
    }
}

/// Runs what a [`Context::visit`] has brought.
#[cold]
#[inline(never)]
pub(super) fn receive(visitor: Visitor) {
    // A visitor that suspended would be resumed when its borrows are long gone.
    let running = RUNNING.replace(ptr::null());
    // SAFETY: `visit` waits in its switch until we suspend again, so the closure is there; it catches its own panics.
    unsafe { (*visitor)() };
    RUNNING.set(running);
}
