//! The runtime: its workers, from start to shutdown.
//!
//! ```text
//!   Builder::run(f)      worker 0 is the calling thread, f its first fiber; ends when f does
//!   Builder::start()     all workers on threads of their own; ends with Runtime::shutdown or drop
//! ```
//!
//! Shutdown, in this order:
//! 1. `stopping` is set and every sleeping worker woken. Closures that have not started are not run any more: they are dropped, each
//!    on a stack of its own, since destructors may wait.
//! 2. Each worker cancels its fibers: every wait of theirs fails with [`Interrupted::Cancelled`](crate::cancel::Interrupted::Cancelled), so they return.
//! 3. A worker ends when its last fiber has, or when the grace period is over. Fibers still there are leaked with a warning:
//!    their stacks may be borrowed from, so freeing them would be unsound.
//!    Who joins them is told that they were cancelled. A worker thread that leaked fibers never exits, since they may have lent out its
//!    thread-locals.

mod crew;
mod observers;
mod quit;
mod quota;
mod roster;
mod seeded;
mod shared;

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::{self, Location};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::{fmt, io, ptr};

use fibra_fiber::DEFAULT_STACK_SIZE;

use crate::abort;
use crate::blocking;
use crate::control::Runnable;
use crate::driver::DriverFactory;
use crate::dump::Deadlock;
use crate::spans;
use crate::spawn::Site;
use crate::stacks::{self, Stacks};
use crate::watchdog;
use crate::{JoinHandle, spawn};

use crew::{Crew, WORKER_PANICKED};
pub(crate) use quota::Quota;
pub use quota::{DEFAULT_FIBERS_MAX, TooManyFibers};
pub(crate) use roster::Roster;
pub use seeded::Seeded;
pub(crate) use shared::Shared;

/// How long a shutdown waits for cancelled fibers, by default.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(1);

/// A longer grace period is cut to this, a century: its end must be an instant.
const GRACE_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How long a fiber waits before its stack is trimmed, by default.
pub const DEFAULT_TRIM_AFTER: Duration = Duration::from_secs(10);

/// Settings of a runtime.
///
/// ```
/// let eight = fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).workers(2).run(|| 3 + 5)?;
/// assert_eq!(eight, 8);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a builder does nothing until it runs or starts"]
pub struct Builder {
    /// None: as many as there are CPUs. Asked only when it is needed: the answer takes the system a dozen calls.
    workers: Option<usize>,
    stack_size: usize,
    fibers_max: usize,
    thread_name: String,
    blocking_threads: usize,
    grace: Duration,
    pin_workers: bool,
    trim_after: Duration,
    pub(crate) sample_stacks: Option<u32>,
    watchdog: Option<Duration>,
    dump_on_sigquit: bool,
    driver: Arc<dyn DriverFactory>,
}

impl Builder {
    /// As many workers as the process may use CPUs (by affinity and cgroup quota), stacks of 256 KiB, over four million fibers, 64
    /// blocking threads, one second of grace. What workers wait in, `driver`, has no default: this crate knows no I/O. For none
    /// there is [`driver::idle`](crate::driver::idle); the facade's `fibra::runtime::builder()` brings sockets.
    pub fn new(driver: impl DriverFactory) -> Self {
        Builder {
            workers: None,
            stack_size: DEFAULT_STACK_SIZE,
            fibers_max: DEFAULT_FIBERS_MAX,
            thread_name: "fibra-worker".into(),
            blocking_threads: blocking::THREADS_MAX,
            grace: DEFAULT_GRACE,
            pin_workers: false,
            trim_after: DEFAULT_TRIM_AFTER,
            sample_stacks: Some(stacks::EVERY),
            watchdog: Some(watchdog::BUDGET),
            dump_on_sigquit: false,
            driver: Arc::new(driver),
        }
    }

