//! Each direction ends on its own.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use std::time::Duration;

use fibra::net::tls::TlsStream;
use fibra::net::{ReadHalf, WriteHalf};

use crate::support::{Failure, LOST, join, kind, on_one_worker, pair, spawn_waiting};

type Halves = (ReadHalf<TlsStream>, WriteHalf<TlsStream>);

/// Writes until there is no room for more, as far as can be told: the kernel may find some later, above all under load. Returns how much goes out
/// as soon as there is.
fn fill(writer: &mut WriteHalf<TlsStream>) -> io::Result<usize> {
    writer.as_ref().set_write_timeout(Some(Duration::from_millis(10)))?;
    let mut accepted = 0;
    loop {
        match writer.write(&[7; 32 << 10]) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(accepted),
            written => accepted += written?,
        }
    }
}

/// Drops the writing half in a fiber that was cancelled; returns the other.
fn part_cancelled((reader, writer): Halves) -> ReadHalf<TlsStream> {
    let fiber = spawn_waiting(move || {
        let cut = fibra::sleep(LOST);
        drop(writer);
        cut
    });
    fiber.cancel();
    assert!(join(fiber).is_err());
    reader
}

#[test]
fn the_end_of_writing_leaves_the_reading() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        near.write_all(b"question")?;
        near.shutdown(Shutdown::Write)?;
        let mut question = String::new();
        far.read_to_string(&mut question)?;
        assert_eq!(question, "question");
        assert_eq!(far.read(&mut [0; 8])?, 0, "the end is the end");
        far.write_all(b"answer")?;
        assert_eq!(near.read(&mut [0; 8])?, 6);
        assert_eq!(kind(near.write(b"more")), io::ErrorKind::BrokenPipe);
        Ok(())
    })
}

#[test]
fn dropping_the_writing_half_ends_the_writing() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let (mut reader, writer) = near.into_split();
        drop(writer);
        assert_eq!(far.read(&mut [0; 8])?, 0);
        far.write_all(b"still")?;
        assert_eq!(reader.read(&mut [0; 8])?, 5);
        Ok(())
    })
}

#[test]
fn the_end_of_reading_wakes_who_reads() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, _far) = pair()?;
        let (mut reader, writer) = near.into_split();
        let reader = spawn_waiting(move || reader.read(&mut [0; 8]));
        writer.as_ref().shutdown(Shutdown::Read)?;
        assert_eq!(join(reader)?, 0);
        Ok(())
    })
}

#[test]
fn the_end_of_reading_does_not_wait_for_that_of_writing() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let (mut reader, mut writer) = near.into_split();
        let accepted = fill(&mut writer)?;
        writer.as_ref().set_write_timeout(Some(LOST))?;
        let reader = spawn_waiting(move || reader.read(&mut [0; 8]));
        // It waits until the peer reads, unless the kernel has found some room since.
        let ending = spawn_waiting(move || writer.as_ref().shutdown(Shutdown::Both));
        assert_eq!(join(reader)?, 0);
        far.read_exact(&mut vec![0; accepted])?;
        join(ending)?;
        assert_eq!(far.read(&mut [0; 8])?, 0);
        Ok(())
    })
}

#[test]
fn the_half_that_stays_sends_the_end_for_which_there_was_no_room() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let (mut reader, writer) = near.into_split();
        let reader = spawn_waiting(move || reader.read(&mut [0; 8]));
        // Past TLS, so that there is no room although no record is left.
        let mut filled = 0;
        let mut quiet = 0;
        while quiet < 1000 {
            match writer.as_ref().get_ref().try_write(&[7; 65_536]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => quiet += 1,
                written => (filled, quiet) = (filled + written?, 0),
            }
            fibra::yield_now();
        }
        drop(writer);
        let mut tcp = far.get_ref();
        tcp.read_exact(&mut vec![0; filled])?;
        assert_eq!(far.read(&mut [0; 8])?, 0);
        far.write_all(b"still")?;
        assert_eq!(join(reader)?, 5);
        Ok(())
    })
}

#[test]
fn what_a_cancelled_writer_leaves_is_no_complete_stream() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let (reader, mut writer) = near.into_split();
        writer.write_all(b"half")?;
        let mut reader = part_cancelled((reader, writer));
        assert_eq!(far.read(&mut [0; 8])?, 4);
        assert_eq!(kind(far.read(&mut [0; 8])), io::ErrorKind::UnexpectedEof);
        far.write_all(b"still")?;
        assert_eq!(reader.read(&mut [0; 8])?, 5);
        Ok(())
    })
}

#[test]
fn nor_does_the_half_that_stays_say_so_later() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let (reader, mut writer) = near.into_split();
        writer.write_all(b"half")?;
        drop(part_cancelled((reader, writer)));
        assert_eq!(far.read(&mut [0; 8])?, 4);
        assert_eq!(kind(far.read(&mut [0; 8])), io::ErrorKind::UnexpectedEof);
        Ok(())
    })
}

#[test]
fn but_what_was_accepted_goes_out_before() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, mut far) = pair()?;
        let (reader, mut writer) = near.into_split();
        let accepted = fill(&mut writer)?;
        let mut reader = part_cancelled((reader, writer));
        let reader = spawn_waiting(move || reader.read(&mut [0; 8]));
        far.read_exact(&mut vec![0; accepted])?;
        assert_eq!(kind(far.read(&mut [0; 8])), io::ErrorKind::UnexpectedEof);
        far.write_all(b"still")?;
        assert_eq!(join(reader)?, 5);
        Ok(())
    })
}
