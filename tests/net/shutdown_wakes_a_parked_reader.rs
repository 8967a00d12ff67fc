//! One's own `shutdown` is heard by one's own fibers.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use crate::support::{join, kind, on_one_worker, pair, spawn_waiting};

#[test]
fn the_reader_sees_the_end() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = pair()?;
        let shared = near.try_clone()?;
        let reader = spawn_waiting(move || (&shared).read(&mut [0; 8]));
        near.shutdown(Shutdown::Read)?;
        assert_eq!(join(reader)?, 0);
        Ok(())
    })
}

#[test]
fn all_readers_see_it() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = pair()?;
        let readers = (0..3)
            .map(|_| near.try_clone().map(|near| spawn_waiting(move || (&near).read(&mut [0; 8]))))
            .collect::<io::Result<Vec<_>>>()?;
        near.shutdown(Shutdown::Both)?;
        for reader in readers {
            assert_eq!(join(reader)?, 0);
        }
        Ok(())
    })
}

#[test]
fn a_parked_writer_gets_broken_pipe() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = pair()?;
        let shared = near.try_clone()?;
        let writer = spawn_waiting(move || (&shared).write_all(&vec![7; 16 << 20]));
        near.shutdown(Shutdown::Write)?;
        assert_eq!(kind(join(writer)), io::ErrorKind::BrokenPipe);
        Ok(())
    })
}
