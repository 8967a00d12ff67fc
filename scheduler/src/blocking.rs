//! A bounded pool of threads for what cannot park: DNS, files, computations that would hold a worker for long.
//!
//! Threads are made on demand, up to a limit, and end after some seconds without work. Jobs wait in a bounded queue; what does
//! not fit is refused with an error, so overload shows instead of piling up.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use parking_lot::{Condvar, Mutex};

use crate::control::contain;
use crate::park::{self, Reason};
use crate::runtime::Roster;
use crate::worker::Worker;
use crate::{cancel, clock};

/// How many threads a runtime's pool has at the most, by default.
pub(crate) const THREADS_MAX: usize = 64;

/// How many jobs may wait for a thread.
const QUEUE_MAX: usize = 16 * 1024;

/// How long a thread waits for work before it ends.
const IDLE_MAX: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// Runs `f` on a pool of threads while the fiber waits and others run. On a plain thread, which may block, runs it in place.
///
/// A panic of `f` goes on in the caller. In a [seeded](crate::seeded) run `f` runs in place.
///
/// # Errors
///
/// * `QuotaExceeded`: 16,384 jobs wait already; the error names the knob.
/// * `Other`, [`is_cancelled`](crate::cancel::is_cancelled), or `TimedOut`: the fiber was cancelled, or its ambient deadline has
///   passed. `f` may still run; its result is dropped.
/// * whatever stops the operating system from making a thread, if the pool has none.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// let hosts = fibra_scheduler::blocking(|| std::fs::read_to_string("/etc/hosts"))??;
/// # let _ = hosts; Ok::<(), std::io::Error>(()) }).unwrap().unwrap();
/// ```
pub fn blocking<F, T>(f: F) -> io::Result<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let in_fiber = Worker::with(|worker| worker?.running(|_| worker.map(|worker| worker.shared().clone()))).flatten();
    let Some(shared) = in_fiber else {
        return Ok(f());
    };
    if clock::is_virtual() {
        let value = f();
        crate::yield_now();
        cancel::check()?;
        return Ok(value);
    }
    let result = Arc::new(Mutex::new(None));
    let job = {
        let (result, caller) = (result.clone(), park::current());
        move || {
            let outcome = catch_unwind(AssertUnwindSafe(f));
            *result.lock() = Some(outcome);
            caller.unpark();
        }
    };
    shared.pool.submit(Box::new(job))?;
    drop(shared);
    loop {
        if let Some(outcome) = result.lock().take() {
            return outcome.or_else(|payload| resume_unwind(payload));
        }
        park::wait(Reason::Blocking, None)?;
    }
}

/// See the [module](self).
pub(crate) struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    threads_max: usize,
    roster: Arc<Roster>,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    idle: usize,
    /// How many threads are in the middle of a job.
    busy: usize,
    stopping: bool,
}

impl Pool {
    /// A pool of up to `threads_max` threads, which put themselves on `roster`.
    pub(crate) fn new(threads_max: usize, roster: Arc<Roster>) -> Self {
        let threads_max = threads_max.max(1);
        Pool { inner: Arc::new(Inner { threads_max, roster, state: Mutex::default(), work: Condvar::new() }) }
    }

    /// Whether a job runs or waits. A job that has ended has woken its caller before.
    pub(crate) fn is_busy(&self) -> bool {
        let state = self.inner.state.lock();
        state.busy > 0 || !state.queue.is_empty()
    }

    fn submit(&self, job: Job) -> io::Result<()> {
        let mut state = self.inner.state.lock();
        if state.queue.len() >= QUEUE_MAX {
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                format!(
                    "{QUEUE_MAX} jobs wait for {} blocking threads; raise runtime::Builder::blocking_threads, or block less",
                    self.inner.threads_max
                ),
            ));
        }
        let mut refused = None;
        if state.idle <= state.queue.len() && state.threads < self.inner.threads_max {
            let inner = self.inner.clone();
            match thread::Builder::new().name("fibra-blocking".into()).spawn(move || inner.serve()) {
                Ok(_) => state.threads += 1,
                Err(error) if state.threads == 0 => return Err(error),
                // The threads that there are will get to it.
                Err(error) => refused = Some(error),
            }
        }
        state.queue.push_back(job);
        self.inner.work.notify_one();
        drop(state);
        if let Some(error) = refused {
            tracing::warn!(%error, "no further blocking thread");
        }
        Ok(())
    }
}

impl Drop for Pool {
    /// Lets the threads end. A thread in the middle of a job is not waited for: nobody knows how long that job blocks. What has not begun
    /// does not, since nobody waits for it any more.
    fn drop(&mut self) {
        let mut state = self.inner.state.lock();
        state.stopping = true;
        let jobs = std::mem::take(&mut state.queue);
        self.inner.work.notify_all();
        drop(state);
        // Their destructors are the user's, so not under the lock, and one by one.
        jobs.into_iter().for_each(|job| contain(|| drop(job)));
    }
}

impl Inner {
    fn serve(&self) {
        let _enlisted = self.roster.enlist();
        let mut state = self.state.lock();
        while !state.stopping {
            if let Some(job) = state.queue.pop_front() {
                state.busy += 1;
                drop(state);
                // A job contains the panics of its closure; what is left is a result that nobody waits for any more.
                if let Err(payload) = catch_unwind(AssertUnwindSafe(job)) {
                    contain(|| drop(payload));
                }
                state = self.state.lock();
                state.busy -= 1;
                continue;
            }
            state.idle += 1;
            let timed_out = self.work.wait_for(&mut state, IDLE_MAX).timed_out();
            state.idle -= 1;
            if timed_out && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}
