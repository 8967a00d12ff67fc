use std::collections::HashSet;
use std::sync::Arc;
use std::thread;

use fibra_scheduler::spawn;
use fibra_scheduler::sync::channel::{self, Receiver, RecvError, SendError, Sender, TryRecvError, TrySendError};

const SENDERS: u32 = 4;
const EACH: u32 = 2_000;

/// Senders and receivers on fibers of two workers and on plain threads: every message arrives, at one of them.
fn deliver(make: fn() -> (Sender<u32>, Receiver<u32>)) {
    crate::run_on(2, || {
        let (sender, receiver) = make();
        let send = |sender: Sender<u32>, from: u32| {
            move || (0..EACH).for_each(|n| sender.send(from * EACH + n).expect("there is a receiver"))
        };
        let fibers: Vec<_> = (0..SENDERS).map(|from| spawn(send(sender.clone(), from))).collect();
        let plain = thread::spawn(send(sender.clone(), SENDERS));
        drop(sender);
        let receivers: Vec<_> = (0..2)
            .map(|_| {
                let receiver = receiver.clone();
                spawn(move || receiver.iter().collect::<Vec<_>>())
            })
            .collect();
        let other = thread::spawn(move || receiver.into_iter().collect::<Vec<_>>());
        let mut received = Vec::new();
        for receiver in receivers {
            received.extend(receiver.join().expect("no panic"));
        }
        received.extend(fibra_scheduler::blocking(|| other.join()).expect("a thread").expect("no panic"));
        fibers.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
        fibra_scheduler::blocking(|| plain.join()).expect("a thread").expect("no panic");
        assert_eq!(received.len() as u32, (SENDERS + 1) * EACH);
        assert_eq!(received.into_iter().collect::<HashSet<_>>().len() as u32, (SENDERS + 1) * EACH);
    });
}

#[test]
fn through_a_bounded_channel() {
    deliver(|| channel::bounded(3));
}

#[test]
fn through_an_unbounded_channel() {
    deliver(channel::unbounded);
}

#[test]
fn from_hand_to_hand() {
    deliver(|| channel::bounded(0));
}

#[test]
fn messages_arrive_in_order_whoever_waits() {
    crate::run_on(1, || {
        let (sender, receiver) = channel::bounded(2);
        // Five more senders than there is room for: each waits in line.
        let senders: Vec<_> = (0..7)
            .map(|n| {
                let sender = sender.clone();
                spawn(move || sender.send(n).expect("received"))
            })
            .collect();
        (0..10).for_each(|_| fibra_scheduler::yield_now());
        assert_eq!(receiver.len(), 2);
        let mut received: Vec<_> = (0..7).map(|_| receiver.recv().expect("sent")).collect();
        senders.into_iter().for_each(|sender| sender.join().expect("no panic"));
        received.sort();
        assert_eq!(received, [0, 1, 2, 3, 4, 5, 6]);
    });
}

#[test]
fn a_rendezvous_needs_both() {
    crate::run_on(1, || {
        let (sender, receiver) = channel::bounded(0);
        assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        let copy = sender.clone();
        let waiting = spawn(move || copy.send(2));
        fibra_scheduler::yield_now();
        assert!(!waiting.is_finished(), "nobody has received yet");
        assert_eq!(receiver.try_recv(), Ok(2));
        assert_eq!(waiting.join().expect("no panic"), Ok(()));
        drop(sender);
        assert_eq!(receiver.recv(), Err(RecvError::Disconnected));
    });
}

#[test]
fn a_disconnected_channel_says_so_and_drops_what_is_left() {
    crate::run_on(1, || {
        let message = Arc::new(());
        let (sender, receiver) = channel::bounded(1);
        sender.send(message.clone()).expect("there is room");
        let copy = sender.clone();
        let mine = message.clone();
        let waiting = spawn(move || copy.send(mine));
        fibra_scheduler::yield_now();
        drop(receiver);
        let error = waiting.join().expect("no panic").expect_err("nobody receives");
        assert!(matches!(error, SendError::Disconnected(_)));
        drop(error);
        assert!(matches!(sender.try_send(message.clone()), Err(TrySendError::Disconnected(_))));
        assert_eq!(Arc::strong_count(&message), 1, "nothing is left");

        let (sender, receiver) = channel::unbounded();
        let waiting = {
            let receiver = receiver.clone();
            spawn(move || receiver.recv())
        };
        fibra_scheduler::yield_now();
        sender.send(1).expect("there is a receiver");
        sender.send(2).expect("there is a receiver");
        drop(sender);
        assert_eq!(waiting.join().expect("no panic"), Ok(1));
        assert_eq!(receiver.recv(), Ok(2), "what was sent is received");
        assert_eq!(receiver.recv(), Err(RecvError::Disconnected));
    });
}
