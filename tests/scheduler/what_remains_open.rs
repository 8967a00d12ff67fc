//! The holes that SOUNDNESS.md lists, shown. No library can close them; when one of these fails, std or the compiler has, and the
//! list gets shorter.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use fibra_scheduler::{spawn_local, yield_now};

/// Hole 1. std takes for granted that nobody else initialises a thread-local while its initialiser runs; a fiber that parks in there
/// breaks that, and std drops the value that another fiber holds a reference to.
#[test]
fn parking_in_a_thread_locals_initialiser_drops_a_value_that_is_borrowed() {
    struct Value {
        dropped: Rc<Cell<bool>>,
    }
    impl Drop for Value {
        fn drop(&mut self) {
            self.dropped.set(true);
        }
    }
    thread_local! {
        static PARKS: Cell<bool> = const { Cell::new(true) };
        static MADE: RefCell<Vec<Rc<Cell<bool>>>> = const { RefCell::new(Vec::new()) };
        static LAZY: Value = {
            if PARKS.replace(false) {
                yield_now();
            }
            let dropped = Rc::new(Cell::new(false));
            MADE.with_borrow_mut(|made| made.push(dropped.clone()));
            Value { dropped }
        };
    }
    crate::run_on(1, || {
        let parks_inside = spawn_local(|| LAZY.with(|_| ()));
        let borrows = spawn_local(|| {
            LAZY.with(|_value| {
                // While `_value` is borrowed, the other fiber's initialiser ends and std puts its value in the place of ours.
                let ours = MADE.with_borrow(|made| made[0].clone());
                assert!(!ours.get());
                (0..3).for_each(|_| yield_now());
                ours.get()
            })
        });
        parks_inside.join().expect("no panic");
        assert!(borrows.join().expect("no panic"), "our borrowed value was dropped: the hole is there");
    });
}

/// Hole 2. A pointer that is set for the time of a call and restored behind it (as `scoped-tls` does) is seen by another fiber, and
/// stays behind when the two calls do not nest.
#[test]
fn a_scoped_thread_local_leaks_into_other_fibers() {
    thread_local! {
        static CURRENT: Cell<usize> = const { Cell::new(0) };
    }
    /// What `scoped-tls` does, with a number where it has a pointer to the caller's frame.
    fn set<R>(value: usize, f: impl FnOnce() -> R) -> R {
        let outer = CURRENT.replace(value);
        let result = f();
        CURRENT.set(outer);
        result
    }
    crate::run_on(1, || {
        let first = spawn_local(|| {
            set(1, || {
                yield_now();
                CURRENT.get()
            })
        });
        let second = spawn_local(|| {
            set(2, || {
                yield_now();
                yield_now();
                CURRENT.get()
            })
        });
        assert_eq!(first.join().expect("no panic"), 2, "the first fiber sees what the second has set");
        second.join().expect("no panic");
        assert_eq!(CURRENT.get(), 1, "and what the first had set is there after it has ended");
    });
}
