//! Full duplex: at either end, one fiber writes while another reads, far more than the kernel buffers.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use fibra::net::TcpStream;

use crate::support::{join, on_one_worker, pair};

const BYTES: usize = 8 << 20;

fn send(stream: &TcpStream, byte: u8) -> io::Result<()> {
    let chunk = vec![byte; 100_000];
    let mut left = BYTES;
    while left > 0 {
        left -= (&*stream).write(&chunk[..chunk.len().min(left)])?;
    }
    stream.shutdown(Shutdown::Write)
}

fn receive(stream: &TcpStream, byte: u8) -> io::Result<usize> {
    let (mut buf, mut total) = (vec![0; 65_536], 0);
    while let n @ 1.. = (&*stream).read(&mut buf)? {
        assert!(buf[..n].iter().all(|got| *got == byte));
        total += n;
    }
    Ok(total)
}

#[test]
fn both_directions_move_everything() -> io::Result<()> {
    on_one_worker(|| {
        let (near, far) = pair()?;
        let (near_writes, far_writes) = (near.try_clone()?, far.try_clone()?);
        let writers = [fibra::spawn(move || send(&near_writes, b'n')), fibra::spawn(move || send(&far_writes, b'f'))];
        let readers = [fibra::spawn(move || receive(&near, b'f')), fibra::spawn(move || receive(&far, b'n'))];
        writers.into_iter().try_for_each(join)?;
        for reader in readers {
            assert_eq!(join(reader)?, BYTES);
        }
        Ok(())
    })
}
