use std::cell::{Cell, RefCell};
use std::rc::Rc;

use fibra_scheduler::{current, fiber_local, spawn, spawn_local, yield_now};

fiber_local! {
    static COUNT: Cell<u32> = Cell::new(100);
    static OTHER: Cell<u32> = Cell::new(COUNT.with(Cell::get) + 1);
    static LOG: RefCell<Option<Log>> = RefCell::new(None);
}

/// Says when it is dropped.
struct Log(Rc<RefCell<Vec<&'static str>>>);

impl Drop for Log {
    fn drop(&mut self) {
        // A destructor may park, and still finds the other locals.
        yield_now();
        assert_eq!(COUNT.with(Cell::get), 7);
        self.0.borrow_mut().push("dropped");
    }
}

#[test]
fn each_fiber_has_its_own() {
    crate::run_on(2, || {
        let fibers: Vec<_> = (0..50)
            .map(|n| {
                spawn(move || {
                    COUNT.with(|count| count.set(n));
                    yield_now();
                    COUNT.with(Cell::get)
                })
            })
            .collect();
        for (n, fiber) in fibers.into_iter().enumerate() {
            assert_eq!(fiber.join().expect("no panic"), n as u32);
        }
        assert_eq!(COUNT.with(Cell::get), 100);
    });
}

#[test]
fn an_initialiser_may_use_another_key() {
    crate::run_on(1, || {
        COUNT.with(|count| count.set(5));
        assert_eq!(OTHER.with(Cell::get), 6);
    });
}

#[test]
fn they_are_dropped_on_the_fiber_before_it_is_joined() {
    crate::run_on(1, || {
        let events = Rc::new(RefCell::new(Vec::new()));
        let log = Log(events.clone());
        let fiber = spawn_local(move || {
            COUNT.with(|count| count.set(7));
            LOG.with(|slot| *slot.borrow_mut() = Some(log));
        });
        fiber.join().expect("no panic");
        assert_eq!(*events.borrow(), ["dropped"]);
    });
}

#[test]
fn plain_threads_have_their_own_too() {
    COUNT.with(|count| count.set(9));
    assert_eq!(std::thread::spawn(|| COUNT.with(Cell::get)).join().expect("no panic"), 100);
    assert_eq!(COUNT.with(Cell::get), 9);
    assert!(current().is_none());
}
