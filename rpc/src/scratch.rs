//! Buffers for one message, reused: encoding a frame or handing over a reply allocates nothing in a steady state.
//!
//! Invariants:
//! * A thread keeps at most [`SCRATCH_BUFFERS_MAX`] buffers of at most [`FLUSH_BYTES`] each.
//! * Nothing parks while the pool is borrowed.

use std::cell::RefCell;

use crate::limits::{FLUSH_BYTES, SCRATCH_BUFFERS_MAX};

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer, with the capacity of an earlier use if there was one.
#[inline]
pub(crate) fn take() -> Vec<u8> {
    // A thread that is ending has no pool any more: then buffers are simply allocated.
    POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten().unwrap_or_default()
}

/// Gives a buffer back for reuse, on whichever thread.
#[inline]
pub(crate) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > FLUSH_BYTES {
        return;
    }
    buffer.clear();
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < SCRATCH_BUFFERS_MAX {
            pool.push(buffer);
        }
    });
}
