use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use fibra_scheduler::park::{self, Reason, Unparker};
use fibra_scheduler::{driver, runtime, spawn};

/// Two parties hand a ball back and forth; a lost wake would stop it for ever.
struct Ball {
    turn: AtomicU32,
}

impl Ball {
    fn play(&self, me: u32, rounds: u32, other: &Unparker) {
        for round in 0..rounds {
            while self.turn.load(Ordering::Acquire) != 2 * round + me {
                park::park(Reason::Parked);
            }
            self.turn.store(2 * round + me + 1, Ordering::Release);
            other.unpark();
        }
    }
}

fn hand_over() -> (impl FnOnce(Unparker), impl FnOnce() -> Unparker) {
    let (sender, receiver) = std::sync::mpsc::channel();
    (move |unparker| sender.send(unparker).expect("received"), move || receiver.recv().expect("sent"))
}

#[test]
fn a_token_given_before_the_park_is_kept() {
    crate::run_on(1, || {
        park::current().unpark();
        park::current().unpark();
        park::park(Reason::Parked);
    });
}

#[test]
fn between_fibers_of_two_workers() {
    const ROUNDS: u32 = 20_000;
    // One runtime each, so that the two surely run on different threads.
    let runtimes = [(); 2].map(|()| runtime::Builder::new(driver::idle).workers(1).start().expect("a runtime"));
    let ball = Arc::new(Ball { turn: AtomicU32::new(0) });
    let ((give_first, first), (give_second, second)) = (hand_over(), hand_over());
    let balls = [ball.clone(), ball.clone()];
    let [ball_first, ball_second] = balls;
    let fibers = [
        runtimes[0].spawn(move || {
            give_first(park::current());
            ball_first.play(0, ROUNDS, &second());
        }),
        runtimes[1].spawn(move || {
            give_second(park::current());
            ball_second.play(1, ROUNDS, &first());
        }),
    ];
    fibers.into_iter().for_each(|fiber| fiber.expect("room").join().expect("no panic"));
    assert_eq!(ball.turn.load(Ordering::Relaxed), 2 * ROUNDS);
}

#[test]
fn between_a_fiber_and_a_plain_thread() {
    const ROUNDS: u32 = 10_000;
    let ball = Arc::new(Ball { turn: AtomicU32::new(0) });
    crate::run_on(1, || {
        let ((give_first, first), (give_second, second)) = (hand_over(), hand_over());
        let copy = ball.clone();
        let plain = thread::spawn(move || {
            give_second(park::current());
            copy.play(1, ROUNDS, &first());
        });
        give_first(park::current());
        ball.play(0, ROUNDS, &second());
        plain.join().expect("no panic");
    });
    assert_eq!(ball.turn.load(Ordering::Relaxed), 2 * ROUNDS);
}

#[test]
fn when_many_wake_one() {
    const WAKERS: u32 = 8;
    const EACH: u32 = 2_000;
    crate::run_on(3, || {
        let count = Arc::new(AtomicU32::new(0));
        let me = park::current();
        let wakers: Vec<_> = (0..WAKERS)
            .map(|_| {
                let (count, me) = (count.clone(), me.clone());
                spawn(move || {
                    for _ in 0..EACH {
                        count.fetch_add(1, Ordering::Release);
                        me.unpark();
                    }
                })
            })
            .collect();
        while count.load(Ordering::Acquire) < WAKERS * EACH {
            park::park(Reason::Parked);
        }
        wakers.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
    });
}
