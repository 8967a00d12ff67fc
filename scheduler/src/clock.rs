//! The seam to time: the only file that reads a clock.
//!
//! Everything that decides by time asks [`now`], so that one place can make time virtual.

use std::time::Instant;

/// The current instant, as every timer and deadline of fibra sees it.
#[inline]
#[allow(clippy::disallowed_methods)] // This is the one place that the lint sends everyone to.
pub fn now() -> Instant {
    Instant::now()
}
