//! Models of a fiber that other threads wake. See [`models`](crate::models).

use std::cell::Cell;
use std::ptr::NonNull;
use std::rc::Rc;

use loom::sync::Arc;
use loom::thread;

use super::Control;
use crate::control::FiberRef;
use crate::models::{Alone, end, fiber, model, settings};
use crate::primitive::{AtomicBool, Ordering};

/// Whoever frees a control block must come behind everyone who has used it.
impl Drop for Control {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.link.with_mut(|_| ());
            self.home.with_mut(|_| ());
            self.refs.with_mut(|_| ());
            self.asks.0.with_mut(|_| ());
        }
    }
}

/// Has another thread set a flag and then wake the fiber.
fn wake_from_elsewhere(fiber: FiberRef) -> (thread::JoinHandle<()>, Arc<AtomicBool>) {
    let flag = Arc::new(AtomicBool::new(false));
    let copy = flag.clone();
    let waker = thread::spawn(move || {
        copy.store(true, Ordering::Relaxed);
        fiber.unpark();
    });
    (waker, flag)
}

/// Parks until all flags are set. Relaxed: what makes them visible must be the token.
fn park_until(worker: &Alone, fiber: NonNull<Control>, flags: &[&AtomicBool]) {
    while !flags.iter().all(|flag| flag.load(Ordering::Relaxed)) {
        worker.park(fiber, || ());
    }
}

#[test]
fn a_wake_is_not_lost_be_it_before_or_behind_the_start() {
    let settings = settings(1);
    model(None, move || {
        let worker = Alone::new(&settings);
        let fresh = fiber(|| ()).0;
        let (waker, flag) = wake_from_elsewhere(fresh.reference());
        let fiber = worker.start(fresh);
        worker.park(fiber, || ());
        assert!(flag.load(Ordering::Relaxed), "what its waker has done is not seen");
        worker.end(fiber);
        worker.stop();
        drop(worker);
        waker.join().expect("no panic");
    });
}

#[test]
fn wakes_merge_and_none_is_lost() {
    let settings = settings(1);
    model(3, move || {
        let worker = Alone::new(&settings);
        let fresh = fiber(|| ()).0;
        let [(one, first), (other, second)] = [(); 2].map(|()| wake_from_elsewhere(fresh.reference()));
        let fiber = worker.start(fresh);
        park_until(&worker, fiber, &[&first, &second]);
        worker.end(fiber);
        worker.stop();
        drop(worker);
        one.join().expect("no panic");
        other.join().expect("no panic");
    });
}

#[test]
fn a_wake_that_meets_a_timer_is_seen_or_kept() {
    let settings = settings(1);
    model(None, move || {
        let worker = Alone::new(&settings);
        let fiber = worker.start(fiber(|| ()).0);
        // SAFETY: it has not ended.
        let (waker, flag) = wake_from_elsewhere(unsafe { FiberRef::acquire(fiber) });
        worker.park(fiber, || worker.expire(fiber));
        park_until(&worker, fiber, &[&flag]);
        worker.end(fiber);
        worker.stop();
        drop(worker);
        waker.join().expect("no panic");
    });
}

#[test]
fn who_wakes_a_fiber_that_ends_finds_it_and_its_worker() {
    let settings = settings(1);
    model(3, move || {
        let worker = Alone::new(&settings);
        let fiber = worker.start(fiber(|| ()).0);
        // SAFETY: it has not ended.
        let [(one, _), (other, _)] = [(); 2].map(|()| wake_from_elsewhere(unsafe { FiberRef::acquire(fiber) }));
        worker.end(fiber);
        worker.stop();
        drop(worker);
        one.join().expect("no panic");
        other.join().expect("no panic");
    });
}

/// A result whose destructor waits to be woken by another thread.
struct Waits {
    worker: Rc<Alone>,
    fiber: Rc<Cell<Option<NonNull<Control>>>>,
    flag: Arc<AtomicBool>,
}

impl Drop for Waits {
    fn drop(&mut self) {
        park_until(&self.worker, self.fiber.get().expect("it was started"), &[&self.flag]);
    }
}

#[test]
fn a_result_that_waits_while_it_is_dropped_is_woken() {
    let settings = settings(1);
    model(3, move || {
        let (worker, started) = (Rc::new(Alone::new(&settings)), Rc::default());
        let flag = Arc::new(AtomicBool::new(false));
        let waits = Waits { worker: worker.clone(), fiber: Rc::clone(&started), flag: flag.clone() };
        // Its handle is gone already.
        let fiber = worker.start(fiber(|| waits).0);
        started.set(Some(fiber));
        // SAFETY: it has not ended.
        let reference = unsafe { FiberRef::acquire(fiber) };
        let waker = thread::spawn(move || {
            reference.unpark();
            flag.store(true, Ordering::Relaxed);
            reference.unpark();
        });
        worker.end(fiber);
        worker.stop();
        drop(worker);
        waker.join().expect("no panic");
    });
}

#[test]
fn the_last_reference_frees_behind_all_others() {
    model(3, || {
        let runnable = fiber(|| ()).0;
        let users = [(); 2].map(|()| {
            let reference = runnable.reference();
            thread::spawn(move || reference.clone().cancel())
        });
        end(runnable);
        users.into_iter().for_each(|user| user.join().expect("no panic"));
    });
}
