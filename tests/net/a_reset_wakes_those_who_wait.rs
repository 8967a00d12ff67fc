//! A reset ends every wait on the connection, in either direction.

use std::io::{self, Read, Write};
use std::time::Duration;

use fibra::net::TcpStream;

use crate::support::{join, kind, on_one_worker, pair, spawn_waiting};

/// The peer throws away what it has and resets the connection.
fn reset(stream: TcpStream) -> io::Result<()> {
    stream.set_linger(Some(Duration::ZERO))
}

#[test]
fn a_reader() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, far) = pair()?;
        let reader = spawn_waiting(move || near.read(&mut [0; 8]));
        reset(far)?;
        assert_eq!(kind(join(reader)), io::ErrorKind::ConnectionReset);
        Ok(())
    })
}

#[test]
fn a_writer() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, far) = pair()?;
        let writer = spawn_waiting(move || near.write_all(&vec![7; 16 << 20]));
        reset(far)?;
        assert_eq!(kind(join(writer)), io::ErrorKind::ConnectionReset);
        Ok(())
    })
}

#[test]
fn all_of_them() -> io::Result<()> {
    on_one_worker(|| {
        let (near, far) = pair()?;
        let readers = (0..3)
            .map(|_| near.try_clone().map(|near| spawn_waiting(move || (&near).read(&mut [0; 8]))))
            .collect::<io::Result<Vec<_>>>()?;
        let writers = (0..3)
            .map(|_| near.try_clone().map(|near| spawn_waiting(move || (&near).write_all(&vec![7; 16 << 20]))))
            .collect::<io::Result<Vec<_>>>()?;
        reset(far)?;
        let mut resets = 0;
        for reader in readers {
            // The kernel reports an error once.
            match join(reader) {
                Ok(read) => assert_eq!(read, 0),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                    resets += 1;
                }
            }
        }
        for writer in writers {
            match kind(join(writer)) {
                io::ErrorKind::BrokenPipe => {}
                kind => {
                    assert_eq!(kind, io::ErrorKind::ConnectionReset);
                    resets += 1;
                }
            }
        }
        assert_eq!(resets, 1);
        Ok(())
    })
}
