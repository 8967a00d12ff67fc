use std::sync::mpsc;
use std::sync::{Arc, Barrier};

use fibra_scheduler::{driver, runtime};

/// Each blocks its worker until all have arrived, so this ends only if each is started by a worker of its own.
#[test]
fn a_burst_is_spread() {
    const WORKERS: usize = 4;
    let runtime = runtime::Builder::new(driver::idle).workers(WORKERS).start().expect("a runtime");
    for _ in 0..20 {
        let barrier = Arc::new(Barrier::new(WORKERS));
        let fibers = [(); WORKERS].map(|()| {
            let barrier = barrier.clone();
            runtime.spawn(move || barrier.wait().is_leader()).expect("room")
        });
        let leaders = fibers.into_iter().map(|fiber| fiber.join().expect("no panic"));
        assert_eq!(leaders.filter(|&leader| leader).count(), 1);
    }
}

#[test]
fn a_hog_keeps_nobody_waiting_while_another_worker_is_free() {
    let runtime = runtime::Builder::new(driver::idle).workers(2).start().expect("a runtime");
    for _ in 0..20 {
        let (release, held) = mpsc::channel::<()>();
        let hog = runtime.spawn(move || held.recv().is_err()).expect("room");
        assert_eq!(runtime.spawn(|| 5).expect("room").join().expect("no panic"), 5);
        drop(release);
        assert!(hog.join().expect("no panic"));
    }
}

#[test]
fn a_driver_whose_factory_panics_is_an_error() {
    let panics_on_the_second = |worker| match worker {
        1 => panic!("in the factory"),
        _ => driver::idle(worker),
    };
    if cfg!(panic = "unwind") {
        let error = runtime::Builder::new(panics_on_the_second).workers(2).start().expect_err("no driver");
        assert!(error.to_string().contains("panicked"), "{error}");
    }
}