    /// How many workers, hence OS threads, run fibers. At least one.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers.max(1));
        self
    }

    /// The usable size in bytes of a fiber's stack, if its [`Builder`](crate::Builder) says nothing else. Default: 256 KiB, of
    /// which only touched pages take memory.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// What the worker threads are called; a number is appended. Default: `fibra-worker`.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = name.into();
        self
    }

    /// How many threads [`blocking`](crate::blocking()) may use at the most. Default: 64.
    pub fn blocking_threads(mut self, threads: usize) -> Self {
        self.blocking_threads = threads;
        self
    }

    /// How long a shutdown waits for cancelled fibers to end before it leaks them. Default: one second.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace.min(GRACE_MAX);
        self
    }

    /// How long a fiber waits before the memory of its stack that it does not use goes back to the kernel. Default: ten seconds. Shorter saves
    /// memory, and costs page faults when the fiber goes deep again; [`Duration::MAX`] is never.
    pub fn trim_after(mut self, quiet: Duration) -> Self {
        self.trim_after = quiet;
        self
    }

    /// Whether each worker stays on a CPU of its own, in the order of those that the process may use. Default: no, the system moves
    /// them. Helps caches where the machine has nothing else to do; the thread that calls [`run`](Builder::run) gets its CPUs back.
    pub fn pin_workers(mut self, pin: bool) -> Self {
        self.pin_workers = pin;
        self
    }

    /// Makes the calling thread the first worker, runs `f` as its first fiber, and returns what `f` returns. The other fibers
    /// are then cancelled and drained.
    ///
    /// `f` stays on the calling thread and has ended when `run` returns, so it need not be `Send` and may borrow.
    ///
    /// # Errors
    ///
    /// * Whatever stops a worker's thread, its driver or the first stack from being made. `f` has not run then.
    /// * `Deadlock`: every fiber waits, no timer, socket or [`blocking`](crate::blocking()) job is left that could wake one, and the process
    ///   has no other thread or signal handler that might. The error displays as a [dump](mod@crate::dump), see
    ///   [`Deadlock`]; the fibers are leaked. Never while that is in doubt, so only on Linux.
    ///
    /// # Panics
    ///
    /// If `f` panics, with its payload; or if this thread is a worker already: runtimes do not nest.
    #[track_caller]
    pub fn run<F, T>(self, f: F) -> io::Result<T>
    where
        F: FnOnce() -> T,
    {
        let spawned_at = Location::caller();
        let (crew, worker, mut driver) = self.hire_around_this_thread()?;
        let shared = crew.shared.clone();
        // Made here, not in the fiber: it stops the runtime also if there is no stack for it.
        let stop = shared.stop_on_drop();
        // The caller's span is also the first fiber's.
        let span = tracing::Span::current();
        let first = move || {
            let _stop = stop;
            span.in_scope(f)
        };
        worker.admit()?;
        let (runnable, handle) = spawn::Builder::new().name("main").allocate(worker.here(), spawned_at, first);
        worker.spawn(runnable);
        spans::outside(|| abort::on_unwind(WORKER_PANICKED, || worker.run(&mut *driver)));
        drop(driver);
        crew.dismiss();
        if let Some(deadlock) = shared.deadlock.get() {
            return Err(Deadlock::error(deadlock.finish().with_stacks(&Stacks::new(&shared))));
        }
        // The fiber has ended: only its end stops the runtime, and a fiber that could not start has ended with an error.
        debug_assert!(handle.is_finished());
        match handle.join() {
            Ok(value) => Ok(value),
            Err(payload) => Err(as_io_error(payload).unwrap_or_else(|payload| panic::resume_unwind(payload))),
        }
    }

    /// Starts all workers on threads of their own and returns at once.
    ///
    /// # Errors
    ///
    /// Whatever stops a worker's thread or its driver from being made.
    pub fn start(self) -> io::Result<Runtime> {
        let (shared, workers) = Shared::new(&self, false);
        Ok(Runtime { crew: Some(self.hire(shared, workers)?) })
    }

    fn workers_or_cpus(&self) -> usize {
        self.workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("runtime::Builder")
            .field("workers", &self.workers_or_cpus())
            .field("stack_size", &self.stack_size)
            .field("fibers_max", &self.fibers_max)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

/// A runtime on threads of its own, for programs whose main thread is not a fiber.
///
/// Dropping it shuts it down, as [`shutdown`](Runtime::shutdown) does.
///
/// ```
/// let runtime = fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).workers(2).start()?;
/// let fiber = runtime.spawn(|| 3 + 5)?;
/// assert_eq!(fiber.join().unwrap(), 8);
/// runtime.shutdown();
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Runtime {
    crew: Option<Crew>,
}

impl Runtime {
    /// Spawns a fiber from any thread.
    ///
    /// # Errors
    ///
    /// `QuotaExceeded`: the runtime has as many fibers as it may; the error holds a [`TooManyFibers`].
    #[track_caller]
    pub fn spawn<F, T>(&self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let spawned_at = Location::caller();
        self.shared().admit()?;
        let shared = self.shared();
        let heap = shared.heap.lock();
        let site = Site { heap: &heap, home: ptr::null(), stack_size: shared.stack_size };
        let (runnable, handle): (Runnable, _) = spawn::Builder::new().allocate(site, spawned_at, f);
        drop(heap);
        shared.spawn(runnable);
        Ok(handle)
    }

    /// How many workers it has.
    pub fn workers(&self) -> usize {
        self.shared().workers.len()
    }

    /// Cancels all fibers, waits for them to end, and ends the workers. Fibers that wait in spite of it are given up after the grace
    /// period; for one that computes without ever switching, it waits until it does.
    pub fn shutdown(mut self) {
        drop(self.crew.take());
    }

    pub(crate) fn shared(&self) -> &Shared {
        match &self.crew {
            Some(crew) => &crew.shared,
            None => unreachable!("only shutdown takes the crew, and it consumes the runtime"),
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("workers", &self.workers()).finish_non_exhaustive()
    }
}

/// The error of a fiber that could not get a stack.
fn as_io_error(payload: Box<dyn Any + Send>) -> Result<io::Error, Box<dyn Any + Send>> {
    payload.downcast::<io::Error>().map(|error| *error)
}
