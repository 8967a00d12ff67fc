//! One read and one write for each message and a share of `epoll_wait`; no `epoll_ctl`, no eventfd, no read that only returns
//! `EAGAIN`.

use std::io::{self, Read, Write};

use fibra::net::TcpStream;

use crate::support::{counters, on_one_worker, pair};

const ROUNDS: u64 = 200;

fn ping(stream: &mut TcpStream) -> io::Result<()> {
    let mut buf = [0; 128];
    stream.write_all(&[1; 64])?;
    assert_eq!(stream.read(&mut buf)?, 64);
    Ok(())
}

#[test]
fn the_reactors_counters_stand_still() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        fibra::spawn(move || -> io::Result<()> {
            let mut buf = [0; 128];
            while let n @ 1.. = far.read(&mut buf)? {
                far.write_all(&buf[..n])?;
            }
            Ok(())
        });
        for _ in 0..3 {
            ping(&mut near)?;
        }
        let before = counters();
        for _ in 0..ROUNDS {
            ping(&mut near)?;
        }
        let after = counters();
        assert_eq!(after.registrations - before.registrations, 0, "epoll_ctl");
        assert_eq!(after.wakes - before.wakes, 0, "eventfd");
        assert_eq!(after.would_block - before.would_block, 0, "EAGAIN");
        assert_eq!(after.events - before.events, 2 * ROUNDS, "one event for each message");
        Ok(())
    })
}
