//! The worker's loop: what runs next, for how long, and what happens in between.

mod seeded;

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use crossbeam_deque::Steal;
use fibra_fiber::{Context, Resumed};

use super::Worker;
use crate::clock;
use crate::control::{Control, FiberRef, Runnable, contain};
use crate::counters::{Tally, bump};
use crate::driver::Driver;

/// How many switches may pass before timers and the driver are looked at. Prime, so that it does not fall into step with a
/// program's own rounds; the number is Go's and tokio's.
const SWITCHES_MAX: u32 = 61;

/// How long that many switches should take at the most.
const TURN_MAX: Duration = Duration::from_micros(100);

/// How soon a busy worker asks its driver again: its system call costs as much as dozens of switches. Timers and the inbox are
/// looked at every round.
const DRIVER_PAUSE: Duration = Duration::from_micros(20);

/// How many stacks a worker keeps hot when it goes to sleep.
const HOT_STACKS: usize = 256;

/// How long a worker pauses after its driver failed, so that a persistent error does not spin.
const DRIVER_BACKOFF: Duration = Duration::from_millis(1);

/// Bounds the time between two looks outside without reading the clock at every switch: after each round of switches it
/// compares how long they took with [`TURN_MAX`] and fits the length of the next round.
pub(super) struct Pace {
    /// Holds how many switches are left.
    tally: Arc<Tally>,
    round: Cell<u32>,
    since: Cell<Instant>,
    /// When the driver was last asked.
    asked: Cell<Instant>,
}

impl Pace {
    pub(super) fn new(now: Instant, tally: Arc<Tally>) -> Self {
        tally.grant(SWITCHES_MAX);
        Pace { tally, round: Cell::new(SWITCHES_MAX), since: Cell::new(now), asked: Cell::new(now) }
    }

    /// When the worker last looked outside: what it knows of the time without reading a clock, right to about [`TURN_MAX`].
    #[inline]
    pub(super) fn last_known_now(&self) -> Instant {
        self.since.get()
    }

    /// Counts a switch; `true` if it is time to look outside.
    #[inline]
    fn is_due(&self) -> bool {
        !self.tally.take_turn()
    }

    /// A round of switches ended at `end`; the next begins `now`, behind the look outside.
    fn next_round(&self, end: Instant, now: Instant) {
        let took = end.saturating_duration_since(self.since.get()).max(Duration::from_nanos(1));
        let fitting = u128::from(self.round.get()) * TURN_MAX.as_nanos() / took.as_nanos();
        self.restart(now, (fitting as u64).clamp(1, SWITCHES_MAX.into()) as u32);
    }

    /// Whatever was measured is void: the worker has slept.
    fn restart(&self, now: Instant, round: u32) {
        self.round.set(round);
        self.tally.grant(round);
        self.since.set(now);
    }
}

impl Worker {
    /// Runs fibers until the runtime has shut down and all of this worker's have ended (or the grace period has).
    ///
    /// Returns whether it had to leak fibers: then this thread must not end, since its thread-locals may be borrowed from.
    pub(crate) fn run(&self, driver: &mut dyn Driver) -> bool {
        self.remote().introduce();
        let _enlisted = self.shared.roster.enlist();
        let _signal_stack = super::overflow::prepare_thread();
        let _pinned =
            self.shared.pin_workers.then(|| super::affinity::pin(self.index)).transpose().unwrap_or_else(|error| {
                tracing::warn!(worker = self.index, %error, "a worker could not be pinned to a CPU");
                None
            });
        self.remote().set_waker(driver.waker());
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
                    Some(runnable) => self.resume(runnable),
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
        while self.remote().is_delivering() {
            std::thread::yield_now();
        }
        leaked
    }

    /// The next fiber to run, from this worker's own queues.
    #[inline]
    fn next(&self) -> Option<Runnable> {
        let mut ready = self.ready.borrow_mut();
        if let Some(runnable) = ready.pop_slot() {
            return Some(runnable);
        }
        // In turns, so that neither a loop of yields starves new fibers nor a loop of spawns old ones.
        let fresh_next = self.fresh_next.replace(!self.fresh_next.get());
        if fresh_next && let Some(runnable) = self.fresh.pop() {
            return Some(runnable);
        }
        if let Some(runnable) = ready.pop_front().or_else(|| self.fresh.pop()) {
            return Some(runnable);
        }
        drop(ready);
        self.take_inbox();
        self.take_injected();
        self.ready.borrow_mut().pop_front().or_else(|| self.fresh.pop())
    }

