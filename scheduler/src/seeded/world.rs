//! What is around the fibers of a seeded run and acts by itself: a simulated network, for one.
//!
//! Such a world is no fiber: it costs no switch, and no seed draws when its turn comes. Whatever of it is due happens before the next fiber
//! runs, and time does not jump beyond what it is about to do.

use std::time::Duration;

use crate::clock;

/// What is around the fibers of a [seeded](crate::seeded) run and acts by itself, such as a network.
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use std::time::Duration;
/// use fibra_scheduler::seeded::World;
/// use fibra_scheduler::{driver, park, runtime};
///
/// /// An hour after the beginning, a bell rings.
/// struct Bell(Rc<Cell<Option<park::Unparker>>>);
///
/// impl World for Bell {
///     fn next(&self) -> Option<Duration> {
///         let waiting = self.0.take();
///         let next = waiting.is_some().then_some(Duration::from_secs(3600));
///         self.0.set(waiting);
///         next
///     }
///
///     fn happen(&mut self, _now: Duration) {
///         if let Some(sleeper) = self.0.take() {
///             sleeper.unpark();
///         }
///     }
/// }
///
/// let bed = Rc::new(Cell::new(None));
/// let ((), trace) = runtime::Builder::new(driver::idle).seed(7).world(Bell(bed.clone())).run_traced(move || {
///     bed.set(Some(park::current()));
///     park::park(park::Reason::Parked);
/// })?;
/// assert!(trace.elapsed() > Duration::from_secs(3599));
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait World {
    /// When it next has something to do, counted from the beginning of the run; `None`: only what fibers do will make it.
    fn next(&self) -> Option<Duration>;

    /// Does all that is due at `now`. Outside of all fibers, so it must not wait; it may unpark, spawn, pause and crash.
    fn happen(&mut self, now: Duration);
}

/// How much virtual time has passed since the seeded run on this thread began, whatever the clock of the caller's [host](super::Host) shows.
/// `None` outside of one.
pub fn elapsed() -> Option<Duration> {
    clock::elapsed()
}
