//! The seam to the operating system: what a worker does when it has nothing to run.
//!
//! The scheduler knows no sockets. A [`Driver`] tells a worker that something outside happened: `fibra-net` supplies
//! one built on epoll, and a runtime that needs no I/O takes [`idle`], which only sleeps.
//!
//! ```text
//!   worker loop ── run queue empty ──▶ Driver::poll(timeout) ── readiness ──▶ Unparker::unpark(fiber)
//!        ▲                                   ▲
//!        └── now and then: poll(0) ──────────┘          another thread ──▶ DriverWaker::wake()
//! ```
//!
//! Invariants:
//! * A driver is made, polled and dropped on its worker's thread only; it need not be `Send`.
//! * [`DriverWaker::wake`] may be called from any thread, at any time, and makes the current or else the next
//!   [`Driver::poll`] return at once. The scheduler calls it only for a worker that has announced that it parks.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// What one worker waits in when it has nothing to run. See the [module](self) for the contract.
pub trait Driver {
    /// Dispatches whatever is ready by unparking fibers; waits up to `timeout` for the first such event.
    ///
    /// `Some(Duration::ZERO)` only looks; `None` waits until there is an event or a wake. May return early, with
    /// nothing dispatched.
    ///
    /// # Errors
    ///
    /// Whatever the operating system reports. The worker logs it, backs off for a millisecond and polls again: a driver
    /// error never takes fibers down.
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Whether anything outside may still make [`poll`](Driver::poll) unpark a fiber. Only a driver that is sure says no: once nothing
    /// else is left that could wake a fiber either, a run ends with a report of the deadlock.
    fn is_waiting(&self) -> bool {
        true
    }

    /// The handle by which other threads end a [`poll`](Driver::poll). Called once, before the first poll.
    fn waker(&self) -> Arc<dyn DriverWaker>;
}

/// Ends a [`Driver::poll`] from another thread.
pub trait DriverWaker: Send + Sync {
    /// Makes the driver's current or else its next `poll` return at once. Calls in between may collapse into one.
    fn wake(&self);
}

/// Makes each worker's driver, on that worker's thread.
pub trait DriverFactory: Send + Sync + 'static {
    /// Makes the driver of worker number `worker` (from 0).
    ///
    /// # Errors
    ///
    /// Whatever stops the driver from being made (for instance `EMFILE` from `epoll_create1`); starting the runtime
    /// fails with it.
    fn make(&self, worker: usize) -> io::Result<Box<dyn Driver>>;
}

impl<F> DriverFactory for F
where
    F: Fn(usize) -> io::Result<Box<dyn Driver>> + Send + Sync + 'static,
{
    fn make(&self, worker: usize) -> io::Result<Box<dyn Driver>> {
        self(worker)
    }
}

/// Makes a driver without events: it sleeps until its timeout or a wake. For runtimes that do no I/O.
///
/// # Errors
///
/// None.
pub fn idle(_worker: usize) -> io::Result<Box<dyn Driver>> {
    Ok(Box::<Idle>::default())
}

#[derive(Debug, Default)]
struct Idle {
    bell: Arc<Bell>,
}

#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Driver for Idle {
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let mut rung = self.bell.rung.lock();
        if !*rung {
            match timeout {
                Some(Duration::ZERO) => {}
                Some(timeout) => {
                    self.bell.changed.wait_for(&mut rung, timeout);
                }
                None => self.bell.changed.wait(&mut rung),
            }
        }
        *rung = false;
        Ok(())
    }

    fn is_waiting(&self) -> bool {
        false
    }

    fn waker(&self) -> Arc<dyn DriverWaker> {
        self.bell.clone()
    }
}

impl DriverWaker for Bell {
    fn wake(&self) {
        *self.rung.lock() = true;
        self.changed.notify_one();
    }
}
