//! The worker's loop: what runs next, for how long, and what happens in between.

mod ending;
#[cfg(all(loom, test))]
pub(crate) mod models;
mod pace;
mod seeded;
mod sleep;

use std::ptr::NonNull;
use std::time::{Duration, Instant};

use fibra_fiber::{Context, Resumed};

use super::Worker;
use crate::clock;
use crate::control::{self, Control, FiberRef, Runnable, contain};
use crate::counters::bump;
use crate::driver::Driver;
use crate::primitive::deque::Steal;
use crate::stacks::Choice;

pub(in crate::worker) use pace::Pace;
use pace::SWITCHES_MAX;

/// How soon a busy worker asks its driver again: its system call costs as much as a hundred switches. Timers and the inbox are
/// looked at every round. The longer pause follows a question that woke nobody; with the round that it may end in, it stays under 100 us.
/// Before those whom the driver woke have had their turn it is not asked at all, unless a timer expires: whom it would wake would
/// only stand behind them.
const DRIVER_PAUSE_MIN: Duration = Duration::from_micros(20);
const DRIVER_PAUSE_MAX: Duration = Duration::from_micros(50);

/// How long a worker pauses after its driver failed, so that a persistent error does not spin.
const DRIVER_BACKOFF: Duration = Duration::from_millis(1);

impl Worker {
    /// Runs fibers until the runtime has shut down and all of this worker's have ended (or the grace period has).
    ///
    /// Returns whether it had to leak fibers: then this thread must not end, since its thread-locals may be borrowed from.
    pub(crate) fn run(&self, driver: &mut dyn Driver) -> bool {
        self.remote().introduce();
        let _enlisted = self.shared.roster.enlist();
        let _signal_stack = super::overflow::prepare_thread(None);
        let _pinned =
            self.shared.pin_workers.then(|| super::affinity::pin(self.index)).transpose().unwrap_or_else(|error| {
                tracing::warn!(worker = self.index, %error, "a worker could not be pinned to a CPU");
                None
            });
        let waker = driver.waker();
        self.heap.returns().set_owner(Some(waker.clone()));
        self.shared.heap.lock().returns().set_owner(Some(waker.clone()));
        self.remote().set_waker(waker);
        let leaked = self.enter(|| {
            loop {
                if self.pace.is_due() {
                    self.look_outside(driver, Some(Duration::ZERO));
                    if self.is_grace_over() {
                        break;
                    }
                    // The switch that comes now is the first of the new round.
                    self.pace.tally.take_turn();
                }
                match self.next() {
                    Some(runnable) => self.resume(runnable, || self.shared.is_stopping()),
                    None if self.is_finished() => break,
                    None => {
                        self.pace.tally.return_turn();
                        self.sleep(driver);
                    }
                }
            }
            self.leave()
        });
        // Whoever has woken one of our fibers may still be about to touch what we share.
        self.remote().outlast_deliveries();
        leaked
    }

    /// The next fiber to run, from this worker's own queues.
    #[inline]
    fn next(&self) -> Option<Runnable> {
        if let Some(runnable) = self.ready.pop_slot() {
            return Some(runnable);
        }
        // In turns, so that neither a loop of yields starves new fibers nor a loop of spawns old ones.
        let fresh_next = self.fresh_next.replace(!self.fresh_next.get());
        if fresh_next && let Some(runnable) = self.fresh.pop() {
            return Some(runnable);
        }
        if let Some(runnable) = self.ready.pop_front().or_else(|| self.fresh.pop()) {
            return Some(runnable);
        }
        self.take_inbox();
        self.take_injected();
        self.ready.pop_front().or_else(|| self.fresh.pop())
    }

    /// Does what other threads have asked for: unparks fibers of this worker.
    #[inline]
    fn take_inbox(&self) {
        if !self.remote().inbox().is_empty() {
            self.drain_inbox();
        }
    }

    #[cold]
    fn drain_inbox(&self) {
        for fiber in self.remote().inbox().drain() {
            // SAFETY: it was in the inbox, so it has not ended, or has left a reference there.
            let control = unsafe { fiber.as_ref() };
            control.drained();
            // SAFETY: this is its home worker.
            if unsafe { control.owned() }.is_owed.get() {
                self.owed.set(self.owed.get() - 1);
                // SAFETY: it has ended, and left this reference to us.
                drop(unsafe { FiberRef::from_raw(fiber) });
            } else {
                // SAFETY: it has not ended, so it is live.
                unsafe { self.wake(fiber) };
            }
        }
    }

    /// Takes a share of what other threads have spawned.
    fn take_injected(&self) {
        let injected = &self.shared.injected;
        if injected.is_empty() {
            return;
        }
        let before = self.fresh.len();
        while let Steal::Retry = injected.steal_batch(&self.fresh) {
            std::hint::spin_loop();
        }
        let taken = self.fresh.len().saturating_sub(before) as u64;
        self.counts.spawned.set(self.counts.spawned.get() + taken);
        // More than one may have come, and a single worker was woken.
        self.shared.sleepers.wake_one(&self.shared.workers);
    }

