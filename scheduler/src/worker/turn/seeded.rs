//! The worker's loop in a [seeded](crate::seeded) run: the same turns, in an order drawn from the seed, under virtual time.
//!
//! A loop of its own, so that the one of normal runs does not ask at every switch which of the two it is.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use fibra_fiber::overflow::SignalStack;

use super::Worker;
use crate::control::{Control, FiberRef};
use crate::driver::{Driver, DriverWaker};
use crate::park::Reason;
use crate::seeded::{self, Deadlock, Entry, Event, Host, Listed, Run, STEP, Waiting};
use crate::worker::kept;

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

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Worker {
    /// Runs fibers until the runtime has shut down and all have ended (or the grace period has).
    pub(crate) fn run_seeded(&self, run: &mut Run) {
        let signal_stack = super::super::overflow::prepare_thread(kept::spare_signal_stack());
        self.is_seeded.set(true);
        self.enter(|| {
            loop {
                // At each turn, so that what is due happens as soon as its time has come, also among fibers that never wait.
                run.happen();
                self.look_outside(&mut Nothing, Some(Duration::ZERO));
                if self.is_grace_over() {
                    break;
                }
                if run.clock.elapsed() > run.horizon && !self.shared.is_stopping() {
                    self.give_up(run, true);
                    continue;
                }
                if seeded::have_changed() {
                    self.cancel_crashed(run);
                    run.order.sort();
                }
                self.gather(run, None);
                match run.order.pop() {
                    Some(entry) => {
                        let host = entry.host;
                        self.turn(run, entry);
                        self.gather(run, host);
                    }
                    None if self.is_finished() => break,
                    None => self.jump(run),
                }
            }
            while let Some(runnable) = run.order.pop_rest() {
                self.ready.push_back(runnable);
            }
            self.leave();
        });
        kept::leave_signal_stack(signal_stack.and_then(SignalStack::retire));
    }

    /// Moves what became runnable from the worker's queues to where the seed decides. What is new there was spawned by a fiber of
    /// `spawner`.
    fn gather(&self, run: &mut Run, spawner: Option<Host>) {
        while let Some(runnable) = self.pop_ready().or_else(|| self.fresh.pop()) {
            let control = runnable.control();
            // SAFETY: we hold the runnable, of a fiber that has not started or is at home here.
            let owned = unsafe { control.owned() };
            let (host, mark) = match owned.context.is_filled() {
                true => {
                    let Listed { host, mark, .. } = run.listed(owned.live_key.get());
                    (host, Some(mark))
                }
                false => (seeded::host_of(control.origin.id, spawner), None),
            };
            run.order.push(runnable, host, mark);
        }
    }

    /// Asks the fibers of hosts that have crashed to end.
    fn cancel_crashed(&self, run: &Run) {
        for crashed in seeded::take_crashed() {
            let live = self.live.borrow();
            let left = live.iter().filter(|&(key, _)| run.listed(key).host == Some(crashed));
            // SAFETY: listed as live.
            let left: Vec<_> = left.map(|(_, fiber)| unsafe { FiberRef::acquire(fiber) }).collect();
            drop(live);
            left.iter().for_each(FiberRef::cancel);
        }
    }

    /// Runs a fiber until it parks, yields or ends, and records that.
    fn turn(&self, run: &mut Run, Entry { runnable, host, mark }: Entry) {
        let fiber = runnable.reference();
        // SAFETY: we run on its home worker's thread, or are about to become that; the reference keeps it allocated.
        let owned = unsafe { fiber.control().owned() };
        let fresh = !owned.context.is_filled();
        run.clock.advance(STEP);
        let is_too_late = self.shared.is_stopping() || host.is_some_and(|host| !host.is_up());
        let number = if !fresh {
            let number = run.listed(owned.live_key.get()).number;
            run.record(number, Event::Resume);
            number
        } else {
            let number = run.recorder.next_number();
            run.record(number, if is_too_late { Event::Refuse } else { Event::Start });
            number
        };
        let skew = host.map(Host::skew).filter(|skew| !skew.is_none());
        if let Some(skew) = skew {
            run.clock.show(skew.shows(run.clock.elapsed()));
        }
        if fresh && let Some(host) = host {
            host.count(true);
        }
        seeded::enter(host);
        self.resume(runnable, || is_too_late);
        seeded::enter(None);
        if skew.is_some() {
            run.clock.show(run.clock.elapsed());
        }
        if !owned.context.is_filled() {
            if let Some(host) = host {
                host.count(false);
            }
            return run.record(number, Event::End);
        }
        if let Some(skew) = skew {
            let passes = |shown| nanos(skew.passes(Duration::from_nanos(shown)));
            // SAFETY: the node is in the control block, and stays armed no longer than the fiber waits.
            unsafe { self.timers.borrow_mut().translate(Control::timer(fiber.as_ptr()), passes) };
        }
        let event = if owned.token.is_awaited() { Event::Park(owned.reason.get()) } else { Event::Yield };
        run.enlist(owned.live_key.get(), Listed { number, host, mark: mark.after(event) });
        run.record(number, event);
    }

    /// No fiber can run: time goes on to the next timer. If there is none, the run ends here.
    fn jump(&self, run: &mut Run) {
        let stopping = self.shared.is_stopping();
        let happens = run.world.as_ref().and_then(|world| world.next());
        let happens = happens.map(|at| at.saturating_sub(run.clock.elapsed()));
        let timer = self.until_next_timer();
        match [timer, happens].into_iter().flatten().min() {
            Some(wait) if stopping || run.clock.elapsed() + wait <= run.horizon => run.clock.advance(wait),
            next => self.give_up(run, next.is_some()),
        }
    }

    /// The run ends here.
    fn give_up(&self, run: &mut Run, is_late: bool) {
        run.deadlock = Some(Deadlock { is_late, ..self.deadlock(run) });
        self.shared.stop();
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
                number: run.listed(key).number,
                name: control.origin.name.clone(),
                spawned_at: control.origin.spawned_at,
                reason,
                joins: joins.map(|(key, _)| run.listed(key).number),
            }
        };
        // SAFETY: as above.
        let waiting = live.iter().map(|(key, fiber)| describe(key, unsafe { fiber.as_ref() })).collect();
        Deadlock { seed: run.recorder.seed(), at: run.clock.elapsed(), waiting, is_late: false, hash: 0 }
    }
}
