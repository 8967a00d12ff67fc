//! The worker's loop in a [seeded](crate::seeded) run: the same turns, in an order drawn from the seed, under virtual time.
//!
//! A loop of its own, so that the one of normal runs does not ask at every switch which of the two it is.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use crate::control::{Control, Runnable};
use crate::driver::{Driver, DriverWaker};
use crate::park::Reason;
use crate::seeded::{Deadlock, Event, HORIZON, Run, STEP, Waiting};

/// Stands in for the driver: nothing ever happens outside.
struct Nothing;

impl Driver for Nothing {
    fn poll(&mut self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn waker(&self) -> Arc<dyn DriverWaker> {
        unreachable!("a seeded run is never waited for")
    }
}

impl Worker {
    /// Runs fibers until the runtime has shut down and all have ended (or the grace period has).
    pub(crate) fn run_seeded(&self, run: &mut Run) {
        let _signal_stack = super::super::overflow::prepare_thread();
        self.is_seeded.set(true);
        self.enter(|| {
            loop {
                // At each turn, so that a timer fires as soon as its time has come, also among fibers that never wait.
                self.look_outside(&mut Nothing, Some(Duration::ZERO));
                if self.is_grace_over() {
                    break;
                }
                self.gather(run);
                match run.order.pop() {
                    Some(runnable) => self.turn(run, runnable),
                    None if self.is_finished() => break,
                    None => self.jump(run),
                }
            }
            while let Some(runnable) = run.order.pop() {
                self.ready.push_back(runnable);
            }
            self.leave();
        });
    }

    /// Moves what became runnable from the worker's queues to where the seed decides.
    fn gather(&self, run: &mut Run) {
        while let Some(runnable) = self.pop_ready().or_else(|| self.fresh.pop()) {
            run.order.push(runnable);
        }
    }

    /// Runs a fiber until it parks, yields or ends, and records that.
    fn turn(&self, run: &mut Run, runnable: Runnable) {
        let fiber = runnable.reference();
        // SAFETY: we run on its home worker's thread, or are about to become that; the reference keeps it allocated.
        let owned = unsafe { fiber.control().owned() };
        let fresh = !owned.context.is_filled();
        run.clock.advance(STEP);
        let number = if !fresh {
            let number = run.number(owned.live_key.get());
            run.record(number, Event::Resume);
            number
        } else {
            let number = run.recorder.next_number();
            run.record(number, if self.shared.is_stopping() { Event::Refuse } else { Event::Start });
            number
        };
        self.resume(runnable);
        if !owned.context.is_filled() {
            return run.record(number, Event::End);
        }
        if fresh {
            run.enlist(owned.live_key.get(), number);
        }
        let event = if owned.token.is_awaited() { Event::Park(owned.reason.get()) } else { Event::Yield };
        run.record(number, event);
    }

    /// No fiber can run: time goes on to the next timer. If there is none, the run ends here.
    fn jump(&self, run: &mut Run) {
        let stopping = self.shared.is_stopping();
        match self.until_next_timer() {
            Some(wait) if stopping || run.clock.elapsed() + wait <= HORIZON => run.clock.advance(wait),
            _ => {
                run.deadlock = Some(self.deadlock(run));
                self.shared.stop();
            }
        }
    }

    fn deadlock(&self, run: &Run) -> Deadlock {
        let live = self.live.borrow();
        let describe = |key: usize, control: &Control| {
            // SAFETY: this is its home worker's thread.
            let reason = unsafe { control.owned() }.reason.get();
            let joins = live.iter().find(|&(_, other)| {
                // SAFETY: listed as live.
                matches!(reason, Reason::Join(id) if unsafe { other.as_ref() }.origin.id == id)
            });
            Waiting {
                number: run.number(key),
                name: control.origin.name.clone(),
                spawned_at: control.origin.spawned_at,
                reason,
                joins: joins.map(|(key, _)| run.number(key)),
            }
        };
        // SAFETY: as above.
        let waiting = live.iter().map(|(key, fiber)| describe(key, unsafe { fiber.as_ref() })).collect();
        Deadlock { seed: run.recorder.seed(), at: run.clock.elapsed(), waiting }
    }
}
