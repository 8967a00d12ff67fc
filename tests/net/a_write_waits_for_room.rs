//! A writer whose peer does not read parks; room, a timeout or the peer's end wakes it.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::support::{join, kind, on_one_worker, pair, spawn_waiting};

#[test]
fn until_the_peer_reads() -> io::Result<()> {
    on_one_worker(|| {
        const BYTES: usize = 16 << 20;
        let (mut near, mut far) = pair()?;
        let writer = spawn_waiting(move || near.write_all(&vec![7; BYTES]));
        let mut read = 0;
        let mut buf = vec![0; 1 << 16];
        while let n @ 1.. = far.read(&mut buf)? {
            read += n;
        }
        join(writer)?;
        assert_eq!(read, BYTES);
        Ok(())
    })
}

#[test]
fn until_its_timeout() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, _far) = pair()?;
        near.set_write_timeout(Some(Duration::from_millis(1)))?;
        assert_eq!(kind(near.write_all(&vec![7; 16 << 20])), io::ErrorKind::TimedOut);
        Ok(())
    })
}

#[test]
fn until_the_peer_is_gone() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, far) = pair()?;
        let writer = spawn_waiting(move || near.write_all(&vec![7; 16 << 20]));
        drop(far);
        assert!(matches!(kind(join(writer)), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe));
        Ok(())
    })
}
