//! Ambient values: what holds for a call and all that it calls, on its fiber, without being handed from function to function.
//!
//! ```text
//!   with(&request, || {                frame: request ─ outer ─▶ none
//!       with(&trace, || get(..))       frame: trace ─ outer ─▶ request      the innermost of the type that is asked for
//!   })
//! ```
//!
//! As `fiber_local!`, but bound to a call's extent and by reference: nothing is allocated, and nothing is left behind. (Scoped values: JEP 506.)
//!
//! Invariants:
//! * A frame lies on the stack that the call runs on, and is the slot's from the call's beginning to its end, also by a panic. Frames
//!   nest, because within a context inside the fiber none is made or looked at: such a context may outlive the call below it.
//! * A fiber that is spawned inside begins without any.

use std::any::TypeId;
use std::cell::Cell;
use std::ptr::NonNull;

use crate::worker::Worker;

/// A call of [`with`] that is under way.
pub(crate) struct Frame {
    of: TypeId,
    value: NonNull<()>,
    outer: Option<NonNull<Frame>>,
}

/// The innermost frame of a fiber or a thread.
pub(crate) type Slot = Cell<Option<NonNull<Frame>>>;

thread_local! {
    static THREAD: Slot = const { Cell::new(None) };
}

/// The caller's slot; `None` within a context inside the fiber, or inside a plain thread. It stays where it is for as long as the caller runs.
#[inline]
fn slot() -> Option<NonNull<Slot>> {
    let in_fiber = Worker::with(|worker| {
        worker?.running(|fiber| {
            // SAFETY: it runs on this thread.
            unsafe { fiber.is_innermost().then(|| NonNull::from(&fiber.owned().ambient_values)) }
        })
    });
    match in_fiber {
        Some(slot) => slot,
        None if fibra_fiber::in_context() => None,
        None => Some(THREAD.with(|slot| NonNull::from(slot))),
    }
}

/// Runs `f`; what runs inside, on this fiber, finds `value` by its type.
///
/// ```
/// use fibra_scheduler::ambient;
///
/// struct Tenant(&'static str);
///
/// fn greeting() -> String {
///     ambient::get(|tenant: Option<&Tenant>| tenant.map_or("hello".into(), |tenant| format!("hello {}", tenant.0)))
/// }
///
/// assert_eq!(ambient::with(&Tenant("acme"), greeting), "hello acme");
/// assert_eq!(greeting(), "hello");
/// ```
///
/// # Panics
///
/// Inside a [`fibra_fiber::Context`] of one's own.
#[inline]
pub fn with<T: 'static, R>(value: &T, f: impl FnOnce() -> R) -> R {
    let Some(slot) = slot() else { panic!("an ambient value inside a Context of one's own") };
    // SAFETY: that of the running fiber, whose control block stays until it has ended, or of this thread; only the caller's thread uses it.
    let slot = unsafe { slot.as_ref() };
    let frame = Frame { of: TypeId::of::<T>(), value: NonNull::from(value).cast(), outer: slot.get() };
    let _restore = Restore { slot, outer: frame.outer };
    slot.set(Some(NonNull::from(&frame)));
    f()
}

/// Hands `f` the innermost value of its type; `None` if there is none, or inside a [`fibra_fiber::Context`] of one's own.
#[inline]
pub fn get<T: 'static, R>(f: impl FnOnce(Option<&T>) -> R) -> R {
    // SAFETY: as in `with`.
    let mut next = slot().and_then(|slot| unsafe { slot.as_ref() }.get());
    while let Some(frame) = next {
        // SAFETY: frames that the slot leads to belong to calls of `with` below us on this stack, which we run inside of.
        let frame = unsafe { frame.as_ref() };
        if frame.of == TypeId::of::<T>() {
            // SAFETY: it was made from a `&T`, for that is the type; and that is borrowed until the call of `with` ends, which `f`, on the
            // same stack, ends before.
            return f(Some(unsafe { frame.value.cast::<T>().as_ref() }));
        }
        next = frame.outer;
    }
    f(None)
}

/// Puts the outer frame back, also when the call panics.
struct Restore<'a> {
    slot: &'a Slot,
    outer: Option<NonNull<Frame>>,
}

impl Drop for Restore<'_> {
    #[inline]
    fn drop(&mut self) {
        self.slot.set(self.outer);
    }
}
