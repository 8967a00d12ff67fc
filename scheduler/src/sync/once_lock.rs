//! [`OnceLock`]: a value that is made once.
//!
//! The value itself is in a [`std::sync::OnceLock`]. Who makes it does so under a [`Mutex`] of ours, on which the others park, and
//! only then sets it; so std's cell is never waited for.

use std::fmt;
use std::sync;

use super::mutex::Mutex;
use super::primitive::Sleeper;
use super::waiters::{End, Left, Limit, Waiters};
use crate::cancel::Interrupted;
use crate::park::Reason;

/// A cell that is written once, as [`std::sync::OnceLock`] is, whose initialisation may park.
///
/// ```
/// # fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).run(|| {
/// use fibra_scheduler::sync::OnceLock;
///
/// static CONFIG: OnceLock<String> = OnceLock::new();
/// let config = CONFIG.get_or_init(|| {
///     fibra_scheduler::yield_now(); // Others who ask meanwhile wait for the value.
///     "the defaults".to_owned()
/// });
/// assert_eq!(config, "the defaults");
/// # }).unwrap();
/// ```
///
/// **Cancellation and ambient deadlines do not cut [`get_or_init`](OnceLock::get_or_init) and [`set`](OnceLock::set)**: they must return the
/// value. They cut [`wait`](OnceLock::wait).
///
/// # Differences from std
///
/// An initialiser that asks for the value it makes panics, instead of waiting for itself. `wait` returns a `Result`.
pub struct OnceLock<T> {
    value: sync::OnceLock<T>,
    making: Mutex<()>,
    waiters: Waiters<()>,
}

impl<T> OnceLock<T> {
    /// An empty cell.
    pub const fn new() -> Self {
        OnceLock { value: sync::OnceLock::new(), making: Mutex::new(()), waiters: Waiters::new(()) }
    }

    /// The value, if it is there.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, if it is there.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// The value; if there is none yet, `f` makes it, while others wait for that. If `f` panics, the cell stays empty.
    ///
    /// # Panics
    ///
    /// If `f` does, or asks for this cell's value.
    #[inline]
    pub fn get_or_init(&self, f: impl FnOnce() -> T) -> &T {
        match self.value.get() {
            Some(value) => value,
            None => self.init(f),
        }
    }

    #[cold]
    fn init(&self, f: impl FnOnce() -> T) -> &T {
        let making = self.making.lock();
        if self.value.get().is_none() {
            let value = f();
            // Nobody else sets it: we hold `making`. So this closure runs, at once, and the cell is never waited for.
            self.value.get_or_init(|| value);
            drop(making);
            self.waiters.lock().grant_all(0, |_, ()| {});
        }
        self.value.get_or_init(|| unreachable!("set above, or by who held the lock before"))
    }

    /// Sets the value; waits for an initialisation that is under way.
    ///
    /// # Errors
    ///
    /// `value`, if there is one already.
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        let mut take = || value.take();
        if self.value.get().is_none() {
            // The closure runs at most once, and then the value is in there.
            self.get_or_init(|| take().unwrap_or_else(|| unreachable!("runs once")));
        }
        value.map_or(Ok(()), Err)
    }

    /// Waits for the value, which another makes.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](Interrupted::Cancelled), or [`TimedOut`](Interrupted::TimedOut) by an ambient deadline.
    pub fn wait(&self) -> Result<&T, Interrupted> {
        loop {
            if let Some(value) = self.value.get() {
                return Ok(value);
            }
            let sleeper = Sleeper::prepared();
            let guard = self.waiters.lock();
            // Who sets the value takes the lock after that.
            if self.value.get().is_some() {
                continue;
            }
            if let Err(Left { interrupted, .. }) =
                guard.wait(sleeper, 0, End::Back, (), &Reason::OnceLock, Limit::cut(None))
            {
                return Err(interrupted);
            }
        }
    }

    /// The value, if it is there.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Takes the value out; the cell is empty again.
    pub fn take(&mut self) -> Option<T> {
        self.value.take()
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceLock<T> {
    fn from(value: T) -> Self {
        OnceLock { value: value.into(), ..Self::new() }
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> Self {
        OnceLock { value: self.value.clone(), ..Self::new() }
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
