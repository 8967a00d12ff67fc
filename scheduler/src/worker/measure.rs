//! Measuring how much of their stacks some fibers use. What that is for, and which ones: [`stacks`](mod@crate::stacks).
//!
//! Invariants:
//! * The stack of a chosen fiber is cleared before the fiber starts, and no pages of it are given back before they have been counted.
//! * Whoever runs something else on it, such as a visitor, gives back what that has touched.

use fibra_fiber::{Context, Stack, high_water};

use super::Worker;
use crate::control::{Control, Owned};
use crate::stacks::Choice;

impl Worker {
    /// Counts a fiber that is about to start on `stack`, and prepares that if the fiber is one of the sample.
    #[inline]
    pub(super) fn count_start(&self, fiber: &Control, owned: &Owned, stack: &mut Stack) {
        let is_due = self.sites.count_start(fiber.origin.spawned_at);
        // Not behind a call, for which every stack would have to lie in memory.
        if is_due && high_water::clear(stack) {
            self.choose(fiber, owned, stack.size());
        }
    }

    #[cold]
    fn choose(&self, fiber: &Control, owned: &Owned, stack_size: usize) {
        owned.choice.set(Choice::Chosen);
        self.sites.note_size(fiber.origin.spawned_at, stack_size);
    }

    /// Notes how deep a live fiber of this worker has been, one of the sample. It does not run now.
    #[cold]
    pub(super) fn measure(&self, fiber: &Control, owned: &Owned, context: &Context) {
        if let Some(mark) = high_water::mark(&context.stack_range()) {
            let is_first = owned.choice.replace(Choice::Measured) == Choice::Chosen;
            self.sites.note_mark(fiber.origin.spawned_at, mark, is_first);
        }
    }
}
