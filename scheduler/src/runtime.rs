//! The runtime: its workers, from start to shutdown.
//!
//! ```text
//!   Builder::run(f)      worker 0 is the calling thread, f its first fiber; ends when f does
//!   Builder::start()     all workers on threads of their own; ends with Runtime::shutdown or drop
//! ```
//!
//! Shutdown, in this order:
//! 1. `stopping` is set and every sleeping worker woken. Fibers that have not started are not started any more.
//! 2. Each worker cancels its fibers: every wait of theirs fails with [`Interrupted::Cancelled`](crate::cancel::Interrupted::Cancelled), so they return.
//! 3. A worker ends when its last fiber has, or when the grace period is over. Fibers still there are leaked with a warning:
//!    their stacks may be borrowed from, so freeing them would be unsound.
//! 4. When all workers have ended, what had been handed over too late is refused.

mod observers;
mod quit;
mod roster;
mod shared;

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::{self, Location};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::{fmt, io};

use fibra_fiber::DEFAULT_STACK_SIZE;

use crate::blocking;
use crate::control::Runnable;
use crate::driver::{Driver, DriverFactory};
use crate::dump::Deadlock;
use crate::watchdog;
use crate::worker::Worker;
use crate::{JoinHandle, spawn};

use quit::QuitListener;
pub(crate) use roster::Roster;
pub(crate) use shared::Shared;

/// How long a shutdown waits for cancelled fibers, by default.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(1);

/// Settings of a runtime.
///
/// ```
/// let eight = fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).workers(2).run(|| 3 + 5)?;
/// assert_eq!(eight, 8);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a builder does nothing until it runs or starts"]
pub struct Builder {
    workers: usize,
    stack_size: usize,
    thread_name: String,
    blocking_threads: usize,
    grace: Duration,
    watchdog: Option<Duration>,
    dump_on_sigquit: bool,
    driver: Arc<dyn DriverFactory>,
}

impl Builder {
    /// As many workers as the process may use CPUs (by affinity and cgroup quota), stacks of 256 KiB, 64 blocking threads,
    /// one second of grace. What workers wait in, `driver`, has no default: this crate knows no I/O. For none there is
    /// [`driver::idle`](crate::driver::idle); the facade's `fibra::runtime::builder()` brings sockets.
    pub fn new(driver: impl DriverFactory) -> Self {
        Builder {
            workers: thread::available_parallelism().map_or(1, NonZeroUsize::get),
            stack_size: DEFAULT_STACK_SIZE,
            thread_name: "fibra-worker".into(),
            blocking_threads: blocking::THREADS_MAX,
            grace: DEFAULT_GRACE,
            watchdog: Some(watchdog::BUDGET),
            dump_on_sigquit: false,
            driver: Arc::new(driver),
        }
    }

