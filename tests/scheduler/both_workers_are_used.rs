use std::sync::{Arc, Barrier};
use std::thread;

use fibra_scheduler::{spawn, worker_index, yield_now};

/// Each fiber blocks its whole worker until the other has arrived, so this ends only if two workers run them.
#[test]
fn both_workers_are_used() {
    crate::run_on(2, || {
        let barrier = Arc::new(Barrier::new(2));
        let fibers = [(); 2].map(|()| {
            let barrier = barrier.clone();
            spawn(move || {
                barrier.wait();
                (worker_index(), thread::current().id())
            })
        });
        let [one, other] = fibers.map(|fiber| fiber.join().expect("no panic"));
        assert!(one.0 != other.0 && one.1 != other.1);
    });
}

#[test]
fn an_idle_worker_takes_what_waits_behind_a_hog() {
    crate::run_on(2, || {
        let (sender, receiver) = std::sync::mpsc::channel();
        let behind: Vec<_> = (0..10)
            .map(|n| {
                let sender = sender.clone();
                spawn(move || sender.send(n).expect("received"))
            })
            .collect();
        // Hogs its worker without ever reaching a switch; the ten can only run elsewhere.
        let mut seen: Vec<i32> = (0..10).map(|_| receiver.recv().expect("sent")).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        yield_now();
        behind.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
    });
}
