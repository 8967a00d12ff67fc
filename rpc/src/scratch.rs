//! Buffers for one message, reused: encoding a frame or handing over a reply allocates nothing in a steady state.
//!
//! Invariants:
//! * A thread keeps at most [`SCRATCH_BUFFERS_MAX`] buffers of at most [`FLUSH_BYTES`] each.
//! * Nothing parks while the pool is borrowed.

use std::cell::{Cell, RefCell};

use crate::limits::{FLUSH_BYTES, SCRATCH_BUFFERS_MAX, SMALL_BYTES};

thread_local! {
    /// The one that was given last: nearly always the next to be taken, at a third of what it costs to have it from the others.
    static LAST: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static SMALL: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static OTHERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer, with the capacity of an earlier use if there was one.
#[inline]
pub(crate) fn take() -> Vec<u8> {
    // A thread that is ending has none any more: then buffers are simply allocated.
    let last = LAST.try_with(Cell::take).unwrap_or_default();
    if last.capacity() > 0 { last } else { take_other() }
}

#[inline(never)]
fn take_other() -> Vec<u8> {
    OTHERS.try_with(|others| others.borrow_mut().pop()).ok().flatten().unwrap_or_default()
}

/// Gives a buffer back for reuse, on whichever thread.
#[inline(always)] // Into the way of a call.
pub(crate) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > FLUSH_BYTES {
        return;
    }
    buffer.clear();
    let _ = LAST.try_with(|last| {
        let before = last.replace(buffer);
        if before.capacity() > 0 {
            give_other(before);
        }
    });
}

/// An empty buffer that [is small](is_small), with the capacity of the last one that was given.
pub(crate) fn take_small() -> Vec<u8> {
    SMALL.try_with(Cell::take).unwrap_or_default()
}

/// Gives back what [`take_small`] gave, perhaps grown.
pub(crate) fn give_small(mut buffer: Vec<u8>) {
    if is_small(&buffer) {
        buffer.clear();
        let _ = SMALL.try_with(|small| small.set(buffer));
    } else {
        give(buffer);
    }
}

/// Whether it takes no more to hold on to a buffer than to ask for another, and less to copy what is in it than to hand it over.
#[inline]
pub(crate) fn is_small(buffer: &Vec<u8>) -> bool {
    buffer.capacity() <= SMALL_BYTES
}

#[inline(never)]
fn give_other(buffer: Vec<u8>) {
    let _ = OTHERS.try_with(|others| {
        let mut others = others.borrow_mut();
        if others.len() + 1 < SCRATCH_BUFFERS_MAX {
            others.push(buffer);
        }
    });
}
