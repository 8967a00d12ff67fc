//! Calling the wakers of tasks: not while the reactor holds its tables, since a waker may be anybody's code, which may drop or
//! register a socket.

use std::cell::{Cell, RefCell};
use std::task::Waker;

thread_local! {
    static HOLDING: Cell<bool> = const { Cell::new(false) };
    static HELD: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// From now on, until it is dropped, [`wake`] on this thread only takes note.
pub(super) fn hold_back() -> HeldBack {
    HOLDING.set(true);
    HeldBack
}

/// See [`hold_back`].
pub(super) struct HeldBack;

impl Drop for HeldBack {
    fn drop(&mut self) {
        HOLDING.set(false);
        while let Some(waker) = HELD.with_borrow_mut(Vec::pop) {
            waker.wake();
        }
    }
}

/// Calls `waker`, now or when the reactor of this thread has done its round.
pub(crate) fn wake(waker: Waker) {
    if HOLDING.get() {
        HELD.with_borrow_mut(|held| held.push(waker));
    } else {
        waker.wake();
    }
}
