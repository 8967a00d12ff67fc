use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use fibra_scheduler::cancel::is_cancelled;
use fibra_scheduler::{blocking, driver, in_fiber, runtime, spawn, yield_now};

#[test]
fn other_fibers_run_while_one_blocks() {
    crate::run_on(1, || {
        let (sender, receiver) = mpsc::channel();
        // The job ends only once another fiber of the same worker has run.
        let blocked = spawn(move || blocking(move || receiver.recv().expect("sent")).expect("a thread"));
        yield_now();
        sender.send(7).expect("received");
        assert_eq!(blocked.join().expect("no panic"), 7);
    });
}

#[test]
fn the_job_runs_on_another_thread() {
    crate::run_on(1, || {
        let here = thread::current().id();
        let (there, inside) = blocking(|| (thread::current().id(), in_fiber())).expect("a thread");
        assert!(there != here && !inside);
    });
    let here = thread::current().id();
    assert_eq!(blocking(|| thread::current().id()).expect("in place"), here, "a plain thread may block itself");
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_of_the_job_goes_on_in_the_caller() {
    crate::run_on(1, || {
        let fiber = spawn(|| blocking::<_, ()>(|| panic!("in the job")));
        let payload = fiber.join().expect_err("it panicked");
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"in the job"));
    });
}

#[test]
fn cancelling_gives_up_on_the_job() {
    crate::run_on(1, || {
        let (sender, receiver) = mpsc::channel::<()>();
        let fiber = spawn(move || blocking(move || receiver.recv()));
        yield_now();
        fiber.cancel();
        assert!(is_cancelled(&fiber.join().expect("no panic").expect_err("cancelled")));
        drop(sender);
    });
}

#[test]
fn more_jobs_than_threads_wait_their_turn() {
    crate::run_on(2, || {
        let fibers: Vec<_> = (0..500).map(|n| spawn(move || blocking(move || n).expect("a thread"))).collect();
        let sum: u32 = fibers.into_iter().map(|fiber| fiber.join().expect("no panic")).sum();
        assert_eq!(sum, 124_750);
    });
}

#[test]
fn a_job_that_still_waits_when_the_runtime_ends_is_dropped() {
    let has_run = Arc::new(AtomicBool::new(false));
    let (release, held) = mpsc::channel::<()>();
    let ran = has_run.clone();
    let ended = runtime::Builder::new(driver::idle).workers(1).blocking_threads(1).run(move || {
        let (begun, has_begun) = mpsc::channel();
        spawn(move || {
            blocking(move || {
                begun.send(()).expect("received");
                held.recv()
            })
        });
        spawn(move || blocking(move || ran.store(true, Ordering::Relaxed)));
        yield_now();
        has_begun.recv().expect("sent");
    });
    ended.expect("a runtime");
    assert!(!has_run.load(Ordering::Relaxed));
    assert_eq!(Arc::strong_count(&has_run), 1);
    drop(release);
}

#[cfg(panic = "unwind")]
#[test]
fn a_result_whose_destructor_panics_costs_no_thread() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    let builder = fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).workers(1).blocking_threads(1);
    let served = builder.run(|| {
        let (sender, receiver) = mpsc::channel::<()>();
        // Given up while the job runs, so that the pool's thread is the one to drop the result.
        let given_up = spawn(move || {
            blocking(move || {
                let _ = receiver.recv();
                Bomb
            })
            .map(std::mem::forget)
        });
        yield_now();
        given_up.cancel();
        assert!(given_up.join().expect("no panic").is_err());
        drop(sender);
        blocking(|| 5).expect("the one thread")
    });
    assert_eq!(served.expect("a runtime"), 5);
}
