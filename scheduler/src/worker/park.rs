//! Parking the running fiber, and waking fibers of this worker.
//!
//! Invariants:
//! * A parked fiber is on no queue. Whoever takes its token out of PARKED queues it, once.
//! * A fiber's timer is armed by the park that has a deadline, and is out of the wheel when that returns.

use std::ptr::{self, NonNull};
use std::time::Instant;

use super::{CURRENT, Worker};
use crate::clock;
use crate::control::{Control, Runnable};
use crate::counters::bump;
use crate::hook;
use crate::park::{Reason, Wakeup};
use crate::spans;

impl Worker {
    /// Does what comes before a park of the running fiber: fires its hook, if it has one.
    ///
    /// # Panics
    ///
    /// As the park would, inside a [`fibra_fiber::Context`] that runs on a fiber.
    #[cold]
    pub(crate) fn prepare_running() {
        if let Some(fiber) = Worker::with(|worker| worker?.running_to_park()) {
            // SAFETY: it runs on this thread, and has not ended.
            hook::fire(unsafe { &fiber.as_ref().owned().hook });
        }
    }

    /// The running fiber, if one runs, whose caller is about to park it.
    ///
    /// # Panics
    ///
    /// As the park would, inside a [`fibra_fiber::Context`] that runs on a fiber.
    #[inline]
    pub(crate) fn running_to_park(&self) -> Option<NonNull<Control>> {
        self.running(check_innermost)?;
        self.running.get()
    }

    /// Parks the running fiber until its token is given or `deadline` passes. `None` if no fiber runs on this thread.
    #[inline(never)] // One copy, with all of the way to the switch in it.
    pub(crate) fn park_running(reason: Reason, deadline: Option<Instant>) -> Option<Wakeup> {
        Worker::park_here(reason, deadline)
    }

    /// As [`park_running`](Worker::park_running), in the place of the call.
    #[inline(always)]
    pub(crate) fn park_here(reason: Reason, deadline: Option<Instant>) -> Option<Wakeup> {
        let fiber = Worker::with(|worker| worker?.running.get())?;
        // SAFETY: it runs, on this thread.
        Some(unsafe { Worker::park_fiber(fiber, reason, deadline) })
    }

    /// Parks the running fiber, which the caller has at hand.
    ///
    /// # Safety
    ///
    /// `fiber` runs, on this thread.
    #[inline(always)]
    pub(crate) unsafe fn park_fiber(fiber: NonNull<Control>, reason: Reason, deadline: Option<Instant>) -> Wakeup {
        if spans::are_possible() {
            // SAFETY: as the caller says.
            return unsafe { Worker::park_outside_spans(fiber, reason, deadline) };
        }
        // SAFETY: as the caller says.
        unsafe { Worker::park_bare(fiber, reason, deadline) }
    }

    /// As [`park_fiber`](Worker::park_fiber), where there may be spans to leave.
    ///
    /// # Safety
    ///
    /// As there.
    #[cold]
    #[inline(never)]
    unsafe fn park_outside_spans(fiber: NonNull<Control>, reason: Reason, deadline: Option<Instant>) -> Wakeup {
        // SAFETY: it runs on this thread, so it has not ended, and this is its home worker.
        let is_given = unsafe { fiber.as_ref().owned() }.token.is_given();
        // SAFETY: as the caller says.
        let park = || unsafe { Worker::park_bare(fiber, reason, deadline) };
        // With its token given it does not switch away.
        if is_given { park() } else { spans::outside(park) }
    }

