//! Cancellation and deadlines: requests that a fiber end, seen by it as errors from whatever it waits for.
//!
//! ```text
//!   with_timeout(50 ms, || ..)      every wait inside fails with TimedOut from then on
//!   handle.cancel()                 every wait of that fiber fails with Cancelled from then on
//!   shield(|| ..)                   neither reaches the waits inside
//! ```
//!
//! Not an unwinding: destructors run because the fiber returns, so it works under `panic = "abort"` and cannot strike in the
//! middle of a destructor. It is *sticky*: once it has struck, every further wait fails too, at once. It is *ambient*: no
//! argument is passed; a fiber inherits what holds for the one that spawns it.
//!
//! Whoever waits does so by [`park::wait`](crate::park::wait), which is where both strike. Waits that must not be cut (a lock, the
//! join of a scope) park without it, and say so.
//!
//! A plain thread cannot be cancelled, but may use [`with_timeout`] and [`shield`] like a fiber.

use std::cell::Cell;
use std::ptr::NonNull;
use std::time::{Duration, Instant};
use std::{fmt, io};

use crate::clock;
use crate::control::{Control, Inherited};
use crate::seeded;
use crate::worker::Worker;

/// Why a wait ended without what it waited for.
///
/// As an [`io::Error`], `TimedOut` has the kind [`TimedOut`](io::ErrorKind::TimedOut), and `Cancelled` the kind
/// [`Other`](io::ErrorKind::Other): not `Interrupted`, which std's loops would retry. See [`is_cancelled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Interrupted {
    /// The fiber was asked to end: by [`JoinHandle::cancel`](crate::JoinHandle::cancel), or because its runtime shuts down.
    Cancelled,
    /// A deadline has passed: that of the wait itself, or the ambient one of [`with_timeout`].
    TimedOut,
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Interrupted::Cancelled => "the fiber was cancelled",
            Interrupted::TimedOut => "the deadline has passed",
        })
    }
}

impl std::error::Error for Interrupted {}

impl From<Interrupted> for io::Error {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Cancelled => io::Error::other(interrupted),
            Interrupted::TimedOut => io::Error::new(io::ErrorKind::TimedOut, interrupted),
        }
    }
}

/// Whether an I/O error means that the fiber was cancelled.
///
/// ```
/// use fibra_scheduler::cancel::{Interrupted, is_cancelled};
///
/// assert!(is_cancelled(&Interrupted::Cancelled.into()));
/// assert!(!is_cancelled(&Interrupted::TimedOut.into()));
/// ```
pub fn is_cancelled(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref()) == Some(&Interrupted::Cancelled)
}

/// What holds for the waits of one fiber, or of one plain thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ambient {
    deadline: Cell<Option<Instant>>,
    /// Whether cancellation is held off. ([`shield`] holds a deadline off by taking it away.)
    shielded: Cell<bool>,
}

impl Ambient {
    /// What a fiber begins with whose spawner waits under `deadline`.
    pub(crate) fn inherited(deadline: Option<Instant>) -> Self {
        Ambient { deadline: Cell::new(deadline), shielded: Cell::new(false) }
    }

    /// Whether whoever it holds for may go on waiting, and until when.
    #[inline]
    fn admit(&self, cancelled: bool, deadline: Option<Instant>) -> Result<Option<Instant>, Interrupted> {
        if cancelled && self.is_cut() {
            return Err(Interrupted::Cancelled);
        }
        Ok(earlier(deadline, self.deadline.get()))
    }

    /// The same, but not beyond `deadline`.
    #[inline]
    fn until(&self, deadline: Option<Instant>) -> Self {
        let deadline = earlier(deadline, self.deadline.get());
        Self { deadline: Cell::new(deadline), shielded: Cell::new(self.shielded.get()) }
    }

    /// Whether the wait of a cancelled fiber fails.
    #[cold]
    fn is_cut(&self) -> bool {
        seeded::refuse() || !self.shielded.get()
    }

    /// Puts `self` in the place of `current`, and returns what was there.
    fn replace(&self, current: &Ambient) -> Ambient {
        let before = current.clone();
        current.deadline.set(self.deadline.get());
        current.shielded.set(self.shielded.get());
        before
    }
}

#[inline]
fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

thread_local! {
    static THREAD: Ambient = const { Ambient { deadline: Cell::new(None), shielded: Cell::new(false) } };
}

/// Hands `f` what is ambient for the caller, and whether the caller was cancelled.
fn with_ambient<R>(f: impl FnOnce(&Ambient, bool) -> R) -> R {
    let mut f = Some(f);
    let in_fiber = Worker::with(|worker| {
        worker?.running(|fiber| {
            // SAFETY: it runs on this thread.
            let ambient = unsafe { &fiber.owned().ambient };
            f.take().map(|f| f(ambient, fiber.is_cancelled()))
        })?
    });
    match (in_fiber, f) {
        (Some(result), _) => result,
        (None, Some(f)) => THREAD.with(|ambient| f(ambient, false)),
        (None, None) => unreachable!("taken only to be called"),
    }
}

