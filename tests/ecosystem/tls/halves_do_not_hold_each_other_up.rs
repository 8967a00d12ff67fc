//! One half reads while the other writes: a reader that waits for its peer holds no lock that a writer needs, nor the other way
//! round.

use std::io::{self, Read, Write};

use fibra::net::tls::TlsStream;
use fibra::net::{ReadHalf, WriteHalf};

use crate::support::{Failure, LOST, join, on_one_worker, pair, spawn_waiting};

/// More than the buffers of a loopback connection hold.
const BULK: usize = 16 << 20;

#[test]
fn a_reader_that_waits_lets_the_writer_write() -> Result<(), Failure> {
    on_one_worker(|| {
        let (client, mut server) = pair()?;
        let (mut reader, mut writer) = client.into_split();
        let reader = spawn_waiting(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        writer.write_all(b"out")?;
        assert_eq!(server.read(&mut [0; 8])?, 3);
        server.write_all(b"in")?;
        drop(server);
        assert_eq!(join(reader)?, "in");
        Ok(())
    })
}

#[test]
fn a_writer_that_waits_lets_the_reader_read() -> Result<(), Failure> {
    on_one_worker(|| {
        let (client, mut server) = pair()?;
        let (mut reader, mut writer) = client.into_split();
        let writer = spawn_waiting(move || writer.write_all(&vec![7; BULK]));
        server.write_all(b"in")?;
        assert_eq!(reader.read(&mut [0; 8])?, 2);
        assert!(!writer.is_finished(), "nobody has read what it writes");
        let mut written = vec![0; BULK];
        server.read_exact(&mut written)?;
        assert!(written.iter().all(|byte| *byte == 7));
        Ok(join(writer)?)
    })
}

#[test]
fn much_goes_both_ways_at_once_on_one_worker() -> Result<(), Failure> {
    on_one_worker(both_ways)
}

#[test]
fn much_goes_both_ways_at_once_on_two_workers() -> Result<(), Failure> {
    fibra::runtime::builder().workers(2).run(both_ways)?
}

fn both_ways() -> Result<(), Failure> {
    let (client, server) = pair()?;
    let mut fibers = Vec::new();
    for (seed, stream) in [(3, client), (5, server)] {
        let (reader, writer) = stream.into_split();
        fibers.push(fibra::spawn(move || write(writer, seed)));
        fibers.push(fibra::spawn(move || expect(reader, 8 - seed)));
    }
    for fiber in fibers {
        join(fiber)?;
    }
    Ok(())
}

/// The byte at a place of the stream that begins with `seed`.
fn byte(seed: usize, place: usize) -> u8 {
    (place.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 7) as u8
}

fn write(mut writer: WriteHalf<TlsStream>, seed: usize) -> io::Result<()> {
    let bytes: Vec<_> = (0..BULK).map(|place| byte(seed, place)).collect();
    // In odd pieces, so that records and writes do not coincide.
    bytes.chunks(40_009).try_for_each(|piece| writer.write_all(piece))
}

fn expect(mut reader: ReadHalf<TlsStream>, seed: usize) -> io::Result<()> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    assert_eq!(bytes.len(), BULK);
    assert!(bytes.iter().enumerate().all(|(place, read)| *read == byte(seed, place)));
    Ok(())
}

#[test]
fn they_become_one_again() -> Result<(), Failure> {
    on_one_worker(|| {
        let [(near, mut far), (other, _far)] = [pair()?, pair()?];
        let (reader, writer) = near.into_split();
        let (_, other) = other.into_split();
        let (reader, _other) = reader.reunite(other).expect_err("they are of two streams");
        let mut near = reader.reunite(writer).expect("they are of one stream");
        near.write_all(b"open")?;
        assert_eq!(far.read(&mut [0; 8])?, 4);
        assert_eq!(near.get_ref().read_timeout()?, Some(LOST));
        Ok(())
    })
}
