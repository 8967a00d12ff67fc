use std::thread;

use fibra_scheduler::{driver, runtime, spawn, spawn_local, yield_now};

#[test]
fn a_plain_thread_joins_a_fiber() {
    crate::run_on(2, || {
        let fiber = spawn(|| {
            yield_now();
            11
        });
        let joined = thread::spawn(|| fiber.join().expect("no panic"));
        while !joined.is_finished() {
            yield_now();
        }
        assert_eq!(joined.join().expect("no panic"), 11);
    });
}

#[test]
fn a_fiber_joins_a_fiber_of_another_runtime() {
    let other = runtime::Builder::new(driver::idle).workers(1).start().expect("a runtime");
    let theirs = other.spawn(|| 12).expect("room");
    assert_eq!(crate::run_on(1, || theirs.join().expect("no panic")), 12);
}

#[test]
fn an_unpark_does_not_end_a_join() {
    crate::run_on(1, || {
        let joiner = fibra_scheduler::park::current();
        let fiber = spawn_local(move || {
            for _ in 0..3 {
                joiner.unpark();
                yield_now();
            }
            13
        });
        assert_eq!(fiber.join().expect("no panic"), 13);
    });
}

#[test]
fn joining_a_chain_of_fibers_ends() {
    crate::run_on(2, || {
        let last =
            (0..100).fold(spawn_local(|| 0), |previous, _| spawn_local(move || previous.join().expect("no panic") + 1));
        assert_eq!(last.join().expect("no panic"), 100);
    });
}

#[test]
fn many_short_fibers_are_spawned_and_joined() {
    crate::run_on(2, || {
        for round in 0..200u64 {
            let fibers: Vec<_> = (0..50).map(|n| spawn(move || n * round)).collect();
            let sum: u64 = fibers.into_iter().map(|fiber| fiber.join().expect("no panic")).sum();
            assert_eq!(sum, 1225 * round);
        }
    });
}
