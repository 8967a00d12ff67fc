//! Models of what fibers and threads wait for. See [`models`](crate::models).

use std::collections::VecDeque;
use std::time::Instant;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::channel::{Failure, SendError, bounded, oneshot};
use super::lock::Lock;
use super::primitive::Sleeper;
use super::select::{Patience, choose, recv};
use super::semaphore::Semaphore;
use super::shared_lock::SharedLock;
use super::spin::Spin;
use super::waiters::{End, Limit, Waiters};
use crate::models::model;
use crate::park::Reason;

/// A deadline; for a model, it has passed.
fn passed() -> Option<Instant> {
    Some(crate::clock::now())
}

/// Data that a lock guards: loom complains if two reach it at once.
struct Guarded<L> {
    lock: L,
    data: UnsafeCell<u32>,
}

// SAFETY: the data is reached under the lock only; that this holds is what the models check.
unsafe impl<L: Sync> Sync for Guarded<L> {}
// SAFETY: as above.
unsafe impl<L: Send> Send for Guarded<L> {}

impl<L> Guarded<L> {
    fn new(lock: L) -> Arc<Self> {
        Arc::new(Guarded { lock, data: UnsafeCell::new(0) })
    }

    fn add(&self) {
        // SAFETY: the caller holds the lock.
        self.data.with_mut(|data| unsafe { *data += 1 });
    }

    fn get(&self) -> u32 {
        // SAFETY: the caller holds the lock.
        self.data.with(|data| unsafe { *data })
    }
}

#[test]
fn the_small_lock_excludes() {
    model(3, || {
        let guarded = Guarded::new(Spin::new());
        let copy = guarded.clone();
        let add_twice = |guarded: &Guarded<Spin>| {
            for _ in 0..2 {
                guarded.lock.lock();
                guarded.add();
                guarded.lock.unlock();
            }
        };
        // No third one: two that spin may yield to each other for ever.
        let other = thread::spawn(move || add_twice(&copy));
        add_twice(&guarded);
        other.join().expect("no panic");
        assert_eq!(guarded.get(), 4);
    });
}

#[test]
fn everyone_who_waits_is_granted_once() {
    model(3, || {
        let waiters = Arc::new(Waiters::<()>::new(()));
        let copy = waiters.clone();
        let other = thread::spawn(move || {
            let wait = |deadline| {
                let limit = Limit::uncut(deadline);
                copy.lock().wait(Sleeper::current(), 0, End::Back, (), &Reason::Parked, limit).is_ok()
            };
            (wait(None), wait(passed()))
        });
        while waiters.lock().is_empty(0) {
            thread::yield_now();
        }
        let mut granted = 0;
        waiters.lock().grant_all(0, |(), ()| granted += 1);
        assert_eq!((granted, other.join().expect("no panic")), (1, (true, false)));
    });
}

#[test]
fn a_lock_excludes_and_wakes() {
    model(3, || {
        let guarded = Guarded::new(Lock::new());
        let others = [(); 2].map(|()| {
            let guarded = guarded.clone();
            thread::spawn(move || {
                guarded.lock.lock();
                guarded.add();
                guarded.lock.unlock();
            })
        });
        guarded.lock.lock();
        guarded.add();
        guarded.lock.unlock();
        others.into_iter().for_each(|other| other.join().expect("no panic"));
        guarded.lock.lock();
        assert_eq!(guarded.get(), 3);
    });
}

#[test]
fn a_lock_handed_over_excludes_and_wakes() {
    model(3, || {
        let guarded = Guarded::new(Lock::new());
        let copy = guarded.clone();
        let other = thread::spawn(move || {
            copy.lock.lock();
            copy.add();
            copy.lock.unlock_fair();
        });
        for _ in 0..2 {
            guarded.lock.lock();
            guarded.add();
            guarded.lock.unlock_fair();
        }
        other.join().expect("no panic");
        assert_eq!(guarded.get(), 3);
    });
}

