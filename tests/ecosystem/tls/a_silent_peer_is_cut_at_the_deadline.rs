//! A peer that does not finish its handshake holds up nobody, and not its own fiber for long.

use std::io::{Read, Write};
use std::time::Duration;

use fibra::net::TcpStream;
use fibra::net::tls::{Error, Fault, TlsStream};

use crate::certificates::SERVER;
use crate::support::{Failure, LOST, join, listener, on_one_worker, spawn_waiting};

#[test]
fn others_are_served_meanwhile() -> Result<(), Failure> {
    on_one_worker(|| {
        let (listener, config) = listener()?;
        let addr = listener.local_addr()?;
        let silent = TcpStream::connect(addr)?;
        let (handshake, _) = listener.accept()?;
        let waiting = spawn_waiting(move || handshake.timeout(LOST).finish());

        let server = fibra::spawn_local(move || listener.accept()?.0.finish());
        TlsStream::connect(addr, SERVER, config)?;
        join(server)?;
        assert!(!waiting.is_finished());
        drop(silent);
        let ended = join(waiting).expect_err("the peer was silent");
        assert!(matches!(&ended, Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof), "{ended}");
        Ok(())
    })
}

#[test]
fn the_deadline_cuts_one_that_says_nothing() -> Result<(), Failure> {
    on_one_worker(|| {
        let (listener, _) = listener()?;
        let listener = listener.handshake_timeout(Duration::from_millis(20));
        let mut silent = TcpStream::connect(listener.local_addr()?)?;
        silent.set_read_timeout(Some(LOST))?;
        let error = listener.accept()?.0.finish().expect_err("the peer was silent");
        assert!(matches!(error, Error::TimedOut), "{error}");
        assert_eq!(error.fault(), Fault::Connection);
        assert_eq!(silent.read(&mut [0; 8])?, 0, "the connection is closed");
        Ok(())
    })
}

#[test]
fn the_deadline_cuts_one_that_says_it_slowly() -> Result<(), Failure> {
    on_one_worker(|| {
        let (listener, _) = listener()?;
        let listener = listener.handshake_timeout(Duration::from_millis(50));
        let mut slow = TcpStream::connect(listener.local_addr()?)?;
        let slow = fibra::spawn_local(move || {
            // The beginning of a record that is never complete.
            let record = [22, 3, 1, 64, 0].into_iter().chain([1, 0, 63, 252]).chain(std::iter::repeat(0));
            for byte in record.take(16_000) {
                if slow.write_all(&[byte]).is_err() {
                    break;
                }
                fibra::sleep(Duration::from_millis(1))?;
            }
            Ok::<_, fibra::cancel::Interrupted>(())
        });
        let error = listener.accept()?.0.finish().expect_err("the peer was slow");
        assert!(matches!(error, Error::TimedOut), "{error}");
        Ok(join(slow)?)
    })
}

#[test]
fn the_callers_deadline_is_not_the_handshakes() -> Result<(), Failure> {
    on_one_worker(|| {
        let (listener, _) = listener()?;
        let _silent = TcpStream::connect(listener.local_addr()?)?;
        let (handshake, _) = listener.accept()?;
        let error = fibra::cancel::with_timeout(Duration::from_millis(20), || handshake.finish());
        let error = error.expect_err("the peer was silent");
        assert!(matches!(&error, Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut), "{error}");
        Ok(())
    })
}

#[test]
fn it_says_nothing_of_the_time_afterwards() -> Result<(), Failure> {
    on_one_worker(|| {
        let (listener, config) = listener()?;
        let listener = listener.handshake_timeout(Duration::from_millis(500));
        let addr = listener.local_addr()?;
        let server = fibra::spawn_local(move || -> Result<_, Failure> {
            let mut stream = listener.accept()?.0.finish()?;
            Ok(stream.read(&mut [0; 8])?)
        });
        let mut client = TlsStream::connect(addr, SERVER, config)?;
        // Its time is over; what follows is not the handshake.
        fibra::sleep(Duration::from_millis(600))?;
        client.write_all(b"late")?;
        assert_eq!(join(server)?, 4);
        Ok(())
    })
}
