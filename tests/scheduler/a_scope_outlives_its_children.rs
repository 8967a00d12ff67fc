use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fibra_scheduler::cancel::{self, Interrupted};
use fibra_scheduler::{clock, driver, runtime, scope, sleep, spawn, yield_now};

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn children_borrow_from_their_parent() {
    crate::run_on(2, || {
        let mut squares = vec![0; 100];
        scope(|s| {
            for (n, square) in squares.iter_mut().enumerate() {
                s.spawn(move || {
                    yield_now();
                    *square = n * n;
                });
            }
        });
        assert!(squares.iter().enumerate().all(|(n, &square)| square == n * n));
    });
}

#[test]
fn local_children_borrow_what_is_not_send() {
    crate::run_on(2, || {
        let count = Cell::new(0);
        scope(|s| {
            for _ in 0..100 {
                s.spawn_local(|| {
                    yield_now();
                    count.set(count.get() + 1);
                });
            }
        });
        assert_eq!(count.get(), 100);
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_of_the_parent_cancels_and_awaits_the_children() {
    crate::run_on(2, || {
        let ended = AtomicUsize::new(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            scope(|s| {
                for _ in 0..10 {
                    s.spawn(|| {
                        assert_eq!(sleep(LONG), Err(Interrupted::Cancelled));
                        ended.fetch_add(1, Ordering::Relaxed);
                    });
                }
                panic!("parent");
            })
        }));
        assert_eq!(result.expect_err("it goes on").downcast_ref::<&str>(), Some(&"parent"));
        assert_eq!(ended.load(Ordering::Relaxed), 10);
    });
}

#[cfg(panic = "unwind")]
#[test]
fn an_unjoined_panic_of_a_child_becomes_the_scopes() {
    crate::run_on(1, || {
        let unjoined = catch_unwind(AssertUnwindSafe(|| scope(|s| drop(s.spawn(|| panic!("child"))))));
        assert_eq!(unjoined.expect_err("it panics").downcast_ref::<&str>(), Some(&"a scoped fiber panicked"));

        let dropped_late = catch_unwind(AssertUnwindSafe(|| {
            scope(|s| {
                let child = s.spawn(|| panic!("child"));
                while !child.is_finished() {
                    yield_now();
                }
            })
        }));
        assert!(dropped_late.is_err());

        let joined = scope(|s| s.spawn(|| panic!("child")).join().is_err());
        assert!(joined, "who joins has it");
    });
}

#[test]
fn cancelling_the_parent_cancels_the_children_and_still_awaits_them() {
    crate::run_on(1, || {
        let parent = spawn(|| {
            let results: Vec<_> = (0..3).map(|_| Cell::new(None)).collect();
            scope(|s| {
                for result in &results {
                    s.spawn_local(move || result.set(Some(sleep(LONG))));
                }
            });
            results.into_iter().all(|result| result.get() == Some(Err(Interrupted::Cancelled)))
        });
        (0..10).for_each(|_| yield_now());
        parent.cancel();
        assert!(parent.join().expect("no panic"));
    });
}

/// The result borrows, so it must be gone when the scope is: also if nobody joins.
#[test]
fn a_result_that_borrows_is_dropped_within_the_scope() {
    struct Touch<'a>(&'a Cell<u32>);
    impl Drop for Touch<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    crate::run_on(1, || {
        let touched = Cell::new(0);
        scope(|s| {
            for _ in 0..10 {
                s.spawn_local(|| Touch(&touched));
            }
        });
        assert_eq!(touched.get(), 10);
    });
}

#[test]
fn scopes_nest() {
    crate::run_on(2, || {
        let sum = AtomicUsize::new(0);
        scope(|outer| {
            for n in 0..10 {
                let sum = &sum;
                outer.spawn(move || {
                    scope(|inner| {
                        for m in 0..10 {
                            inner.spawn(move || sum.fetch_add(n * m, Ordering::Relaxed));
                        }
                    });
                });
            }
        });
        assert_eq!(sum.into_inner(), 45 * 45);
    });
}

/// Who spawns has looked whether it is cancelled itself, and is; so is whom it spawns.
#[test]
fn a_cancellation_reaches_those_who_are_just_being_spawned() {
    let runtime = runtime::Builder::new(driver::idle).workers(3).start().expect("a runtime");
    for _ in 0..200 {
        let has_begun = Arc::new(AtomicBool::new(false));
        let begins = has_begun.clone();
        let parent = runtime.spawn(move || {
            scope(|s| {
                s.spawn(|| {
                    while cancel::check().is_ok() {
                        s.spawn(|| sleep(LONG));
                        begins.store(true, Ordering::Relaxed);
                        yield_now();
                    }
                });
            });
        });
        let parent = parent.expect("room");
        while !has_begun.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        parent.cancel();
        let lost = clock::now() + Duration::from_secs(30);
        while !parent.is_finished() {
            assert!(clock::now() < lost, "a child was not cancelled");
            std::thread::yield_now();
        }
    }
}
