//! What a worker does with nothing of its own to run: steal, or else wait.

use std::time::Duration;

use super::super::Worker;
use crate::clock;
use crate::counters::bump;
use crate::driver::Driver;
use crate::primitive::deque::Steal;
use crate::primitive::{Ordering, fence};

impl Worker {
    /// Nothing of our own to run: steal, or else wait.
    pub(super) fn sleep(&self, driver: &mut dyn Driver) {
        if self.steal() {
            // Of what was on its way to us, another worker may have seen nothing and gone to sleep.
            self.shared.sleepers.wake_one(&self.shared.workers);
            return;
        }
        let until_cool = self.give_back();
        // What it has done since it last looked outside nobody would see before it wakes.
        self.publish();
        self.give_allowance_up();
        let sleepers = &self.shared.sleepers;
        self.remote().announce();
        sleepers.add(self.index);
        // From here on, whoever queues something sees that we sleep; what was queued before, we see now.
        fence(Ordering::SeqCst);
        let timeout = if self.is_stealable()
            || !self.remote().inbox().is_empty()
            || self.remote().has_errands()
            || self.must_notice_shutdown()
        {
            Some(Duration::ZERO)
        } else {
            let limit = self.until_next_timer().or_else(|| self.keep_still(driver));
            // Not a limit that keeps the worker from being still: trimming wakes nobody.
            [limit, self.until_trim(clock::now()), until_cool].into_iter().flatten().min()
        };
        self.look_outside(driver, timeout);
        self.remote().set_still(false);
        self.remote().retract();
        self.shared.leash.rouse();
        sleepers.remove(self.index);
        if self.remote().take_search() {
            let found = self.ready.is_empty() && self.steal();
            sleepers.search_ended();
            // What we did not take, another may; and what was queued while we searched, nobody was woken for.
            if found || self.is_stealable() {
                sleepers.wake_one(&self.shared.workers);
            }
        }
    }

    /// Gives memory back to the system that a burst has left behind. How long until there may be more to give; `None`: for ever.
    pub(in crate::worker) fn give_back(&self) -> Option<Duration> {
        let until_cool = self.cool();
        self.heap.trim();
        self.live.borrow_mut().trim();
        // Nobody owns this one. Who holds it now is about to use it.
        if let Some(outside) = self.shared.heap.try_lock() {
            outside.trim();
        }
        until_cool
    }

    /// Takes a batch of fresh closures from another worker, starting with a neighbour so that thieves spread out.
    pub(super) fn steal(&self) -> bool {
        let workers = &self.shared.workers;
        (1..workers.len()).any(|step| {
            let victim = &workers[(self.index + step) % workers.len()];
            loop {
                match victim.fresh().steal_batch(&self.fresh) {
                    Steal::Success(()) => {
                        bump(&self.counts.steals);
                        return true;
                    }
                    Steal::Empty => return false,
                    Steal::Retry => std::hint::spin_loop(),
                }
            }
        })
    }

    /// Whether there are closures that wait to be started, anywhere.
    pub(super) fn is_stealable(&self) -> bool {
        !self.shared.injected.is_empty() || self.shared.workers.iter().any(|worker| !worker.fresh().is_empty())
    }

    pub(super) fn until_next_timer(&self) -> Option<Duration> {
        let now = clock::now();
        let timer = self.timers.borrow().next(now);
        let grace = self.deadline.get().map(|deadline| deadline.saturating_duration_since(now));
        match (timer, grace) {
            (Some(timer), Some(grace)) => Some(timer.min(grace)),
            (timer, grace) => timer.or(grace),
        }
    }
}
