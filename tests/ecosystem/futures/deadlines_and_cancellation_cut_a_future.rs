//! The fiber's deadline and cancellation cut the future that waits for a stream; the stream stays usable.

use std::time::Duration;

use fibra::cancel::{self, Interrupted};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Failure, block_on, join, on_one_worker, pair, put, spawn_waiting};

#[test]
fn the_deadline_cuts_reading_and_writing() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        let read = cancel::with_timeout(Duration::from_millis(10), || fibra::block_on(near.read_u8()));
        assert_eq!(read.map(|_| ()), Err(Interrupted::TimedOut));
        put(&mut far, &[1])?;
        assert_eq!(block_on(near.read_u8())?, 1);

        let bulk = vec![0; 32 << 20];
        let written = cancel::with_timeout(Duration::from_millis(10), || {
            fibra::block_on(AsyncWriteExt::write_all(&mut near, &bulk))
        });
        assert_eq!(written.map(|_| ()), Err(Interrupted::TimedOut));
        Ok(())
    })
}

#[test]
fn cancellation_does() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, _far) = pair()?;
        let reader = spawn_waiting(move || fibra::block_on(async move { near.read_u8().await }).map(|_| ()));
        assert!(!reader.is_finished());
        reader.cancel();
        assert_eq!(join(reader), Err(Interrupted::Cancelled));
        Ok(())
    })
}

#[test]
fn the_streams_own_timeout_does_not() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        near.set_read_timeout(Some(Duration::from_nanos(1)))?;
        let reader = spawn_waiting(move || block_on(async move { near.read_u8().await }));
        fibra::sleep(Duration::from_millis(5))?;
        put(&mut far, &[1])?;
        assert_eq!(join(reader)?, 1);
        Ok(())
    })
}
