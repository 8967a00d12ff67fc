use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{driver, runtime, sleep, spawn, spawn_local, yield_now};

/// Keeps the worker's queue full until `stop`.
fn spinners(stop: &Rc<Cell<bool>>) {
    for _ in 0..3 {
        let stop = stop.clone();
        drop(spawn_local(move || {
            while !stop.get() {
                yield_now()
            }
        }));
    }
}

#[test]
fn timers_fire_and_new_fibers_start_beside_a_yield_loop() {
    crate::run_on(1, || {
        let stop = Rc::new(Cell::new(false));
        spinners(&stop);
        sleep(Duration::from_millis(2)).expect("nobody cancels");
        assert_eq!(spawn(|| 5).join().expect("no panic"), 5);
        assert_eq!(spawn_local(|| 6).join().expect("no panic"), 6);
        stop.set(true);
    });
}

#[test]
fn two_fibers_that_keep_waking_each_other_leave_turns_to_others() {
    crate::run_on(1, || {
        let stop = Rc::new(Cell::new(false));
        let fibers: Vec<_> = (0..2).map(|_| Rc::new(Cell::new(None::<park::Unparker>))).collect();
        let players: Vec<_> = (0..2)
            .map(|me: usize| {
                let (mine, other, stop) = (fibers[me].clone(), fibers[1 - me].clone(), stop.clone());
                spawn_local(move || {
                    mine.set(Some(park::current()));
                    while !stop.get() {
                        if let Some(unparker) = other.take() {
                            unparker.unpark();
                            other.set(Some(unparker));
                        }
                        park::park_until(Reason::Parked, Some(fibra_scheduler::clock::now() + Duration::from_secs(1)));
                    }
                })
            })
            .collect();
        // Would never come back if the two kept the slot to themselves.
        for _ in 0..100 {
            yield_now();
        }
        stop.set(true);
        players.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
    });
}

#[test]
fn a_spawn_from_outside_is_noticed_beside_a_yield_loop() {
    let runtime = runtime::Builder::new(driver::idle).workers(1).start().expect("a runtime");
    let stop = Arc::new(AtomicBool::new(false));
    let seen = stop.clone();
    let spinner = runtime
        .spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                yield_now()
            }
        })
        .expect("room");
    assert_eq!(runtime.spawn(|| 7).expect("room").join().expect("no panic"), 7);
    stop.store(true, Ordering::Relaxed);
    spinner.join().expect("no panic");
}
