//! A peer that changes its keys in the middle of a stream.

use std::io::{self, Read, Write};
use std::sync::Arc;

use fibra::net::TcpStream;
use fibra::net::tls::rustls::{ServerConnection, StreamOwned};
use fibra::net::tls::{Handshake, TlsStream};

use crate::certificates::{Authority, SERVER};
use crate::support::{Failure, join, on_one_worker, tcp_pair};

/// A client of fibra's, and a server of rustls's own, which can change its keys.
fn pair_with_rustls() -> Result<(TlsStream, StreamOwned<ServerConnection, TcpStream>), Failure> {
    let authority = Authority::new();
    let (near, far) = tcp_pair()?;
    let mut server = StreamOwned::new(ServerConnection::new(Arc::new(authority.server()))?, far);
    let server = fibra::spawn_local(move || {
        while server.conn.is_handshaking() {
            server.conn.complete_io(&mut server.sock)?;
        }
        server.flush()?;
        Ok::<_, io::Error>(server)
    });
    let client = Handshake::client(near, SERVER, Arc::new(authority.client()))?.finish()?;
    Ok((client, join(server)?))
}

#[test]
fn data_goes_on_both_ways() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut client, mut server) = pair_with_rustls()?;
        let peer = fibra::spawn_local(move || -> Result<_, Failure> {
            for round in 0..10 {
                server.write_all(&[round; 100])?;
                server.conn.refresh_traffic_keys()?;
                server.write_all(&[round; 100])?;
                server.read_exact(&mut [0; 100])?;
            }
            Ok(())
        });
        for round in 0..10 {
            let mut bytes = [0; 200];
            client.read_exact(&mut bytes)?;
            assert_eq!(bytes, [round; 200]);
            client.write_all(&[round; 100])?;
        }
        join(peer)
    })
}
