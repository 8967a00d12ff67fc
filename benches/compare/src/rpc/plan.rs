//! What is measured: every peer in every group, once a round; and what their idle connections take.

use super::peers::{PEERS, Peer};
use super::shape::Shape;
use crate::options::{Options, Placement};

pub(crate) struct Plan {
    pub(crate) peers: Vec<&'static Peer>,
    /// In the order of measurement.
    pub(crate) groups: Vec<Group>,
    /// Of each measurement.
    pub(crate) seconds: f64,
    pub(crate) warm_up: f64,
    /// How many idle connections; 0: they are not measured.
    pub(crate) idle: usize,
}

/// A situation in which the peers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) placement: Placement,
    pub(crate) shape: Shape,
}

impl Plan {
    /// The plan that the options ask for, with at most so many connections. It may be empty.
    pub(crate) fn new(options: &Options, connections_max: u64) -> Plan {
        let placements = match (&options.placement[..], options.quick) {
            ([], true) => &[Placement::Pinned][..],
            ([], false) => &[Placement::Pinned, Placement::Shared, Placement::Unpinned],
            (chosen, _) => chosen,
        };
        let of = |&placement| Shape::ALL.map(|shape| Group { placement, shape });
        let seconds = options.seconds.unwrap_or(if options.quick { 0.25 } else { 1.0 });
        let chosen = |peer: &&Peer| {
            options.only.is_empty() || options.only.iter().any(|prefix| peer.name.starts_with(prefix.as_str()))
        };
        let idle = if options.quick { 2_000 } else { 10_000 };
        Plan {
            peers: if options.chooses_rpc() { PEERS.iter().filter(chosen).collect() } else { Vec::new() },
            groups: placements.iter().flat_map(of).collect(),
            seconds,
            warm_up: (seconds / 4.0).max(0.1),
            idle: if connections_max < idle { 0 } else { idle as usize },
        }
    }

    /// Whether there is nothing to measure.
    pub(crate) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// The peers, as indices, in the order of a round.
    pub(crate) fn order(&self, round: usize) -> impl Iterator<Item = usize> + use<> {
        let count = self.peers.len();
        (0..count).map(move |place| (place + round) % count)
    }

    /// How many measurements a round has.
    pub(crate) fn steps(&self) -> usize {
        let idle = if self.idle > 0 { self.peers.iter().filter(|peer| peer.idle).count() } else { 0 };
        self.peers.len() * self.groups.len() + idle
    }
}
