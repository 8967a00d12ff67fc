//! On plain threads, no reactor is used and none is needed.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use crate::support::{kind, pair};

#[test]
fn threads_connect_wait_and_see_the_end() -> io::Result<()> {
    let (mut near, mut far) = pair()?;
    let echo = thread::spawn(move || -> io::Result<()> {
        let mut buf = [0; 4];
        far.read_exact(&mut buf)?;
        far.write_all(&buf)
    });
    near.write_all(b"echo")?;
    let mut reply = String::new();
    near.read_to_string(&mut reply)?;
    assert_eq!(reply, "echo");
    echo.join().expect("a thread panicked")
}

#[test]
fn a_thread_that_waits_too_long_gets_timed_out() -> io::Result<()> {
    let (mut near, mut far) = pair()?;
    near.set_read_timeout(Some(Duration::from_millis(1)))?;
    assert_eq!(kind(near.read(&mut [0; 1])), io::ErrorKind::TimedOut);
    far.write_all(b"late")?;
    assert_eq!(near.read(&mut [0; 8])?, 4);
    Ok(())
}

#[test]
fn a_thread_that_floods_waits_for_room() -> io::Result<()> {
    const BYTES: usize = 16 << 20;
    let (mut near, far) = pair()?;
    let reader = thread::spawn(move || io::copy(&mut &far, &mut io::sink()));
    near.write_all(&vec![7; BYTES])?;
    drop(near);
    assert_eq!(reader.join().expect("a thread panicked")?, BYTES as u64);
    Ok(())
}
