//! Giving back the memory below parked fibers: a fiber that once went deep and now waits for long keeps only what it uses.
//!
//! Off the hot path: a pass over the live fibers from time to time, when the worker looks outside anyway, a batch at a time. A fiber is
//! trimmed once a park, when that has lasted for the time that `runtime::Builder::trim_after` says. An idle worker wakes for a pass
//! only as long as there may be something left to trim.
//!
//! Source: the dead pages of parked stacks are what users of stackful runtimes pay for once a request has gone deep (zio#677: 8.7 KiB a
//! connection became 141 KiB).

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::Worker;
use crate::counters::bump;
use crate::stacks::Choice;

/// How many fibers one look outside may look through.
const BATCH: usize = 256;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Trim {
    /// When the next pass begins, or goes on.
    next: Cell<Option<Instant>>,
    /// Where in the list of live fibers it goes on.
    cursor: Cell<usize>,
    /// How many parks there had been when the last pass began.
    parks: Cell<u64>,
    /// Whether this pass has met fibers that have not waited for long enough.
    pending: Cell<bool>,
}

impl Trim {
    pub(super) fn new(now: Instant, after: Duration) -> Self {
        Trim {
            next: Cell::new(now.checked_add(after)),
            cursor: Cell::new(0),
            parks: Cell::new(0),
            pending: Cell::new(false),
        }
    }
}

impl Worker {
    /// A batch of a pass, if one is due.
    #[inline]
    pub(super) fn trim_quiet(&self, now: Instant) {
        if self.trim.next.get().is_some_and(|next| next <= now) {
            self.trim_batch(now);
        }
    }

    /// How long an idle worker may sleep before there may be something to trim; `None`: for ever.
    pub(super) fn until_trim(&self, now: Instant) -> Option<Duration> {
        let worthwhile =
            self.trim.pending.get() || self.trim.cursor.get() != 0 || self.counts.parks.get() != self.trim.parks.get();
        let next = self.trim.next.get().filter(|_| worthwhile)?;
        Some(next.saturating_duration_since(now))
    }

    #[cold]
    fn trim_batch(&self, now: Instant) {
        let (trim, after) = (&self.trim, self.shared.trim_after);
        let begin = trim.cursor.get();
        if begin == 0 {
            trim.parks.set(self.counts.parks.get());
            trim.pending.set(false);
        }
        let live = self.live.borrow();
        let end = (begin + BATCH).min(live.keys_end());
        for fiber in (begin..end).filter_map(|key| live.get(key)) {
            // SAFETY: listed as live.
            let control = unsafe { fiber.as_ref() };
            // SAFETY: this is its home worker.
            let owned = unsafe { control.owned() };
            let (Some(context), false) = (owned.context.get(), owned.trimmed.get()) else { continue };
            if owned.choice.get() != Choice::No {
                self.measure(control, owned, context);
            }
            if !owned.token.is_awaited() {
                continue;
            }
            if now.saturating_duration_since(self.pace.instant(owned.since.get())) < after {
                trim.pending.set(true);
                continue;
            }
            owned.trimmed.set(true);
            if context.give_back_unused() {
                bump(&self.counts.trims);
            }
        }
        let is_last = end == live.keys_end();
        trim.cursor.set(if is_last { 0 } else { end });
        // The rest of the pass at the next look, the next pass after a while.
        trim.next.set(if is_last { now.checked_add(after / 2) } else { Some(now) });
    }
}
