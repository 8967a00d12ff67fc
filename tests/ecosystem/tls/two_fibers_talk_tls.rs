//! A client and a server, by way of listener and connect.

use std::io::{Read, Write};

use fibra::net::tls::TlsStream;
use fibra::net::tls::rustls::ProtocolVersion;

use crate::certificates::SERVER;
use crate::support::{Failure, join, listener, on_one_worker, pair};

#[test]
fn what_one_writes_the_other_reads() -> Result<(), Failure> {
    on_one_worker(|| {
        let (listener, config) = listener()?;
        let addr = listener.local_addr()?;
        let server = fibra::spawn_local(move || -> Result<_, Failure> {
            let (handshake, _) = listener.accept()?;
            let mut stream = handshake.finish()?;
            let mut question = [0; 8];
            stream.read_exact(&mut question)?;
            stream.write_all(b"answer")?;
            Ok((question, stream.server_name()))
        });
        let mut stream = TlsStream::connect(addr, SERVER, config)?;
        stream.write_all(b"question")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        assert_eq!(answer, "answer");
        assert_eq!(join(server)?, (*b"question", Some(SERVER.to_owned())));
        Ok(())
    })
}

#[test]
fn they_know_what_was_agreed_on() -> Result<(), Failure> {
    on_one_worker(|| {
        let (client, server) = pair()?;
        assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(client.peer_certificates().map(|chain| chain.len()), Some(1));
        assert_eq!(server.peer_certificates(), None);
        assert_eq!(client.get_ref().peer_addr()?, server.get_ref().local_addr()?);
        Ok(())
    })
}

#[test]
fn vectored_writes_keep_the_bytes_in_order() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut client, mut server) = pair()?;
        let bufs = [b"one ".as_slice(), b"", b"two ", b"three"].map(std::io::IoSlice::new);
        assert_eq!(client.write_vectored(&bufs)?, 13);
        let mut read = [0; 13];
        assert_eq!(server.read(&mut read)?, 13, "it is one record");
        assert_eq!(&read, b"one two three");
        Ok(())
    })
}
