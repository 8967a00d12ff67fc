//! Seeds that once found a bug: those of `regressions.txt`, each with what it was.

use crate::workload;

const SEEDS: &str = include_str!("regressions.txt");

#[test]
fn seed_by_seed() {
    for line in SEEDS.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let (seed, what) = line.split_once('#').unwrap_or((line, ""));
        let seed = seed.trim().parse().unwrap_or_else(|_| panic!("a line begins with a seed: {line}"));
        if let Err(broken) = workload::run(seed).and_then(|_| workload::run_patiently(seed)) {
            panic!("{broken}\nonce it was:{what}");
        }
    }
}
