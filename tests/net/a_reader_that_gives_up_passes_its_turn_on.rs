//! The first in the queue leaves without having read: the next one must not wait for an event that has already been.

use std::io::{self, Read, Write};
use std::time::Duration;

use fibra::cancel;

use crate::support::{hog_for, join, kind, on_one_worker, pair, spawn_waiting};

#[test]
fn when_it_is_cancelled_while_data_arrives() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let (first, second) = (near.try_clone()?, near);
        let first = spawn_waiting(move || (&first).read(&mut [0; 8]));
        let second = spawn_waiting(move || (&second).read(&mut [0; 8]));
        far.write_all(b"data")?;
        first.cancel();
        // Either may get the data; if the first does not, the second does.
        match join(first) {
            Ok(n) => {
                assert_eq!(n, 4);
                far.write_all(b"more!")?;
                assert_eq!(join(second)?, 5);
            }
            Err(_) => assert_eq!(join(second)?, 4),
        }
        Ok(())
    })
}

#[test]
fn when_it_runs_out_of_time() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let (first, second) = (near.try_clone()?, near);
        first.set_read_timeout(Some(Duration::from_millis(1)))?;
        let first = spawn_waiting({
            let first = first.try_clone()?;
            move || (&first).read(&mut [0; 8])
        });
        second.set_read_timeout(None)?;
        let second = spawn_waiting(move || (&second).read(&mut [0; 8]));
        assert_eq!(kind(join(first)), io::ErrorKind::TimedOut);
        far.write_all(b"data")?;
        assert_eq!(join(second)?, 4);
        Ok(())
    })
}

/// Nobody reports the socket's events any more, until somebody registers it anew.
#[test]
fn when_the_reactor_of_the_socket_goes_at_the_same_time() -> io::Result<()> {
    const TIMEOUT: Duration = Duration::from_millis(20);
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let other = fibra::runtime::builder().workers(1).start()?;
        let near = join(other.spawn({
            let mut far = far.try_clone()?;
            move || {
                let reader = near.try_clone()?;
                let reader = spawn_waiting(move || (&reader).read(&mut [0; 8]));
                far.write_all(b"x")?;
                join(reader).map(|_| near)
            }
        })?)?;
        let (first, second) = (near.try_clone()?, near);
        let first = spawn_waiting(move || cancel::with_timeout(TIMEOUT, || (&first).read(&mut [0; 8])));
        let second = spawn_waiting(move || (&second).read(&mut [0; 8]));
        let ends = spawn_waiting(move || fibra::sleep(TIMEOUT / 2).map(|()| other.shutdown()));
        // So that both timers have expired when the worker next looks at them: then this one ends the other runtime, when the first reader
        // has been told that it is late, and before it acts on that.
        hog_for(2 * TIMEOUT);
        join(ends)?;
        assert_eq!(kind(join(first)), io::ErrorKind::TimedOut);
        far.write_all(b"data")?;
        assert_eq!(join(second)?, 4);
        Ok(())
    })
}
