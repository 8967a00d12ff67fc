use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

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
