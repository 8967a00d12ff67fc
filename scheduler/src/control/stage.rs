//! The typed half of a control block: first the fiber's closure, then its result.
//!
//! The scheduler reaches it through a table of functions, because a [`Control`] knows neither type.
//!
//! Who may touch the stage:
//! * before the fiber starts, and while it runs: whoever holds the fiber;
//! * after DONE: the join handle; after DONE and DETACHED: whoever set the second of the two.
//!
//! So the result of a fiber that is not `Send` is dropped on its own worker's thread or by its (equally unsendable)
//! handle, never by a waker that happened to hold the last reference.

use std::alloc::Layout;
use std::any::Any;
use std::cell::UnsafeCell;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::thread;

use super::{Control, Handle, Heap, Inherited, Origin, Runnable};
use crate::worker::Remote;

/// The functions that know the types. Each takes a control block made by [`allocate`] with those types.
pub(super) struct Vtable {
    /// Runs the closure and stores its result.
    pub(super) run: unsafe fn(NonNull<Control>),
    /// Drops the closure and stores `Err(payload)`.
    pub(super) refuse: unsafe fn(NonNull<Control>, Box<dyn Any + Send>),
    /// Leaks whatever is there and stores `Err(payload)`.
    pub(super) abandon: unsafe fn(NonNull<Control>, Box<dyn Any + Send>),
    /// Drops the result; whether it was a panic.
    pub(super) discard: unsafe fn(NonNull<Control>) -> bool,
    /// Moves the result to `*mut thread::Result<T>`.
    take: unsafe fn(NonNull<Control>, *mut ()),
    /// Of the control block with its stage.
    pub(super) layout: Layout,
}

/// `repr(C)`: a pointer to it is a pointer to its control block.
#[repr(C)]
struct Typed<F, T> {
    control: Control,
    stage: UnsafeCell<Stage<F, T>>,
}

enum Stage<F, T> {
    Closure(F),
    Result(thread::Result<T>),
    Empty,
}

/// Allocates the control block of a fiber that will run `f`: on the worker `home`, or, if that is null, on any. Returns the right to run it, and that to its result.
#[inline]
pub(crate) fn allocate<F, T>(
    heap: &Heap,
    home: *const Remote,
    origin: Origin,
    inherited: Inherited,
    f: F,
) -> (Runnable, Handle)
where
    F: FnOnce() -> T,
{
    let (memory, place) = heap.allocate::<Typed<F, T>>();
    let typed = memory.as_ptr();
    // Written where it stays: built first and moved, it would be copied.
    // SAFETY: fresh memory for that type.
    unsafe { (&raw mut (*typed).control).write(Control::new(Typed::<F, T>::VTABLE, place, home, origin, inherited)) };
    // SAFETY: as above; this is the other field.
    unsafe { (&raw mut (*typed).stage).write(UnsafeCell::new(Stage::Closure(f))) };
    let control = memory.cast::<Control>();
    // SAFETY: the count starts at the one reference that these two share; the fiber is in no queue yet.
    unsafe { (Runnable::from_raw(control), Handle::new(control)) }
}

/// Moves the result out.
///
/// # Safety
///
/// The fiber was allocated with result type `T` and is done; the caller owns its handle.
///
/// # Panics
///
/// If the result has been taken.
#[inline]
pub(super) unsafe fn take_result<T>(control: NonNull<Control>) -> thread::Result<T> {
    let mut result = mem::MaybeUninit::<thread::Result<T>>::uninit();
    // SAFETY: `T` is the type of the table, so the function writes a `thread::Result<T>`.
    unsafe {
        (control.as_ref().vtable.take)(control, result.as_mut_ptr().cast());
        result.assume_init()
    }
}

impl<F, T> Typed<F, T>
where
    F: FnOnce() -> T,
{
    const VTABLE: &'static Vtable = &Vtable {
        run: Self::run,
        refuse: Self::refuse,
        abandon: Self::abandon,
        discard: Self::discard,
        take: Self::take,
        layout: Layout::new::<Self>(),
    };

    /// Swaps the stage.
    ///
    /// # Safety
    ///
    /// `control` is of these types, and the caller may touch the stage now.
    unsafe fn replace(control: NonNull<Control>, stage: Stage<F, T>) -> Stage<F, T> {
        // SAFETY: the pointer is one to a `Typed<F, T>`, and access is exclusive as the caller says.
        unsafe { mem::replace(&mut *(*control.cast::<Self>().as_ptr()).stage.get(), stage) }
    }

    unsafe fn run(control: NonNull<Control>) {
        // SAFETY: the fiber runs, so the stage is its own.
        let Stage::Closure(f) = (unsafe { Self::replace(control, Stage::Empty) }) else {
            unreachable!("a fiber starts once");
        };
        let result = catch_unwind(AssertUnwindSafe(f));
        // SAFETY: it still runs.
        unsafe { Self::replace(control, Stage::Result(result)) };
    }

    unsafe fn refuse(control: NonNull<Control>, payload: Box<dyn Any + Send>) {
        // SAFETY: the caller holds the fiber, which has not started.
        let closure = unsafe { Self::replace(control, Stage::Result(Err(payload))) };
        contain(|| drop(closure));
    }

    unsafe fn abandon(control: NonNull<Control>, payload: Box<dyn Any + Send>) {
        // SAFETY: the caller says that the fiber does not run (again).
        mem::forget(unsafe { Self::replace(control, Stage::Result(Err(payload))) });
    }

    unsafe fn discard(control: NonNull<Control>) -> bool {
        // SAFETY: done and detached, and the caller came second.
        let stage = unsafe { Self::replace(control, Stage::Empty) };
        let panicked = matches!(stage, Stage::Result(Err(_)));
        contain(|| drop(stage));
        panicked
    }

    unsafe fn take(control: NonNull<Control>, result: *mut ()) {
        // SAFETY: done, and the caller owns the handle.
        let Stage::Result(value) = (unsafe { Self::replace(control, Stage::Empty) }) else {
            unreachable!("a result is taken once");
        };
        // SAFETY: `result` points to room for a `thread::Result<T>`, as the table says.
        unsafe { result.cast::<thread::Result<T>>().write(value) };
    }
}

/// Runs something of the user's, usually a destructor, that may panic where nobody could receive that panic.
pub(crate) fn contain(f: impl FnOnce()) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else { return };
    tracing::error!(
        "a destructor or a waker panicked where nobody could receive it: that of a fiber's local, of a result that nobody asked for, \
         or of a future that joins"
    );
    // The payload's own destructor may panic as well; what that throws is not looked at any more.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(payload);
    }
}
