//! Random clients, servers, calls and faults: whatever happens, what was promised holds. See `workload`.
//!
//! | variable | what it does |
//! |---|---|
//! | `FIBRA_SIM_SEEDS=100000` | how many seeds, instead of 300 |
//! | `FIBRA_SIM_SEED=17` | only that one |

use std::env;

use fibra::sim::{Schedule, Trouble};

use crate::support::seeds;
use crate::workload::plan::{Around, Plan};
use crate::workload::{self, Ran};

/// One in so many seeds runs a second time, which must come to the same.
const RERUN: u64 = 100;

fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {value}")))
}

fn run(seed: u64) -> Ran {
    workload::run(seed).unwrap_or_else(|broken| {
        let what = broken.to_string();
        let smaller = workload::shrink(broken);
        panic!("{what}\nand smaller:\n{smaller}\nto see it again: FIBRA_SIM_SEED={seed} cargo test --test sim workload")
    })
}

#[test]
fn under_every_seed() {
    if let Some(seed) = number("FIBRA_SIM_SEED") {
        println!("{:?}", run(seed));
        return;
    }
    let mut calls = 0;
    for seed in seeds(300) {
        let ran = run(seed);
        calls += ran.tally.calls;
        if seed.is_multiple_of(RERUN) {
            assert_eq!(run(seed), ran, "seed {seed} takes another course the second time");
        }
    }
    println!("{calls} calls");
}

/// What a plan has beside plain calls, links and servers.
fn features(plan: &Plan) -> Vec<&'static str> {
    let hits_clients = |what| plan.faults.faults.iter().any(|fault| fault.what == what && !fault.hosts.is_empty());
    let is_any = |is_so: &dyn Fn(&Around) -> bool| plan.clients.iter().filter_map(|it| it.around.as_ref()).any(is_so);
    let features = [
        ("priorities", plan.schedule != Schedule::Random),
        ("slow links", plan.faults.conditions.bandwidth.is_some()),
        ("servers that stall", plan.faults.faults.iter().any(|fault| fault.what == Trouble::Stall)),
        ("clients that crash", hits_clients(Trouble::Crash)),
        ("clients that pause", hits_clients(Trouble::Pause)),
        ("clients without sockets", hits_clients(Trouble::NoDescriptors)),
        ("clients that stall", hits_clients(Trouble::Stall)),
        ("strict servers", plan.servers.iter().any(|server| server.is_strict)),
        ("metadata", plan.clients.iter().any(|client| client.metadata.is_some())),
        ("signed calls", is_any(&|around| *around == Around::Sign)),
        ("insistent clients", is_any(&|around| *around == Around::Insist)),
        ("lanes", plan.clients.iter().any(|client| client.lanes > 1)),
    ];
    features.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect()
}

#[test]
fn and_each_feature_is_there_and_is_not() {
    let plans: Vec<_> = (0..300).map(|seed| features(&Plan::draw(seed))).collect();
    let all: std::collections::BTreeSet<_> = plans.iter().flatten().copied().collect();
    assert_eq!(all.len(), 12, "{all:?}");
    for feature in all {
        let with = plans.iter().filter(|plan| plan.contains(&feature)).count();
        assert!((25..290).contains(&with), "{feature}: {with}");
    }
}
