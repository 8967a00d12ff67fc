//! Each direction ends on its own.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use crate::support::{Failure, join, kind, on_one_worker, pair, spawn_waiting};

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
