//! Timeouts, deadlines and cancellation cut a wait; the stream stays usable.

use std::io::{self, Read, Write};
use std::time::Duration;

use fibra::cancel;
use fibra::net::tls::Handshake;

use crate::certificates::{Authority, SERVER};
use crate::support::{Failure, LOST, join, kind, on_one_worker, pair, spawn_waiting, tcp_pair};

#[test]
fn a_read_timeout_leaves_the_stream_usable() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        near.set_read_timeout(Some(Duration::from_millis(10)))?;
        assert_eq!(kind(near.read(&mut [0; 8])), io::ErrorKind::TimedOut);
        near.set_read_timeout(Some(LOST))?;
        far.write_all(b"late")?;
        assert_eq!(near.read(&mut [0; 8])?, 4);
        Ok(())
    })
}

#[test]
fn the_ambient_deadline_cuts_reading_and_writing() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, _far) = pair()?;
        let read = cancel::with_timeout(Duration::from_millis(10), || near.read(&mut [0; 8]));
        assert_eq!(kind(read), io::ErrorKind::TimedOut);
        let written = cancel::with_timeout(Duration::from_millis(10), || near.write_all(&vec![0; 32 << 20]));
        assert_eq!(kind(written), io::ErrorKind::TimedOut);
        Ok(())
    })
}

#[test]
fn cancellation_cuts_reading_writing_and_the_handshake() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut reading, _far) = pair()?;
        let (mut writing, _far_too) = pair()?;
        let (tcp, _silent) = tcp_pair()?;
        let handshake = Handshake::client(tcp, SERVER, Authority::new().client().into())?;
        let fibers = [
            spawn_waiting(move || reading.read(&mut [0; 8]).map(drop)),
            spawn_waiting(move || writing.write_all(&vec![0; 32 << 20])),
            spawn_waiting(move || handshake.finish().map(drop).map_err(io::Error::from)),
        ];
        for fiber in fibers {
            assert!(!fiber.is_finished());
            fiber.cancel();
            let error = join(fiber).expect_err("it was cancelled");
            assert!(cancel::is_cancelled(&error), "{error}");
        }
        Ok(())
    })
}

#[test]
fn a_nonblocking_stream_does_not_wait() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        near.get_ref().set_nonblocking(true)?;
        assert_eq!(kind(near.read(&mut [0; 8])), io::ErrorKind::WouldBlock);
        assert_eq!(kind(near.write_all(&vec![0; 32 << 20])), io::ErrorKind::WouldBlock);
        far.write_all(b"in")?;
        near.get_ref().set_nonblocking(false)?;
        assert_eq!(near.read(&mut [0; 8])?, 2);
        Ok(())
    })
}