    /// Runs a fiber until it parks, yields or ends, or until one does to which it has handed over. If it has not started, and
    /// `is_too_late` for that, its closure is dropped instead.
    #[inline(always)] // No return may come between two switches: what a fiber has called before it left is what is returned from next.
    fn resume(&self, runnable: Runnable, is_too_late: impl FnOnce() -> bool) {
        let fiber = runnable.into_raw();
        // SAFETY: the fiber has not ended, so it is live.
        let control = unsafe { fiber.as_ref() };
        // SAFETY: we run on its home worker's thread, or are about to become that.
        let owned = unsafe { control.owned() };
        if !owned.context.is_filled() && !self.start(fiber, is_too_late) {
            return;
        }
        self.running.set(Some(fiber));
        // Of several workers, one that has closures to start takes turns between them and what is ready: in the loop.
        self.hands_over.set(!self.is_seeded.get() && self.fresh.is_empty());
        let resumed = owned.context.get().map(Context::resume);
        // Not always the one that was resumed: it may have handed over.
        let last = self.running.take();
        if let (Some(Resumed::Finished(result)), Some(fiber)) = (resumed, last) {
            if let Err(payload) = result {
                contain(|| drop(payload));
            }
            self.bury(fiber);
        }
    }

    /// Takes back what a fiber that has ended does not need any more.
    #[inline]
    fn bury(&self, fiber: NonNull<Control>) {
        // SAFETY: live until `let_go`.
        let control = unsafe { fiber.as_ref() };
        // SAFETY: this is its home worker.
        let owned = unsafe { control.owned() };
        if owned.choice.get() != Choice::No
            && let Some(context) = owned.context.get()
        {
            self.measure(control, owned, context);
        }
        // SAFETY: it has ended, so nobody uses the context.
        if let Some(stack) = unsafe { owned.context.take_stack() } {
            self.stacks.borrow_mut().give(stack);
        }
        self.live.borrow_mut().remove(owned.live_key.get());
        self.let_go(fiber);
    }

    /// Lets go of a fiber that has ended.
    #[inline]
    fn let_go(&self, fiber: NonNull<Control>) {
        // SAFETY: live until the last line, and this is its home worker.
        if unsafe { fiber.as_ref().owned() }.is_owed.get() {
            // The inbox is about to bring it once more.
            self.owed.set(self.owed.get() + 1);
        }
        // SAFETY: it has ended and is in no queue, and we have done with it.
        unsafe { control::leave(fiber) };
    }

    /// Gives a fresh fiber a stack and makes it ours. `false`: there was no stack, and the fiber has ended with that error.
    fn start(&self, fiber: NonNull<Control>, is_too_late: impl FnOnce() -> bool) -> bool {
        // SAFETY: the caller has dissolved the runnable and gives it to us.
        let runnable = unsafe { Runnable::from_raw(fiber) };
        let stack = self.stacks.borrow_mut().take(runnable.control().origin.stack_size);
        let mut stack = match stack {
            Ok(stack) => stack,
            Err(error) => {
                tracing::error!(fiber = %runnable.control().origin.id, %error, "no stack for a fiber: it ends unstarted");
                runnable.refuse(Box::new(error));
                self.let_go(fiber);
                return false;
            }
        };
        // Its closure is dropped on a stack, since destructors may wait.
        let refused = is_too_late();
        let control = runnable.control();
        if refused {
            control.cancel_awake();
        }
        control.settle(self.address);
        // SAFETY: we have just become its home worker.
        let owned = unsafe { control.owned() };
        owned.guard_end.set(stack.guard().end);
        self.count_start(control, owned, &mut stack);
        owned.context.fill(Context::new(stack, runnable.entry(refused)));
        owned.live_key.set(self.live.borrow_mut().insert(fiber));
        // The caller goes on with the raw pointer.
        let _ = runnable.into_raw();
        true
    }

    /// Lets the driver dispatch what is ready, waiting up to `timeout` for it. What time it is then.
    fn ask(&self, driver: &mut dyn Driver, timeout: Option<Duration>) -> Instant {
        let wakes = self.counts.wakes.get();
        if let Err(error) = driver.poll(timeout) {
            tracing::error!(worker = self.index, %error, "the driver failed");
            std::thread::park_timeout(DRIVER_BACKOFF);
        }
        let now = clock::now();
        let woken = self.counts.wakes.get() - wakes;
        let pause = if woken == 0 { DRIVER_PAUSE_MAX } else { DRIVER_PAUSE_MIN };
        self.pace.asked(woken, now + pause);
        now
    }

    /// Fires timers and lets the driver dispatch what is ready, waiting up to `timeout` for it.
    fn look_outside(&self, driver: &mut dyn Driver, timeout: Option<Duration>) {
        let before = clock::now();
        let mut now = before;
        let waits = timeout != Some(Duration::ZERO);
        // What has come before its waiter's deadline is not to be missed, so no timer fires before the driver has been asked.
        if waits || self.pace.ends_round(before) || self.timers.borrow().next(before) == Some(Duration::ZERO) {
            now = self.ask(driver, timeout);
        }
        loop {
            let expired = self.timers.borrow_mut().pop_expired(now);
            let Some(node) = expired else { break };
            // SAFETY: the node was armed by a fiber of this worker that is still inside its park, hence live.
            if let Some(runnable) = unsafe { Control::expire(Control::from_timer(node)) } {
                bump(&self.counts.wakes);
                self.ready.push_back(runnable);
            }
        }
        self.take_inbox();
        self.take_injected();
        self.heap.collect();
        if self.must_notice_shutdown() {
            self.stopping.set(true);
            self.deadline.set(now.checked_add(self.shared.grace));
            self.cancel_all();
        }
        self.trim_quiet(now);
        self.settle_allowance();
        bump(&self.counts.polls);
        self.publish();
        match timeout {
            Some(Duration::ZERO) => self.pace.next_round(before, now),
            _ => self.pace.restart(now, SWITCHES_MAX),
        }
        if self.remote().has_errands() {
            self.answer(now);
        }
    }
}
