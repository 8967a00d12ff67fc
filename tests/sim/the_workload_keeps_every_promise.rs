//! Random clients, servers, calls and faults: whatever happens, what was promised holds. See `workload`.
//!
//! | variable | what it does |
//! |---|---|
//! | `FIBRA_SIM_SEEDS=100000` | how many seeds, instead of 300 |
//! | `FIBRA_SIM_SEED=17` | only that one |

use std::env;

use crate::support::seeds;
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
