//! The closure of a context: on the top of its stack, where it runs, or is dropped if it never does.

use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;

use super::Progress;
use super::running::RUNNING;
use crate::sanitizer;
use crate::stack::Stack;
use crate::switch::{self, prepare, switch};

/// What a closure may take of the stack that it runs on, in bytes; a larger one is boxed.
const ENTRY_SIZE_MAX: usize = 512;

/// Puts `entry` on the top of `stack`. Returns where the first switch there goes on.
///
/// # Safety
///
/// Nothing else is on `stack`, and nothing is put there before `entry` has returned or is [dropped](drop_unstarted).
#[inline]
pub(super) unsafe fn place<F: FnOnce() + 'static>(stack: &Stack, entry: F) -> usize {
    // A large one would take the place of what it calls.
    if size_of::<F>() > ENTRY_SIZE_MAX || align_of::<F>() > switch::ALIGN {
        let boxed: Box<dyn FnOnce()> = Box::new(entry);
        // SAFETY: as the caller says.
        return unsafe { place(stack, boxed) };
    }
    let closure = (stack.range().end - size_of::<F>().next_multiple_of(switch::ALIGN)) as *mut F;
    // SAFETY: the stack is unused, as the caller says, aligned, and far larger than a closure of this size and what `prepare` puts below it. The word
    // right below the closure is ours.
    unsafe {
        closure.write(entry);
        let at = prepare(closure.cast(), run::<F>);
        closure.cast::<usize>().sub(1).write(drop_one::<F> as *const () as usize);
        at
    }
}

/// Drops the closure of a context that will never run.
///
/// # Safety
///
/// `at` is what [`place`] has returned, and nothing has been switched there.
pub(super) unsafe fn drop_unstarted(at: usize) {
    let closure = (at + switch::PREPARED) as *mut u8;
    // SAFETY: `place` has put it there, and the function for its type right below; it has not started.
    unsafe {
        let drop = closure.cast::<unsafe fn(*mut u8)>().sub(1).read();
        drop(closure);
    }
}

/// The first function on a context's stack.
unsafe extern "C" fn run<F: FnOnce()>(closure: *mut u8) -> ! {
    sanitizer::arrive();
    // SAFETY: whoever has switched here has set it, and keeps the context until it has ended.
    unsafe { (*RUNNING.get()).progress.set(Progress::Started) };
    // SAFETY: `place` has put it there; a context starts once.
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

/// As [`drop_unstarted`], of a type.
unsafe fn drop_one<F>(closure: *mut u8) {
    // SAFETY: the caller has found it where `place` has put it.
    drop(unsafe { closure.cast::<F>().read() });
}

const _: () = assert!(mem::align_of::<Box<dyn FnOnce()>>() <= switch::ALIGN);
