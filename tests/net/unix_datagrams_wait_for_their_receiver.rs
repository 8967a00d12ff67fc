//! A receiver's queue holds few datagrams (10 by default): who sends more waits, and nothing is lost or overtaken.

use std::io;
use std::path::Path;

use fibra::net::UnixDatagram;

use crate::support::{Folder, counters, join, on_one_worker, spawn_waiting};

const MESSAGES: u32 = 1_000;

/// Everything that `send` sends arrives in its order; the receiver begins only once the sender waits.
fn all_arrive(receiver: UnixDatagram, send: impl Fn(&[u8]) -> io::Result<usize> + 'static) -> io::Result<()> {
    let sender = spawn_waiting(move || (0..MESSAGES).try_for_each(|number| send(&number.to_le_bytes()).map(drop)));
    assert!(!sender.is_finished());
    for number in 0..MESSAGES {
        let mut message = [0; 4];
        assert_eq!(receiver.recv(&mut message)?, 4);
        assert_eq!(u32::from_le_bytes(message), number);
    }
    join(sender)
}

fn receiver(path: &Path) -> io::Result<UnixDatagram> {
    let receiver = UnixDatagram::bind(path)?;
    receiver.set_read_timeout(Some(crate::support::LOST))?;
    Ok(receiver)
}

#[test]
fn by_a_connected_sender() -> io::Result<()> {
    let folder = Folder::new()?;
    on_one_worker(|| {
        let path = folder.file("socket");
        let receiver = receiver(&path)?;
        let sender = UnixDatagram::unbound()?;
        sender.connect(&path)?;
        all_arrive(receiver, move |message| sender.send(message))
    })
}

#[test]
fn by_one_who_names_the_receiver_each_time() -> io::Result<()> {
    let folder = Folder::new()?;
    on_one_worker(|| {
        let path = folder.file("socket");
        let receiver = receiver(&path)?;
        let sender = UnixDatagram::unbound()?;
        all_arrive(receiver, move |message| sender.send_to(message, &path))
    })
}

/// The sender has nothing in the queue, so that the kernel has no reason to tell it of room there, unless it is connected.
fn waits_for_those_before_it(connected: bool) -> io::Result<()> {
    let folder = Folder::new()?;
    on_one_worker(|| {
        let path = folder.file("socket");
        let receiver = receiver(&path)?;
        let others = UnixDatagram::unbound()?;
        others.set_nonblocking(true)?;
        while others.send_to(b"x", &path).is_ok() {}
        let sender = UnixDatagram::unbound()?;
        sender.set_write_timeout(Some(crate::support::LOST))?;
        if connected {
            sender.connect(&path)?;
        }
        let sender =
            spawn_waiting(move || if connected { sender.send(b"last") } else { sender.send_to(b"last", &path) });
        // A send that finds no room raises an event itself: that must not make it a busy loop.
        let before = counters();
        while counters().polls < before.polls + 20 {
            fibra::yield_now();
        }
        assert!(!sender.is_finished());
        assert!(counters().would_block <= before.would_block + 2);
        while receiver.recv(&mut [0; 8])? == 1 {}
        assert_eq!(join(sender)?, 4);
        Ok(())
    })
}

#[test]
fn whose_queue_others_have_filled() -> io::Result<()> {
    waits_for_those_before_it(false)
}

#[test]
fn whose_queue_others_have_filled_although_it_is_connected() -> io::Result<()> {
    waits_for_those_before_it(true)
}

#[test]
fn from_one_end_of_a_pair_to_the_other() -> io::Result<()> {
    on_one_worker(|| {
        let (near, far) = UnixDatagram::pair()?;
        far.set_read_timeout(Some(crate::support::LOST))?;
        all_arrive(far, move |message| near.send(message))
    })
}

#[test]
fn by_a_plain_thread() -> io::Result<()> {
    let folder = Folder::new()?;
    let path = folder.file("socket");
    let receiver = receiver(&path)?;
    let sender = std::thread::spawn(move || {
        let sender = UnixDatagram::unbound()?;
        (0..MESSAGES).try_for_each(|number| sender.send_to(&number.to_le_bytes(), &path).map(drop))
    });
    for number in 0..MESSAGES {
        let mut message = [0; 4];
        receiver.recv(&mut message)?;
        assert_eq!(u32::from_le_bytes(message), number);
    }
    sender.join().expect("a thread panicked")
}
