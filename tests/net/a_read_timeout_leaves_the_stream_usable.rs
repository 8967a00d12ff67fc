//! A timeout is an answer, not an end.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::support::{kind, on_one_worker, pair};

#[test]
fn it_fails_with_timed_out_and_reads_on() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        near.set_read_timeout(Some(Duration::from_millis(1)))?;
        assert_eq!(near.read_timeout()?, Some(Duration::from_millis(1)));
        for _ in 0..3 {
            assert_eq!(kind(near.read(&mut [0; 8])), io::ErrorKind::TimedOut);
        }
        near.set_read_timeout(None)?;
        far.write_all(b"late")?;
        assert_eq!(near.read(&mut [0; 8])?, 4);
        Ok(())
    })
}

#[test]
fn a_zero_timeout_is_refused() -> io::Result<()> {
    let (near, _far) = pair()?;
    assert_eq!(kind(near.set_read_timeout(Some(Duration::ZERO))), io::ErrorKind::InvalidInput);
    assert_eq!(kind(near.set_write_timeout(Some(Duration::ZERO))), io::ErrorKind::InvalidInput);
    Ok(())
}
