//! Waiting for time to pass, and letting others run.

use std::thread;
use std::time::Duration;

use crate::cancel::Interrupted;
use crate::clock;
use crate::park::{self, Reason};
use crate::worker::Worker;

/// Waits for at least `duration`; other fibers run meanwhile. On a plain thread it blocks that thread.
///
/// # Differences from std
///
/// [`std::thread::sleep`] cannot be interrupted and returns nothing.
///
/// # Errors
///
/// * [`Cancelled`](Interrupted::Cancelled), at once, if the fiber is asked to end before the time is up.
/// * [`TimedOut`](Interrupted::TimedOut) if an ambient deadline passes before.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// use std::time::Duration;
///
/// let sleeper = fibra_scheduler::spawn(|| fibra_scheduler::sleep(Duration::from_secs(3600)));
/// sleeper.cancel();
/// assert!(sleeper.join().unwrap().is_err());
/// # }).unwrap();
/// ```
pub fn sleep(duration: Duration) -> Result<(), Interrupted> {
    // A duration beyond what an instant can hold is beyond any run, too.
    let until = clock::now().checked_add(duration);
    loop {
        match park::wait(Reason::Sleep, until) {
            Err(Interrupted::TimedOut) if until.is_some_and(|until| until <= clock::now()) => return Ok(()),
            waited => waited?,
        }
    }
}

/// Lets every other fiber that is ready on this worker run first. On a plain thread, [`std::thread::yield_now`].
#[inline]
pub fn yield_now() {
    if !Worker::yield_to_next() && !Worker::yield_running() {
        thread::yield_now();
    }
}
