//! A short read says that the socket is drained, but the end of the stream must not hide behind it: its edge may have come with
//! the data, before them, or after.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use crate::support::{join, on_one_worker, pair, spawn_waiting};

fn read_twice(stream: &mut impl Read) -> io::Result<[usize; 2]> {
    let mut buf = [0; 64];
    Ok([stream.read(&mut buf)?, stream.read(&mut buf)?])
}

#[test]
fn when_one_event_brings_both() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        let reader = spawn_waiting(move || read_twice(&mut near));
        far.write_all(b"last")?;
        far.shutdown(Shutdown::Write)?;
        assert_eq!(join(reader)?, [4, 0]);
        Ok(())
    })
}

#[test]
fn when_both_are_there_before_the_first_read() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        far.write_all(b"last")?;
        far.shutdown(Shutdown::Write)?;
        assert_eq!(read_twice(&mut near)?, [4, 0]);
        Ok(())
    })
}

#[test]
fn when_the_end_comes_after_the_short_read() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        let reader = spawn_waiting(move || read_twice(&mut near));
        far.write_all(b"last")?;
        let end = fibra::spawn_local(move || far.shutdown(Shutdown::Write));
        assert_eq!(join(reader)?, [4, 0]);
        join(end)
    })
}

#[test]
fn when_the_peer_resets() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        // Unread data at its close turns the peer's FIN into a reset.
        (&near).write_all(b"unread")?;
        far.write_all(b"last")?;
        let reader = spawn_waiting(move || {
            let mut buf = [0; 64];
            [(&near).read(&mut buf), (&near).read(&mut buf)].map(|read| read.map_err(|error| error.kind()))
        });
        drop(far);
        let [first, second] = join(reader);
        assert!(matches!(first, Ok(4) | Err(io::ErrorKind::ConnectionReset)), "{first:?}");
        assert!(matches!(second, Ok(0) | Err(io::ErrorKind::ConnectionReset)), "{second:?}");
        Ok(())
    })
}
