//! Whoever waited longest for a direction gets its turn first, also before one that comes while there is data.

use std::io::{self, Read, Write};

use fibra::net::TcpStream;

use crate::support::{join, on_one_worker, pair, spawn_waiting};

fn read_byte(stream: &TcpStream) -> io::Result<u8> {
    let mut byte = [0];
    (&*stream).read_exact(&mut byte)?;
    Ok(byte[0])
}

#[test]
fn three_readers_get_three_bytes_in_order() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let readers = (0..3)
            .map(|_| near.try_clone().map(|near| spawn_waiting(move || read_byte(&near))))
            .collect::<io::Result<Vec<_>>>()?;
        far.write_all(b"abc")?;
        let bytes = readers.into_iter().map(join).collect::<io::Result<Vec<_>>>()?;
        assert_eq!(bytes, b"abc");
        Ok(())
    })
}

#[test]
fn a_newcomer_lines_up_behind_those_who_wait() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let readers = (0..2)
            .map(|_| near.try_clone().map(|near| spawn_waiting(move || read_byte(&near))))
            .collect::<io::Result<Vec<_>>>()?;
        far.write_all(b"abc")?;
        // The data is in the socket already, but the two came first.
        assert_eq!(read_byte(&near)?, b'c');
        let bytes = readers.into_iter().map(join).collect::<io::Result<Vec<_>>>()?;
        assert_eq!(bytes, b"ab");
        Ok(())
    })
}
