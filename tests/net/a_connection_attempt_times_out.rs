//! A server whose queue is full does not answer: only the timeout ends the attempt.

use std::io;
use std::time::Duration;

use fibra::net::TcpStream;

use crate::support::{LOOPBACK, kind, on_one_worker};

#[test]
fn after_the_time_that_was_asked() -> io::Result<()> {
    on_one_worker(|| {
        let listener = std::net::TcpListener::bind(LOOPBACK)?;
        rustix::net::listen(&listener, 0)?;
        let addr = listener.local_addr()?;
        let mut queued = Vec::new();
        let error = loop {
            match TcpStream::connect_timeout(&addr, Duration::from_millis(20)) {
                Ok(stream) => queued.push(stream),
                Err(error) => break error,
            }
            assert!(queued.len() < 100, "the queue is never full");
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(kind(TcpStream::connect_timeout(&addr, Duration::ZERO)), io::ErrorKind::InvalidInput);
        Ok(())
    })
}
