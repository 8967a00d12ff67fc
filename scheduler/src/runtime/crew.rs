//! The threads of a runtime: how they start, all or none, and how they end.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread;

use parking_lot::Mutex;

use super::Builder;
use super::quit::QuitListener;
use super::shared::{self, Shared};
use crate::abort;
use crate::driver::Driver;
use crate::worker::Worker;

/// Panics of fibers never get there: this is a bug in a driver or in fibra. Its fibers cannot go on without their worker.
pub(super) const WORKER_PANICKED: &str = "a worker panicked outside any fiber";

/// The worker threads of a runtime. Dropping it shuts the runtime down and waits for them.
pub(super) struct Crew {
    pub(super) shared: Arc<Shared>,
    /// Behind a lock only so that a runtime can be shared: what a receiver is not.
    threads: Mutex<Vec<(thread::JoinHandle<()>, mpsc::Receiver<Leaked>)>>,
    pub(super) quit: Option<QuitListener>,
    pub(super) watchdog: Option<thread::JoinHandle<()>>,
}

/// What a thread says that has leaked fibers: it does nothing more, but never ends.
struct Leaked;

impl Crew {
    /// Nobody yet.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Crew { shared, threads: Mutex::default(), quit: None, watchdog: None }
    }

    /// Stops the workers and waits until all have ended.
    pub(super) fn dismiss(self) {}
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.stop();
        let this_thread = thread::current().id();
        for (thread, ended) in self.threads.get_mut().drain(..) {
            // A runtime dropped by one of its own fibers cannot wait for the thread that it runs on.
            if thread.thread().id() != this_thread && ended.recv().is_err() && thread.join().is_err() {
                tracing::error!("a worker thread panicked before it ran fibers");
            }
        }
        drop(self.quit.take());
        self.shared.leash.end();
        // Nothing of a runtime is left when it has ended. Takes long only if the watchdog is just looking up the names of a backtrace.
        if self.watchdog.take().is_some_and(|watchdog| watchdog.join().is_err()) {
            tracing::error!("the watchdog panicked");
        }
    }
}

impl Builder {
    pub(super) fn hire_around_this_thread(self) -> io::Result<(Crew, Worker, Box<dyn Driver>)> {
        assert!(!Worker::with(|worker| worker.is_some()), "fibra::run inside a fibra runtime: runtimes do not nest");
        let (shared, mut workers) = Shared::new(&self, true);
        let driver = self.driver.make(0)?;
        let worker = Worker::new(shared.clone(), 0, workers.remove(0).1);
        Ok((self.hire(shared, workers)?, worker, driver))
    }

    /// Starts a thread for each of `workers` and waits until all have their driver.
    pub(super) fn hire(&self, shared: Arc<Shared>, workers: Vec<shared::Seat>) -> io::Result<Crew> {
        let mut crew = Crew::new(shared);
        let mut drivers_made = Vec::new();
        for (index, fresh) in workers {
            let (shared, factory) = (crew.shared.clone(), self.driver.clone());
            let ((made, driver_made), (ended, has_ended)) = (mpsc::channel(), mpsc::channel());
            let name = format!("{}-{index}", self.thread_name);
            let thread = thread::Builder::new().name(name).spawn(move || {
                let mut driver = match factory.make(index) {
                    Ok(driver) => driver,
                    Err(error) => return drop(made.send(Err(error))),
                };
                // The receiver is gone only if another worker failed, and then `stopping` ends the loop below.
                let _ = made.send(Ok(()));
                let worker = Worker::new(shared, index, fresh);
                let leaked = abort::on_unwind(WORKER_PANICKED, || worker.run(&mut *driver));
                drop(driver);
                if leaked {
                    // Leaked fibers may have lent out this thread's thread-locals, so it must not end.
                    let _ = ended.send(Leaked);
                    loop {
                        thread::park();
                    }
                }
            })?;
            crew.threads.get_mut().push((thread, has_ended));
            drivers_made.push(driver_made);
        }
        for made in drivers_made {
            // A factory that panics has dropped its end.
            made.recv().unwrap_or_else(|_| {
                Err(io::Error::other("a worker's driver could not be made: its factory panicked"))
            })?;
        }
        self.start_observers(&mut crew)?;
        Ok(crew)
    }
}