    /// How many workers, hence OS threads, run fibers. At least one.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
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
        self.grace = grace;
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
        let stack_size = self.stack_size;
        let (crew, worker, mut driver) = self.hire_around_this_thread()?;
        let shared = crew.shared.clone();
        let stop = shared.stop_on_drop();
        let first = move || {
            let _stop = stop;
            f()
        };
        let (runnable, handle) = spawn::Builder::new().name("main").allocate(stack_size, spawned_at, first);
        worker.spawn_local(runnable);
        abort_on_panic(|| worker.run(&mut *driver));
        crew.dismiss();
        if let Some(deadlock) = shared.deadlock.get() {
            return Err(Deadlock::error(deadlock.finish()));
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

    fn hire_around_this_thread(self) -> io::Result<(Crew, Worker, Box<dyn Driver>)> {
        assert!(!Worker::with(|worker| worker.is_some()), "fibra::run inside a fibra runtime: runtimes do not nest");
        let (shared, mut workers) = Shared::new(&self, true);
        let driver = self.driver.make(0)?;
        let worker = Worker::new(shared.clone(), 0, workers.remove(0).1);
        Ok((self.hire(shared, workers)?, worker, driver))
    }

    /// Starts a thread for each of `workers` and waits until all have their driver.
    fn hire(&self, shared: Arc<Shared>, workers: Vec<shared::Seat>) -> io::Result<Crew> {
        let (ready, all_ready) = mpsc::channel();
        let mut crew = Crew { shared, threads: Vec::new(), quit: None };
        for (index, fresh) in workers {
            let (shared, factory, ready) = (crew.shared.clone(), self.driver.clone(), ready.clone());
            let name = format!("{}-{index}", self.thread_name);
            let thread = thread::Builder::new().name(name).spawn(move || {
                let driver = factory.make(index);
                let (mut driver, outcome) = match driver {
                    Ok(driver) => (Some(driver), Ok(())),
                    Err(error) => (None, Err(error)),
                };
                // The receiver is gone only if another worker failed, and then `stopping` ends the loop below.
                let _ = ready.send(outcome);
                drop(ready);
                if let Some(driver) = &mut driver {
                    let worker = Worker::new(shared, index, fresh);
                    abort_on_panic(|| worker.run(&mut **driver));
                }
            })?;
            crew.threads.push(thread);
        }
        drop(ready);
        for outcome in all_ready {
            outcome?;
        }
        self.start_observers(&mut crew)?;
        Ok(crew)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("runtime::Builder")
            .field("workers", &self.workers)
            .field("stack_size", &self.stack_size)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

/// The worker threads of a runtime. Dropping it shuts the runtime down and waits for them.
struct Crew {
    shared: Arc<Shared>,
    threads: Vec<thread::JoinHandle<()>>,
    quit: Option<QuitListener>,
}

impl Crew {
    /// Stops the workers and waits until all have ended.
    fn dismiss(self) {}
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.stop();
        let this_thread = thread::current().id();
        for thread in self.threads.drain(..) {
            // A runtime dropped by one of its own fibers cannot wait for the thread that it runs on.
            if thread.thread().id() != this_thread && thread.join().is_err() {
                tracing::error!("a worker thread panicked outside any fiber");
            }
        }
        self.shared.refuse_leftovers();
        drop(self.quit.take());
        self.shared.leash.end();
    }
}

/// A runtime on threads of its own, for programs whose main thread is not a fiber.
///
/// Dropping it shuts it down, as [`shutdown`](Runtime::shutdown) does.
///
/// ```
/// let runtime = fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).workers(2).start()?;
/// let fiber = runtime.spawn(|| 3 + 5);
/// assert_eq!(fiber.join().unwrap(), 8);
/// runtime.shutdown();
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Runtime {
    crew: Option<Crew>,
}

impl Runtime {
    /// Spawns a fiber from any thread.
    #[track_caller]
    pub fn spawn<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let spawned_at = Location::caller();
        let (runnable, handle): (Runnable, _) = spawn::Builder::new().allocate(self.shared().stack_size, spawned_at, f);
        self.shared().spawn(runnable);
        handle
    }

    /// How many workers it has.
    pub fn workers(&self) -> usize {
        self.shared().workers.len()
    }

    /// Cancels all fibers, waits for them to end (at most the grace period), and ends the workers.
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

/// A worker that unwinds would take down the fibers it holds, whose stacks others may borrow from. Panics of fibers never get
/// here; this is a bug in a driver or in fibra.
fn abort_on_panic(f: impl FnOnce()) {
    struct Abort;
    impl Drop for Abort {
        fn drop(&mut self) {
            eprintln!("fibra: a worker panicked outside any fiber; its fibers cannot go on: aborting");
            std::process::abort();
        }
    }
    let abort = Abort;
    f();
    std::mem::forget(abort);
}

/// The error of a fiber that could not get a stack.
fn as_io_error(payload: Box<dyn Any + Send>) -> Result<io::Error, Box<dyn Any + Send>> {
    payload.downcast::<io::Error>().map(|error| *error)
}
