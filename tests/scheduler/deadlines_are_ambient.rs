use std::time::Duration;

use fibra_scheduler::cancel::{self, Interrupted, shield, with_timeout};
use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{blocking, clock, sleep, spawn, yield_now};

const LONG: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(2);

#[test]
fn every_wait_within_ends_when_the_time_is_up() {
    crate::run_on(1, || {
        let start = clock::now();
        with_timeout(SOON, || {
            assert_eq!(sleep(LONG), Err(Interrupted::TimedOut));
            assert_eq!(park::wait(Reason::Parked, None), Err(Interrupted::TimedOut), "it is sticky");
            assert_eq!(cancel::check(), Err(Interrupted::TimedOut));
        });
        assert!(clock::now() - start >= SOON);
        assert_eq!(sleep(SOON), Ok(()), "and ends with its scope");
    });
}

#[test]
fn a_wait_that_ends_in_time_is_not_disturbed() {
    crate::run_on(1, || assert_eq!(with_timeout(LONG, || sleep(SOON)), Ok(())));
}

#[test]
fn the_earlier_of_two_deadlines_holds() {
    crate::run_on(1, || {
        assert_eq!(with_timeout(SOON, || with_timeout(LONG, || sleep(LONG))), Err(Interrupted::TimedOut));
        with_timeout(LONG, || {
            assert_eq!(with_timeout(SOON, || sleep(LONG)), Err(Interrupted::TimedOut));
            assert_eq!(sleep(SOON), Ok(()));
        });
    });
}

#[test]
fn spawned_fibers_inherit_it() {
    crate::run_on(2, || {
        let child = with_timeout(SOON, || spawn(|| sleep(LONG)));
        assert_eq!(child.join().expect("no panic"), Err(Interrupted::TimedOut));
        let independent = with_timeout(Duration::ZERO, || shield(|| spawn(|| sleep(SOON))));
        assert_eq!(independent.join().expect("no panic"), Ok(()));
    });
}

#[test]
fn a_cancelled_fiber_spawns_cancelled_fibers() {
    crate::run_on(1, || {
        let parent = spawn(|| {
            let _ = sleep(LONG);
            spawn(|| sleep(LONG))
        });
        yield_now();
        parent.cancel();
        let child = parent.join().expect("no panic");
        assert_eq!(child.join().expect("no panic"), Err(Interrupted::Cancelled));
    });
}

#[test]
fn a_shield_holds_off_both_and_nothing_is_forgotten() {
    crate::run_on(1, || {
        let fiber = spawn(|| {
            let inside = with_timeout(Duration::ZERO, || shield(|| sleep(SOON)));
            let limited = shield(|| with_timeout(SOON, || sleep(LONG)));
            (inside, limited, cancel::check())
        });
        fiber.cancel();
        let (inside, limited, after) = fiber.join().expect("no panic");
        assert_eq!(inside, Ok(()));
        assert_eq!(limited, Err(Interrupted::TimedOut), "a deadline set under the shield holds");
        assert_eq!(after, Err(Interrupted::Cancelled));
    });
}

#[cfg(panic = "unwind")]
#[test]
fn it_is_put_back_when_the_closure_panics() {
    crate::run_on(1, || {
        let fiber = spawn(|| {
            let _ = std::panic::catch_unwind(|| with_timeout(Duration::ZERO, || panic!("out")));
            (cancel::deadline(), sleep(SOON))
        });
        assert_eq!(fiber.join().expect("no panic"), (None, Ok(())));
    });
}

#[test]
fn blocking_jobs_are_not_waited_for_longer() {
    crate::run_on(1, || {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let error = with_timeout(SOON, || blocking(move || receiver.recv())).expect_err("too late");
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        drop(sender);
    });
}

#[test]
fn plain_threads_have_them_too() {
    assert_eq!(with_timeout(SOON, || sleep(LONG)), Err(Interrupted::TimedOut));
    assert_eq!(with_timeout(Duration::ZERO, || shield(|| sleep(SOON))), Ok(()));
    assert_eq!(cancel::check(), Ok(()));
}
