//! A future that was dropped while it waited leaves the stream to others.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use tokio::io::AsyncReadExt;

use crate::support::{Failure, block_on, join, on_one_worker, pair, put, spawn_waiting, take};

/// Counts how often it was woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_next_to_read_gets_the_data() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        for round in 0..3 {
            let cut = fibra::cancel::with_timeout(Duration::from_millis(5), || {
                fibra::block_on(async { near.read_u8().await })
            });
            assert!(cut.is_err());
            let fiber = fibra::spawn_local({
                let mut near = near.try_clone()?;
                move || take(&mut near)
            });
            put(&mut far, &[round])?;
            assert_eq!(join(fiber)?, round);
        }
        put(&mut far, &[7])?;
        assert_eq!(block_on(async { near.read_u8().await })?, 7);
        Ok(())
    })
}

#[test]
fn its_waker_is_called_once_and_let_go() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        {
            let mut read = pin!(near.read_u8());
            assert!(read.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            assert!(read.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(waker);
        assert_eq!(Arc::strong_count(&bell), 2, "polled twice, it is there once");
        for _ in 0..3 {
            put(&mut far, &[1])?;
            take(&mut near)?;
        }
        assert_eq!(bell.0.load(Ordering::Relaxed), 1);
        assert_eq!(Arc::strong_count(&bell), 1);
        Ok(())
    })
}

#[test]
fn closing_the_stream_lets_the_waker_go() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, _far) = pair()?;
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        assert!(pin!(near.read_u8()).poll(&mut Context::from_waker(&waker)).is_pending());
        drop((near, waker));
        // The reactor shares it with the stream, and frees what streams leave when it is asked what it has.
        assert_eq!(fibra::net::reactor::counters().map(|counters| counters.sockets), Some(0));
        assert_eq!(Arc::strong_count(&bell), 1);
        Ok(())
    })
}

#[test]
fn a_task_and_a_fiber_wait_side_by_side() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let mut fibers = Vec::new();
        for waits_as_a_task in [true, false] {
            let mut near = near.try_clone()?;
            fibers.push(spawn_waiting(
                move || {
                    if waits_as_a_task { block_on(near.read_u8()) } else { Ok(take(&mut near)?) }
                },
            ));
        }
        put(&mut far, &[3])?;
        put(&mut far, &[4])?;
        let mut read = Vec::new();
        for fiber in fibers {
            read.push(join(fiber)?);
        }
        read.sort_unstable();
        assert_eq!(read, [3, 4]);
        Ok(())
    })
}

#[test]
fn who_polls_last_is_woken() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        let bells = [Arc::new(Bell::default()), Arc::new(Bell::default())];
        for bell in &bells {
            let waker = Waker::from(Arc::clone(bell));
            assert!(pin!(near.read_u8()).poll(&mut Context::from_waker(&waker)).is_pending());
        }
        let mut other = near.try_clone()?;
        let fiber = spawn_waiting(move || take(&mut other));
        put(&mut far, &[1])?;
        join(fiber)?;
        assert_eq!(bells.map(|bell| bell.0.load(Ordering::Relaxed)), [0, 1]);
        Ok(())
    })
}
