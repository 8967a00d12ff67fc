use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use fibra_scheduler::seeded::{Schedule, Trace};
use fibra_scheduler::sync::channel;
use fibra_scheduler::{driver, runtime, spawn_local, yield_now};

fn run<T>(seed: u64, schedule: Schedule, f: impl FnOnce() -> T + 'static) -> (T, Trace) {
    runtime::Builder::new(driver::idle).seed(seed).schedule(schedule).run_traced(f).expect("no deadlock")
}

/// A client that asks a service again and again, and leaves something half done while it waits for the answer in round `gap`. Whether an onlooker
/// found that; and, if it is `slow`, acted on it only when the client was further on.
fn found(rounds: usize, gap: usize, slow: bool) -> bool {
    let round = Rc::new(Cell::new(0));
    let (ask, asked) = channel::bounded(1);
    let (answer, answered) = channel::bounded(1);
    let service = spawn_local(move || asked.iter().try_for_each(|()| answer.send(())));
    let client = spawn_local({
        let round = round.clone();
        move || {
            for number in 0..rounds {
                round.set(number);
                ask.send(()).expect("the service listens");
                answered.recv().expect("the service answers");
            }
        }
    });
    let onlooker = spawn_local(move || {
        let looked_at = round.get();
        if slow {
            yield_now();
        }
        looked_at == gap && (!slow || round.get() > gap + 1)
    });
    client.join().expect("no panic");
    service.join().expect("no panic").expect("the client takes all answers");
    onlooker.join().expect("no panic")
}

/// The first of so many seeds that finds it.
fn finder(seeds: u64, schedule: Schedule, rounds: usize, gap: usize, slow: bool) -> Option<u64> {
    (0..seeds).find(|&seed| run(seed, schedule, move || found(rounds, gap, slow)).0)
}

/// As a user would find out.
fn priorities(depth: u32, rounds: usize, gap: usize, slow: bool) -> Schedule {
    let (_, trace) = run(0, Schedule::Random, move || found(rounds, gap, slow));
    Schedule::Priorities { depth, steps: trace.events() / 2 }
}

/// The onlooker is held back, and the client at one step.
#[test]
fn a_bug_of_two_constraints() {
    assert_eq!(finder(3000, priorities(2, 20, 16, false), 20, 16, false), Some(14));
    assert_eq!(finder(3000, Schedule::Random, 20, 16, false), None);
}

/// The onlooker is held back, the client at one step, and the onlooker at the next one.
#[test]
fn a_bug_of_three_constraints() {
    assert_eq!(finder(3000, priorities(2, 12, 9, true), 12, 9, true), None);
    assert_eq!(finder(3000, priorities(3, 12, 9, true), 12, 9, true), Some(297));
    assert_eq!(finder(3000, Schedule::Random, 12, 9, true), None);
}

/// 1 / (n * steps^(depth - 1)), of the paper; here of n = 4 fibers, with the first.
#[test]
fn as_often_as_the_paper_says() {
    let schedule = priorities(2, 20, 16, false);
    let Schedule::Priorities { steps, .. } = schedule else { unreachable!("chosen above") };
    let seeds = 2 * 4 * steps;
    let finders = (0..seeds).filter(|&seed| run(seed, schedule, || found(20, 16, false)).0).count();
    assert!(finders >= 2, "{finders} of {seeds} seeds");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let schedule = Schedule::Priorities { depth: 3, steps: 30 };
    let traces = |schedule| (0..100).map(move |seed| run(seed, schedule, || found(12, 9, true)).1).collect::<Vec<_>>();
    assert_eq!(traces(schedule), traces(schedule));
    assert_ne!(traces(schedule), traces(Schedule::Random));
    let hashes: BTreeSet<_> = traces(schedule).iter().map(Trace::hash).collect();
    assert!(hashes.len() > 30, "{} different runs", hashes.len());
}

/// The hash of a certain run, so that debug and release, and every machine, are compared with each other.
#[test]
fn the_hash_is_the_same_in_every_build() {
    let schedule = Schedule::Priorities { depth: 3, steps: 30 };
    assert_eq!(run(2026, schedule, || found(12, 9, true)).1.hash(), 18_343_736_215_359_061_389);
}
