//! A server whose queue is full does not answer: only the timeout ends the attempt.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use fibra::net::TcpStream;

use crate::support::{deaf, kind, on_one_worker};

#[test]
fn after_the_time_that_was_asked() -> io::Result<()> {
    on_one_worker(|| {
        let (_listener, addr, _queued) = deaf(Ipv4Addr::LOCALHOST.into())?;
        assert_eq!(kind(TcpStream::connect_timeout(&addr, Duration::from_millis(20))), io::ErrorKind::TimedOut);
        assert_eq!(kind(TcpStream::connect_timeout(&addr, Duration::ZERO)), io::ErrorKind::InvalidInput);
        Ok(())
    })
}
