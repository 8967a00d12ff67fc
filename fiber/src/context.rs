//! A context: a closure on a stack of its own that can stop in the middle and go on later.
//!
//! ```text
//!   worker stack                      fiber stack
//!   ────────────                      ───────────
//!   context.resume() ───────────────▶ entry()
//!        ⋮                               ⋮
//!   Resumed::Suspended ◀───────────── suspend()
//!   context.resume() ───────────────▶    ⋮  (goes on behind suspend)          stack of another
//!        ⋮                            hand_over(other) ──────────────────────▶    ⋮
//!   Resumed::Suspended ◀────────────────────────────────────────────────────── suspend()
//! ```
//!
//! | file | holds |
//! |---|---|
//! | this one | a context: its states and its stack |
//! | `entry` | its closure, on the stack before it runs |
//! | `running` | which context runs, and the ways in and out: [`suspend`], [`hand_over`] |
//! | `visit` | a closure that runs on the stack of one that is suspended |
//!
//! The switch itself is in [`switch`](crate::switch); here it gets an owner and an end. [`suspend`] is ambient: it finds the
//! running context through a thread-local, so that code deep inside a handler can suspend without being handed anything.
//! [`hand_over`] lets a scheduler go from one fiber straight to the next: one switch where suspend and resume are two. A
//! [visit](Context::visit) is how a backtrace is taken of a fiber that waits. And a context that is dropped in the middle is *leaked*,
//! never unwound: a forced unwind runs destructors that may want to suspend again, is swallowed by `catch_unwind`, and cannot exist under
//! `panic = "abort"`. Whoever owns contexts drives them to their end.
//!
//! Invariants:
//! * `at` is not 0 exactly while the context can be switched to. Taking it is the right to do so, so a context is never on two
//!   stacks of calls.
//! * A context is resumed only by the thread that made it, because it is not `Send`. So nothing on its stack ever sees
//!   another thread's thread-locals, and `Rc` on its stack is fine.

mod entry;
mod running;
mod visit;

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, offset_of};
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::thread;

use crate::layout::Layout;
use crate::memory::{give_back, page_size};
use crate::sanitizer;
use crate::stack::Stack;
use crate::switch;

pub use running::{hand_over, in_context, suspend};

/// How much [`Context::prefetch`] fetches: the frames of a fiber that waits for a socket, in a release build, and a little of its caller's.
const PREFETCHED_LINES: usize = 10;

/// The size of a cache line, in bytes.
const LINE: usize = 64;

/// What a [`Context::resume`] ended with.
#[derive(Debug)]
pub enum Resumed {
    /// A closure called [`suspend`]; resume its context again to go on.
    Suspended,
    /// A closure returned, or panicked with this payload. Its context must not be resumed again.
    Finished(thread::Result<()>),
}

/// A closure on a stack of its own.
///
/// ```
/// use fibra_fiber::{Context, Resumed, StackPool, suspend};
///
/// let stack = StackPool::new().take(64 << 10)?;
/// let context = Context::new(stack, || {
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
/// let context = fibra_fiber::Context::new(stack, || ());
/// std::thread::spawn(move || context.resume());
/// ```
///
/// # Dropping
///
/// A context that has not started drops its closure; one that has finished gives its stack back. One that is suspended
/// is leaked, stack, locals and all. Unwinding it by force would run destructors that may want to suspend again.
#[repr(C)] // What a switch touches first.
pub struct Context {
    /// Where it goes on: the stack pointer when it last switched away. 0: it runs, or has ended.
    at: Cell<usize>,
    /// Where whoever has resumed it goes on.
    resumer: Cell<usize>,
    progress: Cell<Progress>,
    stack: ManuallyDrop<Stack>,
    /// The context that has resumed it; null: the thread itself.
    #[cfg(feature = "sanitizer")]
    outer: Cell<*const Context>,
    /// Neither `Send` nor `Sync`.
    thread_bound: PhantomData<*const ()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Fresh,
    Started,
    Finished,
}

impl Context {
    #[doc(hidden)]
    pub const LAYOUT: Layout = Layout {
        suspended_at: offset_of!(Context, at),
        stack_end: offset_of!(Context, stack) + Stack::BASE,
        saved: switch::SAVED,
    };

    /// A context that will run `entry` on `stack`. Nothing runs before the first [`resume`](Context::resume).
    #[inline]
    pub fn new<F>(stack: Stack, entry: F) -> Self
    where
        F: FnOnce() + 'static,
    {
        // SAFETY: whoever has a `Stack` has it alone; the context keeps this one until the closure has ended, or was dropped unstarted.
        let at = unsafe { entry::place(&stack, entry) };
        Context {
            at: Cell::new(at),
            resumer: Cell::new(0),
            progress: Cell::new(Progress::Fresh),
            stack: ManuallyDrop::new(stack),
            #[cfg(feature = "sanitizer")]
            outer: Cell::new(ptr::null()),
            thread_bound: PhantomData,
        }
    }

