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
//! The switch itself is in [`switch`](crate::switch). This file gives it an owner and an end. [`suspend`] is ambient: it finds the
//! running context through a thread-local, so that code deep inside a handler can suspend without being handed anything.
//! [`hand_over`] lets a scheduler go from one fiber straight to the next: one switch where suspend and resume are two. A suspended
//! context can be [visited](Context::visit): a closure runs on its stack, inside `suspend`, which is how a backtrace is taken of a
//! fiber that waits. And a context that is dropped in the middle is *leaked*, never unwound: a forced unwind runs destructors that may
//! want to suspend again, is swallowed by `catch_unwind`, and cannot exist under `panic = "abort"`. Whoever owns contexts drives them
//! to their end.
//!
//! Invariants:
//! * `RUNNING` is the innermost context that runs on this thread, null outside. Who switches to a context sets it before, and
//!   [`Context::resume`] restores it after; during a visit it is null.
//! * `at` is not 0 exactly while the context can be switched to. Taking it is the right to do so, so a context is never on two
//!   stacks of calls.
//! * A context is resumed only by the thread that made it, because it is not `Send`. So nothing on its stack ever sees
//!   another thread's thread-locals, and `Rc` on its stack is fine.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop, offset_of};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};
use std::{process, thread};

use crate::layout::Layout;
use crate::memory::{give_back, page_size};
use crate::sanitizer;
use crate::stack::Stack;
use crate::switch::{self, prepare, switch};

/// What to run inside [`suspend`] before suspending again; null: nothing, go on. The message of a switch to a context.
type Visitor = *mut &'static mut dyn FnMut();

/// What a switch back to the resumer brings: null if the context has suspended, or how its closure ended, which lies on its stack.
type Outcome = *const thread::Result<()>;

/// What a closure may take of the stack that it runs on, in bytes; a larger one is boxed.
const ENTRY_SIZE_MAX: usize = 512;

/// How much [`Context::prefetch`] fetches: the frames of a fiber that waits for a socket, in a release build, and a little of its caller's.
const PREFETCHED_LINES: usize = 10;

/// The size of a cache line, in bytes.
const LINE: usize = 64;

thread_local! {
    static RUNNING: Cell<*const Context> = const { Cell::new(ptr::null()) };
}

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
        // The closure is moved to the stack's top, where a large one would take the place of what it calls.
        if size_of::<F>() > ENTRY_SIZE_MAX || align_of::<F>() > switch::ALIGN {
            let boxed: Box<dyn FnOnce()> = Box::new(entry);
            return Self::new(stack, boxed);
        }
        let closure = (stack.range().end - size_of::<F>().next_multiple_of(switch::ALIGN)) as *mut F;
        // SAFETY: the stack is unused, aligned, and far larger than a closure of this size and what `prepare` puts below it. The word
        // right below the closure is ours.
        let at = unsafe {
            closure.write(entry);
            let at = prepare(closure.cast(), run::<F>);
            closure.cast::<usize>().sub(1).write(drop_unstarted::<F> as *const () as usize);
            at
        };
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

    #[inline(always)]
    fn enter(&self, visitor: Visitor) -> Outcome {
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

    /// Has the cache fetch what a suspended context will touch first when it goes on: the frames above its stack pointer. For a scheduler
    /// that knows some time ahead; it changes nothing else, and does nothing useful for a context that runs.
    #[inline]
    pub fn prefetch(&self) {
        let at = self.at.get();
        for line in 0..PREFETCHED_LINES {
            switch::prefetch(at.wrapping_add(line * LINE));
        }
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

    /// Whether the caller runs in this context, and not in another inside it.
    ///
    /// A scheduler asks before it parks a fiber: what runs in a context of its own *inside* a fiber would suspend only that.
    #[inline]
    pub fn is_innermost(&self) -> bool {
        ptr::eq(RUNNING.get(), self)
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

    /// The stack of whoever goes on when this context suspends.
    #[cfg(feature = "sanitizer")]
    fn resumer_stack(&self) -> Range<usize> {
        // SAFETY: null, or a context that waits in a `resume`, which borrows it.
        unsafe { self.outer.get().as_ref() }.map_or_else(sanitizer::thread_stack, |outer| outer.stack.range())
    }

    #[cfg(not(feature = "sanitizer"))]
    fn resumer_stack(&self) -> Range<usize> {
        0..0
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        match self.progress.get() {
            Progress::Started => return,
            Progress::Finished => {}
            Progress::Fresh => {
                let closure = (self.at.get() + switch::PREPARED) as *mut u8;
                // SAFETY: `new` has put the closure there, and the function for its type right below; it has not started.
                unsafe {
                    let drop = closure.cast::<unsafe fn(*mut u8)>().sub(1).read();
                    drop(closure);
                }
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
        receive(ptr::with_exposed_provenance_mut(visitor));
        // Back to the `visit` that has brought it. It may have moved since it was left.
        running = RUNNING.get();
        // SAFETY: it runs, so it is there.
        (to, stack) = unsafe { ((*running).resumer.get(), (*running).resumer_stack()) };
    }
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

/// The first function on a context's stack.
unsafe extern "C" fn run<F: FnOnce()>(closure: *mut u8) -> ! {
    sanitizer::arrive();
    // SAFETY: whoever has switched here has set it, and keeps the context until it has ended.
    unsafe { (*RUNNING.get()).progress.set(Progress::Started) };
    // SAFETY: `new` has put it there; a context starts once.
    let entry = unsafe { closure.cast::<F>().read() };
    let result = ManuallyDrop::new(catch_unwind(AssertUnwindSafe(entry)));
    let context = RUNNING.get();
    let mut nowhere = 0;
    // SAFETY: it runs, hence is there. To whoever has resumed it, with the result, which is read before this stack is used again.
    unsafe {
        (*context).progress.set(Progress::Finished);
        sanitizer::depart((*context).resumer_stack());
        switch(&mut nowhere, (*context).resumer.get(), (&raw const result).expose_provenance());
    }
    // Nobody can switch to `nowhere`.
    process::abort()
}

/// Drops the closure of a context that will never run.
unsafe fn drop_unstarted<F>(closure: *mut u8) {
    // SAFETY: the caller has found it where `new` has put it.
    drop(unsafe { closure.cast::<F>().read() });
}

const _: () = assert!(mem::align_of::<Box<dyn FnOnce()>>() <= switch::ALIGN);
