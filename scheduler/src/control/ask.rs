//! Unparking from another thread: it asks, and the fiber's own worker gives the [token](super::token).
//!
//! ```text
//!   other thread                              home worker
//!   ────────────                              ───────────
//!                                             start: STARTED; ASKED before that ─▶ token, at once
//!   ASKED; it was not, but STARTED ─▶ inbox ─▶ drain: ASKED off ─▶ token
//!                                             end: DONE; ASKED then: the inbox still holds the fiber
//! ```
//!
//! All of it in one word, [`Control::life`], so that each step is one read-modify-write, and which of two comes first is never in doubt.
//!
//! Invariants:
//! * A fiber is in its home's inbox at most once: whoever turns ASKED on, between STARTED and DONE, pushes it.
//! * Between the two, a fiber that is in the inbox, or about to be pushed, keeps the scheduler's reference, also if it ends: the
//!   worker lets go when it has drained it, and does not end before. So the pusher finds both the fiber and its worker in place.
//! * What the asker did before is seen by the fiber when it goes on: turning ASKED on releases, turning it off acquires.

use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use super::{ASKED, Control, DONE, STARTED};
use crate::worker::Remote;

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
        let before = control.life.fetch_or(ASKED, Ordering::AcqRel);
        if before & (STARTED | ASKED | DONE) == STARTED {
            // SAFETY: started, so `home` was set before. We have turned ASKED on, so this is the one push, and until it is drained the
            // worker keeps the fiber and itself.
            unsafe { Remote::deliver(control.home(), this) };
        }
    }

    /// The fiber is about to run for the first time, at home: what asks from now on goes through the inbox. Gives it the token that it
    /// was asked to give before.
    pub(super) fn open(&self) {
        if self.life.fetch_or(STARTED, Ordering::AcqRel) & ASKED != 0 {
            self.life.fetch_and(!ASKED, Ordering::AcqRel);
            self.owned.token.give();
        }
    }

    /// The inbox has been drained of this fiber: from now on it may be asked for again.
    #[inline]
    pub(crate) fn close_ask(&self) {
        self.life.fetch_and(!ASKED, Ordering::AcqRel);
    }
}
