//! To write nothing needs no room, to read into no buffers needs no data, as with std.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::time::Duration;

use fibra::net::UnixStream;

use crate::support::{on_one_worker, pair};

/// Far too little for whoever waits.
const SHORT: Option<Duration> = Some(Duration::from_millis(10));

/// A stream that has nothing to read, and no room.
fn nothing_moves(mut stream: impl Read + Write) -> io::Result<()> {
    loop {
        match stream.write(&[7; 65_536]) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => break,
            written => drop(written?),
        }
    }
    assert_eq!(stream.read(&mut [0; 8]).map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
    assert_eq!(stream.write(&[])?, 0);
    assert_eq!(stream.write_vectored(&[IoSlice::new(&[]), IoSlice::new(&[])])?, 0);
    assert_eq!(stream.read_vectored(&mut [IoSliceMut::new(&mut [])])?, 0);
    Ok(())
}

#[test]
fn on_tcp() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = pair()?;
        near.set_write_timeout(SHORT)?;
        near.set_read_timeout(SHORT)?;
        nothing_moves(near)
    })
}

#[test]
fn on_unix_streams() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = UnixStream::pair()?;
        near.set_write_timeout(SHORT)?;
        near.set_read_timeout(SHORT)?;
        nothing_moves(near)
    })
}
