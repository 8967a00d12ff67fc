//! Noticing that nothing can happen any more: every fiber waits, and nothing is left that could wake one.
//!
//! Only in a runtime of `Builder::run`: into one that was started, a plain thread may hand new fibers at any time.
//!
//! What can wake a fiber, and why it cannot when the verdict is "deadlock":
//! * a fiber that runs or is ready: every worker is *still*, that is, it has found its queues empty and is about to wait without a
//!   limit, or does so already;
//! * a timer, or the end of a grace period: a worker that has either waits with a limit, and so is not still;
//! * a socket: a worker whose [`Driver`] waits for anything is not still;
//! * a job on a blocking thread: the pool has none, neither running nor queued;
//! * another thread, or a signal handler: the process has none but the runtime's own (see `Roster`). Threads of other runtimes count
//!   as others;
//! * one of these that acted just before it ended: it has left a fiber in an inbox or taken a worker's `parked` away, and that is
//!   looked at last.
//!
//! Of two workers that become still at the same time at least one sees the other, because of a fence on both sides. If the outside
//! cannot be ruled out, the last worker looks again after a while: at first soon, then ever more rarely.

use std::time::Duration;

use super::Worker;
use crate::driver::Driver;
use crate::dump::Request;
use crate::primitive::{Ordering, fence};
use crate::runtime::Shared;

/// How soon, and how late, stillness is looked at again that may be broken from outside.
const RECHECK_MIN: Duration = Duration::from_millis(20);
const RECHECK_MAX: Duration = Duration::from_secs(60);

/// What stillness of one worker means for the runtime.
enum Verdict {
    /// Another worker is awake, or about to be.
    Busy,
    /// All are still, but somebody outside may wake a fiber.
    Unsure,
    /// Nothing will ever happen.
    Deadlock,
}

impl Worker {
    /// How long to wait when nothing of this worker's own limits it.
    pub(super) fn keep_still(&self, driver: &dyn Driver) -> Option<Duration> {
        if !self.shared.ends_when_still || self.shared.is_stopping() || driver.is_waiting() {
            return None;
        }
        self.remote().set_still(true);
        match verdict(&self.shared) {
            Verdict::Busy => None,
            Verdict::Unsure => Some(self.next_recheck()),
            Verdict::Deadlock => {
                let request = Request::new(self.shared.workers.len());
                if self.shared.deadlock.set(request.clone()).is_ok() {
                    for worker in &self.shared.workers {
                        worker.ask(request.clone());
                    }
                }
                Some(Duration::ZERO)
            }
        }
    }

    /// Twice as long as the last time, unless a fiber has run since.
    fn next_recheck(&self) -> Duration {
        let (switches, last) = self.recheck.get();
        let now = self.remote().tally().switches();
        let next = if switches == now { (last * 2).clamp(RECHECK_MIN, RECHECK_MAX) } else { RECHECK_MIN };
        self.recheck.set((now, next));
        next
    }
}

fn verdict(shared: &Shared) -> Verdict {
    // Pairs with itself on other workers, between saying that they are still and looking at us.
    fence(Ordering::SeqCst);
    if !shared.workers.iter().all(|worker| worker.is_still()) {
        return Verdict::Busy;
    }
    let pulses = || shared.workers.iter().map(|worker| worker.tally().pulse());
    let before: Vec<_> = pulses().collect();
    if shared.pool.is_busy() || !shared.roster.is_everyone() {
        return Verdict::Unsure;
    }
    // What those did that have just ended is visible by now.
    fence(Ordering::SeqCst);
    let is_still = shared.workers.iter().all(|worker| worker.is_still() && worker.is_undisturbed());
    // And nobody has been awake in between, when it may have started a thread that the roster has not seen.
    if is_still && pulses().eq(before) { Verdict::Deadlock } else { Verdict::Busy }
}
