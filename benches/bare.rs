//! Bare corosensei on fibra's stacks, so that what is compared is the switch and not where the stacks lie.

use corosensei::stack::{Stack, StackPointer};

/// A fibra stack that corosensei runs on.
pub(crate) struct BareStack(pub(crate) fibra_fiber::Stack);

// SAFETY: from above the guard to the aligned base, which is far more than corosensei's minimum; it stays while `self` does.
unsafe impl Stack for BareStack {
    fn base(&self) -> StackPointer {
        StackPointer::new(self.0.range().end).expect("not at address zero")
    }

    fn limit(&self) -> StackPointer {
        StackPointer::new(self.0.guard().start).expect("not at address zero")
    }
}
