//! One half reads while the other writes, each a value of its own.

use std::io::{self, Read, Write};
use std::time::Duration;

use fibra::net::{TcpStream, UnixStream};

use crate::support::{join, on_one_worker, pair, spawn_waiting};

#[test]
fn one_reads_while_the_other_writes() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let (mut reader, mut writer) = near.into_split();
        let reader = spawn_waiting(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        writer.write_all(b"out")?;
        assert_eq!(far.read(&mut [0; 8])?, 3);
        far.write_all(b"in")?;
        drop(far);
        assert_eq!(join(reader)?, "in");
        Ok(())
    })
}

#[test]
fn dropping_the_writer_ends_the_writing() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = UnixStream::pair()?;
        let (mut reader, writer) = near.into_split();
        drop(writer);
        assert_eq!(far.read(&mut [0; 8])?, 0);
        far.write_all(b"still")?;
        assert_eq!(reader.read(&mut [0; 8])?, 5);
        Ok(())
    })
}

#[test]
fn dropping_the_reader_changes_nothing_for_the_writer() -> io::Result<()> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let (reader, mut writer) = near.into_split();
        drop(reader);
        far.write_all(b"unread")?;
        writer.write_all(b"out")?;
        assert_eq!(far.read(&mut [0; 8])?, 3);
        Ok(())
    })
}

#[test]
fn the_two_become_one_again() -> io::Result<()> {
    on_one_worker(|| {
        let [(near, mut far), (other, _far)] = [pair()?, pair()?];
        let (reader, writer) = near.into_split();
        let (_, other) = other.into_split();
        let (reader, _other) = reader.reunite(other).expect_err("they are of two streams");
        let mut near = reader.reunite(writer).expect("they are of one stream");
        near.write_all(b"open")?;
        assert_eq!(far.read(&mut [0; 8])?, 4);
        // No half shares it any more.
        std::net::TcpStream::try_from(near).map(drop)
    })
}

#[test]
fn each_leads_to_the_stream() -> io::Result<()> {
    let (near, far) = pair()?;
    let (reader, writer) = near.into_split();
    AsRef::<TcpStream>::as_ref(&reader).set_write_timeout(Some(Duration::from_secs(7)))?;
    assert_eq!(writer.as_ref().write_timeout()?, Some(Duration::from_secs(7)));
    assert_eq!(writer.as_ref().peer_addr()?, far.local_addr()?);
    Ok(())
}
