//! The error of a seeded run in which nothing can happen any more: who waits for what.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::park::Reason;

/// Every fiber waits, and no timer is armed.
///
/// The fibers are cancelled first, as at a shutdown; those that do not end are leaked.
///
/// ```
/// use fibra_scheduler::park::{self, Reason};
/// use fibra_scheduler::{driver, runtime, seeded, spawn};
///
/// let nobody_wakes_it = || spawn(|| park::wait(Reason::Channel, None)).join();
/// let error = runtime::Builder::new(driver::idle).seed(1).run(nobody_wakes_it).unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::Deadlock);
/// let deadlock = error.get_ref().unwrap().downcast_ref::<seeded::Deadlock>().unwrap();
/// assert_eq!(deadlock.fibers(), 2);
/// assert!(deadlock.to_string().contains("waits for the end of fiber 1"));
/// ```
#[derive(Clone, Debug)]
pub struct Deadlock {
    pub(crate) seed: u64,
    pub(crate) at: Duration,
    pub(crate) waiting: Vec<Waiting>,
    /// Whether something would have happened, but too late.
    pub(crate) is_late: bool,
    pub(crate) hash: u64,
}

impl Deadlock {
    /// When it came to that, after the beginning of the run.
    pub fn at(&self) -> Duration {
        self.at
    }

    /// Whether something would have happened yet, but after the run's [limit](crate::runtime::Seeded::time_limit).
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// The hash of the run's [trace](super::Trace), up to its end.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many fibers wait.
    pub fn fibers(&self) -> usize {
        self.waiting.len()
    }
}

impl std::error::Error for Deadlock {}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.is_late {
            false => "every fiber waits, and no timer is armed",
            true => "nothing more happens in the time that it has",
        };
        write!(f, "deadlock in the run with seed {} at {:?}: {why}", self.seed, self.at)?;
        self.waiting.iter().try_for_each(|fiber| write!(f, "\n  {fiber}"))
    }
}

/// A fiber that waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// Counted from 0 within the run.
    pub(crate) number: u64,
    pub(crate) name: Option<Box<str>>,
    pub(crate) spawned_at: &'static Location<'static>,
    pub(crate) reason: Reason,
    /// The number of the fiber that it joins.
    pub(crate) joins: Option<u64>,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fiber {}", self.number)?;
        if let Some(name) = &self.name {
            write!(f, " '{name}'")?;
        }
        write!(f, ", spawned at {}, waits for ", self.spawned_at)?;
        match (self.reason, self.joins) {
            (Reason::Join(_), Some(number)) => write!(f, "the end of fiber {number}"),
            (Reason::Join(_), None) => write!(f, "the end of a fiber"),
            (Reason::Scope, _) => write!(f, "the fibers of its scope"),
            (Reason::Parked, _) => write!(f, "its token"),
            (reason, _) => write!(f, "{reason:?}"),
        }
    }
}
