use std::sync::Arc;
use std::time::Duration;

use fibra_scheduler::cancel::{Interrupted, with_timeout};
use fibra_scheduler::sync::channel::{self, RecvError, RecvTimeoutError, SendError, SendTimeoutError};
use fibra_scheduler::sync::{Barrier, Condvar, Mutex, OnceLock, RwLock, Semaphore, WaitGroup};
use fibra_scheduler::{spawn, yield_now};

const SOON: Duration = Duration::from_millis(2);

#[test]
fn events_are_cut_by_cancellation_and_by_ambient_deadlines() {
    crate::run_on(1, || {
        let waits: [fn() -> Result<(), Interrupted>; 5] = [
            || Condvar::new().wait(&mut Mutex::new(()).lock()),
            || Semaphore::new(0).acquire().map(drop),
            || Barrier::new(2).wait().map(drop),
            || {
                let group = WaitGroup::new();
                let _other = group.clone();
                group.wait()
            },
            || OnceLock::<()>::new().wait().map(drop),
        ];
        for wait in waits {
            let fiber = spawn(wait);
            yield_now();
            fiber.cancel();
            assert_eq!(fiber.join().expect("no panic"), Err(Interrupted::Cancelled));
            assert_eq!(with_timeout(SOON, wait), Err(Interrupted::TimedOut));
        }
    });
}

#[test]
fn channel_operations_give_the_message_back() {
    crate::run_on(1, || {
        let (sender, receiver) = channel::bounded(0);
        let fiber = {
            let sender = sender.clone();
            spawn(move || sender.send("kept"))
        };
        yield_now();
        fiber.cancel();
        assert_eq!(fiber.join().expect("no panic"), Err(SendError::Interrupted("kept", Interrupted::Cancelled)));
        assert_eq!(receiver.try_recv(), Err(channel::TryRecvError::Empty), "its place in line is gone");
        assert_eq!(sender.send_timeout("late", SOON), Err(SendTimeoutError::Timeout("late")));
        assert_eq!(receiver.recv_timeout(SOON), Err(RecvTimeoutError::Timeout));
        assert_eq!(with_timeout(SOON, || receiver.recv()), Err(RecvError::Interrupted(Interrupted::TimedOut)));
        let ambient = with_timeout(SOON, || receiver.recv_timeout(Duration::from_secs(3600)));
        assert_eq!(ambient, Err(RecvTimeoutError::Interrupted(Interrupted::TimedOut)));
    });
}

#[test]
fn locks_are_not_cut() {
    crate::run_on(1, || {
        let (mutex, rwlock) = (Arc::new(Mutex::new(0)), Arc::new(RwLock::new(0)));
        let (held, read) = (mutex.lock(), rwlock.read());
        let fiber = {
            let (mutex, rwlock) = (mutex.clone(), rwlock.clone());
            spawn(move || {
                *mutex.lock() += 1;
                *rwlock.write() += 1;
            })
        };
        yield_now();
        fiber.cancel();
        yield_now();
        assert!(!fiber.is_finished());
        drop((held, read));
        fiber.join().expect("no panic");
        assert_eq!((*mutex.lock(), *rwlock.read()), (1, 1));
    });
}

#[test]
fn a_grant_that_meets_a_cancellation_is_used() {
    crate::run_on(1, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let fiber = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.acquire().map(|permit| permit.forget()))
        };
        yield_now();
        // Both before it runs again.
        semaphore.add_permits(1);
        fiber.cancel();
        assert_eq!(fiber.join().expect("no panic"), Ok(()));
        assert_eq!(semaphore.available_permits(), 0);

        let (sender, receiver) = channel::bounded(0);
        let fiber = spawn(move || receiver.recv());
        yield_now();
        sender.try_send(5).expect("someone waits");
        fiber.cancel();
        assert_eq!(fiber.join().expect("no panic"), Ok(5));
    });
}

#[test]
fn who_leaves_the_line_lets_those_behind_it_go_on() {
    crate::run_on(1, || {
        // One wants three permits and gives up; the one behind it wants the one that there is.
        let semaphore = Arc::new(Semaphore::new(1));
        let [many, one] = [3, 1].map(|permits| {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.acquire_many(permits).map(drop))
        });
        yield_now();
        assert!(!one.is_finished(), "first come, first served");
        many.cancel();
        assert_eq!(many.join().expect("no panic"), Err(Interrupted::Cancelled));
        assert_eq!(one.join().expect("no panic"), Ok(()));

        // A writer that gives up stands between a reader and another.
        let rwlock = Arc::new(RwLock::new(()));
        let reading = rwlock.read();
        let (writer, reader) = (rwlock.clone(), rwlock.clone());
        let writer = spawn(move || writer.try_write_for(SOON).is_some());
        let reader = spawn(move || drop(reader.read()));
        yield_now();
        assert!(!reader.is_finished(), "a writer waits");
        assert!(!writer.join().expect("no panic"));
        reader.join().expect("no panic");
        drop(reading);
        assert!(rwlock.try_write().is_some());

        // A barrier waits for as many as before.
        let barrier = Arc::new(Barrier::new(2));
        let [gone, first] = [(); 2].map(|()| {
            let barrier = barrier.clone();
            fibra_scheduler::Builder::new().spawn_local(move || barrier.wait())
        });
        let (gone, first) = (gone.expect("in a runtime"), first.expect("in a runtime"));
        gone.cancel();
        assert!(gone.join().expect("no panic").is_err());
        yield_now();
        assert!(!first.is_finished());
        assert!(barrier.wait().expect("nobody cancels").is_leader());
        assert!(!first.join().expect("no panic").expect("nobody cancels").is_leader());
    });
}
