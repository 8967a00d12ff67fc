//! A fiber that finds itself both late and ready is not refused: what it was woken for would otherwise be lost.

use std::io::{self, Read};
use std::net::Shutdown;
use std::time::Duration;

use fibra::clock;

use crate::support::{join, on_one_worker, pair, spawn_waiting};

#[test]
fn by_a_reader() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, _far) = pair()?;
        let other = near.try_clone()?;
        near.set_read_timeout(Some(Duration::from_millis(20)))?;
        let reader = spawn_waiting(move || near.read(&mut [0; 8]));
        // Wakes before the reader, and makes it ready.
        let ends = spawn_waiting(move || {
            fibra::sleep(Duration::from_millis(5))?;
            other.shutdown(Shutdown::Read)
        });
        // Holds the worker until both are late.
        let both = clock::now() + Duration::from_millis(30);
        while clock::now() < both {}
        join(ends)?;
        assert_eq!(join(reader)?, 0);
        Ok(())
    })
}
