//! A read of a Unix stream stops behind descriptors that the peer has sent along, although data follows whose event has already
//! been seen.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::AsFd;

use fibra::net::UnixStream;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::support::{LOST, join, on_one_worker, spawn_waiting};

fn send_a_descriptor(stream: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let stderr = io::stderr();
    let descriptors = [stderr.as_fd()];
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(stream, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::empty())?;
    Ok(())
}

#[test]
fn the_bytes_behind_them_are_read() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, mut far) = UnixStream::pair()?;
        near.set_read_timeout(Some(LOST))?;
        let reader = spawn_waiting(move || {
            let (mut buf, mut read) = ([0; 64], Vec::new());
            while read.len() < 11 {
                let n = near.read(&mut buf)?;
                read.extend_from_slice(&buf[..n]);
            }
            io::Result::Ok(read)
        });
        send_a_descriptor(&far, b"before")?;
        far.write_all(b"after")?;
        assert_eq!(join(reader)?, b"beforeafter");
        Ok(())
    })
}
