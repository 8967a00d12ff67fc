//! One park of a wait, and the two things that end a wait without its condition.

use std::time::Instant;

use fibra_scheduler::cancel;
use fibra_scheduler::park::{self, Reason, Wakeup};

/// Why a wait ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    TimedOut,
    Cancelled,
}

/// Parks the caller, fiber or thread, until it is unparked. May return for no reason: look at the condition again.
pub(crate) fn park_until(deadline: Option<Instant>) -> Result<(), Interrupted> {
    cancel::check().map_err(|_| Interrupted::Cancelled)?;
    match park::park_until(Reason::Call, deadline) {
        Wakeup::TimedOut => Err(Interrupted::TimedOut),
        // Unparked; or a reason that a later scheduler adds, for which looking again is right too.
        _ => Ok(()),
    }
}
