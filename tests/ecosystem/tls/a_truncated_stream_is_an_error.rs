//! The end of a stream is what the peer says is the end, not what somebody between makes of it.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use fibra::net::tls::TlsStream;

use crate::support::{Failure, LOST, join, kind, on_one_worker, pair, spawn_waiting};

/// What the peer of one that did `with` its stream, after four bytes, reads from it.
fn read_after(with: impl FnOnce(TlsStream)) -> Result<(Vec<u8>, io::Result<usize>), Failure> {
    let (mut near, mut far) = pair()?;
    near.write_all(b"four")?;
    with(near);
    let mut bytes = Vec::new();
    let end = far.read_to_end(&mut bytes);
    if end.is_err() {
        assert_eq!(kind(far.read(&mut [0; 8])), io::ErrorKind::UnexpectedEof, "it stays the same");
    }
    Ok((bytes, end))
}

#[test]
fn a_connection_that_just_ends_was_cut() -> Result<(), Failure> {
    on_one_worker(|| {
        let (bytes, end) = read_after(|near| {
            // Whoever is between can do that.
            near.get_ref().shutdown(Shutdown::Write).expect("it is connected");
        })?;
        assert_eq!((bytes.as_slice(), kind(end)), (b"four".as_slice(), io::ErrorKind::UnexpectedEof));
        Ok(())
    })
}

#[test]
fn a_stream_that_was_dropped_is_complete() -> Result<(), Failure> {
    on_one_worker(|| {
        let (bytes, end) = read_after(drop)?;
        assert_eq!((bytes.as_slice(), end?), (b"four".as_slice(), 4));
        Ok(())
    })
}

#[test]
fn a_stream_that_was_shut_down_is_complete() -> Result<(), Failure> {
    on_one_worker(|| {
        let (bytes, end) = read_after(|near| near.shutdown(Shutdown::Both).expect("it is connected"))?;
        assert_eq!((bytes.as_slice(), end?), (b"four".as_slice(), 4));
        Ok(())
    })
}

#[test]
#[cfg(panic = "unwind")]
fn a_writer_that_panics_leaves_it_incomplete() -> Result<(), Failure> {
    on_one_worker(|| {
        let (_, end) = read_after(|near| {
            let writer = fibra::spawn_local(move || {
                let _near = near;
                panic!("in the middle of a message");
            });
            assert!(writer.join().is_err());
        })?;
        assert_eq!(kind(end), io::ErrorKind::UnexpectedEof);
        Ok(())
    })
}

#[test]
fn a_writer_that_is_cancelled_or_late_leaves_it_incomplete() -> Result<(), Failure> {
    on_one_worker(|| {
        let (_, end) = read_after(|near| {
            let writer = spawn_waiting(move || {
                let _near = near;
                fibra::sleep(Duration::from_secs(3600))
            });
            writer.cancel();
            assert!(join(writer).is_err());
        })?;
        assert_eq!(kind(end), io::ErrorKind::UnexpectedEof);

        let (_, end) = read_after(|near| fibra::cancel::with_timeout(Duration::ZERO, || drop(near)))?;
        assert_eq!(kind(end), io::ErrorKind::UnexpectedEof);
        Ok(())
    })
}

#[test]
fn what_was_not_written_whole_is_incomplete() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        near.set_write_timeout(Some(Duration::from_millis(10)))?;
        assert_eq!(kind(near.write_all(&vec![7; 32 << 20])), io::ErrorKind::TimedOut);
        // Now there is room, also for the end.
        let reader = spawn_waiting(move || far.read_to_end(&mut Vec::new()));
        near.set_write_timeout(Some(LOST))?;
        near.flush()?;
        drop(near);
        assert_eq!(kind(join(reader)), io::ErrorKind::UnexpectedEof);
        Ok(())
    })
}

#[test]
fn a_write_that_was_repeated_completes_it() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        near.set_write_timeout(Some(Duration::from_millis(10)))?;
        assert_eq!(kind(near.write_all(&vec![7; 32 << 20])), io::ErrorKind::TimedOut);
        let reader = spawn_waiting(move || far.read_to_end(&mut Vec::new()).map(drop));
        near.set_write_timeout(Some(LOST))?;
        near.write_all(b"the rest")?;
        drop(near);
        Ok(join(reader)?)
    })
}
