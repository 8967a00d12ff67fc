//! What a worker shows a [debugger](crate::dump::debugger) as long as it runs: where its fibers are.

use std::sync::Arc;
use std::sync::atomic::AtomicPtr;

use super::{Live, Worker};
use crate::clock;
use crate::dump::debugger::{Field, Listing};

/// What a debugger must know to read a listing.
pub(crate) const FIELDS: [Field; 2] = Live::FIELDS;

impl Worker {
    /// Where this worker's fibers are.
    pub(super) fn listing(&self) -> Listing {
        Listing {
            next: AtomicPtr::default(),
            runtime: Arc::as_ptr(&self.shared).cast(),
            worker: self.index,
            thread: fibra_fiber::thread_number(),
            live: self.live.as_ptr().cast(),
            spawned: self.counts.spawned.as_ptr(),
            ended: self.counts.ended.as_ptr(),
            known_now: self.pace.known_now_ptr(),
            clock_start: self.clock_start(),
        }
    }

    /// When this worker began, by the kernel's clock; 0: its time is virtual.
    fn clock_start(&self) -> u64 {
        let start = clock::monotonic().map(|now| now.saturating_sub(self.pace.elapsed()).as_nanos());
        start.and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(0)
    }
}
