//! A reader that waits for bytes learns that there will be none.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use crate::support::{join, on_one_worker, pair, spawn_waiting};

#[test]
fn when_the_peer_closes() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, far) = pair()?;
        let reader = spawn_waiting(move || near.read(&mut [0; 8]));
        drop(far);
        assert_eq!(join(reader)?, 0);
        Ok(())
    })
}

#[test]
fn when_the_peer_only_stops_sending() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let shared = near.try_clone()?;
        let reader = spawn_waiting(move || (&shared).read(&mut [0; 8]));
        far.shutdown(Shutdown::Write)?;
        assert_eq!(join(reader)?, 0);
        (&near).write_all(b"still")?;
        assert_eq!(far.read(&mut [0; 8])?, 5, "the other direction still works");
        Ok(())
    })
}
