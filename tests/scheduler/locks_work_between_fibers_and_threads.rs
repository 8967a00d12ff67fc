use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use fibra_scheduler::sync::{Barrier, Condvar, Mutex, OnceLock, RwLock, Semaphore, WaitGroup};
use fibra_scheduler::{spawn, yield_now};

const EACH: u32 = 3_000;

/// Runs `f` on six fibers of two workers and on two plain threads.
fn everywhere(f: impl Fn() + Clone + Send + 'static) {
    crate::run_on(2, || {
        let threads = [(); 2].map(|()| thread::spawn(f.clone()));
        let fibers: Vec<_> = (0..6).map(|_| spawn(f.clone())).collect();
        fibers.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
        for thread in threads {
            fibra_scheduler::blocking(|| thread.join()).expect("a thread").expect("no panic");
        }
    });
}

#[test]
fn a_mutex_excludes() {
    let (mutex, inside) = (Arc::new(Mutex::new(0)), Arc::new(AtomicU32::new(0)));
    let copy = mutex.clone();
    everywhere(move || {
        for n in 0..EACH {
            let mut count = copy.lock();
            assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
            if n % 16 == 0 {
                yield_now();
            }
            *count += 1;
            inside.fetch_sub(1, Ordering::Relaxed);
        }
    });
    assert_eq!(*mutex.lock(), 8 * EACH);
}

#[test]
fn a_mutex_excludes_those_with_little_time() {
    let (mutex, locked) = (Arc::new(Mutex::new(0)), Arc::new(AtomicU32::new(0)));
    let (copy, count) = (mutex.clone(), locked.clone());
    everywhere(move || {
        for n in 0..EACH / 4 {
            let guard = if n % 2 == 0 { Some(copy.lock()) } else { copy.try_lock_for(Duration::from_micros(20)) };
            if let Some(mut guard) = guard {
                yield_now();
                *guard += 1;
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    assert_eq!(*mutex.lock(), locked.load(Ordering::Relaxed));
}

#[test]
fn an_rwlock_excludes() {
    let (rwlock, readers) = (Arc::new(RwLock::new(0)), Arc::new(AtomicU32::new(0)));
    let copy = rwlock.clone();
    everywhere(move || {
        for n in 0..EACH {
            if n % 4 == 0 {
                let mut count = copy.write();
                assert_eq!(readers.load(Ordering::Relaxed), 0);
                *count += 1;
            } else {
                let _count = copy.read();
                readers.fetch_add(1, Ordering::Relaxed);
                if n % 16 == 1 {
                    yield_now();
                }
                readers.fetch_sub(1, Ordering::Relaxed);
            }
        }
    });
    assert_eq!(*rwlock.read(), 8 * EACH / 4);
}

#[test]
fn a_semaphore_admits_no_more_than_its_permits() {
    let (semaphore, inside) = (Arc::new(Semaphore::new(3)), Arc::new(AtomicU32::new(0)));
    let copy = semaphore.clone();
    everywhere(move || {
        for n in 0..EACH {
            let permits = 1 + n % 3;
            let permit = copy.acquire_many(permits as usize).expect("nobody cancels");
            assert!(inside.fetch_add(permits, Ordering::Relaxed) + permits <= 3);
            if n % 16 == 0 {
                yield_now();
            }
            inside.fetch_sub(permits, Ordering::Relaxed);
            drop(permit);
        }
    });
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
fn a_permit_that_is_not_there_is_not_made() {
    let semaphore = Semaphore::new(0);
    assert!(semaphore.try_acquire().is_none());
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn a_barrier_has_one_leader_a_round() {
    let (barrier, leaders) = (Arc::new(Barrier::new(8)), Arc::new(AtomicU32::new(0)));
    let copy = leaders.clone();
    everywhere(move || {
        for _ in 0..200 {
            if barrier.wait().expect("nobody cancels").is_leader() {
                copy.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    assert_eq!(leaders.load(Ordering::Relaxed), 200);
}

#[test]
fn a_condvar_loses_no_notification() {
    let shared = Arc::new((Mutex::new(0), Condvar::new()));
    let count = shared.clone();
    // Everyone waits for its turn: one lost notification, and all of them hang.
    let number = Arc::new(AtomicU32::new(0));
    everywhere(move || {
        let me = number.fetch_add(1, Ordering::Relaxed);
        for round in 0..100 {
            let mut turn = shared.0.lock();
            shared.1.wait_while(&mut turn, |turn| *turn != round * 8 + me).expect("nobody cancels");
            *turn += 1;
            shared.1.notify_all();
        }
    });
    assert_eq!(*count.0.lock(), 800);
}

#[test]
fn a_value_is_made_once() {
    let (cell, made) = (Arc::new(OnceLock::new()), Arc::new(AtomicU32::new(0)));
    let (copy, count) = (cell.clone(), made.clone());
    everywhere(move || {
        let value = *copy.get_or_init(|| {
            yield_now();
            count.fetch_add(1, Ordering::Relaxed)
        });
        assert_eq!(value, 0);
        assert_eq!(copy.wait(), Ok(&0));
        assert_eq!(copy.set(5), Err(5));
    });
    assert_eq!(made.load(Ordering::Relaxed), 1);
}

#[test]
fn a_group_is_waited_for() {
    crate::run_on(2, || {
        let (group, done) = (WaitGroup::new(), Arc::new(AtomicU32::new(0)));
        for n in 0..20 {
            let (member, done) = (group.clone(), done.clone());
            let work = move || {
                yield_now();
                done.fetch_add(1, Ordering::Relaxed);
                drop(member);
            };
            if n % 5 == 0 { drop(thread::spawn(work)) } else { drop(spawn(work)) }
        }
        group.wait().expect("nobody cancels");
        assert_eq!(done.load(Ordering::Relaxed), 20);
    });
}

#[cfg(panic = "unwind")]
#[test]
fn locking_again_what_one_holds_panics() {
    fn check() {
        let (mutex, rwlock) = (Mutex::new(()), RwLock::new(()));
        let _held = (mutex.lock(), rwlock.write());
        for relock in [&(|| drop(mutex.lock())) as &dyn Fn(), &|| drop(rwlock.write()), &|| drop(rwlock.read())] {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(relock));
            let message = *caught.expect_err("it panics").downcast::<&str>().expect("a message");
            assert!(message.contains("wait for itself"), "{message}");
        }
        assert!(mutex.try_lock().is_none() && rwlock.try_read().is_none());
    }
    crate::run_on(1, check);
    check(); // and on a plain thread
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_releases_what_it_held() {
    crate::run_on(1, || {
        let (mutex, rwlock) = (Arc::new(Mutex::new(1)), Arc::new(RwLock::new(1)));
        let (first, second) = (mutex.clone(), rwlock.clone());
        let broken = spawn(move || {
            let _held = (first.lock(), second.write());
            yield_now();
            panic!("broken");
        });
        yield_now();
        assert_eq!(*mutex.lock() + *rwlock.read(), 2);
        assert!(broken.join().is_err());
    });
}
