use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use fibra_scheduler::park::{self, Reason, Unparker};
use fibra_scheduler::{spawn, spawn_local, yield_now};

#[test]
fn a_detached_fiber_runs_on() {
    crate::run_on(1, || {
        let ran = Rc::new(Cell::new(false));
        let inner = ran.clone();
        drop(spawn_local(move || inner.set(true)));
        yield_now();
        assert!(ran.get());
    });
}

#[test]
fn the_result_is_dropped_exactly_once_whoever_comes_last() {
    crate::run_on(1, || {
        let result = Arc::new(());
        for detach_early in [true, false] {
            let copy = result.clone();
            let handle = spawn(move || copy);
            if detach_early {
                drop(handle);
                yield_now();
            } else {
                yield_now();
                assert!(handle.is_finished());
                assert_eq!(Arc::strong_count(&result), 2);
                drop(handle);
            }
            assert_eq!(Arc::strong_count(&result), 1);
        }
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_destructor_that_panics_in_a_detached_result_is_contained() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    crate::run_on(1, || {
        drop(spawn(|| Bomb));
        yield_now();
        assert_eq!(spawn(|| 1).join().expect("the worker goes on"), 1);
    });
}

/// Its destructor waits until another thread wakes it.
struct WaitsInDrop {
    ready: Arc<AtomicBool>,
    waiting: mpsc::Sender<Unparker>,
}

impl Drop for WaitsInDrop {
    fn drop(&mut self) {
        self.waiting.send(park::current()).expect("received");
        while !self.ready.load(Ordering::Acquire) {
            park::park(Reason::Parked);
        }
    }
}

#[test]
fn a_destructor_of_a_detached_result_may_wait_for_another_thread() {
    crate::run_on(1, || {
        let ready = Arc::new(AtomicBool::new(false));
        let (waiting, waits) = mpsc::channel::<Unparker>();
        let result = WaitsInDrop { ready: ready.clone(), waiting };
        drop(spawn(move || result));
        crate::until_parked(1);
        let waiting = waits.recv().expect("it waits");
        let waker = thread::spawn(move || {
            ready.store(true, Ordering::Release);
            waiting.unpark();
        });
        // Until the destructor has come to its end.
        while !matches!(waits.try_recv(), Err(mpsc::TryRecvError::Disconnected)) {
            yield_now();
        }
        waker.join().expect("no panic");
    });
}
