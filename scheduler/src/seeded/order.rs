//! The seam to run order: which of the fibers that can run is next.
//!
//! Each is as likely as any other, so every schedule has a chance, though schedules in which one fiber must lose many draws in a row
//! have a small one.
//!
//! Fibers of a crashed host come before all others, so that nobody meets half of what it left; those of a paused one do not come.

use super::Host;
use super::host::State;
use crate::control::Runnable;
use crate::rng::Rng;

/// Keeps this generator apart from others of the same seed.
const PURPOSE: u64 = 1;

/// A fiber that can run, and whose it is.
type Entry = (Runnable, Option<Host>);

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Order {
    rng: Rng,
    runnable: Vec<Entry>,
    /// Of crashed hosts.
    ending: Vec<Entry>,
    /// Of paused hosts.
    paused: Vec<Entry>,
    /// Of crashed hosts, never to be run again.
    stranded: Vec<Entry>,
}

impl Order {
    pub(super) fn new(seed: u64) -> Self {
        let [runnable, ending, paused, stranded] = Default::default();
        Order { rng: Rng::new(seed, PURPOSE), runnable, ending, paused, stranded }
    }

    /// Adds a fiber that can run.
    pub(crate) fn push(&mut self, runnable: Runnable, host: Option<Host>) {
        let entries = match host.map_or(State::Up, Host::state) {
            State::Up => &mut self.runnable,
            State::Paused => &mut self.paused,
            State::Crashed => &mut self.ending,
        };
        entries.push((runnable, host));
    }

    /// Hosts are in another state than when their fibers were added.
    pub(crate) fn sort(&mut self) {
        for entries in [std::mem::take(&mut self.runnable), std::mem::take(&mut self.paused)] {
            entries.into_iter().for_each(|(runnable, host)| self.push(runnable, host));
        }
    }

    /// Takes the fiber that is next.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        while let Some((runnable, host)) = draw(&mut self.ending, &mut self.rng) {
            match host {
                Some(host) if host.is_past_hope() => self.stranded.push((runnable, Some(host))),
                host => return Some((runnable, host)),
            }
        }
        draw(&mut self.runnable, &mut self.rng)
    }

    /// Takes those that were not to run, when the run is over.
    pub(crate) fn pop_rest(&mut self) -> Option<Runnable> {
        let rest = [&mut self.ending, &mut self.runnable, &mut self.paused, &mut self.stranded];
        rest.into_iter().find_map(|entries| entries.pop()).map(|(runnable, _)| runnable)
    }
}

fn draw(entries: &mut Vec<Entry>, rng: &mut Rng) -> Option<Entry> {
    match entries.len() {
        0 => None,
        // No draw where there is no choice.
        1 => entries.pop(),
        len => Some(entries.swap_remove(rng.below(len))),
    }
}
