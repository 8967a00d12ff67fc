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
//! This file adds three things. [`suspend`] is ambient: it finds the running context through a thread-local, so that code
//! deep inside a handler can suspend without being handed anything. A suspended context can be [visited](Context::visit): a
//! closure runs on its stack, inside `suspend`, which is how a backtrace is taken of a fiber that waits. And a context that is
//! dropped in the middle is *leaked*, never unwound: a forced unwind runs destructors that may want to suspend again, is swallowed by
//! `catch_unwind`, and cannot exist under `panic = "abort"`. Whoever owns contexts drives them to their end.
//!
//! Invariants:
//! * `RUNNING` is the suspender of the innermost context that runs on this thread, null outside. [`Context::resume`] sets
//!   it before the switch and restores it after; nobody else writes it, but for a visit, during which it is null.
//! * A context is resumed only by the thread that made it, because it is not `Send`. So nothing on its stack ever sees
//!   another thread's thread-locals, and `Rc` on its stack is fine.

use std::arch::asm;
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};
use std::thread;

use corosensei::stack::Stack as _;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::memory::{give_back, page_size};
use crate::stack::Stack;

/// A switch to the context brings a [`Visitor`] or none, a switch back the stack pointer where it suspended. Both are one word, so
/// they travel in registers.
type Suspender = Yielder<Visitor, usize>;

/// What to run inside [`suspend`] before suspending again; null: nothing, go on.
type Visitor = *mut &'static mut dyn FnMut();

/// More than a switch pushes below the stack pointer that [`suspend`] has read, and more than any red zone.
const SWITCH_ROOM: usize = 512;

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
    coroutine: ManuallyDrop<Coroutine<Visitor, usize, thread::Result<()>, Stack>>,
    /// Where the closure suspends to; null until it first has.
    suspender: *const Suspender,
    /// The stack pointer at the last [`suspend`].
    suspended_at: usize,
    /// Where the stack begins, and how many usable bytes it has.
    base: usize,
    size: usize,
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
        let base = stack.base().get();
        let size = base - stack.guard().end;
        let coroutine = Coroutine::with_stack(stack, move |suspender: &Suspender, _: Visitor| {
            RUNNING.set(suspender);
            catch_unwind(AssertUnwindSafe(entry))
        });
        Context { coroutine: ManuallyDrop::new(coroutine), suspender: ptr::null(), suspended_at: base, base, size }
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
        self.switch(ptr::null_mut())
    }

    #[inline]
    fn switch(&mut self, visitor: Visitor) -> Resumed {
        let outer = RUNNING.replace(self.suspender);
        let result = self.coroutine.resume(visitor);
        self.suspender = RUNNING.replace(outer);
        match result {
            CoroutineResult::Yield(suspended_at) => {
                self.suspended_at = suspended_at;
                Resumed::Suspended
            }
            CoroutineResult::Return(result) => Resumed::Finished(result),
        }
    }

    /// Runs `f` on the stack of a suspended context, on top of what is suspended there, which notices nothing. `None`: the
    /// context is not suspended.
    ///
    /// For looking at a stack from the inside: a backtrace taken by `f` begins with the frames of `f` and goes on with those that
    /// suspended. `f` needs room on the stack: see [`stack_room`](Context::stack_room). It cannot [`suspend`].
    ///
    /// # Panics
    ///
    /// If `f` panics, with its payload.
    ///
    /// ```
    /// # use fibra_fiber::{Context, StackPool, suspend};
    /// let mut context = Context::new(StackPool::new().take(64 << 10)?, suspend);
    /// assert_eq!(context.visit(|| 42), None);
    /// let _ = context.resume();
    /// assert_eq!(context.visit(|| 42), Some(42));
    /// # let _ = context.resume();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn visit<R>(&mut self, f: impl FnOnce() -> R) -> Option<R> {
        if !self.is_started() || self.is_finished() {
            return None;
        }
        let (mut f, mut result) = (Some(f), None);
        let mut call = || result = f.take().map(|f| catch_unwind(AssertUnwindSafe(f)));
        let mut call: &mut dyn FnMut() = &mut call;
        // Only the lifetime is erased: `suspend` calls it before the switch below returns, and forgets it.
        self.switch((&raw mut call).cast());
        result.map(|result| result.unwrap_or_else(|payload| resume_unwind(payload)))
    }

    /// Gives the memory of its stack that a suspended context does not use back to the kernel: whole pages below where it
    /// suspended, where nothing lives. They cost a page fault each when the context needs them again. `false`: there is none, or the
    /// context is not suspended.
    ///
    /// ```
    /// # use fibra_fiber::{Context, StackPool, suspend};
    /// let mut context = Context::new(StackPool::new().take(64 << 10)?, suspend);
    /// assert!(!context.give_back_unused());
    /// let _ = context.resume();
    /// assert!(context.give_back_unused());
    /// let _ = context.resume();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn give_back_unused(&mut self) -> bool {
        if !self.is_started() || self.is_finished() {
            return false;
        }
        let start = self.base - self.size;
        let end = self.suspended_at.saturating_sub(SWITCH_ROOM) & !(page_size() - 1);
        let (Some(pages), true) = (NonNull::new(start as *mut u8), end > start) else {
            return false;
        };
        // SAFETY: from where the guard ends (a page boundary) to below the stack pointer of a context that does not run, with room
        // for what the switch has pushed.
        unsafe { give_back(pages, end - start) };
        true
    }

    /// The usable addresses of its stack.
    pub fn stack_range(&self) -> Range<usize> {
        self.base - self.size..self.base
    }

    /// How many bytes of its stack a suspended context uses.
    pub fn stack_used(&self) -> usize {
        self.base - self.suspended_at
    }

    /// How many usable bytes are left on the stack of a suspended context.
    pub fn stack_room(&self) -> usize {
        self.size.saturating_sub(self.stack_used())
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
    let here = stack_pointer();
    loop {
        // SAFETY: not null, so it is the suspender of the innermost context running on this thread, which lives at the root
        // of the very stack that we run on; it outlives this call because that stack cannot end before we return.
        let visitor = unsafe { (*running).suspend(here) };
        if visitor.is_null() {
            return;
        }
        receive(visitor);
    }
}

/// Where the stack ends: nothing lives below but what the switch is about to push.
#[inline(always)]
fn stack_pointer() -> usize {
    let pointer: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads a register.
    unsafe {
        asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: reads a register.
    unsafe {
        asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

/// Runs what a [`Context::visit`] has brought.
#[cold]
#[inline(never)]
fn receive(visitor: Visitor) {
    // A visitor that suspended would be resumed when its borrows are long gone.
    let running = RUNNING.replace(ptr::null());
    // SAFETY: `visit` waits in its switch until we suspend again, so the closure is there; it catches its own panics.
    unsafe { (*visitor)() };
    RUNNING.set(running);
}
