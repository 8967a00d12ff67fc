//! The worker's loop: what runs next, for how long, and what happens in between.

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_deque::Steal;
use fibra_fiber::{Context, Resumed};

use super::Worker;
use crate::cancel::Interrupted;
use crate::clock;
use crate::control::{Control, Runnable};
use crate::counters::{Tally, bump};
use crate::driver::Driver;

/// How many switches may pass before timers and the driver are looked at. Prime, so that it does not fall into step with a
/// program's own rounds; the number is Go's and tokio's.
const SWITCHES_MAX: u32 = 61;

/// How long that many switches should take at the most.
const TURN_MAX: Duration = Duration::from_micros(100);

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
}

impl Pace {
    pub(super) fn new(now: Instant, tally: Arc<Tally>) -> Self {
        tally.grant(SWITCHES_MAX);
        Pace { tally, round: Cell::new(SWITCHES_MAX), since: Cell::new(now) }
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

    /// A round of switches has ended.
    fn next_round(&self, now: Instant) {
        let took = now.saturating_duration_since(self.since.get()).max(Duration::from_nanos(1));
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
    pub(crate) fn run(&self, driver: &mut dyn Driver) {
        self.remote().introduce();
        let _enlisted = self.shared.roster.enlist();
        let _signal_stack = super::overflow::prepare_thread();
        self.remote().set_waker(driver.waker());
        self.enter(|| {
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
            self.leave();
        });
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
        if self.remote().inbox().is_empty() {
            return None;
        }
        drop(ready);
        self.take_inbox();
        self.ready.borrow_mut().pop_front().or_else(|| self.fresh.pop())
    }

    fn take_inbox(&self) {
        let mut ready = self.ready.borrow_mut();
        for runnable in self.remote().inbox().drain() {
            if runnable.control().home().is_null() {
                bump(&self.counts.spawned);
                self.fresh.push(runnable);
            } else {
                bump(&self.counts.wakes);
                ready.push_back(runnable);
            }
        }
    }

    /// Runs a fiber until it parks, yields or ends.
    #[inline]
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
        if let Some(Resumed::Finished(_)) = resumed {
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
        if self.shared.is_stopping() {
            bump(&self.counts.ended);
            runnable.refuse(Box::new(Interrupted::Cancelled));
            return false;
        }
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
        let control = runnable.control();
        control.settle(self.remote());
        // SAFETY: we have just become its home worker.
        let owned = unsafe { control.owned() };
        owned.guard.set((stack.guard().start, stack.guard().end));
        // SAFETY: not running, and ours.
        unsafe { *owned.context.get() = Some(Context::new(stack, runnable.entry())) };
        owned.live_key.set(self.live.borrow_mut().insert(fiber));
        // The caller goes on with the raw pointer.
        let _ = runnable.into_raw();
        true
    }

    /// Fires timers and lets the driver dispatch what is ready, waiting up to `timeout` for it.
    fn look_outside(&self, driver: &mut dyn Driver, timeout: Option<Duration>) {
        if let Err(error) = driver.poll(timeout) {
            tracing::error!(worker = self.index, %error, "the driver failed");
            std::thread::park_timeout(DRIVER_BACKOFF);
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
        if !self.remote().inbox().is_empty() {
            self.take_inbox();
        }
        if self.shared.is_stopping() && self.deadline.get().is_none() {
            self.deadline.set(Some(now + self.shared.grace));
            self.cancel_all();
        }
        bump(&self.counts.polls);
        self.publish();
        match timeout {
            Some(Duration::ZERO) => self.pace.next_round(now),
            _ => self.pace.restart(now, SWITCHES_MAX),
        }
        if self.remote().has_errands() {
            self.answer(now);
        }
    }

    /// Nothing of our own to run: steal, or else wait.
    fn sleep(&self, driver: &mut dyn Driver) {
        if self.steal() {
            return;
        }
        self.stacks.borrow_mut().trim(HOT_STACKS);
        let sleepers = &self.shared.sleepers;
        sleepers.add(self.index);
        self.remote().announce();
        // From here on, whoever queues something for us sees that we sleep; whoever did before, we see now.
        let timeout = if self.is_stealable()
            || !self.remote().inbox().is_empty()
            || self.remote().has_errands()
            || self.must_notice_shutdown()
        {
            Some(Duration::ZERO)
        } else {
            self.until_next_timer().or_else(|| self.keep_still(driver))
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

    /// Whether any worker has closures that wait to be started.
    fn is_stealable(&self) -> bool {
        self.shared.workers.iter().any(|worker| !worker.fresh().is_empty())
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
        self.shared.is_stopping() && self.deadline.get().is_none()
    }

    /// Asks every fiber of this worker to end.
    fn cancel_all(&self) {
        let live: Vec<_> = self.live.borrow().iter().map(|(_, &fiber)| fiber).collect();
        for fiber in live {
            // SAFETY: listed as live, so it holds the scheduler's reference; we run no fiber in between.
            unsafe { crate::control::FiberRef::acquire(fiber) }.cancel();
        }
    }

    /// Whether the runtime stops and this worker has nothing left to wait for.
    fn is_finished(&self) -> bool {
        self.is_deadlocked.get()
            || self.deadline.get().is_some() && (self.live.borrow().is_empty() || self.is_grace_over())
    }

    /// Whether the runtime stops and has waited long enough.
    fn is_grace_over(&self) -> bool {
        self.deadline.get().is_some_and(|deadline| clock::now() >= deadline)
    }

    /// The loop has ended: ends the fibers that nobody has started, and gives up on those that would not end in time.
    ///
    /// The stacks and control blocks of the latter stay allocated for ever, since others may borrow from them; so does what
    /// their wakers would touch.
    fn leave(&self) {
        self.take_inbox();
        while let Some(runnable) = self.fresh.pop() {
            runnable.refuse(Box::new(Interrupted::Cancelled));
        }
        while let Some(runnable) = self.pop_ready() {
            if runnable.control().home().is_null() {
                runnable.refuse(Box::new(Interrupted::Cancelled));
            }
        }
        if self.live.borrow().is_empty() {
            return;
        }
        for (_, fiber) in self.live.borrow().iter().filter(|_| !self.is_deadlocked.get()) {
            // SAFETY: listed as live, so it holds the scheduler's reference.
            let origin = &unsafe { fiber.as_ref() }.origin;
            tracing::warn!(
                fiber = %origin.id,
                name = origin.name.as_deref(),
                spawned_at = %origin.spawned_at,
                "a fiber ignored its cancellation for the whole grace period of the shutdown: it is leaked",
            );
        }
        std::mem::forget(self.shared.clone());
    }

    fn pop_ready(&self) -> Option<Runnable> {
        let mut ready = self.ready.borrow_mut();
        ready.pop_slot().or_else(|| ready.pop_front())
    }
}
