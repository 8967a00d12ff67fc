//! A peek waits for data as a read does, and leaves it.

use std::io::{self, Read, Write};

use crate::support::{join, on_one_worker, pair, spawn_waiting};

#[test]
fn the_next_read_finds_the_same_bytes() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let peeker = spawn_waiting(move || {
            let mut buf = [0; 8];
            let peeked = near.peek(&mut buf)?;
            let again = near.peek(&mut buf)?;
            io::Result::Ok([peeked, again, (&near).read(&mut buf)?])
        });
        far.write_all(b"data")?;
        assert_eq!(join(peeker)?, [4, 4, 4]);
        Ok(())
    })
}
