use std::thread;
use std::time::Duration;

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{counters, driver, runtime, spawn, yield_now};

#[test]
fn on_one_worker_they_are_exact() {
    crate::run_on(1, || {
        let before = counters();
        assert_eq!((before.workers, before.live), (1, 1), "this fiber");
        // Each parks once and is woken once: what depends on time could also find its time over and not park.
        let fibers: Vec<_> = (0..200).map(|_| spawn(|| park::park(Reason::Parked))).collect();
        let spawned = counters();
        assert_eq!((spawned.spawned - before.spawned, spawned.live), (200, 201));
        crate::until_parked(200);
        let parked = counters();
        assert_eq!((parked.parks - before.parks, parked.wakes - before.wakes), (200, 0));
        fibers.iter().for_each(|fiber| fiber.unparker().unpark());
        assert_eq!(counters().wakes - before.wakes, 200);
        fibers.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
        let after = counters();
        assert_eq!(after.live, 1);
        assert!(after.switches - before.switches >= 400, "each was switched to twice: {after:?}");
        assert!(after.polls > before.polls);
        assert!(after.stack_bytes_reserved >= 200 * (256 << 10));
    });
}

#[test]
fn a_switch_counts_once() {
    crate::run_on(1, || {
        let before = counters().switches;
        (0..1000).for_each(|_| yield_now());
        assert_eq!(counters().switches - before, 1000);
    });
}

#[test]
fn outside_a_runtime_they_are_zero_but_a_runtime_has_its_own() {
    assert_eq!((counters().workers, counters().spawned), (0, 0));
    let runtime = runtime::Builder::new(driver::idle).workers(2).start().expect("a runtime");
    runtime.spawn(|| ()).expect("room").join().expect("no panic");
    assert_eq!(runtime.counters().workers, 2);
}

#[test]
fn what_a_worker_has_counted_can_be_seen_while_it_sleeps() {
    let builder = runtime::Builder::new(driver::idle).workers(1).trim_after(Duration::MAX);
    let runtime = builder.start().expect("a runtime");
    let fiber = runtime.spawn(|| park::park(Reason::Parked)).expect("room");
    while runtime.counters().parks == 0 {
        thread::yield_now();
    }
    fiber.unparker().unpark();
    fiber.join().expect("no panic");
}
