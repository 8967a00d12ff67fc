//! The seam to run order: which of the fibers that can run is next.
//!
//! Each is as likely as any other, so every schedule has a chance, though schedules in which one fiber must lose many draws in a row
//! have a small one.

use crate::control::Runnable;
use crate::rng::Rng;

/// Keeps this generator apart from others of the same seed.
const PURPOSE: u64 = 1;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Order {
    rng: Rng,
    runnable: Vec<Runnable>,
}

impl Order {
    pub(super) fn new(seed: u64) -> Self {
        Order { rng: Rng::new(seed, PURPOSE), runnable: Vec::new() }
    }

    /// Adds a fiber that can run.
    pub(crate) fn push(&mut self, runnable: Runnable) {
        self.runnable.push(runnable);
    }

    /// Takes the fiber that is next.
    pub(crate) fn pop(&mut self) -> Option<Runnable> {
        match self.runnable.len() {
            0 => None,
            // No draw where there is no choice.
            1 => self.runnable.pop(),
            len => Some(self.runnable.swap_remove(self.rng.below(len))),
        }
    }
}
