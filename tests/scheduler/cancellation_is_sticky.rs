use std::time::Duration;

use fibra_scheduler::cancel::{self, Interrupted};
use fibra_scheduler::{sleep, spawn, yield_now};

#[test]
fn every_wait_after_a_cancellation_fails_at_once() {
    crate::run_on(1, || {
        let fiber = spawn(|| {
            assert_eq!(cancel::check(), Ok(()));
            for _ in 0..3 {
                assert_eq!(sleep(Duration::from_secs(3600)), Err(Interrupted::Cancelled));
            }
            cancel::check()
        });
        yield_now();
        fiber.cancel();
        assert_eq!(fiber.join().expect("no panic"), Err(Interrupted::Cancelled));
    });
}

#[test]
fn a_fiber_cancelled_before_it_starts_sees_it() {
    crate::run_on(1, || {
        let fiber = spawn(cancel::check);
        fiber.cancel();
        assert_eq!(fiber.join().expect("no panic"), Err(Interrupted::Cancelled));
    });
}

#[test]
fn cancelling_one_fiber_leaves_the_others_alone() {
    crate::run_on(1, || {
        let (one, other) = (spawn(|| sleep(Duration::from_secs(3600))), spawn(|| sleep(Duration::from_millis(1))));
        one.cancel();
        assert_eq!(other.join().expect("no panic"), Ok(()));
        assert_eq!(one.join().expect("no panic"), Err(Interrupted::Cancelled));
        assert_eq!(cancel::check(), Ok(()));
    });
}
