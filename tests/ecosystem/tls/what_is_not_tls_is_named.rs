//! Who speaks something else is told from who speaks TLS badly.

use std::io::{self, Write};

use fibra::net::TcpStream;
use fibra::net::tls::{Error, Fault, Handshake};

use crate::certificates::{Authority, SERVER};
use crate::support::{Failure, listener, on_one_worker, tcp_pair};

#[test]
fn a_client_that_speaks_plain_http() -> Result<(), Failure> {
    on_one_worker(|| {
        let (listener, _) = listener()?;
        let mut client = TcpStream::connect(listener.local_addr()?)?;
        client.write_all(b"GET / HTTP/1.1\r\nHost: server.test\r\n\r\n")?;
        let error = listener.accept()?.0.finish().expect_err("it is no TLS");
        assert_eq!(error.to_string(), "the peer does not speak TLS: it sent \"GET / HTTP/1.1\"");
        assert_eq!(error.fault(), Fault::Peer);
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidData);
        Ok(())
    })
}

#[test]
fn a_server_that_speaks_plain_http() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, mut far) = tcp_pair()?;
        far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
        let client = Handshake::client(near, SERVER, Authority::new().client().into())?;
        let error = client.finish().expect_err("it is no TLS");
        assert!(matches!(&error, Error::NotTls { received } if received == "HTTP/1.1 400 Bad"), "{error}");
        Ok(())
    })
}

#[test]
fn a_client_that_speaks_tls_badly() -> Result<(), Failure> {
    on_one_worker(|| {
        let (listener, _) = listener()?;
        let mut client = TcpStream::connect(listener.local_addr()?)?;
        // A record of a handshake whose first message is no ClientHello.
        client.write_all(&[22, 3, 1, 0, 4, 2, 0, 0, 0])?;
        let error = listener.accept()?.0.finish().expect_err("it is no ClientHello");
        assert!(matches!(error, Error::Protocol(_)), "{error}");
        assert_eq!(error.fault(), Fault::Peer);
        Ok(())
    })
}
