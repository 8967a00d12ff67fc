//! Doing something the first time that a fiber switches away: [`on_first_park`].
//!
//! ```text
//!   on_first_park(a, || {                    frame a
//!       on_first_park(b, || { park() })      frame b ─ outer ─▶ frame a      the park calls a, then b
//!   })
//! ```
//!
//! Invariants:
//! * A frame lives on the fiber's own stack, below the call that it belongs to; the control block points to the innermost that has
//!   not fired. Frames nest, because a context inside the fiber may not install one.
//! * A switch fires the whole chain, the outermost first, each once.

use std::cell::Cell;
use std::ptr::NonNull;

use crate::abort;
use crate::worker::Worker;

/// A call of [`on_first_park`] that is under way.
pub(crate) struct Hook {
    call: NonNull<dyn FnMut()>,
    outer: Option<NonNull<Hook>>,
    fired: Cell<bool>,
}

/// Runs `f`; if the fiber is about to switch away within it (to park or to yield), calls `hook` first, once.
///
/// This is what lets a server run a handler on its reader's own stack and hand the reading to another fiber only if the
/// handler turns out to wait: a handler that does not wait costs neither a switch nor a spawn.
///
/// The hook runs on the fiber, may spawn, and must not park. Calls nest: a switch inside the inner one calls the outer hook first.
/// On a plain thread it is never called: a thread that blocks cannot be resumed by anyone else.
///
/// # Aborts
///
/// If `hook` panics: it is called in the middle of waits that must not be left, such as a scope's for its children.
///
/// # Panics
///
/// Inside a [`fibra_fiber::Context`] that runs on a fiber.
#[inline(always)] // It is in the way of every call that is served.
pub fn on_first_park<R>(hook: &mut dyn FnMut(), f: impl FnOnce() -> R) -> R {
    let Some(fiber) = Worker::with(|worker| worker?.running_raw()) else {
        return f();
    };
    // SAFETY: we run on that fiber, on its home worker's thread, until this function returns; it has not ended before, so it is live.
    let control = unsafe { fiber.as_ref() };
    // SAFETY: as above.
    let owned = unsafe { control.owned() };
    // SAFETY: as above.
    assert!(unsafe { control.is_innermost() }, "on_first_park inside a Context that runs on a fiber");

    // SAFETY: only the lifetime is erased. `hook` is borrowed until this function returns, and by then `restore` has taken the
    // frame out of the slot; the slot is read only by this fiber, when it switches away.
    let call = unsafe { std::mem::transmute::<NonNull<dyn FnMut() + '_>, NonNull<dyn FnMut()>>(NonNull::from(hook)) };
    let frame = Hook { call, outer: owned.hook.get(), fired: Cell::new(false) };
    let _restore = Restore { slot: &owned.hook, frame: &frame };
    owned.hook.set(Some(NonNull::from(&frame)));
    f()
}

/// Puts the outer frame back, also when the call panics. If this one has fired, so has the outer.
struct Restore<'a> {
    slot: &'a Cell<Option<NonNull<Hook>>>,
    frame: &'a Hook,
}

impl Drop for Restore<'_> {
    #[inline]
    fn drop(&mut self) {
        self.slot.set(if self.frame.fired.get() { None } else { self.frame.outer });
    }
}

/// The fiber is about to switch away.
#[inline]
pub(crate) fn fire(slot: &Cell<Option<NonNull<Hook>>>) {
    if let Some(innermost) = slot.get() {
        slot.set(None); // Only now: there hardly ever is one, and to write is not free.
        abort::on_unwind("a hook of on_first_park panicked", || fire_chain(innermost));
    }
}

fn fire_chain(frame: NonNull<Hook>) {
    // SAFETY: frames in the chain belong to calls that are under way on this fiber, which we run on.
    let frame = unsafe { frame.as_ref() };
    if frame.fired.replace(true) {
        return;
    }
    if let Some(outer) = frame.outer {
        fire_chain(outer);
    }
    let mut call = frame.call;
    // SAFETY: the closure is borrowed by the call that the frame belongs to, and nobody else calls it: `fired` was false.
    unsafe { call.as_mut()() };
}
