//! Running a program under a seed: [`Builder::seed`].

use std::panic::{self, Location};
use std::time::Duration;
use std::{fmt, io};

use super::{Builder, Crew, Shared, WORKER_PANICKED, as_io_error};
use crate::seeded::{Deadlock, HORIZON, Run, Schedule, Trace, World};
use crate::spawn;
use crate::worker::Worker;
use crate::{abort, cancel, spans};

impl Builder {
    /// Makes runs deterministic: one worker, virtual time, and `seed` decides who runs when. See [`seeded`](crate::seeded).
    ///
    /// The number of workers and the driver that this builder was given play no part.
    pub fn seed(self, seed: u64) -> Seeded {
        Seeded { builder: self, seed, schedule: Schedule::default(), world: None, horizon: HORIZON }
    }
}

/// Settings of a [seeded](crate::seeded) run; made by [`Builder::seed`].
#[must_use = "a builder does nothing until it runs"]
pub struct Seeded {
    builder: Builder,
    seed: u64,
    schedule: Schedule,
    world: Option<Box<dyn World>>,
    horizon: Duration,
}

impl Seeded {
    /// Puts `world` around the fibers: whatever of it is due happens before the next of them runs.
    pub fn world(self, world: impl World + 'static) -> Self {
        Seeded { world: Some(Box::new(world)), ..self }
    }

    /// Ends the run as a deadlock when it has taken so much virtual time. Default: a century.
    pub fn time_limit(self, time_limit: Duration) -> Self {
        Seeded { horizon: time_limit.min(HORIZON), ..self }
    }

    /// How the seed decides who is next. Default: [`Schedule::Random`].
    pub fn schedule(self, schedule: Schedule) -> Self {
        Seeded { schedule, ..self }
    }

    /// As [`run_traced`](Seeded::run_traced), without the trace.
    ///
    /// # Errors
    ///
    /// As [`run_traced`](Seeded::run_traced).
    ///
    /// # Panics
    ///
    /// As [`run_traced`](Seeded::run_traced).
    #[track_caller]
    pub fn run<F, T>(self, f: F) -> io::Result<T>
    where
        F: FnOnce() -> T + 'static,
    {
        Ok(self.run_traced(f)?.0)
    }

    /// Runs `f` as the first fiber, on the calling thread, and returns what `f` returns, and the trace of the run. The other
    /// fibers are cancelled and drained, as in [`Builder::run`]; the trace includes that.
    ///
    /// # Differences from `Builder::run`
    ///
    /// `f` must not borrow (`'static`): if a deadlock ends the run, `f` may never end, and whoever borrowed through it must not be
    /// left with nothing.
    ///
    /// # Errors
    ///
    /// * `Deadlock`: every fiber waits and no timer is armed, or the run takes longer than its [limit](Seeded::time_limit). The error holds a [`Deadlock`](crate::seeded::Deadlock), which lists them.
    /// * whatever stops the first stack from being made. `f` has not run then.
    ///
    /// # Panics
    ///
    /// If `f` panics, with its payload; or if this thread is a worker already: runtimes do not nest.
    #[track_caller]
    pub fn run_traced<F, T>(self, f: F) -> io::Result<(T, Trace)>
    where
        F: FnOnce() -> T + 'static,
    {
        let spawned_at = Location::caller();
        assert!(!Worker::with(|worker| worker.is_some()), "a seeded run inside a fibra runtime: runtimes do not nest");
        let builder = self.builder.workers(1).blocking_threads(1).pin_workers(false);
        let mut run = Run::new(self.seed, self.schedule, self.world, self.horizon);
        let (shared, mut seats) = Shared::new(&builder, false);
        let crew = Crew::new(shared.clone());
        let mut worker = Worker::new(shared.clone(), 0, seats.remove(0).1);
        worker.take_over();
        let stop = shared.stop_on_drop();
        let span = tracing::Span::current();
        let first = move || {
            let _stop = stop;
            span.in_scope(f)
        };
        // Shielded: a deadline of the caller's is one of real time.
        worker.admit()?;
        let (runnable, handle) =
            cancel::shield(|| spawn::Builder::new().name("main").allocate(worker.here(), spawned_at, first));
        worker.spawn(runnable);
        spans::outside(|| abort::on_unwind(WORKER_PANICKED, || worker.run_seeded(&mut run)));
        crew.dismiss();
        let Run { clock, random, recorder, deadlock, world, hosts, .. } = run;
        let trace = recorder.finish(clock.elapsed());
        let deadlock = deadlock.map(|deadlock| Deadlock { hash: trace.hash(), ..deadlock });
        // What follows is outside the run.
        drop((world, hosts, clock, random));
        worker.hand_on();
        if let Some(deadlock) = deadlock {
            return Err(io::Error::new(io::ErrorKind::Deadlock, deadlock));
        }
        // No deadlock, so `f` has ended: only that stops the runtime.
        debug_assert!(handle.is_finished());
        match handle.join() {
            Ok(value) => Ok((value, trace)),
            Err(payload) => Err(as_io_error(payload).unwrap_or_else(|payload| panic::resume_unwind(payload))),
        }
    }
}

impl fmt::Debug for Seeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("runtime::Seeded")
            .field("seed", &self.seed)
            .field("schedule", &self.schedule)
            .field("builder", &self.builder)
            .finish()
    }
}
