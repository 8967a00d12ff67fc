//! A read stops short in front of an urgent byte, although data follows whose event has already been seen.

use std::io::{self, Read, Write};

use rustix::net::{SendFlags, send};

use crate::support::{join, on_one_worker, pair, spawn_waiting};

#[test]
fn the_bytes_behind_the_mark_are_read() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        let reader = spawn_waiting(move || {
            let (mut buf, mut read) = ([0; 64], Vec::new());
            while read.len() < 11 {
                let n = near.read(&mut buf)?;
                read.extend_from_slice(&buf[..n]);
            }
            io::Result::Ok(read)
        });
        far.write_all(b"before")?;
        send(&far, b"!", SendFlags::OOB)?;
        far.write_all(b"after")?;
        assert_eq!(join(reader)?, b"beforeafter");
        Ok(())
    })
}
