//! The kernel blocks in a close that lingers, also of a non-blocking socket: not the worker, and not longer than asked.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use crate::support::{join, kind, on_one_worker, pair};

#[test]
fn others_run_while_it_waits() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        // Until the peer's buffer is full, too: what is left then does not arrive.
        near.set_write_timeout(Some(Duration::from_millis(50)))?;
        assert_eq!(kind(near.write_all(&vec![7; 32 << 20])), io::ErrorKind::TimedOut);
        near.set_linger(Some(Duration::from_secs(1)))?;
        let closed = Rc::new(Cell::new(false));
        let closer = fibra::spawn_local({
            let closed = Rc::clone(&closed);
            move || {
                drop(near);
                closed.set(true);
            }
        });
        // A fiber that runs while the close waits, and wakes it by reading: the close ends when all has arrived.
        fibra::sleep(Duration::from_millis(20))?;
        assert!(!closed.get());
        io::copy(&mut far, &mut io::sink())?;
        join(closer);
        Ok(())
    })
}

#[test]
fn lingering_for_no_time_is_a_reset() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        near.set_linger(Some(Duration::ZERO))?;
        drop(near);
        assert_eq!(kind(far.read(&mut [0; 8])), io::ErrorKind::ConnectionReset);
        Ok(())
    })
}