    /// As [`park_fiber`](Worker::park_fiber), whatever spans the fiber is in.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline(always)]
    unsafe fn park_bare(fiber: NonNull<Control>, reason: Reason, deadline: Option<Instant>) -> Wakeup {
        // SAFETY: not null, since this thread runs a fiber, below the worker's `enter`; and that fiber never changes its worker.
        let worker = unsafe { &*CURRENT.get() };
        // SAFETY: the running fiber has not ended, so it is live through all of this function.
        let control = unsafe { fiber.as_ref() };
        // SAFETY: it runs on this thread, so this is its home worker.
        let owned = unsafe { control.owned() };
        if deadline.is_some_and(|deadline| deadline <= clock::now()) {
            return Wakeup::TimedOut;
        }
        check_innermost(control);
        if !owned.token.is_given() {
            hook::fire(&owned.hook);
        }
        if !owned.token.park() {
            return Wakeup::Unparked;
        }
        bump(&worker.counts.parks);
        owned.since.set(worker.pace.last_known_now());
        owned.trimmed.set(false);
        owned.reason.set(reason);
        if let Some(deadline) = deadline {
            owned.timed_out.set(false);
            // SAFETY: the node is in the control block, which outlives the park; it is not armed, since every park that
            // arms it disarms it.
            unsafe { worker.timers.borrow_mut().arm(Control::timer(fiber), deadline) };
        }
        // SAFETY: it runs, and is innermost: that was checked.
        unsafe { Worker::go_to(owned.context.get_unchecked(), worker.pop_next()) };
        owned.token.take();
        if deadline.is_none() {
            return Wakeup::Unparked;
        }
        // SAFETY: a node of this worker's timers: a fiber never changes its worker.
        unsafe { worker.timers.borrow_mut().cancel(Control::timer(fiber)) };
        if owned.timed_out.get() { Wakeup::TimedOut } else { Wakeup::Unparked }
    }

    /// Gives a fiber its token, and queues it if it was parked. `false`: another worker is its home, or it has none yet.
    ///
    /// # Safety
    ///
    /// `fiber` points to a live control block.
    #[inline]
    pub(crate) unsafe fn wake(&self, fiber: NonNull<Control>) -> bool {
        // SAFETY: live, as the caller says.
        let control = unsafe { fiber.as_ref() };
        if !ptr::eq(self.address, control.home()) {
            return false;
        }
        // SAFETY: live, and this is its home.
        unsafe { self.wake_own(fiber) };
        true
    }

    /// As [`wake`](Worker::wake), for a fiber of this worker.
    ///
    /// # Safety
    ///
    /// `fiber` points to a live control block, and this worker is its home.
    #[inline]
    pub(crate) unsafe fn wake_own(&self, fiber: NonNull<Control>) {
        // SAFETY: as the caller says.
        if unsafe { fiber.as_ref().owned() }.token.give() {
            bump(&self.counts.wakes);
            // SAFETY: it was parked, and we have taken it out of that, so it is ours to queue.
            let runnable = unsafe { Runnable::from_raw(fiber) };
            // Woken by a fiber: likely to be waited for next. Woken by the driver or from outside: in turn.
            match self.running.get() {
                Some(_) => self.ready.push_woken(runnable),
                None => {
                    // Others run before it, which gives the cache time. SAFETY: it was parked, so it has started and not ended.
                    unsafe { fiber.as_ref().owned().context.get_unchecked() }.prefetch();
                    self.ready.push_back(runnable);
                }
            }
        }
    }

    /// As [`wake`](Worker::wake), behind all that are ready.
    ///
    /// # Safety
    ///
    /// `fiber` points to a live control block.
    pub(crate) unsafe fn wake_in_turn(&self, fiber: NonNull<Control>) -> bool {
        // SAFETY: live, as the caller says.
        let control = unsafe { fiber.as_ref() };
        if !self.is_home_of(control) {
            return false;
        }
        // SAFETY: this is its home.
        if unsafe { control.owned() }.token.give() {
            bump(&self.counts.wakes);
            // SAFETY: it was parked, and we have taken it out of that, so it is ours to queue.
            self.ready.push_back(unsafe { Runnable::from_raw(fiber) });
        }
        true
    }
}

/// What runs in a context of its own inside a fiber would suspend only that, while the whole fiber counts as parked.
#[inline]
pub(super) fn check_innermost(running: &Control) {
    // SAFETY: the caller has it from `running`.
    if !unsafe { running.is_innermost() } {
        panic_nested();
    }
}

#[cold]
fn panic_nested() -> ! {
    panic!("a fiber cannot park inside a fibra_fiber::Context of its own: suspend that context instead");
}
