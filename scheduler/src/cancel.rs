//! Cancellation: a request that a fiber end, seen by it as an error from whatever it waits for.
//!
//! Not an unwinding: destructors run because the fiber returns, so it works under `panic = "abort"` and cannot strike in the
//! middle of a destructor. It is sticky: once asked, every further wait of the fiber fails too.
//!
//! Who waits calls [`check`] before each park; [`JoinHandle::cancel`](crate::JoinHandle::cancel) sets the flag and unparks.

use std::{fmt, io};

use crate::worker::Worker;

/// The fiber was asked to end.
///
/// As an [`io::Error`] its kind is [`Other`](io::ErrorKind::Other), not `Interrupted`, which std's loops would retry. See
/// [`is_cancelled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fiber was cancelled")
    }
}

impl std::error::Error for Cancelled {}

impl From<Cancelled> for io::Error {
    fn from(cancelled: Cancelled) -> Self {
        io::Error::other(cancelled)
    }
}

/// Whether an I/O error means that the fiber was cancelled.
///
/// ```
/// use fibra_scheduler::cancel::{Cancelled, is_cancelled};
///
/// assert!(is_cancelled(&Cancelled.into()));
/// assert!(!is_cancelled(&std::io::ErrorKind::TimedOut.into()));
/// ```
pub fn is_cancelled(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Cancelled>())
}

/// Whether the running fiber may go on. Always `Ok` on a plain thread.
///
/// For loops that compute for long without waiting: `cancel::check()?` makes them end when asked.
///
/// # Errors
///
/// [`Cancelled`] from the moment that [`JoinHandle::cancel`](crate::JoinHandle::cancel) was called, or that the runtime
/// began to shut down.
#[inline]
pub fn check() -> Result<(), Cancelled> {
    let cancelled = Worker::with(|worker| worker?.running(|fiber| fiber.is_cancelled())).unwrap_or(false);
    if cancelled { Err(Cancelled) } else { Ok(()) }
}
