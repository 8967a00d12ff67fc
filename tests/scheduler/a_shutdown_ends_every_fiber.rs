use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{JoinHandle, driver, runtime, sleep, spawn, spawn_local, yield_now};

const FOREVER: Duration = Duration::from_secs(1 << 40);

struct CountOnDrop(Arc<AtomicUsize>);

impl Drop for CountOnDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn fibers_that_wait_are_cancelled_and_drained() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = dropped.clone();
    crate::run_on(2, move || {
        for _ in 0..100 {
            let local = CountOnDrop(count.clone());
            drop(spawn(move || {
                let _local = local;
                sleep(FOREVER)
            }));
        }
        yield_now();
    });
    assert_eq!(dropped.load(Ordering::Relaxed), 100);
}

#[test]
fn fibers_that_never_started_are_refused() {
    let (sender, receiver) = mpsc::channel();
    crate::run_on(1, move || {
        sender.send(spawn(|| unreachable!("not started"))).expect("sent");
        sender.send(spawn_local(|| unreachable!("not started"))).expect("sent");
    });
    for handle in receiver {
        let payload: Box<dyn std::any::Any + Send> = handle.join().map(|()| "it ran").expect_err("refused");
        assert!(payload.is::<Interrupted>());
    }
}

#[test]
fn fibers_that_ignore_their_cancellation_are_leaked_after_the_grace_period() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (parked, spinning) = (CountOnDrop(dropped.clone()), CountOnDrop(dropped.clone()));
    let builder = runtime::Builder::new(driver::idle).workers(1).grace(Duration::from_millis(20));
    let waker = builder
        .run(move || {
            let parked = spawn(move || -> () {
                let _local = parked;
                loop {
                    park::park(Reason::Parked);
                }
            });
            spawn(move || {
                let _local = spinning;
                loop {
                    yield_now();
                }
            });
            // Both have started once these have had their turns.
            (0..10).for_each(|_| yield_now());
            parked
        })
        .expect("a runtime");
    assert_eq!(dropped.load(Ordering::Relaxed), 0, "their stacks may be borrowed from");
    // Waking a leaked fiber is harmless, and who joins it is not kept waiting for ever.
    waker.cancel();
    let payload: Box<dyn std::any::Any + Send> = waker.join().expect_err("it did not end by itself");
    assert!(payload.is::<Interrupted>());
}

#[test]
fn a_grace_period_may_be_longer_than_time_lasts() {
    let builder = runtime::Builder::new(driver::idle).workers(1).grace(Duration::MAX);
    let fiber = builder.run(|| spawn(|| sleep(FOREVER))).expect("a runtime");
    assert!(fiber.is_finished());
}

#[test]
fn a_started_runtime_ends_with_its_handle() {
    let runtime = runtime::Builder::new(driver::idle).workers(2).start().expect("a runtime");
    let waiting: Vec<_> = (0..10).map(|_| runtime.spawn(|| sleep(FOREVER)).expect("room")).collect();
    let done = runtime.spawn(|| 42).expect("room");
    assert_eq!(done.join().expect("no panic"), 42);
    runtime.shutdown();
    for fiber in waiting {
        assert!(matches!(fiber.join(), Ok(Err(Interrupted::Cancelled)) | Err(_)), "cancelled, or never started");
    }
}

#[test]
fn destructors_of_what_never_started_may_wait_and_spawn() {
    struct JoinsAndSpawns(Option<JoinHandle<()>>, mpsc::Sender<JoinHandle<()>>);
    impl Drop for JoinsAndSpawns {
        fn drop(&mut self) {
            if let Some(other) = self.0.take() {
                let _ = other.join();
            }
            let _ = self.1.send(spawn(|| ()));
        }
    }
    let (sender, receiver) = mpsc::channel();
    crate::run_on(1, move || {
        for _ in 0..100 {
            let waits = JoinsAndSpawns(Some(spawn(|| ())), sender.clone());
            drop(spawn_local(move || drop(waits)));
        }
    });
    let spawned: Vec<_> = receiver.iter().collect();
    assert_eq!(spawned.len(), 100);
    assert!(spawned.into_iter().all(|fiber| fiber.join().is_err()), "refused, and said so");
}

#[test]
fn a_grace_period_may_be_endless() {
    let builder = runtime::Builder::new(driver::idle).workers(2).grace(Duration::MAX);
    builder.run(|| drop(spawn(|| sleep(FOREVER)))).expect("a runtime");
}

#[test]
fn a_runtime_may_be_dropped_by_one_of_its_own_fibers() {
    let runtime = runtime::Builder::new(driver::idle).workers(2).start().expect("a runtime");
    let (sender, receiver) = mpsc::channel::<runtime::Runtime>();
    let waiting = runtime.spawn(|| sleep(FOREVER)).expect("room");
    let dropping = runtime.spawn(move || drop(receiver.recv())).expect("room");
    sender.send(runtime).expect("received");
    assert!(dropping.join().is_ok());
    assert!(matches!(waiting.join(), Ok(Err(Interrupted::Cancelled)) | Err(_)));
}
