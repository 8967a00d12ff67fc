//! A future that waits for its peer is polled again when the peer has done something.

use std::time::Duration;

use fibra::net::UnixStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Failure, block_on, join, on_one_worker, pair, put, spawn_waiting, take, tls_pair};

#[test]
fn by_data_and_by_the_end() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        let reader = spawn_waiting(move || {
            block_on(async move {
                let mut bytes = [0; 8];
                let read = near.read(&mut bytes).await?;
                let end = near.read(&mut bytes[read..]).await?;
                Ok::<_, Failure>((bytes, read, end))
            })
        });
        assert!(!reader.is_finished());
        put(&mut far, b"data")?;
        drop(far);
        assert_eq!(join(reader)?, (*b"data\0\0\0\0", 4, 0));
        Ok(())
    })
}

#[test]
fn by_data_each_time_it_waits() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        let pong = fibra::spawn_local(move || {
            block_on(async move {
                let mut byte = [0];
                while near.read(&mut byte).await? == 1 {
                    near.write_all(&byte).await?;
                }
                Ok::<_, Failure>(())
            })
        });
        block_on(async {
            for round in 0..=255 {
                far.write_all(&[round]).await?;
                assert_eq!(far.read_u8().await?, round);
            }
            AsyncWriteExt::shutdown(&mut far).await
        })?;
        join(pong)
    })
}

#[test]
fn by_an_event_on_another_workers_reactor() -> Result<(), Failure> {
    fibra::runtime::builder().workers(2).run(|| {
        for _ in 0..200 {
            let (mut near, mut far) = pair()?;
            // Registers it with the reactor of whichever worker runs that fiber; the next may run elsewhere.
            let first = fibra::spawn(move || block_on(async { near.read_u8().await }).map(|first| (first, near)));
            put(&mut far, &[1])?;
            let (first, mut near) = join(first)?;
            assert_eq!(first, 1);
            let reader = fibra::spawn(move || block_on(async move { near.read_u8().await }));
            put(&mut far, &[2])?;
            assert_eq!(join(reader)?, 2);
        }
        Ok(())
    })?
}

#[test]
fn by_data_that_comes_after_a_fiber_has_given_up_beside_it() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        let mut beside = near.try_clone()?;
        let reader = spawn_waiting(move || block_on(async move { near.read_u8().await }));
        let cut = fibra::cancel::with_timeout(Duration::from_millis(5), || take(&mut beside));
        assert!(cut.is_err());
        put(&mut far, &[7])?;
        assert_eq!(join(reader)?, 7);
        Ok(())
    })
}

#[test]
fn on_a_unix_stream() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = UnixStream::pair()?;
        let reader = spawn_waiting(move || block_on(async move { near.read_u8().await }));
        assert!(!reader.is_finished());
        put(&mut far, &[7])?;
        assert_eq!(join(reader)?, 7);
        Ok(())
    })
}

#[test]
fn on_a_tls_stream() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = tls_pair()?;
        let reader = spawn_waiting(move || block_on(async move { near.read_u8().await }));
        assert!(!reader.is_finished());
        put(&mut far, &[7])?;
        assert_eq!(join(reader)?, 7);
        Ok(())
    })
}
