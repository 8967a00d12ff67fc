//! Binding twice fails as in std; binding again after closing works at once (`SO_REUSEADDR`).

use std::io;

use fibra::net::{TcpListener, TcpStream};

use crate::support::{LOOPBACK, kind, on_one_worker};

#[test]
fn while_it_is_open_and_not_after() -> io::Result<()> {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addr = listener.local_addr()?;
        assert_eq!(kind(std::net::TcpListener::bind(addr)), io::ErrorKind::AddrInUse);
        assert_eq!(kind(TcpListener::bind(addr)), io::ErrorKind::AddrInUse);
        // The server's end closes first, and so keeps the address in TIME_WAIT.
        let client = TcpStream::connect(addr)?;
        drop(listener.accept()?);
        drop((listener, client));
        TcpListener::bind(addr).map(drop)
    })
}
