use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fibra_scheduler::cancel::{Interrupted, with_timeout};
use fibra_scheduler::sync::channel::{self, RecvError, SendError};
use fibra_scheduler::sync::select;
use fibra_scheduler::{clock, spawn, yield_now};

#[test]
fn what_is_ready_is_taken_and_only_that() {
    crate::run_on(1, || {
        let (numbers, received) = channel::unbounded();
        let (_words, silent) = channel::unbounded::<&str>();
        numbers.send(1).expect("there is a receiver");
        let taken = select! {
            recv(received) -> number => number.expect("sent"),
            recv(silent) -> _ => unreachable!("nothing was sent"),
        };
        assert_eq!(taken, 1);
        let (full, kept) = channel::bounded(1);
        full.send(5).expect("there is room");
        let none = select! {
            recv(&received) -> _ => false,
            send(&full, 6) -> _ => false,
            default => true,
        };
        assert!(none);
        assert_eq!(kept.try_iter().collect::<Vec<_>>(), [5]);
    });
}

#[test]
fn a_select_waits_for_the_first() {
    crate::run_on(1, || {
        let (one, first) = channel::bounded(0);
        let (other, second) = channel::bounded(0);
        let fiber = spawn(move || {
            let mut sum = 0;
            for _ in 0..3 {
                select! {
                    recv(first) -> n => sum += n.expect("sent"),
                    send(other, 100) -> sent => {
                        sent.expect("received");
                        sum += 10
                    }
                }
            }
            sum
        });
        yield_now();
        one.send(1).expect("received");
        assert_eq!(second.recv(), Ok(100));
        one.send(2).expect("received");
        assert_eq!(fiber.join().expect("no panic"), 13);
        assert!(one.try_send(3).is_err(), "its places in line are gone");
    });
}

#[test]
fn the_default_case_comes_in_time() {
    fn check() {
        let (_sender, receiver) = channel::bounded::<()>(0);
        let (start, timeout) = (clock::now(), Duration::from_millis(5));
        let timed_out = select! {
            recv(receiver) -> _ => false,
            default(timeout) => true,
        };
        assert!(timed_out && clock::now() - start >= timeout);
    }
    crate::run_on(1, check);
    check(); // and on a plain thread
}

#[test]
fn a_disconnected_channel_is_ready() {
    crate::run_on(1, || {
        let (sender, receiver) = channel::bounded::<u32>(1);
        let waiting = spawn(move || {
            select! {
                recv(receiver) -> result => result,
                default(Duration::from_secs(3600)) => unreachable!("disconnected before"),
            }
        });
        yield_now();
        drop(sender);
        assert_eq!(waiting.join().expect("no panic"), Err(RecvError::Disconnected));
        let (sender, receiver) = channel::bounded(0);
        drop(receiver);
        select!(send(sender, 7) -> result => assert_eq!(result, Err(SendError::Disconnected(7))));
    });
}

#[test]
fn an_interrupted_select_says_so_in_its_first_case() {
    crate::run_on(1, || {
        let (sender, receiver) = channel::bounded(0);
        let interrupted = with_timeout(Duration::from_millis(1), || {
            select! {
                send(sender, 8) -> result => result,
                recv(receiver) -> _ => unreachable!("a select does not meet itself"),
            }
        });
        assert_eq!(interrupted, Err(SendError::Interrupted(8, Interrupted::TimedOut)));
    });
}

#[test]
fn no_case_starves() {
    crate::run_on(1, || {
        let (busy, first) = channel::unbounded();
        let (quiet, second) = channel::unbounded();
        (0..1000).for_each(|_| busy.send(()).expect("there is a receiver"));
        quiet.send(()).expect("there is a receiver");
        for _ in 0..200 {
            let done = select! {
                recv(first) -> _ => false,
                recv(second) -> _ => true,
            };
            if done {
                return;
            }
        }
        panic!("the second case was never taken");
    });
}

#[test]
fn selects_meet_each_other_and_lose_nothing() {
    const EACH: u64 = 2_000;
    crate::run_on(2, || {
        let (ping, pong) = (channel::bounded(0), channel::bounded(1));
        let channels = Arc::new((ping, pong));
        let send = |channels: Arc<((channel::Sender<u64>, channel::Receiver<u64>), _)>| {
            move || {
                let (ping, pong): &(_, (channel::Sender<u64>, channel::Receiver<u64>)) = &channels;
                for n in 0..EACH {
                    select! {
                        send(ping.0, n) -> sent => sent.expect("there is a receiver"),
                        send(pong.0, n) -> sent => sent.expect("there is a receiver"),
                    }
                }
            }
        };
        let receive = |channels: Arc<((channel::Sender<u64>, channel::Receiver<u64>), _)>| {
            move || {
                let (ping, pong): &(_, (channel::Sender<u64>, channel::Receiver<u64>)) = &channels;
                (0..EACH)
                    .map(|_| {
                        select! {
                            recv(pong.1) -> n => n.expect("sent"),
                            recv(ping.1) -> n => n.expect("sent"),
                        }
                    })
                    .sum::<u64>()
            }
        };
        let senders = [(); 3].map(|()| spawn(send(channels.clone())));
        let plain = thread::spawn(send(channels.clone()));
        let receivers = [(); 3].map(|()| spawn(receive(channels.clone())));
        let other = thread::spawn(receive(channels.clone()));
        let mut sum: u64 = receivers.map(|receiver| receiver.join().expect("no panic")).into_iter().sum();
        sum += fibra_scheduler::blocking(|| other.join()).expect("a thread").expect("no panic");
        senders.into_iter().for_each(|sender| sender.join().expect("no panic"));
        fibra_scheduler::blocking(|| plain.join()).expect("a thread").expect("no panic");
        assert_eq!(sum, 4 * (EACH * (EACH - 1) / 2));
    });
}
