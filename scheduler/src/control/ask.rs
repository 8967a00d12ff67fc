//! Unparking from another thread: it asks, and the fiber's own worker gives the [token](super::token).
//!
//! ```text
//!   other thread                              home worker
//!   ────────────                              ───────────
//!                                             settle: SETTLED; ASKED before that ─▶ token, at once
//!   ASKED; it was not, but SETTLED ─▶ inbox ─▶ drain: ASKED off ─▶ token
//!                                             end: DONE; ASKED then: the inbox still holds the fiber
//! ```
//!
//! All of it in one word, so that each step is one read-modify-write, and which of two comes first is never in doubt. A fiber that only
//! its own worker may start is SETTLED from the beginning. One that ends while nobody could ask needs no DONE.
//!
//! Invariants:
//! * A fiber is in its home's inbox at most once: whoever turns ASKED on, between SETTLED and DONE, pushes it.
//! * A fiber that ends while it is in the inbox, or about to be pushed, leaves a reference to itself there: the worker gives it up when it
//!   has drained it, and does not end before. So the pusher finds both the fiber and its worker in place.
//! * What the asker did before is seen by the fiber when it goes on: turning ASKED on releases, turning it off acquires.

#[cfg(all(loom, test))]
mod models;

use std::mem;
use std::ptr::NonNull;

use super::{Control, FiberRef};
use crate::primitive::{AtomicU8, AtomicU32, Ordering};
use crate::worker::Remote;

/// The fiber has ended.
const DONE: u8 = 1;
/// The fiber has a home, and keeps it.
const SETTLED: u8 = 2;
/// Another thread wants the fiber to be unparked.
const ASKED: u8 = 4;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Asks(AtomicU8);

impl Asks {
    pub(crate) fn new(is_settled: bool) -> Self {
        Asks(AtomicU8::new(if is_settled { SETTLED } else { 0 }))
    }

    /// Any thread: asks. Whether the caller is to push the fiber.
    #[inline]
    pub(crate) fn ask(&self) -> bool {
        self.0.fetch_or(ASKED, Ordering::AcqRel) & (SETTLED | ASKED | DONE) == SETTLED
    }

    /// The fiber has a home now. Whether it was asked before.
    pub(crate) fn settle(&self) -> bool {
        let was_asked = self.0.fetch_or(SETTLED, Ordering::AcqRel) & ASKED != 0;
        if was_asked {
            self.drained();
        }
        was_asked
    }

    /// The inbox has been drained of the fiber: from now on it may be asked for again.
    #[inline]
    pub(crate) fn drained(&self) {
        self.0.fetch_and(!ASKED, Ordering::AcqRel);
    }

    /// The fiber will not wait any more: from now on nobody pushes it. Whether the inbox holds it, or is about to.
    ///
    /// `refs`: how many references there are. `handle_asks`: whether the handle could ask: it is there, and not blocked in a join.
    #[inline]
    pub(crate) fn close(&self, refs: &AtomicU32, handle_asks: bool) -> bool {
        // Who else could ask has a reference beside that of fiber and handle; and who has given one up has asked before: hence Acquire.
        let before = if !handle_asks && refs.load(Ordering::Acquire) == 1 {
            self.0.load(Ordering::Relaxed)
        } else {
            self.0.fetch_or(DONE, Ordering::AcqRel)
        };
        before & (SETTLED | ASKED) == SETTLED | ASKED
    }
}

impl Control {
    /// Has the home worker give the fiber its token. Any thread. For a fiber that has ended: nothing.
    ///
    /// # Safety
    ///
    /// `this` points to a control block that stays live through this call.
    #[cold]
    pub(super) unsafe fn ask(this: NonNull<Control>) {
        // SAFETY: live, as the caller says.
        let control = unsafe { this.as_ref() };
        if control.asks.ask() {
            // SAFETY: settled, so `home` was set before. It is for us to push, and until the fiber is drained the worker keeps it and
            // itself.
            unsafe { Remote::deliver(control.home(), this) };
        }
    }

    /// The fiber will not wait any more.
    ///
    /// # Safety
    ///
    /// Called once, at home, or while nobody runs the fiber, by who has not let go of it.
    #[inline]
    pub(super) unsafe fn close(this: NonNull<Control>, handle_asks: bool) {
        // SAFETY: live, as the caller says.
        let control = unsafe { this.as_ref() };
        if control.asks.close(&control.refs, handle_asks) {
            // SAFETY: live, as above. The inbox's.
            mem::forget(unsafe { FiberRef::acquire(this) });
            control.owned.is_owed.set(true);
        }
    }
}
