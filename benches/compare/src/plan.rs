//! What is measured: every peer in every group, once a round, in an order that changes from round to round.

use std::io;

use crate::options::{Options, Placement};
use crate::placement;
use crate::rpc;
use crate::serve::Workload;
use crate::servers::{PEERS, Peer};

/// File descriptors that a process needs besides its connections.
const OTHER_DESCRIPTORS: u64 = 64;

pub(crate) struct Plan {
    pub(crate) peers: Vec<&'static Peer>,
    /// In the order of measurement.
    pub(crate) groups: Vec<Group>,
    pub(crate) rounds: usize,
    /// Of each measurement.
    pub(crate) seconds: f64,
    pub(crate) warm_up: f64,
    pub(crate) open_share: f64,
    /// How many file descriptors a process may have for connections.
    pub(crate) descriptors: u64,
    /// If no measurement is to begin later than this many seconds after the start.
    pub(crate) deadline: Option<f64>,
    pub(crate) rpc: rpc::plan::Plan,
}

/// A situation in which the peers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) workload: Workload,
    pub(crate) placement: Placement,
    pub(crate) connections: usize,
    /// Whether there is an open loop, too.
    pub(crate) open: bool,
}

impl Plan {
    /// The plan that the options ask for, and remarks about what they ask for and do not get.
    ///
    /// # Errors
    ///
    /// If they ask for a peer that does not exist, or nothing is left to measure.
    pub(crate) fn new(options: &Options) -> io::Result<(Plan, Vec<String>)> {
        let mut remarks = Vec::new();
        let mut peers = peers(&options.only)?;
        let limit = placement::raise_descriptor_limit()?.saturating_sub(OTHER_DESCRIPTORS);
        let default_connections: &[u32] =
            if options.quick { &[1, 100, 1000, 10_000] } else { &[1, 10, 100, 1000, 10_000] };
        let mut connections = or_default(&options.connections, default_connections);
        connections.sort_unstable();
        connections.dedup();
        connections.retain(|&count| {
            let fits = u64::from(count) <= limit;
            if !fits {
                remarks.push(format!("{count} connections are left out: a process may have {limit} (ulimit -Hn)"));
            }
            fits
        });
        let default_placements: &[Placement] =
            if options.quick { &[Placement::Pinned] } else { &[Placement::Pinned, Placement::Unpinned] };
        let mut groups = Vec::new();
        // What tells most comes first, should the time not suffice for the rest.
        connections.sort_by_key(|&count| count.abs_diff(1000));
        for placement in or_default(&options.placement, default_placements) {
            for &count in &connections {
                for workload in options.workloads() {
                    let connections = count as usize;
                    // The client of an open loop never sleeps, so it needs a CPU of its own.
                    let open = placement == Placement::Pinned && (!options.quick || connections > 1);
                    groups.push(Group { workload, placement, connections, open });
                }
            }
        }
        if peers.is_empty() {
            groups.clear();
        }
        if groups.is_empty() {
            peers.clear();
        }
        let rpc = rpc::plan::Plan::new(options, limit);
        if groups.is_empty() && rpc.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "nothing is left to measure"));
        }
        let seconds = options.seconds.unwrap_or(if options.quick { 0.25 } else { 1.0 });
        if !(0.01..=3600.0).contains(&seconds) || !(0.01..=10.0).contains(&options.open_share) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "--seconds or --open-share is out of range"));
        }
        let plan = Plan {
            peers,
            groups,
            rounds: options.rounds.map_or(if options.quick { 1 } else { 5 }, |rounds| rounds as usize),
            seconds,
            warm_up: (seconds / 4.0).max(0.1),
            open_share: options.open_share,
            descriptors: limit,
            deadline: options.quick.then_some(100.0),
            rpc,
        };
        Ok((plan, remarks))
    }

    /// The peers, as indices, in the order of a round. In the first, the first one comes first: the others' open loops go by
    /// its closed one.
    pub(crate) fn order(&self, round: usize) -> impl Iterator<Item = usize> + use<> {
        let count = self.peers.len();
        (0..count).map(move |place| (place + round) % count)
    }
}

/// Those whose names begin with one of `only`.
fn peers(only: &[String]) -> io::Result<Vec<&'static Peer>> {
    for prefix in only {
        let names = || PEERS.iter().map(|peer| peer.name).chain(rpc::peers::PEERS.iter().map(|peer| peer.name));
        if !names().any(|name| name.starts_with(prefix.as_str())) {
            let names = names().collect::<Vec<_>>().join(", ");
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("no peer is called {prefix}: there are {names}"),
            ));
        }
    }
    let chosen = |peer: &&Peer| only.is_empty() || only.iter().any(|prefix| peer.name.starts_with(prefix.as_str()));
    Ok(PEERS.iter().filter(chosen).collect())
}

fn or_default<T: Clone>(chosen: &[T], default: &[T]) -> Vec<T> {
    if chosen.is_empty() { default.to_vec() } else { chosen.to_vec() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use clap::Parser;

    use super::*;

    fn plan(arguments: &[&str]) -> io::Result<Plan> {
        Plan::new(&Options::parse_from([&["fibra-compare"], arguments].concat())).map(|(plan, _)| plan)
    }

    #[test]
    fn each_peer_comes_first_in_one_of_as_many_rounds() {
        let plan = plan(&[]).unwrap();
        let firsts: HashSet<_> = (0..plan.peers.len()).map(|round| plan.order(round).next()).collect();
        assert_eq!(firsts.len(), plan.peers.len());
        assert_eq!(plan.order(0).next(), Some(0));
        assert_eq!(plan.order(3).collect::<HashSet<_>>().len(), plan.peers.len(), "each once a round");
    }

    #[test]
    fn a_beginning_names_all_peers_that_begin_so() {
        let names: Vec<_> = plan(&["--only", "tokio,fibra"]).unwrap().peers.iter().map(|peer| peer.name).collect();
        assert_eq!(names, ["fibra", "tokio-current", "tokio-multi"]);
        assert!(plan(&["--only", "tomcat"]).is_err());
    }

    #[test]
    fn more_connections_than_descriptors_are_left_out() {
        assert!(plan(&["--workload", "echo", "--connections", "1000000"]).is_err(), "nothing is left");
    }
}
