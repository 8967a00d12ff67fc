//! Models of a fiber's end against its handle, and others that name it, as far as `control::models` does not have them. See
//! [`models`](crate::models).

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use loom::cell::UnsafeCell;
use loom::thread;

use super::JoinHandle;
use crate::models::{Alone, fiber, model, settings};
use crate::primitive::Mutex;

/// A result. Loom complains if it is touched before all of it is there.
struct Counted {
    value: UnsafeCell<u32>,
    drops: Arc<AtomicUsize>,
}

impl Counted {
    fn new(drops: Arc<AtomicUsize>) -> Self {
        let result = Counted { value: UnsafeCell::new(0), drops };
        // SAFETY: nobody else has it yet.
        result.value.with_mut(|value| unsafe { *value = 8 });
        result
    }
}

loom::thread_local! {
    /// Whether this thread has only a reference, and so no business with the result.
    static IS_BYSTANDER: Cell<bool> = Cell::new(false);
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert!(!IS_BYSTANDER.with(Cell::get));
        // SAFETY: nobody else has it any more; that this holds is what the models check.
        assert_eq!(self.value.with_mut(|value| unsafe { *value }), 8);
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs a fiber to its end while another thread does `other` with its handle, and a third gives up a reference. The result is dropped
/// once, whatever that is.
fn check(other: impl Fn(JoinHandle<Counted>) + Send + Sync + Clone + 'static) {
    let settings = settings(1);
    model(3, move || {
        let (drops, other) = (Arc::new(AtomicUsize::new(0)), other.clone());
        let copy = drops.clone();
        let worker = Alone::new(&settings);
        let (runnable, handle) = fiber(|| Counted::new(copy));
        let reference = runnable.reference();
        let bystander = thread::spawn(move || {
            IS_BYSTANDER.with(|is_bystander| is_bystander.set(true));
            drop(reference);
        });
        let other = thread::spawn(move || other(handle));
        worker.end(worker.start(runnable));
        worker.stop();
        other.join().expect("no panic");
        bystander.join().expect("no panic");
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn who_sees_the_end_may_take_the_result() {
    check(|handle| {
        if handle.is_finished() {
            drop(handle.join());
        }
    });
}

#[test]
fn who_lets_go_leaves_the_result_to_be_dropped_once() {
    check(drop);
}

/// A waker that lets go of the handle of the fiber whose end calls it.
struct LetGo(Mutex<Option<JoinHandle<Counted>>>);

impl Wake for LetGo {
    fn wake(self: Arc<Self>) {
        let handle = self.0.lock().take();
        drop(handle);
    }
}

#[test]
fn a_waker_may_let_go_of_the_handle() {
    check(|mut handle| {
        let call = Arc::new(LetGo(Mutex::new(None)));
        let waker = Waker::from(call.clone());
        if Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending() {
            *call.0.lock() = Some(handle);
        }
    });
}
