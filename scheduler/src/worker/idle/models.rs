//! Models of waking a worker to search, as far as they need no worker. See [`models`](crate::models).

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;

use super::Sleepers;
use crate::driver::Driver;
use crate::models::{Bell, model};
use crate::primitive::{AtomicBool, Ordering, deque, fence};
use crate::stacks::Sites;
use crate::worker::Remote;

#[test]
fn one_is_woken_to_search_however_many_spawn() {
    model(None, || {
        let (bell, sleepers) = (Bell::default(), Sleepers::default());
        let workers = [0, 1].map(|index| {
            let worker = Remote::new(deque::Worker::new_fifo().stealer(), Sites::new(None));
            worker.set_waker(bell.waker());
            worker.announce();
            sleepers.add(index);
            worker
        });
        let shared = Arc::new((sleepers, workers));
        let spawners = [(); 2].map(|()| {
            let shared = shared.clone();
            thread::spawn(move || shared.0.wake_one(&shared.1))
        });
        spawners.into_iter().for_each(|spawner| spawner.join().expect("no panic"));
        assert_eq!((bell.wakes(), shared.0.list.lock().len()), (1, 1));
        let searches = shared.1.iter().filter(|worker| worker.take_search()).count();
        assert_eq!(searches, 1);
    });
}

#[test]
fn who_finds_nobody_to_wake_looks_again() {
    model(3, || {
        let mut bell = Bell::default();
        let worker = Remote::new(deque::Worker::new_fifo().stealer(), Sites::new(None));
        worker.set_waker(bell.waker());
        let shared = Arc::new((Sleepers::default(), [worker], AtomicBool::new(false)));
        let (sleepers, [worker], queued) = &*shared;
        worker.announce();
        sleepers.add(0);
        let (first, second) = (shared.clone(), shared.clone());
        let spawners = [
            thread::spawn(move || first.0.wake_one(&first.1)),
            thread::spawn(move || {
                second.2.store(true, Ordering::Relaxed);
                second.0.wake_one(&second.1);
            }),
        ];
        // Something else has woken the worker. From here on as in `Worker::sleep`, as often as need be.
        loop {
            worker.retract();
            sleepers.remove(0);
            if worker.take_search() {
                sleepers.search_ended();
            }
            if queued.load(Ordering::Relaxed) {
                break;
            }
            worker.announce();
            sleepers.add(0);
            fence(Ordering::SeqCst);
            let timeout = queued.load(Ordering::Relaxed).then_some(Duration::ZERO);
            bell.poll(timeout).expect("it does not fail");
        }
        spawners.into_iter().for_each(|spawner| spawner.join().expect("no panic"));
    });
}
