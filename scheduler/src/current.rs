//! The running fiber, as [`std::thread::current`] gives the running thread.

use std::fmt;
use std::panic::Location;

use crate::FiberId;
use crate::control::FiberRef;
use crate::park::Unparker;
use crate::worker::Worker;

/// A handle to a fiber: who it is, and how to wake it. Does not keep it running.
#[derive(Clone)]
pub struct Fiber(FiberRef);

/// The running fiber; `None` on a plain thread.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// let fiber = fibra_scheduler::Builder::new().name("worker 7").spawn(|| {
///     fibra_scheduler::current().and_then(|fiber| fiber.name().map(str::to_owned))
/// });
/// assert_eq!(fiber.unwrap().join().unwrap().as_deref(), Some("worker 7"));
/// # }).unwrap();
/// ```
pub fn current() -> Option<Fiber> {
    Worker::with(|worker| worker?.running_ref()).map(Fiber)
}

impl Fiber {
    /// Its number.
    pub fn id(&self) -> FiberId {
        self.0.control().origin.id
    }

    /// Its name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.0.control().origin.name.as_deref()
    }

    /// Where it was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.0.control().origin.spawned_at
    }

    /// Gives it its token, see [`park`](crate::park).
    pub fn unpark(&self) {
        self.0.unpark();
    }

    /// What wakes it.
    pub fn unparker(&self) -> Unparker {
        Unparker::of(self.0.clone())
    }
}

impl fmt::Debug for Fiber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fiber").field("id", &self.id()).field("name", &self.name()).finish_non_exhaustive()
    }
}
