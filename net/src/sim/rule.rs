//! Rules: what goes wrong as a user's own code says, beside the [`Fault`](super::Fault)s that are there.
//!
//! A rule is straight-line code in a fiber of its own, which belongs to no host: it sleeps by the run's clock, crashes with nobody, and what
//! it calls are the [`Network`] and the [`Hosts`]. So rules are composed as functions are.
//!
//! Invariant: when the faults end rules are cancelled first, and what they have done is mended then.

use fibra_scheduler::JoinHandle;

use super::builder::Ending;
use super::network::{Hosts, Network};

/// What a rule does.
pub(super) type Act = Box<dyn FnOnce(&Network, &Hosts) -> Ending>;

/// A rule that has not begun.
pub(super) struct Rule {
    pub(super) name: Box<str>,
    pub(super) act: Act,
}

/// The rules of a run.
#[derive(Default)]
pub(super) struct Rules {
    under_way: Vec<JoinHandle<()>>,
    is_over: bool,
}

impl Rules {
    pub(super) fn add(&mut self, rule: JoinHandle<()>) {
        self.under_way.push(rule);
    }

    /// Cancels them all: what they say from now on nobody hears.
    pub(super) fn end(&mut self) {
        self.is_over = true;
        self.under_way.drain(..).for_each(|rule| rule.cancel());
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }
}
