//! A peer that sends or takes a byte now and then: no read or write of it times out, a deadline over all of them does, and other
//! connections go on.

use std::io::{self, Read, Write};
use std::net::TcpStream as StdStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fibra::cancel;
use fibra::net::{TcpListener, TcpStream};

use crate::support::{LOOPBACK, LOST, join, kind, on_one_worker, spawn_waiting};

const NOW_AND_THEN: Duration = Duration::from_millis(2);

/// What a whole request or response may take.
const ALL: Duration = Duration::from_millis(100);

/// The other end of a connection, on a thread that does `trickle` now and then.
struct SlowPeer {
    ended: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl SlowPeer {
    fn connect(
        listener: &TcpListener,
        mut trickle: impl FnMut(&StdStream) -> io::Result<()> + Send + 'static,
    ) -> io::Result<(TcpStream, Self)> {
        let peer = StdStream::connect(listener.local_addr()?)?;
        let ended = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let ended = Arc::clone(&ended);
            move || {
                while !ended.load(Ordering::Relaxed) && trickle(&peer).is_ok() {
                    thread::park_timeout(NOW_AND_THEN);
                }
            }
        });
        Ok((listener.accept()?.0, Self { ended, thread }))
    }

    fn end(self) {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().expect("a thread panicked");
    }
}

/// Round trips on another connection.
fn others(listener: &TcpListener) -> io::Result<()> {
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_read_timeout(Some(LOST))?;
    fibra::spawn(move || io::copy(&mut &far, &mut &far));
    for _ in 0..200 {
        near.write_all(b"x")?;
        near.read_exact(&mut [0])?;
    }
    Ok(())
}

#[test]
fn one_that_sends_byte_by_byte() -> io::Result<()> {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let (mut stream, peer) = SlowPeer::connect(&listener, |mut peer| peer.write_all(b"."))?;
        stream.set_read_timeout(Some(LOST))?;
        // Far more than comes in the time, though each byte comes in time.
        let mut request = vec![0; 1 << 20];
        let reader = spawn_waiting(move || cancel::with_timeout(ALL, || stream.read_exact(&mut request)));
        others(&listener)?;
        assert_eq!(kind(join(reader)), io::ErrorKind::TimedOut);
        peer.end();
        Ok(())
    })
}

#[test]
fn one_that_takes_byte_by_byte() -> io::Result<()> {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let (mut stream, peer) = SlowPeer::connect(&listener, |mut peer| peer.read_exact(&mut [0]))?;
        stream.set_write_timeout(Some(LOST))?;
        let response = vec![7; 64 << 20];
        let writer = spawn_waiting(move || cancel::with_timeout(ALL, || stream.write_all(&response)));
        others(&listener)?;
        assert_eq!(kind(join(writer)), io::ErrorKind::TimedOut);
        peer.end();
        Ok(())
    })
}
