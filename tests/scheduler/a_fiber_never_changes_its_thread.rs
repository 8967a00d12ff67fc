use std::thread;
use std::time::Duration;

use fibra_scheduler::{sleep, spawn, spawn_local, worker_index, yield_now};

#[test]
fn a_fiber_never_changes_its_thread() {
    crate::run_on(3, || {
        let fibers: Vec<_> = (0..200)
            .map(|n| {
                spawn(move || {
                    let home = (thread::current().id(), worker_index());
                    for round in 0..20 {
                        if (n + round) % 7 == 0 {
                            sleep(Duration::from_micros(50)).expect("nobody cancels");
                        } else {
                            yield_now();
                        }
                        assert_eq!((thread::current().id(), worker_index()), home);
                    }
                })
            })
            .collect();
        fibers.into_iter().for_each(|fiber| fiber.join().expect("stayed at home"));
    });
}

#[test]
fn a_local_fiber_starts_where_it_was_spawned() {
    crate::run_on(3, || {
        let here = worker_index();
        let fibers: Vec<_> = (0..100).map(|_| spawn_local(worker_index)).collect();
        assert!(fibers.into_iter().all(|fiber| fiber.join().expect("no panic") == here));
    });
}