#[test]
fn who_gives_up_on_a_lock_does_not_take_the_wake_of_the_next_along() {
    model(3, || {
        let guarded = Guarded::new(Lock::new());
        let (impatient, patient) = (guarded.clone(), guarded.clone());
        let others = [
            thread::spawn(move || {
                if impatient.lock.try_lock_until(passed()) {
                    impatient.add();
                    impatient.lock.unlock();
                }
            }),
            thread::spawn(move || {
                patient.lock.lock();
                patient.add();
                patient.lock.unlock();
            }),
        ];
        guarded.lock.lock();
        guarded.add();
        guarded.lock.unlock();
        others.into_iter().for_each(|other| other.join().expect("no panic"));
        assert!(!guarded.lock.is_locked());
    });
}

#[test]
fn readers_and_writers_exclude_each_other() {
    model(3, || {
        let guarded = Guarded::new(SharedLock::new());
        let (reader, impatient) = (guarded.clone(), guarded.clone());
        let others = [
            thread::spawn(move || {
                reader.lock.read();
                reader.get();
                reader.lock.end_read();
            }),
            thread::spawn(move || {
                if impatient.lock.try_write_until(passed()) {
                    impatient.add();
                    impatient.lock.end_write();
                }
            }),
        ];
        guarded.lock.write();
        guarded.add();
        guarded.lock.end_write();
        others.into_iter().for_each(|other| other.join().expect("no panic"));
        assert!(!guarded.lock.is_locked());
    });
}

#[test]
fn permits_are_neither_lost_nor_made() {
    model(3, || {
        let semaphore = Arc::new(Semaphore::new(1));
        let (impatient, patient) = (semaphore.clone(), semaphore.clone());
        let others = [
            thread::spawn(move || drop(impatient.acquire_for(std::time::Duration::ZERO))),
            thread::spawn(move || drop(patient.acquire().expect("nothing cuts it"))),
        ];
        drop(semaphore.acquire().expect("nothing cuts it"));
        others.into_iter().for_each(|other| other.join().expect("no panic"));
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn a_oneshot_delivers_or_disconnects() {
    model(3, || {
        let (sender, receiver) = oneshot();
        let other = thread::spawn(move || sender.send(Box::new(5)).expect("the receiver is there"));
        assert_eq!(receiver.recv().as_deref(), Ok(&5));
        other.join().expect("no panic");
    });
    model(3, || {
        let (sender, receiver) = oneshot::<u32>();
        let other = thread::spawn(move || drop(sender));
        assert!(receiver.recv().is_err());
        other.join().expect("no panic");
    });
}

#[test]
fn a_message_that_meets_a_timeout_is_received_or_stays() {
    model(3, || {
        let core = Arc::new(super::channel::Core::new(1, VecDeque::new()));
        let copy = core.clone();
        let other = thread::spawn(move || copy.send::<SendError<_>>(5, None).expect("nobody disconnects"));
        let received = core.receive(passed());
        other.join().expect("no panic");
        match received {
            Ok(message) => assert_eq!((message, core.len()), (5, 0)),
            Err(failure) => assert_eq!((failure, core.len()), (Failure::TimedOut, 1)),
        }
    });
}

#[test]
fn a_rendezvous_that_meets_a_timeout_happens_for_both_or_neither() {
    model(3, || {
        let (sender, receiver) = bounded(0);
        let other = thread::spawn(move || sender.send_deadline(5, crate::clock::now()).is_ok());
        let received = receiver.try_recv().is_ok();
        assert_eq!(other.join().expect("no panic"), received);
    });
}

#[test]
fn a_select_takes_one_case_and_leaves_the_other() {
    model(3, || {
        let (one, other) = (bounded(1), bounded(1));
        let senders = [one.0, other.0].map(|sender| {
            let keep = sender.clone();
            (thread::spawn(move || sender.send(5).expect("the receiver is there")), keep)
        });
        let (mut first, mut second) = (None, None);
        let taken = {
            let (mut first, mut second) = (recv(&one.1, &mut first), recv(&other.1, &mut second));
            choose(&mut [&mut first, &mut second], Patience::Endless)
        };
        let kept = senders.map(|(sender, keep)| {
            sender.join().expect("no panic");
            keep
        });
        assert_eq!((first, second), if taken == Some(0) { (Some(Ok(5)), None) } else { (None, Some(Ok(5))) });
        assert_eq!(one.1.len() + other.1.len(), 1);
        drop(kept);
    });
}
