//! What a worker says about its fibers when it is asked for its part of a dump.
//!
//! It answers between two fibers, so none of its own runs meanwhile. Other threads may go on to wake them, which changes nothing
//! but their token.

use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Instant;

use fibra_fiber::Context;

use super::Worker;
use crate::control::Control;
use crate::dump::{FiberDump, ROOM_MIN, Request, State, TRACES_MAX, Trace};
use crate::stacks::Choice;

impl Worker {
    /// Does what is asked of this worker.
    #[cold]
    pub(super) fn answer(&self, now: Instant) {
        for request in self.remote().take_errands() {
            request.answer(self.index, self.describe_fibers(&request, now));
            if self.shared.deadlock.get().is_some_and(|deadlock| Arc::ptr_eq(deadlock, &request)) {
                self.is_deadlocked.set(true);
            }
        }
    }

    fn describe_fibers(&self, request: &Request, now: Instant) -> Vec<FiberDump> {
        let mut fibers: Vec<FiberDump> = self.ready.iter().filter_map(|control| self.unstarted(control)).collect();
        // A queue that others steal from cannot be looked through: each closure is taken out and put back, which keeps their order.
        let waiting = self.fresh.len();
        for _ in 0..waiting {
            let Some(runnable) = self.fresh.pop() else { break };
            fibers.extend(self.unstarted(runnable.control()));
            self.fresh.push(runnable);
        }
        if waiting > 0 {
            // Whoever looked for work meanwhile may have missed what we held.
            self.shared.sleepers.wake_one(&self.shared.workers);
        }
        let live: Vec<NonNull<Control>> = self.live.borrow().iter().map(|(_, fiber)| fiber).collect();
        fibers.reserve(live.len());
        for (index, &fiber) in live.iter().enumerate() {
            // SAFETY: listed as live; no fiber runs on this thread in between.
            let control = unsafe { fiber.as_ref() };
            fibers.push(self.describe(control, request, now, index < TRACES_MAX));
        }
        fibers
    }

    /// A fiber in a queue, unless it has started: then it is among the live ones.
    fn unstarted(&self, control: &Control) -> Option<FiberDump> {
        let missing = Trace::missing("it has not started");
        // SAFETY: in a queue of ours: it has not started, or is at home here.
        let is_started = unsafe { control.owned() }.context.is_filled();
        (!is_started).then(|| self.entry(control, State::NotStarted, Some(0), missing))
    }

    fn describe(&self, control: &Control, request: &Request, now: Instant, with_trace: bool) -> FiberDump {
        // SAFETY: this is its home worker.
        let owned = unsafe { control.owned() };
        let state = if request.is_asking(control.origin.id) {
            State::Running
        } else if owned.token.is_awaited() {
            let since = self.pace.instant(owned.since.get());
            State::Parked { reason: owned.reason.get(), since, waited: now.saturating_duration_since(since) }
        } else {
            State::Ready
        };
        let Some(context) = owned.context.get() else {
            return self.entry(control, state, None, Trace::missing("it has no stack"));
        };
        let is_chosen = owned.choice.get() != Choice::No;
        if is_chosen {
            self.measure(control, owned, context);
        }
        let trace = if with_trace { trace(context) } else { Trace::missing("the worker has too many fibers") };
        if is_chosen {
            // What the visit for the trace has touched is not the fiber's.
            context.give_back_unused();
        }
        self.entry(control, state, Some(context.stack_used()), trace)
    }

    fn entry(&self, control: &Control, state: State, stack_used: Option<usize>, backtrace: Trace) -> FiberDump {
        FiberDump::new(&control.origin, self.index, state, stack_used, backtrace)
    }
}

/// Takes a backtrace on the stack of a fiber that waits.
fn trace(context: &Context) -> Trace {
    if context.stack_room() < ROOM_MIN {
        return Trace::missing("too little of its stack is left to take one there");
    }
    let stack = context.stack_range();
    context.visit(|| Trace::take(&stack)).unwrap_or_else(|| Trace::missing("it has not started"))
}
