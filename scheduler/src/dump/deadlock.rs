//! The error of a run that cannot go on.

use std::{error, fmt, io};

use super::Dump;

/// Every fiber waits, and nothing is left that could wake one: what [`Builder::run`](crate::runtime::Builder::run) then returns,
/// inside an [`io::Error`] of kind [`Deadlock`](io::ErrorKind::Deadlock). It displays as the dump.
///
/// ```
/// use fibra_scheduler::dump::Deadlock;
///
/// fn report(error: &std::io::Error) {
///     if let Some(deadlock) = error.get_ref().and_then(|inner| inner.downcast_ref::<Deadlock>()) {
///         eprintln!("{} fibers wait for each other", deadlock.dump().fibers.len());
///     }
/// }
/// ```
pub struct Deadlock(Dump);

impl Deadlock {
    pub(crate) fn error(dump: Dump) -> io::Error {
        io::Error::new(io::ErrorKind::Deadlock, Deadlock(dump))
    }

    /// The fibers and what they wait for.
    pub fn dump(&self) -> &Dump {
        &self.0
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "every fiber waits, and nothing is left that could wake one\n{}", self.0)
    }
}

/// As `Display`: a `main` that returns the error prints it this way, and should print the report.
impl fmt::Debug for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for Deadlock {}
