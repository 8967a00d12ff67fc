//! `rustls::StreamOwned`, client and server.

use std::io::{Read, Write};
use std::sync::Arc;

use fibra::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection, StreamOwned};

use crate::certificates::{Authority, SERVER};
use crate::support::{Failure, converse};

#[test]
fn two_clients_are_served_at_a_time() -> Result<(), Failure> {
    let authority = Authority::new();
    let (server, client) = (Arc::new(authority.server()), Arc::new(authority.client()));
    converse(
        move |stream, meeting| {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&server))?, stream);
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            meeting.attend()?;
            let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut bytes)?;
            stream.write_all(&bytes)?;
            stream.conn.send_close_notify();
            Ok(stream.flush()?)
        },
        move |addr, number| {
            let name = ServerName::try_from(SERVER)?;
            let tls = ClientConnection::new(Arc::clone(&client), name)?;
            let mut stream = StreamOwned::new(tls, TcpStream::connect(addr)?);
            let bytes = vec![number as u8; 3 << 20];
            stream.write_all(&(bytes.len() as u32).to_be_bytes())?;
            stream.write_all(&bytes)?;
            let mut echo = Vec::new();
            stream.read_to_end(&mut echo)?;
            assert!(echo == bytes);
            Ok(())
        },
    )
}
