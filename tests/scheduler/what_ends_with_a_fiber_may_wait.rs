//! The result that nobody asks for is dropped, and a waker is woken, on the fiber that ends: both are the user's code, and may wait.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::sync::channel::{Sender, bounded};
use fibra_scheduler::{blocking, spawn, yield_now};

/// Long enough for a busy machine; what fails takes as long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for another thread, then says so.
struct Waits(Sender<()>);

impl Waits {
    fn wait(&self) {
        blocking(|| ()).expect("a thread");
        self.0.send(()).expect("somebody receives");
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.wait();
    }
}

struct Call(Waits);

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.0.wait();
    }
}

#[test]
fn a_result_that_nobody_asks_for() {
    crate::run_on(1, || {
        let (sender, receiver) = bounded(1);
        drop(spawn(move || Waits(sender)));
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(()));
    });
}

#[test]
fn a_waker() {
    crate::run_on(1, || {
        let (sender, receiver) = bounded(2);
        let mut handle = pin!(spawn(yield_now));
        let waker = Waker::from(Arc::new(Call(Waits(sender))));
        assert!(handle.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(()));
        assert!(handle.is_finished());
    });
}

#[test]
fn a_result_of_a_fiber_that_was_just_woken_from_outside() {
    crate::run_on(1, || {
        let (sender, receiver) = bounded(1);
        drop(spawn(move || {
            let me = park::current();
            thread::spawn(move || me.unpark()).join().expect("no panic");
            Waits(sender)
        }));
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(()));
        // What woke it is used up, or was without reason: this must wait for its own.
        let me = park::current();
        drop(spawn(move || me.unpark()));
        park::park(Reason::Parked);
    });
}
