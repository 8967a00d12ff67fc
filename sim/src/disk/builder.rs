//! A disk's settings.

use std::time::Duration;

use fibra_net::sim::Latency;
use fibra_scheduler::seeded::Rng;

use super::dice::chance;
use super::faults::Faults;
use super::handle::Disk;

/// How long an operation takes this time.
pub(super) fn draw(latency: Latency, rng: &mut Rng) -> Duration {
    let (min, max) = match chance(rng, latency.tail) {
        true => (latency.max, latency.tail_max),
        false => (latency.min, latency.max),
    };
    let span = usize::try_from(max.saturating_sub(min).as_nanos()).unwrap_or(usize::MAX - 1);
    if span == 0 { min } else { min + Duration::from_nanos(rng.below(span + 1) as u64) }
}

/// Settings of a [`Disk`]; made by [`Disk::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    pub(super) name: Box<str>,
    pub(super) seed: Option<u64>,
    pub(super) capacity: u64,
    pub(super) faults: Faults,
    pub(super) reads: Option<Latency>,
    pub(super) writes: Option<Latency>,
    pub(super) syncs: Option<Latency>,
    pub(super) posix_names: bool,
}

impl Builder {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            seed: None,
            capacity: u64::MAX,
            faults: Faults::default(),
            reads: None,
            writes: None,
            syncs: None,
            posix_names: false,
        }
    }

    /// What decides everything that is left open, together with the disk's name. Default: the seed of the run in which it is first used; 0 outside of one.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// How many bytes it holds, in sectors of 512; beyond that, `ENOSPC`. Names and holes take none. Default: as many as there are.
    pub fn capacity(self, bytes: u64) -> Self {
        Self { capacity: bytes, ..self }
    }

    /// What goes wrong by itself. Default: nothing.
    pub fn faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// How long a read, a write, and a sync take a fiber, on virtual time. Default: none. On a plain thread they take none.
    pub fn latency(self, reads: Latency, writes: Latency, syncs: Latency) -> Self {
        Self { reads: Some(reads), writes: Some(writes), syncs: Some(syncs), ..self }
    }

    /// Has changes of names last only from a [`Disk::sync_directory`] on, not already from that of a file.
    pub fn posix_names(self) -> Self {
        Self { posix_names: true, ..self }
    }

    /// An empty disk.
    pub fn build(self) -> Disk {
        Disk::with(self)
    }
}
