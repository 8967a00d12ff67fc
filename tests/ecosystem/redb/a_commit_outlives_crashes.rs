use std::panic::catch_unwind;

use fibra::sim::disk::Faults;

use super::support::Machine;

/// How often what came to pass that the tests are about.
#[derive(Debug, Default)]
struct Tally {
    commits: u64,
    recoveries_cut: u64,
    torn: u64,
    reordered: u64,
    errors: u64,
}

/// Lives that end somewhere, in commits and in recoveries.
fn live_and_die(seed: u64, faults: Faults) -> Machine {
    let mut machine = Machine::new(seed, faults);
    for _ in 0..6 {
        let many = machine.rng.below(3).pow(2) * 30;
        let changes = 1 + machine.rng.below(many + 10) as u64;
        machine.live(changes);
    }
    machine.disk.set_faults(Faults::default());
    assert!(machine.check().expect("no fault is left"), "redb's own check");
    machine
}

/// As many seeds as `FIBRA_REDB_SEEDS` says.
fn each_seed(seeds: u64, faults: impl Fn(u64) -> Faults) -> Tally {
    let seeds = std::env::var("FIBRA_REDB_SEEDS").map_or(seeds, |seeds| seeds.parse().expect("a number of seeds"));
    let mut tally = Tally::default();
    for seed in 0..seeds {
        let faults = faults(seed);
        let machine = catch_unwind(|| live_and_die(seed, faults)).unwrap_or_else(|_| panic!("by seed {seed}"));
        let statistics = machine.disk.statistics();
        tally.commits += machine.commits;
        tally.recoveries_cut += machine.recoveries_cut;
        tally.torn += statistics.torn;
        tally.reordered += statistics.reordered;
        tally.errors += statistics.read_errors + statistics.write_errors + statistics.sync_errors;
    }
    println!("{seeds} seeds: {tally:?}");
    tally
}

#[test]
fn whenever_they_come() {
    let tally = each_seed(3000, |_| Faults::default());
    assert!(tally.commits > 10_000 && tally.recoveries_cut > 1000, "{tally:?}");
    assert!(tally.torn > 1000 && tally.reordered > 1000, "{tally:?}");
}

#[test]
fn even_if_sectors_are_torn() {
    each_seed(500, |_| Faults { torn_sectors: 0.2, ..Faults::default() });
}

#[test]
fn whatever_has_failed_before() {
    let tally = each_seed(1500, |seed| {
        let some = |bit: u64| if seed >> bit & 1 == 1 { 0.01 } else { 0.0 };
        let (read_errors, write_errors) = (some(0), some(1));
        Faults {
            read_errors,
            write_errors,
            sync_errors: 5.0 * some(2),
            short_writes: 10.0 * some(3),
            ..Faults::default()
        }
    });
    assert!(tally.errors > 1000, "{tally:?}");
}

#[test]
fn the_same_seed_gives_the_same_writes() {
    for seed in 0..20 {
        let [one, same] = [(); 2].map(|()| live_and_die(seed, Faults::default()).disk.statistics());
        assert_eq!(one, same);
    }
}

/// The counter-example, so that the others are known to be able to fail.
#[cfg(panic = "unwind")]
#[test]
fn unless_the_disk_lies() {
    let faults = Faults { ignored_syncs: 1.0, ..Faults::default() };
    let found = (0..40).filter(|&seed| catch_unwind(|| live_and_die(seed, faults)).is_err()).count();
    assert!(found > 30, "{found} of 40");
}

/// After a sync that failed, what is in the page cache is not what is on the disk, and no later sync mends that. redb 4.6 opens what it reads,
/// commits on top of it with success, and after a crash that is "Primary is corrupted despite 2-phase commit", "All roots are
/// corrupted", or a panic ("entered unreachable code"): 188 of 1,000 seeds. Who uses it must not open a database again after
/// an error of a sync before its machine has started anew.
#[test]
#[ignore = "redb goes on with what a failed sync has left in doubt"]
fn even_if_it_is_opened_again_after_a_sync_failed() {
    let mut machine = Machine::new(0, Faults { sync_errors: 0.05, ..Faults::default() });
    for _ in 0..6 {
        let changes = 1 + machine.rng.below(100) as u64;
        machine.live_on(changes);
    }
    machine.disk.set_faults(Faults::default());
    assert!(machine.check().expect("no fault is left"), "redb's own check");
}
