//! Errors are std's, from fibers as from threads.

use std::io;

use fibra::net::{SocketAddr, TcpListener, TcpStream};

use crate::support::{LOOPBACK, kind, on_one_worker};

/// An address where nobody listens any more.
fn nobody() -> io::Result<SocketAddr> {
    TcpListener::bind(LOOPBACK)?.local_addr()
}

#[test]
fn from_a_fiber_and_from_a_thread() -> io::Result<()> {
    let addr = nobody()?;
    let std = kind(std::net::TcpStream::connect(addr));
    assert_eq!(std, io::ErrorKind::ConnectionRefused);
    assert_eq!(kind(TcpStream::connect(addr)), std);
    on_one_worker(|| {
        assert_eq!(kind(TcpStream::connect(addr)), std);
        Ok(())
    })
}

#[test]
fn the_next_address_is_tried() -> io::Result<()> {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addrs = [nobody()?, listener.local_addr()?];
        assert_eq!(TcpStream::connect(&addrs[..])?.peer_addr()?, addrs[1]);
        assert_eq!(kind(TcpStream::connect(&addrs[..1])), io::ErrorKind::ConnectionRefused);
        assert_eq!(kind(TcpStream::connect(&addrs[..0])), io::ErrorKind::InvalidInput);
        Ok(())
    })
}
