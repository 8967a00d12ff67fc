//! What a simulation has come to: a report, or a failure that says how to see it again.

use std::fmt;
use std::time::Duration;

use fibra_scheduler::seeded::Trace;

/// Something that has happened in the network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happened {
    pub(super) at: u64,
    pub(super) what: &'static str,
    pub(super) from: u16,
    pub(super) to: u16,
    pub(super) count: usize,
}

impl Happened {
    /// As a line, given the names of both.
    pub(super) fn describe(&self, from: &str, to: &str) -> String {
        let at = Duration::from_nanos(self.at);
        match (from == to, self.count) {
            (true, _) => format!("{at:?} {from}: {}", self.what),
            (false, 0) => format!("{at:?} {from} -> {to}: {}", self.what),
            (false, count) => format!("{at:?} {from} -> {to}: {} ({count} bytes)", self.what),
        }
    }
}

/// A simulation in which all clients have come to their ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub(super) trace: Trace,
    pub(super) events: u64,
    pub(super) configuration: String,
}

impl Report {
    /// The run: its seed, its hash, how many fibers there were, how much virtual time it took.
    ///
    /// The [hash](Trace::hash) is over each switch between fibers, each event in the network, and the times of both.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The hash of the [trace](Self::trace): the same for the same seed, on each machine, in debug and release.
    pub fn hash(&self) -> u64 {
        self.trace.hash()
    }

    /// How much virtual time it took.
    pub fn elapsed(&self) -> Duration {
        self.trace.elapsed()
    }

    /// How much has happened in the network: arrivals, losses, crashes.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Hosts, links and faults, as they were configured. What happened last says [`Network::last_events`](super::Network::last_events).
    pub fn configuration(&self) -> &str {
        &self.configuration
    }
}

/// Why a simulation has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// A host or a client returned an error.
    Error {
        /// Its name.
        host: String,
        /// What it returned.
        error: String,
    },
    /// The first fiber of a host or a client panicked.
    Panic {
        /// Its name.
        host: String,
        /// The panic's message.
        message: String,
    },
    /// All fibers wait, and nothing can happen any more: who waits for what.
    Deadlock(String),
    /// Some client has not come to its end in time.
    OutOfTime {
        /// How much virtual time there was.
        limit: Duration,
        /// Who waits for what.
        waiting: String,
    },
    /// The simulation did not start.
    Start(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error { host, error } => write!(f, "{host} ended with an error: {error}"),
            Self::Panic { host, message } => write!(f, "{host} panicked: {message}"),
            Self::Deadlock(deadlock) => f.write_str(deadlock),
            Self::OutOfTime { limit, waiting } => write!(f, "some client has not ended after {limit:?}: {waiting}"),
            Self::Start(error) => write!(f, "the simulation did not start: {error}"),
        }
    }
}

/// A simulation that has failed. Displayed, it says all that is needed to see it again: the seed, how it was configured, and what happened last.
#[derive(Clone, Debug)]
pub struct Failure(Box<Details>);

/// What a [`Failure`] tells.
#[derive(Clone, Debug)]
pub(super) struct Details {
    pub(super) seed: u64,
    pub(super) cause: Cause,
    pub(super) at: Duration,
    pub(super) hash: Option<u64>,
    pub(super) configuration: String,
    pub(super) last: Vec<String>,
}

impl Failure {
    pub(super) fn new(details: Details) -> Self {
        Self(Box::new(details))
    }

    /// The seed that leads there again.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// Why it has failed.
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// When, in virtual time from the beginning.
    pub fn at(&self) -> Duration {
        self.0.at
    }

    /// The hash of the run's trace, up to its end; none if it did not start.
    pub fn hash(&self) -> Option<u64> {
        self.0.hash
    }

    /// Hosts, links and faults, as they were configured.
    pub fn configuration(&self) -> &str {
        &self.0.configuration
    }

    /// What happened last in the network, a line for each event.
    pub fn last_events(&self) -> &[String] {
        &self.0.last
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { seed, cause, at, configuration, last, .. } = &*self.0;
        writeln!(f, "seed {seed}, after {at:?}: {cause}")?;
        writeln!(f, "configuration:\n{configuration}")?;
        writeln!(f, "what happened last:")?;
        last.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}
