//! A context: a closure on a stack of its own that can stop in the middle and go on later.
//!
//! ```text
//!   worker stack                      fiber stack
//!   ────────────                      ───────────
//!   context.resume() ───────────────▶ entry()
//!        ⋮                               ⋮
//!   Resumed::Suspended ◀───────────── suspend()
//!   context.resume() ───────────────▶    ⋮  (goes on behind suspend)
//!   Resumed::Finished  ◀───────────── return
//! ```
//!
//! The switch itself is corosensei's: it saves the three registers that must survive and leaves the rest to the compiler.
//! This file adds two things. [`suspend`] is ambient: it finds the running context through a thread-local, so that code
//! deep inside a handler can suspend without being handed anything. And a context that is dropped in the middle is
//! *leaked*, never unwound: a forced unwind runs destructors that may want to suspend again, is swallowed by
//! `catch_unwind`, and cannot exist under `panic = "abort"`. Whoever owns contexts drives them to their end.
//!
//! Invariants:
//! * `RUNNING` is the suspender of the innermost context that runs on this thread, null outside. [`Context::resume`] sets
//!   it before the switch and restores it after; nobody else writes it.
//! * A context is resumed only by the thread that made it, because it is not `Send`. So nothing on its stack ever sees
//!   another thread's thread-locals, and `Rc` on its stack is fine.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::thread;

use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::stack::Stack;

type Suspender = Yielder<(), ()>;

/// What a closure may take of the stack that it runs on, in bytes; a larger one is boxed.
const ENTRY_SIZE_MAX: usize = 512;

thread_local! {
    static RUNNING: Cell<*const Suspender> = const { Cell::new(ptr::null()) };
}

/// What a [`Context::resume`] ended with.
#[derive(Debug)]
pub enum Resumed {
    /// The closure called [`suspend`]; resume again to go on.
    Suspended,
    /// The closure returned, or panicked with this payload. The context must not be resumed again.
    Finished(thread::Result<()>),
}

/// A closure on a stack of its own.
///
/// ```
/// use fibra_fiber::{Context, Resumed, StackPool, suspend};
///
/// let stack = StackPool::new().take(64 << 10)?;
/// let mut context = Context::new(stack, || {
///     println!("first half");
///     suspend();
///     println!("second half");
/// });
/// assert!(matches!(context.resume(), Resumed::Suspended));
/// assert!(matches!(context.resume(), Resumed::Finished(Ok(()))));
/// let _reusable = context.into_stack();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A context stays on its thread: what its stack holds need not be `Send`, and even where it is, code may have looked at
/// this thread's thread-locals.
///
/// ```compile_fail,E0277
/// let stack = fibra_fiber::StackPool::new().take(64 << 10).unwrap();
/// let mut context = fibra_fiber::Context::new(stack, || ());
/// std::thread::spawn(move || context.resume());
/// ```
///
/// # Dropping
///
/// A context that has not started drops its closure; one that has finished gives its stack back. One that is suspended
/// is leaked, stack, locals and all. Unwinding it by force would run destructors that may want to suspend again.
pub struct Context {
    coroutine: ManuallyDrop<Coroutine<(), (), thread::Result<()>, Stack>>,
    /// Where the closure suspends to; null until it first has.
    suspender: *const Suspender,
}

impl Context {
    /// A context that will run `entry` on `stack`. Nothing runs before the first [`resume`](Context::resume).
    #[inline]
    pub fn new<F>(stack: Stack, entry: F) -> Self
    where
        F: FnOnce() + 'static,
    {
        // The closure is moved to the stack's top, where a large one would take the place of what it calls.
        if size_of::<F>() > ENTRY_SIZE_MAX {
            let boxed: Box<dyn FnOnce()> = Box::new(entry);
            return Self::new(stack, boxed);
        }
        let coroutine = Coroutine::with_stack(stack, move |suspender: &Suspender, ()| {
            RUNNING.set(suspender);
            catch_unwind(AssertUnwindSafe(entry))
        });
        Context { coroutine: ManuallyDrop::new(coroutine), suspender: ptr::null() }
    }

    /// Runs the closure until it suspends or ends.
    ///
    /// # Panics
    ///
    /// If the closure has ended already. A panic of the closure does not come out here: it is in
    /// [`Resumed::Finished`].
    #[inline]
    pub fn resume(&mut self) -> Resumed {
        // Checked before RUNNING is touched: the suspender of a finished context dangles.
        assert!(!self.is_finished(), "the context has ended");
        let outer = RUNNING.replace(self.suspender);
        let result = self.coroutine.resume(());
        self.suspender = RUNNING.replace(outer);
        match result {
            CoroutineResult::Yield(()) => Resumed::Suspended,
            CoroutineResult::Return(result) => Resumed::Finished(result),
        }
    }

    /// Whether the closure has started.
    pub fn is_started(&self) -> bool {
        self.coroutine.started()
    }

    /// Whether the closure has ended.
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.coroutine.done()
    }

    /// Takes the stack out of a context that has finished, for the next one.
    ///
    /// # Panics
    ///
    /// If the context has not finished.
    #[inline]
    pub fn into_stack(self) -> Stack {
        assert!(self.is_finished(), "the context is still using its stack");
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so the coroutine is taken exactly once.
        unsafe { ManuallyDrop::take(&mut this.coroutine) }.into_stack()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if self.is_started() && !self.is_finished() {
            return;
        }
        // SAFETY: dropped once, here; `into_stack` never drops the context. Not suspended, so corosensei has nothing to
        // unwind.
        unsafe { ManuallyDrop::drop(&mut self.coroutine) }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match (self.is_started(), self.is_finished()) {
            (_, true) => "finished",
            (true, false) => "suspended",
            (false, false) => "fresh",
        };
        f.debug_struct("Context").field("state", &state).finish_non_exhaustive()
    }
}

/// Which [`Context`] is the innermost one that runs on this thread. Unique among those that have started and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextId(*const Suspender);

/// The innermost context that runs on this thread; `None` outside.
///
/// A scheduler compares it with that of its fiber before it parks it: what runs in a context of its own *inside* a fiber would
/// suspend only that.
#[inline]
pub fn innermost() -> Option<ContextId> {
    let running = RUNNING.get();
    if running.is_null() { None } else { Some(ContextId(running)) }
}

/// Whether the caller runs inside a [`Context`], so that [`suspend`] may be called.
#[inline]
pub fn in_context() -> bool {
    !RUNNING.get().is_null()
}

/// Stops the running context here; its [`Context::resume`] returns [`Resumed::Suspended`]. Returns when it is resumed.
///
/// # Panics
///
/// If the caller is not inside a context: there is nothing to switch to.
// Always inline, as everything on the way to the switch: a call in between unbalances the processor's return predictor, which
// costs more than the switch.
#[inline(always)]
pub fn suspend() {
    let running = RUNNING.get();
    assert!(!running.is_null(), "suspend() outside a fiber");
    // SAFETY: not null, so it is the suspender of the innermost context running on this thread, which lives at the root
    // of the very stack that we run on; it outlives this call because that stack cannot end before we return.
    unsafe { (*running).suspend(()) }
}
