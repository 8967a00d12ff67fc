//! Models of handing a worker work, as far as they need no worker. See [`models`](crate::models).

use loom::thread;

use super::Remote;
use crate::control::Runnable;
use crate::driver::Driver;
use crate::models::{Bell, detached, end, model};
use crate::primitive::deque;
use crate::stacks::Sites;

/// Whoever frees a remote must come behind everyone who has used it.
impl Drop for Remote {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.delivering.with_mut(|_| ());
        }
    }
}

fn remote() -> Remote {
    Remote::new(deque::Worker::new_fifo().stealer(), Sites::new(None))
}

#[test]
fn who_delivers_lets_go_before_the_worker_ends() {
    model(None, || {
        let fiber = detached().into_raw();
        let remote = Box::into_raw(Box::new(remote()));
        // SAFETY: freed by nobody but us, below, behind the deliveries.
        let waker = thread::spawn(move || unsafe { Remote::deliver(remote, fiber) });
        // SAFETY: as above.
        let inbox = unsafe { &(*remote).inbox };
        while inbox.is_empty() {
            thread::yield_now();
        }
        assert!(inbox.drain().eq([fiber]));
        // SAFETY: drained, and nobody else has it.
        end(unsafe { Runnable::from_raw(fiber) });
        // SAFETY: as above.
        unsafe { (*remote).outlast_deliveries() };
        // SAFETY: made by `into_raw`.
        drop(unsafe { Box::from_raw(remote) });
        waker.join().expect("no panic");
    });
}

#[test]
fn one_announcement_is_answered_by_one_wake() {
    model(None, || {
        let remote = loom::sync::Arc::new(remote());
        let bell = Bell::default();
        remote.set_waker(bell.waker());
        remote.announce();
        let wakers = [(); 2].map(|()| {
            let remote = remote.clone();
            thread::spawn(move || remote.wake_if_parked())
        });
        wakers.into_iter().for_each(|waker| waker.join().expect("no panic"));
        assert_eq!(bell.wakes(), 1);
        assert!(!remote.is_parked());
    });
}
