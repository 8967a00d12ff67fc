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

/// What is made after the fiber has ended (here by its result's destructor) is not kept in the control block, which the last
/// unparker frees on whichever thread.
#[test]
fn what_is_made_too_late_is_dropped_at_once() {
    struct UsesALocal(std::sync::Arc<std::sync::Mutex<Vec<std::thread::ThreadId>>>);
    struct Probe(std::sync::Arc<std::sync::Mutex<Vec<std::thread::ThreadId>>>);
    impl Drop for Probe {
        fn drop(&mut self) {
            self.0.lock().expect("no panic").push(std::thread::current().id());
        }
    }
    fiber_local! {
        static LATE: RefCell<Option<Probe>> = RefCell::new(None);
    }
    impl Drop for UsesALocal {
        fn drop(&mut self) {
            LATE.with(|late| *late.borrow_mut() = Some(Probe(self.0.clone())));
        }
    }
    let dropped_on = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    crate::run_on(1, || {
        let here = std::thread::current().id();
        let result = UsesALocal(dropped_on.clone());
        let fiber = spawn(move || result);
        let unparker = fiber.unparker();
        drop(fiber);
        (0..3).for_each(|_| yield_now());
        std::thread::spawn(move || drop(unparker)).join().expect("no panic");
        assert_eq!(*dropped_on.lock().expect("no panic"), [here]);
    });
}

#[test]
fn they_can_be_cleared() {
    crate::run_on(1, || {
        fibra_scheduler::clear_locals();
        let log = Rc::default();
        COUNT.with(|count| count.set(7));
        LOG.with(|slot| *slot.borrow_mut() = Some(Log(Rc::clone(&log))));
        fibra_scheduler::clear_locals();
        assert_eq!(*log.borrow(), ["dropped"]);
        assert_eq!(COUNT.with(Cell::get), 100, "made anew, and kept again");
        COUNT.with(|count| count.set(8));
        assert_eq!(COUNT.with(Cell::get), 8);
    });
}

#[test]
fn a_destructor_that_clears_them_does_not_bring_them_back() {
    struct Clears(Rc<RefCell<Vec<u32>>>);
    impl Drop for Clears {
        fn drop(&mut self) {
            fibra_scheduler::clear_locals();
            COUNT.with(|count| count.set(7));
            self.0.borrow_mut().push(COUNT.with(Cell::get));
        }
    }
    fiber_local! {
        static CLEARS: RefCell<Option<Clears>> = RefCell::new(None);
    }
    crate::run_on(1, || {
        let seen = Rc::default();
        let make = |seen: &Rc<_>| CLEARS.with(|slot| *slot.borrow_mut() = Some(Clears(Rc::clone(seen))));
        make(&seen);
        fibra_scheduler::clear_locals();
        let fiber = spawn_local({
            let seen = Rc::clone(&seen);
            move || make(&seen)
        });
        fiber.join().expect("no panic");
        assert_eq!(*seen.borrow(), [100, 100], "what is made by then is used once");
    });
}

#[test]
fn what_is_kept_is_dropped_with_its_fiber_only() {
    static KEPT: fibra_scheduler::LocalKey<RefCell<Option<Rc<()>>>> =
        fibra_scheduler::LocalKey::kept(|| RefCell::new(None));
    crate::run_on(1, || {
        let kept = Rc::new(());
        let fiber = spawn_local({
            let kept = Rc::clone(&kept);
            move || {
                COUNT.with(|count| count.set(7));
                KEPT.with(|slot| *slot.borrow_mut() = Some(kept));
                OTHER.with(|other| other.set(7));
                fibra_scheduler::clear_locals();
                assert_eq!((COUNT.with(Cell::get), OTHER.with(Cell::get)), (100, 101));
                KEPT.with(|slot| slot.borrow().is_some())
            }
        });
        assert!(fiber.join().expect("no panic"), "it is still there");
        assert_eq!(Rc::strong_count(&kept), 1);
    });
}
