use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use fibra_scheduler::sync::{Condvar, Mutex, MutexGuard, RwLock};
use fibra_scheduler::{spawn, yield_now};

#[test]
fn against_one_that_keeps_taking_it() {
    crate::run_on(1, || {
        let mutex = Arc::new(Mutex::new(()));
        let done = Arc::new(AtomicBool::new(false));
        let (copy, stop) = (mutex.clone(), done.clone());
        // Unlocks only to lock again at once: no one else would ever find it free.
        let greedy = spawn(move || {
            let mut rounds = 0;
            while !stop.load(Ordering::Relaxed) {
                let _held = copy.lock();
                yield_now();
                rounds += 1;
            }
            rounds
        });
        yield_now();
        let waiters: Vec<_> = (0..10)
            .map(|_| {
                let mutex = mutex.clone();
                spawn(move || drop(mutex.lock()))
            })
            .collect();
        waiters.into_iter().for_each(|waiter| waiter.join().expect("no panic"));
        done.store(true, Ordering::Relaxed);
        assert!(greedy.join().expect("no panic") <= 40, "each waiter lost its turn once at the most");
    });
}

#[test]
fn a_fair_unlock_hands_over_in_order() {
    crate::run_on(1, || {
        let mutex = Arc::new(Mutex::new(Vec::new()));
        let mut held = mutex.lock();
        let waiters: Vec<_> = (0..5)
            .map(|n| {
                let mutex = mutex.clone();
                fibra_scheduler::spawn_local(move || {
                    let mut order = mutex.lock();
                    order.push(n);
                    MutexGuard::unlock_fair(order);
                })
            })
            .collect();
        (0..3).for_each(|_| yield_now());
        held.push(99);
        MutexGuard::unlock_fair(held);
        assert!(mutex.try_lock().is_none(), "it has an owner already");
        waiters.into_iter().for_each(|waiter| waiter.join().expect("no panic"));
        assert_eq!(*mutex.lock(), [99, 0, 1, 2, 3, 4]);
    });
}

#[test]
fn neither_readers_nor_writers_starve() {
    crate::run_on(2, || {
        let (rwlock, done) = (Arc::new(RwLock::new(0)), Arc::new(AtomicU32::new(0)));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (rwlock, done) = (rwlock.clone(), done.clone());
                spawn(move || {
                    while done.load(Ordering::Relaxed) < 2 {
                        let held = rwlock.read();
                        yield_now(); // Some reader always holds it.
                        drop(held);
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (0..2)
            .map(|_| {
                let (rwlock, done) = (rwlock.clone(), done.clone());
                spawn(move || {
                    for _ in 0..100 {
                        let mut held = rwlock.write();
                        *held += 1;
                        yield_now();
                        *held += 1;
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        writers.into_iter().chain(readers).for_each(|fiber| fiber.join().expect("no panic"));
        assert_eq!(*rwlock.read(), 400);
    });
}

#[test]
fn notifications_go_first_come_first_served() {
    crate::run_on(1, || {
        let shared = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let waiters: Vec<_> = (0..4)
            .map(|n| {
                let shared = shared.clone();
                fibra_scheduler::spawn_local(move || {
                    let mut order = shared.0.lock();
                    shared.1.wait(&mut order).expect("nobody cancels");
                    order.push(n);
                })
            })
            .collect();
        (0..3).for_each(|_| yield_now());
        for n in 1..=2 {
            assert!(shared.1.notify_one());
            (0..3).for_each(|_| yield_now());
            assert_eq!(shared.0.lock().len(), n);
        }
        assert_eq!(shared.1.notify_all(), 2);
        waiters.into_iter().for_each(|waiter| waiter.join().expect("no panic"));
        // Those woken together run in the order of the run queue.
        let order = shared.0.lock().clone();
        assert_eq!((order.len(), &order[..2]), (4, &[0, 1][..]));
        assert!(!shared.1.notify_one());
        let timed_out = shared.1.wait_for(&mut shared.0.lock(), Duration::from_millis(1));
        assert_eq!(timed_out, Err(fibra_scheduler::cancel::Interrupted::TimedOut));
    });
}
