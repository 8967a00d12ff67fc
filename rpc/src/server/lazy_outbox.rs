//! A connection's outbox, which exists only while there is something in it that the peer does not take at once, or somebody shares it: most
//! connections are idle most of the time, and what a busy one sends nearly always goes out at once.
//!
//! Invariants:
//! * While it exists, all goes through it, so that bytes leave in the order in which they were sent.
//! * Where there is none, it is as if there were an empty one. One that is closed stays.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::Arc;

use fibra_scheduler::cancel::Interrupted;

use crate::outbox::{AtOnce, Outbox, write_all};

/// See the [module](self). One worker's. Whoever may have to make the outbox is told how.
#[derive(Default)]
pub(super) struct LazyOutbox {
    outbox: Cell<Option<Arc<Outbox>>>,
}

impl LazyOutbox {
    /// The outbox, which stays for as long as anybody has it.
    pub(super) fn shared(&self, make: impl FnOnce() -> Outbox) -> Arc<Outbox> {
        let outbox = self.outbox.take().unwrap_or_else(|| Arc::new(make()));
        self.outbox.set(Some(Arc::clone(&outbox)));
        outbox
    }

    fn get(&self) -> Option<Arc<Outbox>> {
        let outbox = self.outbox.take()?;
        self.outbox.set(Some(Arc::clone(&outbox)));
        Some(outbox)
    }

    fn exists(&self) -> bool {
        self.ask(|_| true, false)
    }

    /// Asks the outbox, or says what an empty one would.
    #[inline]
    fn ask(&self, what: impl FnOnce(&Outbox) -> bool, if_empty: bool) -> bool {
        let Some(outbox) = self.outbox.take() else { return if_empty };
        let answer = what(&outbox);
        self.outbox.set(Some(outbox));
        answer
    }

    /// As [`Outbox::is_full`].
    pub(super) fn is_full(&self) -> bool {
        self.ask(Outbox::is_full, false)
    }

    /// As [`Outbox::has_room`].
    pub(super) fn has_room(&self) -> bool {
        self.ask(Outbox::has_room, true)
    }

    /// As [`Outbox::is_empty`].
    pub(super) fn is_empty(&self) -> bool {
        self.ask(Outbox::is_empty, true)
    }

    /// As [`Outbox::is_stuck`].
    pub(super) fn is_stuck(&self) -> bool {
        self.ask(Outbox::is_stuck, false)
    }

