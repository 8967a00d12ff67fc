//! What a write has accepted when it was cut goes out even if its writer never writes again.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::support::{Failure, LOST, join, on_one_worker, pair, spawn_waiting};

/// Writes until that is cut; returns how much was accepted.
fn fill(mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<usize> {
    let mut accepted = 0;
    loop {
        match write(&[7; 32 << 10]) {
            Ok(written) => accepted += written,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(accepted),
            Err(error) => return Err(error),
        }
    }
}

#[test]
fn while_its_writer_waits_for_an_answer() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        near.set_write_timeout(Some(Duration::from_millis(10)))?;
        let accepted = fill(|bytes| near.write(bytes))?;
        let peer = fibra::spawn_local(move || {
            far.read_exact(&mut vec![0; accepted])?;
            far.write_all(b"all of it")
        });
        assert_eq!(near.read(&mut [0; 16])?, 9);
        Ok(join(peer)?)
    })
}

#[test]
fn while_the_other_half_waits_already() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let (mut reader, mut writer) = near.into_split();
        let reader = spawn_waiting(move || reader.read(&mut [0; 16]));
        writer.as_ref().set_write_timeout(Some(Duration::from_millis(10)))?;
        let accepted = fill(|bytes| writer.write(bytes))?;
        far.read_exact(&mut vec![0; accepted])?;
        far.write_all(b"all of it")?;
        assert_eq!(join(reader)?, 9);
        Ok(())
    })
}

#[test]
fn or_when_it_is_flushed() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        near.set_write_timeout(Some(Duration::from_millis(10)))?;
        let accepted = fill(|bytes| near.write(bytes))?;
        near.set_write_timeout(Some(LOST))?;
        let peer = fibra::spawn_local(move || far.read_exact(&mut vec![0; accepted]));
        near.flush()?;
        Ok(join(peer)?)
    })
}