    /// Runs the closure until it suspends or ends; or, if it [hands over](hand_over), until one of those does who come in its place.
    ///
    /// # Panics
    ///
    /// If the closure runs already, or has ended. A panic of the closure does not come out here: it is in
    /// [`Resumed::Finished`].
    #[inline]
    pub fn resume(&self) -> Resumed {
        let outcome = self.enter(ptr::null_mut());
        if outcome.is_null() {
            return Resumed::Suspended;
        }
        // SAFETY: it lies on the stack that we have just come from, which nobody has used since; read once.
        Resumed::Finished(unsafe { outcome.read() })
    }

    /// Has the cache fetch what a suspended context will touch first when it goes on: the frames above its stack pointer. For a scheduler
    /// that knows some time ahead; it changes nothing else, and does nothing useful for a context that runs.
    #[inline]
    pub fn prefetch(&self) {
        let at = self.at.get();
        for line in 0..PREFETCHED_LINES {
            switch::prefetch(at.wrapping_add(line * LINE));
        }
    }

    /// Gives the memory of its stack that a suspended context does not use back to the kernel: whole pages below where it
    /// suspended, where nothing lives. They cost a page fault each when the context needs them again. `false`: there is none, or the
    /// context is not suspended.
    ///
    /// ```
    /// # use fibra_fiber::{Context, StackPool, suspend};
    /// let context = Context::new(StackPool::new().take(64 << 10)?, suspend);
    /// assert!(!context.give_back_unused());
    /// let _ = context.resume();
    /// assert!(context.give_back_unused());
    /// let _ = context.resume();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn give_back_unused(&self) -> bool {
        if !self.is_suspended() {
            return false;
        }
        let start = self.stack.range().start;
        let end = self.at.get() & !(page_size() - 1);
        let (Some(pages), true) = (NonNull::new(start as *mut u8), end > start) else {
            return false;
        };
        // SAFETY: from where the guard ends (a page boundary) to below the stack pointer of a context that does not run: what its switch
        // has pushed lies above.
        unsafe { give_back(pages, end - start) };
        true
    }

    /// The usable addresses of its stack.
    pub fn stack_range(&self) -> Range<usize> {
        self.stack.range()
    }

    /// How many bytes of its stack a suspended context uses; of one that runs or has ended, 0.
    pub fn stack_used(&self) -> usize {
        match self.at.get() {
            0 => 0,
            at => self.stack.range().end - at,
        }
    }

    /// How many usable bytes are left on the stack of a suspended context.
    pub fn stack_room(&self) -> usize {
        self.stack.range().len().saturating_sub(self.stack_used())
    }

    /// Whether the closure has started.
    pub fn is_started(&self) -> bool {
        self.progress.get() != Progress::Fresh
    }

    /// Whether the closure has ended.
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.progress.get() == Progress::Finished
    }

    /// Whether the closure has stopped in the middle.
    fn is_suspended(&self) -> bool {
        self.progress.get() == Progress::Started && self.at.get() != 0
    }

    /// Takes the stack out of a context that has finished, for the next one.
    ///
    /// # Panics
    ///
    /// If the context has not finished.
    #[inline]
    pub fn into_stack(self) -> Stack {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped.
        unsafe { this.take_stack() }
    }

    /// As [`into_stack`](Context::into_stack), without moving the context, which costs more than all the rest.
    ///
    /// # Safety
    ///
    /// The context is neither used again nor dropped.
    ///
    /// # Panics
    ///
    /// If the context has not finished.
    #[inline]
    pub unsafe fn take_stack(&self) -> Stack {
        assert!(self.is_finished(), "the context is still using its stack");
        sanitizer::forget(self.stack.range());
        // SAFETY: nobody takes it again, as the caller says.
        unsafe { ptr::read(&*self.stack) }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        match self.progress.get() {
            Progress::Started => return,
            Progress::Finished => {}
            Progress::Fresh => {
                // SAFETY: what `place` has returned; it has not started, and will not.
                unsafe { entry::drop_unstarted(self.at.get()) };
            }
        }
        sanitizer::forget(self.stack.range());
        // SAFETY: dropped once, here; `into_stack` never drops the context. Nothing lives on the stack.
        unsafe { ManuallyDrop::drop(&mut self.stack) }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self.progress.get() {
            Progress::Fresh => "fresh",
            Progress::Started if self.at.get() == 0 => "running",
            Progress::Started => "suspended",
            Progress::Finished => "finished",
        };
        f.debug_struct("Context").field("state", &state).finish_non_exhaustive()
    }
}
