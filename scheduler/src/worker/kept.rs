//! What a thread keeps from one [seeded](crate::seeded) run to the next: memory that has served a worker.
//!
//! Who simulates runs thousands of small programs one after the other. Mapped and unmapped for each, their stacks cost more than what ran on
//! them; and since all threads of a process share one address space, a second thread that did the same gained nothing.
//!
//! Invariants:
//! * Only memory stays: what is in it nobody reads, and no run can tell whether it is the first.
//! * No more stays than an idle worker keeps. It goes with the thread.

use std::cell::Cell;

use fibra_fiber::StackPool;
use fibra_fiber::overflow::SpareStack;

use super::Worker;
use crate::control::Lease;

/// See the [module](self).
struct Kept {
    stacks: StackPool,
    heap: Lease,
}

thread_local! {
    static KEPT: Cell<Option<Kept>> = const { Cell::new(None) };
    static SIGNAL_STACK: Cell<Option<SpareStack>> = const { Cell::new(None) };
}

impl Worker {
    /// Takes over what the last seeded run on this thread has left. Before this worker's first fiber.
    pub(crate) fn take_over(&mut self) {
        if let Some(Kept { stacks, heap }) = KEPT.take() {
            self.stacks.replace(stacks);
            self.heap = heap;
        }
    }

    /// Leaves to the next seeded run on this thread what this worker does not need any more. Stacks of leaked fibers are theirs.
    pub(crate) fn hand_on(self) {
        self.give_back();
        let Self { stacks, heap, .. } = self;
        // A thread that ends keeps nothing.
        let _ = KEPT.try_with(|kept| kept.set(Some(Kept { stacks: stacks.into_inner(), heap })));
    }
}

/// The memory of a signal stack that the last seeded run on this thread has left.
pub(super) fn spare_signal_stack() -> Option<SpareStack> {
    SIGNAL_STACK.try_with(Cell::take).ok().flatten()
}

/// Leaves it to the next.
pub(super) fn leave_signal_stack(spare: Option<SpareStack>) {
    let _ = SIGNAL_STACK.try_with(|kept| kept.set(spare));
}
