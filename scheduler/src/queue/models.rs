//! Models of the [inbox](super::inbox). See [`models`](crate::models).

use std::ptr::NonNull;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::Inbox;
use crate::control::{Control, Runnable};
use crate::models::{self, detached, model};

/// Fibers, each with data that its sender writes and its receiver reads.
struct Mail<const N: usize> {
    inbox: Inbox,
    data: [UnsafeCell<bool>; N],
}

// SAFETY: who sends a fiber writes its data, who has taken it reads; that this excludes is what the models check.
unsafe impl<const N: usize> Sync for Mail<N> {}
// SAFETY: as above.
unsafe impl<const N: usize> Send for Mail<N> {}

impl<const N: usize> Mail<N> {
    fn new() -> Arc<Self> {
        Arc::new(Mail { inbox: Inbox::default(), data: [(); N].map(|()| UnsafeCell::new(false)) })
    }

    fn send(&self, number: usize, fiber: NonNull<Control>) {
        // SAFETY: not sent yet, so nobody reads.
        self.data[number].with_mut(|data| unsafe { *data = true });
        // SAFETY: each is sent once, and lives until the end.
        unsafe { self.inbox.push(fiber) };
    }

    /// Takes what is there, as numbers.
    fn receive(&self, fibers: [NonNull<Control>; N]) -> Vec<usize> {
        let taken = self.inbox.drain().map(|fiber| {
            let number = fibers.iter().position(|&known| known == fiber).expect("it was sent");
            // SAFETY: it was sent, and is taken.
            assert!(self.data[number].with(|data| unsafe { *data }), "what was done before it was sent is not seen");
            number
        });
        taken.collect()
    }
}

/// Ends fibers that never ran.
fn end<const N: usize>(fibers: [NonNull<Control>; N]) {
    // SAFETY: nobody else has them any more.
    fibers.into_iter().for_each(|fiber| models::end(unsafe { Runnable::from_raw(fiber) }));
}

#[test]
fn what_is_pushed_is_taken_once_and_in_order() {
    model(None, || {
        let mail = Mail::<3>::new();
        let fibers = [(); 3].map(|()| detached().into_raw());
        let [one, two, three] = fibers;
        let (first, second) = (mail.clone(), mail.clone());
        let senders = [
            thread::spawn(move || {
                first.send(0, one);
                first.send(1, two);
            }),
            thread::spawn(move || second.send(2, three)),
        ];
        let mut taken = mail.receive(fibers);
        senders.into_iter().for_each(|sender| sender.join().expect("no panic"));
        taken.extend(mail.receive(fibers));
        assert!([[0, 1, 2], [0, 2, 1], [2, 0, 1]].iter().any(|expected| *expected == taken[..]), "{taken:?}");
        end(fibers);
    });
}

#[test]
fn a_fiber_that_comes_back_meanwhile_confuses_no_push() {
    model(None, || {
        let mail = Mail::<2>::new();
        let fibers = [(); 2].map(|()| detached().into_raw());
        let [one, two] = fibers;
        mail.send(0, one);
        let copy = mail.clone();
        let sender = thread::spawn(move || copy.send(1, two));
        let mut taken = mail.receive(fibers);
        // SAFETY: it was taken, as the one that was sent first.
        unsafe { mail.inbox.push(one) };
        sender.join().expect("no panic");
        taken.extend(mail.receive(fibers));
        taken.sort_unstable();
        assert_eq!(taken, [0, 0, 1]);
        end(fibers);
    });
}
