use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use fibra_scheduler::cancel::{Interrupted, with_timeout};
use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::seeded::{self, Deadlock, Trace};
use fibra_scheduler::{blocking, clock, driver, runtime, scope, sleep, spawn, spawn_local, yield_now};

const HOUR: Duration = Duration::from_secs(3600);

fn run<T>(seed: u64, f: impl FnOnce() -> T + 'static) -> io::Result<(T, Trace)> {
    runtime::Builder::new(driver::idle).seed(seed).run_traced(f)
}

/// Some of everything that is scheduled.
fn a_bit_of_everything() -> u64 {
    let (sender, receiver) = mpsc::channel();
    let reader = spawn(move || {
        let mut sum = 0;
        loop {
            match receiver.try_recv() {
                Ok(number) => sum += number,
                Err(mpsc::TryRecvError::Empty) => yield_now(),
                Err(mpsc::TryRecvError::Disconnected) => return sum,
            }
        }
    });
    scope(|s| {
        for n in 0..5 {
            let sender = sender.clone();
            s.spawn(move || {
                let _ = with_timeout(Duration::from_micros(100 * n), || sleep(Duration::from_micros(250)));
                sender.send(blocking(move || n).expect("in place")).expect("received");
            });
        }
    });
    drop(sender);
    drop(spawn(|| sleep(HOUR)));
    reader.join().expect("no panic")
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..50 {
        let (sum, trace) = run(seed, a_bit_of_everything).expect("no deadlock");
        assert_eq!(sum, 10);
        assert_eq!(trace, run(seed, a_bit_of_everything).expect("no deadlock").1);
    }
}

#[test]
fn different_seeds_give_different_runs() {
    let hashes: BTreeSet<_> = (0..100).map(|seed| run(seed, a_bit_of_everything).expect("ends").1.hash()).collect();
    assert_eq!(hashes.len(), 100);
}

/// The hash of a certain run, so that debug and release, and every machine, are compared with each other. A change to what the
/// scheduler does may change it; then so does this number.
#[test]
fn the_hash_is_the_same_in_every_build() {
    let trace = run(2026, a_bit_of_everything).expect("no deadlock").1;
    assert_eq!((trace.hash(), trace.events()), (7_183_683_361_665_072_668, 562));
}

#[test]
fn every_order_comes_up() {
    let order = |seed| {
        let finish = || {
            let order = Rc::new(RefCell::new(Vec::new()));
            let fibers: Vec<_> = (0..4)
                .map(|n| {
                    let order = order.clone();
                    spawn_local(move || order.borrow_mut().push(n))
                })
                .collect();
            fibers.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
            order.take()
        };
        run(seed, finish).expect("no deadlock").0
    };
    assert_eq!((0..500).map(order).collect::<BTreeSet<_>>().len(), 24);
}

#[test]
fn time_jumps_when_all_wait_and_is_never_early() {
    let outside = clock::now();
    let program = || {
        let start = clock::now();
        let naps = [3, 1, 2].map(|hours| {
            spawn(move || {
                let start = clock::now();
                sleep(hours * HOUR).expect("nobody cancels");
                clock::now() - start
            })
        });
        let naps = naps.map(|nap| nap.join().expect("no panic"));
        (naps, clock::now() - start)
    };
    let ((naps, total), trace) = run(1, program).expect("no deadlock");
    for (nap, hours) in naps.into_iter().zip([3, 1, 2]) {
        assert!(nap >= hours * HOUR && nap < hours * HOUR + Duration::from_millis(1), "{nap:?}");
    }
    assert!(total < 3 * HOUR + Duration::from_millis(1), "they slept at the same time");
    assert!(trace.elapsed() >= total);
    assert!(clock::now() - outside < HOUR, "outside, time is real again");
}

#[test]
fn a_loop_that_yields_until_a_deadline_ends() {
    let program = || {
        let deadline = clock::now() + 1000 * seeded::STEP;
        let mut turns = 0;
        while clock::now() < deadline {
            turns += 1;
            yield_now();
        }
        turns
    };
    assert_eq!(run(1, program).expect("no deadlock").0, 1000);
}

#[cfg(panic = "unwind")]
#[test]
fn a_deadlock_is_an_error_that_says_who_waits_for_what() {
    let program = || {
        let waiting = fibra_scheduler::Builder::new().name("lost").spawn(|| park::wait(Reason::Channel, None));
        waiting.expect("a runtime").join().expect("no panic").expect_err("cancelled")
    };
    let error = run(5, program).expect_err("a deadlock");
    assert_eq!(error.kind(), io::ErrorKind::Deadlock);
    let deadlock: &Deadlock = error.get_ref().and_then(|inner| inner.downcast_ref()).expect("the list");
    assert_eq!(deadlock.fibers(), 2);
    let lines: Vec<_> = deadlock.to_string().lines().map(str::to_owned).collect();
    assert!(lines[0].contains("seed 5"), "{lines:?}");
    assert!(lines[1].contains("fiber 0 'main'") && lines[1].ends_with("waits for the end of fiber 1"), "{lines:?}");
    assert!(lines[2].contains("fiber 1 'lost'") && lines[2].contains(file!()), "{lines:?}");
    assert!(lines[2].ends_with("waits for Channel"), "{lines:?}");
}

#[test]
fn fibers_of_a_deadlock_that_no_cancellation_ends_are_leaked() {
    let program = || loop {
        park::park(Reason::Channel);
    };
    let error = run::<()>(1, program).expect_err("a deadlock");
    assert_eq!(error.kind(), io::ErrorKind::Deadlock);
    assert_eq!(run(1, || 5).expect("the thread is free again").0, 5);
}

#[test]
fn who_waits_for_ever_by_a_timer_is_deadlocked_too() {
    let error = run(1, || sleep(Duration::from_secs(1 << 40))).expect_err("nothing will happen");
    assert_eq!(error.kind(), io::ErrorKind::Deadlock);
}

#[test]
fn fibers_that_outstay_the_virtual_grace_period_are_leaked() {
    let program = || {
        let fibers = [(); 3].map(|()| {
            spawn(|| {
                loop {
                    park::park(Reason::Parked);
                }
            })
        });
        (0..100).for_each(|_| yield_now());
        fibers.into_iter().for_each(drop);
    };
    let builder = runtime::Builder::new(driver::idle).grace(HOUR);
    let ((), trace) = builder.seed(1).run_traced(program).expect("no deadlock");
    assert_eq!((trace.fibers(), trace.leaked()), (4, 3));
    assert!(trace.elapsed() >= HOUR);
}

#[test]
fn others_run_before_a_blocking_job_returns() {
    let program = || {
        let cancelled = spawn(|| blocking(|| ()).map_err(|error| error.to_string()));
        cancelled.cancel();
        (blocking(std::thread::current).expect("in place").id(), cancelled.join().expect("no panic"))
    };
    let here = std::thread::current().id();
    let ((there, cancelled), _) = run(1, program).expect("no deadlock");
    assert_eq!(there, here);
    assert_eq!(cancelled, Err(Interrupted::Cancelled.to_string()));
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_of_the_first_fiber_comes_out_of_a_seeded_run() {
    let payload = catch_unwind(|| run(1, || panic!("from the first fiber")).map(|((), _)| ())).expect_err("it panics");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"from the first fiber"));
    assert!(run(1, || ()).is_ok(), "time and thread are as before");
}

#[test]
fn the_deadline_of_the_caller_is_of_another_time() {
    with_timeout(Duration::ZERO, || {
        assert_eq!(run(1, || sleep(HOUR)).expect("no deadlock").0, Ok(()));
    });
}
