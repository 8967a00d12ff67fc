//! `try_read` and `try_write` do what can be done at once, and nothing else.

use std::io::{self, Read, Write};

use fibra::net::{TcpStream, UnixStream};

use crate::support::{LOST, counters, join, kind, on_one_worker, pair, spawn_waiting};

#[test]
fn it_fails_with_would_block() -> io::Result<()> {
    let both = || -> io::Result<()> {
        let (near, mut far) = pair()?;
        assert_eq!(kind(near.try_read(&mut [0; 8])), io::ErrorKind::WouldBlock);
        far.write_all(b"data")?;
        assert_eq!(near.try_read(&mut [0; 8])?, 4);
        assert_eq!(kind(near.try_read(&mut [0; 8])), io::ErrorKind::WouldBlock);
        drop(far);
        assert_eq!(near.try_read(&mut [0; 8])?, 0);
        Ok(())
    };
    both()?;
    on_one_worker(both)
}

#[test]
fn a_full_socket_takes_no_more_until_the_peer_has_read() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = UnixStream::pair()?;
        let mut sent = 0;
        let full = loop {
            match near.try_write(&[7; 65_536]) {
                Ok(bytes) => sent += bytes,
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        far.read_exact(&mut vec![0; sent])?;
        assert_eq!(near.try_write(b"again")?, 5);
        Ok(())
    })
}

/// A socket that waits in the reactor: what is known of its readiness spares the system call.
fn registered() -> io::Result<(TcpStream, TcpStream)> {
    let (near, mut far) = pair()?;
    let shared = near.try_clone()?;
    let reader = spawn_waiting(move || (&shared).read(&mut [0; 8]));
    far.write_all(b"x")?;
    join(reader)?;
    Ok((near, far))
}

#[test]
fn what_is_known_not_to_be_ready_is_not_asked() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = registered()?;
        let asked = counters().would_block;
        for _ in 0..3 {
            assert_eq!(kind(near.try_read(&mut [0; 8])), io::ErrorKind::WouldBlock);
        }
        assert_eq!(counters().would_block, asked);
        far.write_all(b"data")?;
        // The event brings it to light.
        assert_eq!(near.peek(&mut [0; 8])?, 4);
        assert_eq!(near.try_read(&mut [0; 8])?, 4);
        Ok(())
    })
}

#[test]
fn those_who_wait_come_first() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let shared = near.try_clone()?;
        shared.set_read_timeout(Some(LOST))?;
        let reader = spawn_waiting(move || (&shared).read(&mut [0; 8]));
        far.write_all(b"data")?;
        assert_eq!(kind(near.try_read(&mut [0; 8])), io::ErrorKind::WouldBlock);
        assert_eq!(join(reader)?, 4);
        Ok(())
    })
}
