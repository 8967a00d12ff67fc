//! A message that fits a record costs one system call to send and one to receive, as without TLS.

use std::io::{self, Read, Write};

use fibra::net::tls::TlsStream;

use crate::support::{Failure, join, on_one_worker, pair};

/// How often a message goes there and back.
const ROUNDS: u64 = 200;

fn ping(stream: &mut TlsStream) -> io::Result<()> {
    stream.write_all(&[7; 64])?;
    stream.read_exact(&mut [0; 64])
}

#[test]
fn no_read_finds_nothing() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        let echo = fibra::spawn_local(move || -> io::Result<()> {
            let mut message = [0; 64];
            while far.read(&mut message)? != 0 {
                far.write_all(&message)?;
            }
            Ok(())
        });
        ping(&mut near)?;
        let counters = || fibra::net::reactor::counters().ok_or("this worker has a reactor");
        let before = counters()?;
        for _ in 0..ROUNDS {
            ping(&mut near)?;
        }
        let after = counters()?;
        assert_eq!(after.would_block - before.would_block, 0);
        assert_eq!(after.registrations - before.registrations, 0);
        drop(near);
        Ok(join(echo)?)
    })
}