    /// Sends `frames`, and what is queued before them, as far as the peer takes it at once; the rest is [stuck](Self::is_stuck), however much that is.
    /// Leaves `frames` empty.
    ///
    /// # Errors
    ///
    /// As [`Outbox::flush`].
    pub(super) fn send(
        &self,
        frames: &mut Vec<u8>,
        mut stream: AtOnce<'_>,
        make: impl FnOnce() -> Outbox,
    ) -> io::Result<()> {
        if !self.exists() {
            let (count, result) = write_all(&mut stream, frames);
            match result {
                Ok(()) => {
                    frames.clear();
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => drop(frames.drain(..count)),
                Err(error) => {
                    self.close(make);
                    return Err(error);
                }
            }
        }
        if !frames.is_empty() {
            self.shared(make).append_anyway(frames);
        }
        self.flush(stream)
    }

    /// As [`Outbox::flush`].
    pub(super) fn flush(&self, stream: impl Write) -> io::Result<()> {
        self.flush_by(|outbox| outbox.flush(stream))
    }

    /// As [`Outbox::flush_telling`].
    pub(super) fn flush_telling(&self, stream: impl Write, has_room: impl FnMut()) -> io::Result<()> {
        self.flush_by(|outbox| outbox.flush_telling(stream, has_room))
    }

    /// As [`Outbox::flush_all`].
    pub(super) fn flush_all(&self, stream: impl Write) -> io::Result<()> {
        self.flush_by(|outbox| outbox.flush_all(stream))
    }

    #[inline]
    fn flush_by(&self, flush: impl FnOnce(&Outbox) -> io::Result<()>) -> io::Result<()> {
        let Some(outbox) = self.get() else { return Ok(()) };
        let flushed = flush(&outbox);
        self.leave(outbox);
        flushed
    }

    /// As [`Outbox::wait_for_room`], without a deadline.
    pub(super) fn wait_for_room(&self) -> Result<(), Interrupted> {
        let Some(outbox) = self.get() else { return Ok(()) };
        let waited = outbox.wait_for_room(None);
        self.leave(outbox);
        waited
    }

    /// As [`Outbox::close`].
    pub(super) fn close(&self, make: impl FnOnce() -> Outbox) {
        self.shared(make).close();
    }

    /// Lets go of the outbox, which is given up if nobody else has it and nothing is left in it.
    fn leave(&self, outbox: Arc<Outbox>) {
        drop(outbox);
        let is_needed = |outbox: &mut Arc<Outbox>| Arc::get_mut(outbox).is_none() || !outbox.is_idle();
        let mut outbox = self.outbox.take();
        self.outbox.set(outbox.take_if(is_needed));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;
    use crate::outbox::Refused;

    fn make() -> Outbox {
        Outbox::new(1024)
    }

    fn has_outbox(lazy: &LazyOutbox) -> bool {
        lazy.exists()
    }

    /// A stream on a plain thread, and its peer.
    fn pair() -> (fibra_net::TcpStream, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let near = fibra_net::TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        (near, listener.accept().expect("a connection").0)
    }

    #[test]
    fn what_is_taken_at_once_needs_none() {
        let (stream, mut peer) = pair();
        let lazy = LazyOutbox::default();
        let mut frames = b"frames".to_vec();
        lazy.send(&mut frames, AtOnce(&stream), make).expect("room");
        assert!(frames.is_empty() && !has_outbox(&lazy));
        let mut got = [0; 6];
        peer.read_exact(&mut got).expect("sent");
        assert_eq!(&got, b"frames");
    }

    #[test]
    fn what_is_not_taken_waits_and_goes_out_in_order() {
        let (stream, mut peer) = pair();
        let lazy = LazyOutbox::default();
        let mut sent = Vec::new();
        for byte in 0.. {
            let mut frames = vec![byte; 1 << 20];
            sent.extend_from_slice(&frames);
            lazy.send(&mut frames, AtOnce(&stream), make).expect("the peer is there");
            assert!(frames.is_empty());
            if lazy.is_stuck() {
                break;
            }
            assert!(!has_outbox(&lazy));
        }
        assert!(lazy.is_full() && !lazy.is_empty());
        let mut last = b"last".to_vec();
        lazy.send(&mut last, AtOnce(&stream), make).expect("the peer is there");
        sent.extend_from_slice(b"last");
        std::thread::scope(|scope| {
            let expected = sent.len();
            let reads = scope.spawn(move || {
                let mut got = vec![0; expected];
                peer.read_exact(&mut got).map(|()| got)
            });
            lazy.flush(&stream).expect("it is read");
            assert!(reads.join().expect("no panic").expect("all") == sent);
        });
        assert!(!has_outbox(&lazy), "nothing is left in it");
    }

    #[test]
    fn one_that_is_shared_stays_and_a_close_is_for_good() {
        let (stream, _peer) = pair();
        let lazy = LazyOutbox::default();
        let shared = lazy.shared(make);
        lazy.send(&mut b"frame".to_vec(), AtOnce(&stream), make).expect("room");
        assert!(has_outbox(&lazy) && shared.is_empty());
        lazy.close(make);
        assert_eq!(shared.append_and_wake(&mut b"frame".to_vec()).err(), Some(Refused::Closed));
        drop(shared);
        let mut late = b"late".to_vec();
        lazy.send(&mut late, AtOnce(&stream), make).expect("nothing is sent");
        assert!(late.is_empty());
        assert_eq!(lazy.shared(make).append_and_wake(&mut b"frame".to_vec()).err(), Some(Refused::Closed));
    }
}
