//! What a peer sends that brings nothing forward, and how much of that a connection stands.
//!
//! A ping, a cancel, a call that has arrived before, credit for a stream that is over: each is allowed, since it may have crossed something, and
//! costs us work for nothing. An honest client sends no more of them than it has made calls, so a call that is new pays for one; there is
//! some for free, and a little more each second. Who sends more only means to keep us busy, and its connection is closed.
//!
//! Source: the budgets by which HTTP/2 servers met "Rapid Reset" (CVE-2023-44487), nghttp2's above all.
//!
//! Invariant: whatever a peer sends, the glitches of a connection are at most [`GLITCHES_MAX`], and the window, more than its calls and
//! [`GLITCHES_PER_SECOND`] together.

use std::cell::Cell;
use std::time::Instant;

use crate::limits::{GLITCHES_MAX, GLITCHES_PER_SECOND};
use crate::moment::Moment;
use crate::wire::header::Malformed;

/// A connection's budget for them, at either side.
#[derive(Debug)]
pub(crate) struct Glitches {
    max: u16,
    left: Cell<u16>,
    /// In milliseconds. Who comes after 49 days is taken to come earlier, and gets less than there is.
    refilled_at: Cell<u32>,
}

impl Glitches {
    /// Of a connection whose client may call again, when it resumes its session, a `window` of calls; of one that a client has, 0.
    pub(crate) fn new(window: usize, now: Instant) -> Self {
        let max = GLITCHES_MAX.saturating_add(u16::try_from(window).unwrap_or(u16::MAX));
        Self { max, left: Cell::new(max), refilled_at: Cell::new(Moment::from(now).millis()) }
    }

    /// A call has come that is new, and may be followed by so many glitches.
    pub(crate) fn earn(&self, count: u16) {
        self.left.set(self.left.get().saturating_add(count).min(self.max));
    }

    /// A glitch has come.
    ///
    /// # Errors
    ///
    /// [`Malformed::Glitches`]: it was one too many.
    pub(crate) fn spend(&self, now: Instant) -> Result<(), Malformed> {
        if self.left.get() == 0 {
            // Only now, so that as a rule no time is reckoned.
            let now = Moment::from(now).millis();
            let seconds = now.wrapping_sub(self.refilled_at.get()) / 1_000;
            self.refilled_at.update(|at| if seconds > 0 { now } else { at });
            self.earn(u16::try_from(seconds).unwrap_or(u16::MAX).saturating_mul(GLITCHES_PER_SECOND));
        }
        let left = self.left.get().checked_sub(1).ok_or(Malformed::Glitches { max: self.max.into() })?;
        self.left.set(left);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fibra_scheduler::clock;

    use super::*;

    const TOO_MANY: Result<(), Malformed> = Err(Malformed::Glitches { max: GLITCHES_MAX as u32 + 512 });

    fn used_up(now: Instant) -> Glitches {
        let glitches = Glitches::new(512, now);
        for _ in 0..GLITCHES_MAX + 512 {
            assert_eq!(glitches.spend(now), Ok(()));
        }
        assert_eq!(glitches.spend(now), TOO_MANY);
        glitches
    }

    #[test]
    fn each_call_pays_for_as_many_as_may_follow_it() {
        let now = clock::now();
        let glitches = used_up(now);
        glitches.earn(2);
        assert_eq!((glitches.spend(now), glitches.spend(now)), (Ok(()), Ok(())));
        assert_eq!(glitches.spend(now), TOO_MANY);
    }

    #[test]
    fn there_are_a_few_each_second_and_never_more_than_at_first() {
        let start = clock::now();
        let glitches = used_up(start);
        assert_eq!(glitches.spend(start + Duration::from_millis(999)), TOO_MANY);
        let later = start + Duration::from_secs(2);
        for _ in 0..2 * GLITCHES_PER_SECOND {
            assert_eq!(glitches.spend(later), Ok(()));
        }
        assert_eq!(glitches.spend(later), TOO_MANY);

        let much_later = start + Duration::from_secs(1 << 20);
        for _ in 0..GLITCHES_MAX + 512 {
            assert_eq!(glitches.spend(much_later), Ok(()));
        }
        assert_eq!(glitches.spend(much_later), TOO_MANY);
    }
}
