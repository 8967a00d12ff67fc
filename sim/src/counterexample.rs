//! Counterexamples: cases that fail, why they do, and whether two fail alike.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::draws::Drawn;
use crate::recipe::Recipe;

/// How many last events are told.
const EVENTS_TOLD: usize = 24;

/// How many draws of one name are told.
const DRAWS_TOLD: usize = 16;

/// In which way a case fails.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A host, a client, a rule or the test returned an error.
    Error,
    /// One of them panicked.
    Panic {
        /// File, line and column.
        location: String,
    },
    /// All fibers waited for ever.
    Deadlock,
    /// Some client did not come to its end in time.
    OutOfTime,
    /// It took another course when it was run again.
    Irreproducible,
}

/// Why a case fails.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) kind: Kind,
    pub(crate) what: String,
    pub(crate) at: Duration,
    pub(crate) hash: Option<u64>,
    pub(crate) configuration: String,
    pub(crate) last_events: Vec<String>,
}

impl Broken {
    pub(crate) fn new(kind: Kind, what: String) -> Self {
        let (configuration, last_events) = (String::new(), Vec::new());
        Self { kind, what, at: Duration::ZERO, hash: None, configuration, last_events }
    }
}

/// A case that fails. Displayed, it says how it was configured, what was drawn, and what happened last.
#[derive(Clone, Debug)]
pub struct Counterexample {
    pub(crate) recipe: Recipe,
    pub(crate) drawn: Vec<Drawn>,
    pub(crate) rules: Vec<String>,
    pub(crate) broken: Broken,
}

impl Counterexample {
    /// What leads there again, exactly.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// What the case drew.
    pub fn drawn(&self) -> &[Drawn] {
        &self.drawn
    }

    /// The names of the [rules](crate::Case::rule) that were in force.
    pub fn rules(&self) -> &[String] {
        &self.rules
    }

    /// In which way it fails.
    pub fn kind(&self) -> &Kind {
        &self.broken.kind
    }

    /// What went wrong, in words.
    pub fn what(&self) -> &str {
        &self.broken.what
    }

    /// When, in virtual time from the beginning.
    pub fn at(&self) -> Duration {
        self.broken.at
    }

    /// The hash of the run; none if it did not run, or took another course each time.
    pub fn hash(&self) -> Option<u64> {
        self.broken.hash
    }

    /// Hosts, links and faults, as they were configured.
    pub fn configuration(&self) -> &str {
        &self.broken.configuration
    }

    /// What happened last in the network, a line for each event.
    pub fn last_events(&self) -> &[String] {
        &self.broken.last_events
    }

    /// Whether it is the same run as another.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.broken.hash == other.broken.hash && self.drawn == other.drawn && self.broken.what == other.broken.what
    }

    /// Whether it fails in the same way as another: panics at the same place, errors with the same words but for numbers, and so on.
    pub fn is_alike(&self, other: &Self) -> bool {
        let is_same_kind = self.broken.kind == other.broken.kind;
        is_same_kind && (self.broken.kind != Kind::Error || words(&self.broken.what) == words(&other.broken.what))
    }
}

/// The first line of a message, with its numbers left out.
fn words(message: &str) -> String {
    let mut words = String::new();
    for letter in message.lines().next().unwrap_or_default().chars() {
        match letter.is_ascii_digit() {
            true if words.ends_with('#') => {}
            true => words.push('#'),
            false => words.push(letter),
        }
    }
    words
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let broken = &self.broken;
        writeln!(f, "after {:?} of virtual time, {}", broken.at, broken.what)?;
        if !self.drawn.is_empty() {
            f.write_str("drawn:")?;
            let mut by_name = BTreeMap::<_, Vec<u64>>::new();
            self.drawn.iter().for_each(|drawn| by_name.entry(drawn.name).or_default().push(drawn.value));
            for (place, (name, values)) in by_name.iter().enumerate() {
                let told: Vec<_> = values.iter().take(DRAWS_TOLD).map(u64::to_string).collect();
                let more = if values.len() > DRAWS_TOLD { ", .." } else { "" };
                write!(f, "{} {name} = {}{more}", if place == 0 { "" } else { ";" }, told.join(", "))?;
            }
            writeln!(f)?;
        }
        if !broken.configuration.is_empty() {
            writeln!(f, "configuration:\n{}", broken.configuration)?;
        }
        if !broken.last_events.is_empty() {
            writeln!(f, "what happened last:")?;
            let skipped = broken.last_events.len().saturating_sub(EVENTS_TOLD);
            broken.last_events.iter().skip(skipped).try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        match broken.hash {
            Some(hash) => writeln!(f, "hash: {hash:#018x}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_no_difference_between_failures() {
        assert_eq!(words("alice ended: 120 of 7 are gone\n at x"), words("alice ended: 3 of 12 are gone"));
        assert_ne!(words("alice ended: 120"), words("alice ended 120"));
    }
}