    fn take_inbox(&self) {
        if !self.remote().inbox().is_empty() {
            let mut ready = self.ready.borrow_mut();
            for runnable in self.remote().inbox().drain() {
                bump(&self.counts.wakes);
                ready.push_back(runnable);
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

    /// Runs a fiber until it parks, yields or ends.
    #[inline(always)] // Into the loop, though that of seeded runs calls it too: a call here costs 20 instructions a switch.
    fn resume(&self, runnable: Runnable) {
        let fiber = runnable.into_raw();
        // SAFETY: a runnable carries the scheduler's reference, which lasts until the fiber has ended.
        let control = unsafe { fiber.as_ref() };
        // SAFETY: we run on its home worker's thread, or are about to become that.
        let owned = unsafe { control.owned() };
        if control.home().is_null() && !self.start(fiber) {
            return;
        }
        self.running.set(Some(fiber));
        // SAFETY: the context is touched only here, by the home worker, and not while it runs.
        let context = unsafe { &mut *owned.context.get() };
        let resumed = context.as_mut().map(Context::resume);
        self.running.set(None);
        if let Some(Resumed::Finished(result)) = resumed {
            contain(result);
            if let Some(context) = context.take() {
                self.stacks.borrow_mut().give(context.into_stack());
            }
            self.live.borrow_mut().remove(owned.live_key.get());
            bump(&self.counts.ended);
            // SAFETY: the fiber has ended and is in no queue; this is the scheduler's reference.
            drop(unsafe { Runnable::from_raw(fiber).release() });
        }
    }

    /// Gives a fresh fiber a stack and makes it ours. `false`: there was no stack, and the fiber has ended with that error.
    fn start(&self, fiber: NonNull<Control>) -> bool {
        // SAFETY: the caller has dissolved the runnable and gives it to us.
        let runnable = unsafe { Runnable::from_raw(fiber) };
        let stack = self.stacks.borrow_mut().take(runnable.control().origin.stack_size);
        let stack = match stack {
            Ok(stack) => stack,
            Err(error) => {
                tracing::error!(fiber = %runnable.control().origin.id, %error, "no stack for a fiber: it ends unstarted");
                bump(&self.counts.ended);
                runnable.refuse(Box::new(error));
                return false;
            }
        };
        // Too late to start: its closure is dropped instead, on a stack, since destructors may wait.
        let refused = self.shared.is_stopping();
        let control = runnable.control();
        if refused {
            control.cancel_unstarted();
        }
        control.settle(self.remote());
        // SAFETY: we have just become its home worker.
        let owned = unsafe { control.owned() };
        owned.guard.set((stack.guard().start, stack.guard().end));
        // SAFETY: not running, and ours; what is overwritten is `None`.
        unsafe { owned.context.get().write(Some(Context::new(stack, runnable.entry(refused)))) };
        owned.live_key.set(self.live.borrow_mut().insert(fiber));
        // The caller goes on with the raw pointer.
        let _ = runnable.into_raw();
        true
    }

    /// Fires timers and lets the driver dispatch what is ready, waiting up to `timeout` for it.
    fn look_outside(&self, driver: &mut dyn Driver, timeout: Option<Duration>) {
        let before = clock::now();
        let waits = timeout != Some(Duration::ZERO);
        if waits || before.saturating_duration_since(self.pace.asked.get()) >= DRIVER_PAUSE {
            self.pace.asked.set(before);
            if let Err(error) = driver.poll(timeout) {
                tracing::error!(worker = self.index, %error, "the driver failed");
                std::thread::park_timeout(DRIVER_BACKOFF);
            }
        }
        let now = clock::now();
        loop {
            let expired = self.timers.borrow_mut().pop_expired(now);
            let Some(node) = expired else { break };
            // SAFETY: the node was armed by a fiber of this worker that is still inside its park, hence live.
            if let Some(runnable) = unsafe { Control::expire(Control::from_timer(node)) } {
                bump(&self.counts.wakes);
                self.ready.borrow_mut().push_back(runnable);
            }
        }
        self.take_inbox();
        self.take_injected();
        if self.must_notice_shutdown() {
            self.stopping.set(true);
            self.deadline.set(now.checked_add(self.shared.grace));
            self.cancel_all();
        }
        self.trim_quiet(now);
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

    /// Nothing of our own to run: steal, or else wait.
    fn sleep(&self, driver: &mut dyn Driver) {
        if self.steal() {
            // Of what was on its way to us, another worker may have seen nothing and gone to sleep.
            self.shared.sleepers.wake_one(&self.shared.workers);
            return;
        }
        self.stacks.borrow_mut().trim(HOT_STACKS);
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
            [limit, self.until_trim(clock::now())].into_iter().flatten().min()
        };
        self.look_outside(driver, timeout);
        self.remote().set_still(false);
        self.remote().retract();
        self.shared.leash.rouse();
        sleepers.remove(self.index);
        if self.remote().take_search() {
            let found = self.ready.borrow().is_empty() && self.steal();
            sleepers.search_ended();
            // What we did not take, another may; and what was queued while we searched, nobody was woken for.
            if found || self.is_stealable() {
                sleepers.wake_one(&self.shared.workers);
            }
        }
    }

    /// Takes a batch of fresh closures from another worker, starting with a neighbour so that thieves spread out.
    fn steal(&self) -> bool {
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
    fn is_stealable(&self) -> bool {
        !self.shared.injected.is_empty() || self.shared.workers.iter().any(|worker| !worker.fresh().is_empty())
    }

    fn until_next_timer(&self) -> Option<Duration> {
        let now = clock::now();
        let timer = self.timers.borrow().next(now);
        let grace = self.deadline.get().map(|deadline| deadline.saturating_duration_since(now));
        match (timer, grace) {
            (Some(timer), Some(grace)) => Some(timer.min(grace)),
            (timer, grace) => timer.or(grace),
        }
    }

    fn must_notice_shutdown(&self) -> bool {
        self.shared.is_stopping() && !self.stopping.get()
    }

    /// Asks every fiber of this worker to end.
    fn cancel_all(&self) {
        let live: Vec<_> = self.live.borrow().iter().map(|(_, &fiber)| fiber).collect();
        for fiber in live {
            // SAFETY: listed as live, so it holds the scheduler's reference; we run no fiber in between.
            unsafe { FiberRef::acquire(fiber) }.cancel();
        }
    }

    /// Whether the runtime stops and this worker has nothing left to wait for.
    fn is_finished(&self) -> bool {
        let is_stopped = self.stopping.get() && (self.live.borrow().is_empty() || self.is_grace_over());
        self.is_deadlocked.get() || is_stopped
    }

    /// Whether the runtime stops and has waited long enough.
    fn is_grace_over(&self) -> bool {
        self.deadline.get().is_some_and(|deadline| clock::now() >= deadline)
    }

    /// The loop has ended. If that was because of the grace period: gives up on the fibers that would not end, whether they have
    /// started or not. Returns whether it did.
    ///
    /// What is given up stays allocated for ever, since others may borrow from it: stacks, locals, closures, control blocks, and
    /// what wakers would touch. No destructor runs here, where it could not wait.
    fn leave(&self) -> bool {
        self.take_inbox();
        let mut unstarted = Vec::new();
        while let Some(runnable) = self.pop_ready().or_else(|| self.fresh.pop()).or_else(|| self.pop_injected()) {
            if runnable.control().home().is_null() {
                unstarted.push(runnable.into_raw());
            }
        }
        let started: Vec<_> = self.live.borrow().iter().map(|(_, &fiber)| fiber).collect();
        for &fiber in started.iter().filter(|_| !self.is_deadlocked.get()) {
            // SAFETY: listed as live, so it holds the scheduler's reference.
            let origin = &unsafe { fiber.as_ref() }.origin;
            tracing::warn!(
                fiber = %origin.id,
                name = origin.name.as_deref(),
                spawned_at = %origin.spawned_at,
                "a fiber ignored its cancellation for the whole grace period of the shutdown: it is leaked",
            );
        }
        // In a deadlock nobody is left to be told, and nobody must be woken.
        let abandoned = unstarted.into_iter().chain(started.iter().copied()).filter(|_| !self.is_deadlocked.get());
        for fiber in abandoned {
            // SAFETY: this worker, the only one to run it, runs no more fibers.
            unsafe { Runnable::abandon(fiber) };
        }
        if !started.is_empty() {
            std::mem::forget(self.shared.clone());
        }
        !started.is_empty()
    }

    fn pop_ready(&self) -> Option<Runnable> {
        let mut ready = self.ready.borrow_mut();
        ready.pop_slot().or_else(|| ready.pop_front())
    }

    fn pop_injected(&self) -> Option<Runnable> {
        loop {
            match self.shared.injected.steal() {
                Steal::Success(runnable) => return Some(runnable),
                Steal::Empty => return None,
                Steal::Retry => std::hint::spin_loop(),
            }
        }
    }
}
