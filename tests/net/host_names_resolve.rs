//! Names resolve on the blocking pool, literals in place; what is neither fails as in std.

use std::io;

use fibra::net::{TcpListener, TcpStream, ToSocketAddrs};

use crate::support::{LOOPBACK, join, kind, on_one_worker, spawn_waiting};

#[test]
fn localhost_is_this_host() -> io::Result<()> {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let port = listener.local_addr()?.port();
        assert_eq!(TcpStream::connect(("localhost", port))?.peer_addr()?.port(), port);
        assert_eq!(TcpStream::connect(format!("localhost:{port}"))?.peer_addr()?.port(), port);
        Ok(())
    })
}

#[test]
fn the_worker_goes_on_meanwhile() -> io::Result<()> {
    on_one_worker(|| {
        // The pool may be so quick that nobody sees the fiber wait; but not each time.
        let has_waited = (0..20).any(|_| {
            let resolver = spawn_waiting(|| "localhost:80".to_socket_addrs().map(|addrs| addrs.count()));
            let waits = !resolver.is_finished();
            assert!(join(resolver).expect("it is known everywhere") > 0);
            waits
        });
        assert!(has_waited);
        let literal = spawn_waiting(|| "127.0.0.1:80".to_socket_addrs().map(|addrs| addrs.count()));
        assert!(literal.is_finished(), "it has parked");
        Ok(())
    })
}

#[test]
fn literals_resolve_to_themselves() -> io::Result<()> {
    on_one_worker(|| {
        let addr = ([127, 0, 0, 1], 7000).into();
        assert!("127.0.0.1:7000".to_socket_addrs()?.eq([addr]));
        assert!(("127.0.0.1", 7000).to_socket_addrs()?.eq([addr]));
        assert!((String::from("127.0.0.1"), 7000).to_socket_addrs()?.eq([addr]));
        assert!(addr.to_socket_addrs()?.eq([addr]));
        assert!("[::1]:80".to_socket_addrs()?.all(|addr| addr.is_ipv6()));
        Ok(())
    })
}

#[test]
fn nonsense_fails_as_in_std() -> io::Result<()> {
    on_one_worker(|| {
        for nonsense in ["", "no port", "host:port", "host:70000"] {
            let std = kind(std::net::ToSocketAddrs::to_socket_addrs(nonsense));
            assert_eq!(kind(nonsense.to_socket_addrs()), std, "{nonsense:?}");
        }
        Ok(())
    })
}