/// Whether the caller may go on waiting, and until when: `deadline` or the ambient one, whichever is first.
#[inline]
pub(crate) fn admit(deadline: Option<Instant>) -> Result<Option<Instant>, Interrupted> {
    with_ambient(|ambient, cancelled| ambient.admit(cancelled, deadline))
}

/// As [`admit`], for a fiber.
///
/// # Safety
///
/// It runs, on this thread.
#[inline]
pub(crate) unsafe fn admit_fiber(fiber: &Control, deadline: Option<Instant>) -> Result<Option<Instant>, Interrupted> {
    // SAFETY: this is its home worker's thread.
    unsafe { fiber.owned() }.ambient.admit(fiber.is_cancelled(), deadline)
}

/// Whether the caller may go on.
///
/// For loops that compute for long without waiting: `cancel::check()?` makes them end when asked.
///
/// # Errors
///
/// [`Cancelled`](Interrupted::Cancelled) or [`TimedOut`](Interrupted::TimedOut), as any wait would fail now.
#[inline]
pub fn check() -> Result<(), Interrupted> {
    match admit(None)? {
        Some(deadline) if deadline <= clock::now() => Err(Interrupted::TimedOut),
        _ => Ok(()),
    }
}

/// The ambient deadline of the caller, if there is one and no [`shield`] holds it off.
pub fn deadline() -> Option<Instant> {
    with_ambient(|ambient, _| ambient.deadline.get())
}

/// What the caller hands on to a fiber that it spawns.
pub(crate) fn inherited() -> Inherited {
    with_ambient(|ambient, cancelled| Inherited {
        deadline: ambient.deadline.get(),
        cancelled: cancelled && !ambient.shielded.get(),
    })
}

/// Whether a [`shield`] holds cancellation off from the caller.
pub(crate) fn is_shielded() -> bool {
    with_ambient(|ambient, _| ambient.shielded.get())
}

/// Runs `f`; from `timeout` on, every wait inside fails with [`TimedOut`](Interrupted::TimedOut), on this fiber and on those that
/// it spawns inside. An earlier deadline from outside goes on to hold.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// use std::time::Duration;
/// use fibra_scheduler::cancel::{Interrupted, with_timeout};
/// use fibra_scheduler::sleep;
///
/// let result = with_timeout(Duration::from_millis(1), || sleep(Duration::from_secs(3600)));
/// assert_eq!(result, Err(Interrupted::TimedOut));
/// # }).unwrap();
/// ```
pub fn with_timeout<T>(timeout: Duration, f: impl FnOnce() -> T) -> T {
    // A timeout beyond what an instant can hold is none.
    match clock::now().checked_add(timeout) {
        Some(deadline) => with_deadline(deadline, f),
        None => f(),
    }
}

/// As [`with_timeout`], with an instant; `None` is no deadline but that from outside.
#[inline(always)] // As `on_first_park`.
pub fn with_deadline<T>(deadline: impl Into<Option<Instant>>, f: impl FnOnce() -> T) -> T {
    let deadline = deadline.into();
    let Some(ambient) = innermost() else { return under(with_ambient(|outer, _| outer.until(deadline)), f) };
    // SAFETY: the caller's fiber runs until this function returns, and its control block stays until it has ended; only this thread uses it.
    let ambient = unsafe { ambient.as_ref() };
    let outer = ambient.deadline.replace(ambient.until(deadline).deadline.get());
    let _restore = Earlier { ambient, deadline: outer };
    f()
}

/// What is ambient for the running fiber; `None` on a plain thread, and within a context inside the fiber, which may outlive it.
#[inline]
fn innermost() -> Option<NonNull<Ambient>> {
    Worker::with(|worker| {
        worker?.running(|fiber| {
            // SAFETY: it runs on this thread.
            unsafe { fiber.is_innermost().then(|| NonNull::from(&fiber.owned().ambient)) }
        })?
    })
}

/// Puts an earlier deadline back, also when the call panics.
struct Earlier<'a> {
    ambient: &'a Ambient,
    deadline: Option<Instant>,
}

impl Drop for Earlier<'_> {
    #[inline]
    fn drop(&mut self) {
        self.ambient.deadline.set(self.deadline);
    }
}

/// Runs `f` with cancellation and deadlines held off: for what must be completed once begun, such as giving back what was taken.
/// They strike again behind it.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// use std::time::Duration;
/// use fibra_scheduler::cancel::{shield, with_timeout};
/// use fibra_scheduler::sleep;
///
/// let both = with_timeout(Duration::ZERO, || {
///     (shield(|| sleep(Duration::from_millis(1))), sleep(Duration::from_millis(1)))
/// });
/// assert!(both.0.is_ok() && both.1.is_err());
/// # }).unwrap();
/// ```
pub fn shield<T>(f: impl FnOnce() -> T) -> T {
    under(Ambient { deadline: Cell::new(None), shielded: Cell::new(true) }, f)
}

/// Runs `f` under `inside`, and puts back what was there before, also when `f` panics.
fn under<T>(inside: Ambient, f: impl FnOnce() -> T) -> T {
    struct Restore(Ambient);
    impl Drop for Restore {
        fn drop(&mut self) {
            with_ambient(|current, _| {
                self.0.replace(current);
            });
        }
    }
    let _restore = Restore(with_ambient(|current, _| inside.replace(current)));
    f()
}
