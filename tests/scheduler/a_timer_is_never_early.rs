use std::time::Duration;

use fibra_scheduler::park::{self, Reason, Wakeup};
use fibra_scheduler::{clock, sleep, spawn, spawn_local};

#[test]
fn a_timer_is_never_early() {
    crate::run_on(2, || {
        let fibers: Vec<_> = (0..200u64)
            .map(|n| {
                spawn(move || {
                    let duration = Duration::from_micros(n * 97);
                    let start = clock::now();
                    sleep(duration).expect("nobody cancels");
                    assert!(clock::now() - start >= duration);
                })
            })
            .collect();
        fibers.into_iter().for_each(|fiber| fiber.join().expect("not early"));
    });
}

#[test]
fn timers_fire_in_the_order_of_their_deadlines() {
    crate::run_on(1, || {
        let (sender, receiver) = std::sync::mpsc::channel();
        let fibers: Vec<_> = [30u64, 10, 20]
            .map(|milliseconds| {
                let sender = sender.clone();
                spawn_local(move || {
                    sleep(Duration::from_millis(milliseconds)).expect("nobody cancels");
                    sender.send(milliseconds).expect("sent");
                })
            })
            .into();
        fibers.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [10, 20, 30]);
    });
}

#[test]
fn a_park_says_whether_its_deadline_passed() {
    fn check() {
        let soon = clock::now() + Duration::from_millis(5);
        while park::park_until(Reason::Parked, Some(soon)) != Wakeup::TimedOut {}
        assert!(clock::now() >= soon);
        park::current().unpark();
        let later = clock::now() + Duration::from_secs(3600);
        assert_eq!(park::park_until(Reason::Parked, Some(later)), Wakeup::Unparked);
    }
    crate::run_on(1, check);
    check(); // and on a plain thread
}
