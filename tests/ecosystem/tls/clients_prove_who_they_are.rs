//! Mutual TLS: a server that demands certificates knows its clients, and lets in nobody else.

use std::io::{Read, Write};

use fibra::net::tls::rustls::{self, AlertDescription, CertificateError};
use fibra::net::tls::{Error, Fault};

use crate::certificates::Authority;
use crate::support::{Failure, on_one_worker, shake};

#[test]
fn the_server_reads_the_clients_certificate() -> Result<(), Failure> {
    on_one_worker(|| {
        let authority = Authority::new();
        let identity = authority.issue("client.test");
        let shown = identity.chain.clone();
        let (client, server) = shake(authority.client_as(identity), authority.demanding_server())?;
        let (mut client, mut server) = (client?, server?);
        assert_eq!(server.peer_certificates(), Some(shown));
        client.write_all(b"in")?;
        assert_eq!(server.read(&mut [0; 8])?, 2);
        Ok(())
    })
}

#[test]
fn a_client_without_a_certificate_is_refused() -> Result<(), Failure> {
    on_one_worker(|| {
        let authority = Authority::new();
        let (client, server) = shake(authority.client(), authority.demanding_server())?;
        let refusal = server.expect_err("it has no certificate");
        assert!(matches!(refusal, Error::NoCertificate), "{refusal}");
        assert_eq!(refusal.fault(), Fault::Peer);
        // With TLS 1.3 the client had finished by then, and is told when it reads.
        let told = client?.read(&mut [0; 8]).expect_err("the server has refused");
        let told = Error::of(&told).expect("it is TLS that says so");
        assert!(matches!(told, Error::Refused(AlertDescription::CertificateRequired)), "{told}");
        assert_eq!(told.fault(), Fault::Local);
        Ok(())
    })
}

#[test]
fn a_client_of_another_authority_is_refused() -> Result<(), Failure> {
    on_one_worker(|| {
        let authority = Authority::new();
        let foreign = Authority::new().issue("client.test");
        let (client, server) = shake(authority.client_as(foreign), authority.demanding_server())?;
        let refusal = server.expect_err("it is unknown");
        // Two authorities of the same name: the signature does not fit the known one.
        assert!(
            matches!(refusal, Error::Certificate(CertificateError::BadSignature | CertificateError::UnknownIssuer)),
            "{refusal}"
        );
        assert!(client?.read(&mut [0; 8]).is_err());
        Ok(())
    })
}

#[test]
fn with_tls_1_2_the_client_is_told_in_its_handshake() -> Result<(), Failure> {
    on_one_worker(|| {
        let authority = Authority::new();
        let client = rustls::ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS12])
            .with_root_certificates(authority.roots())
            .with_no_client_auth();
        let (client, server) = shake(client, authority.demanding_server())?;
        assert!(matches!(server, Err(Error::NoCertificate)));
        let told = client.expect_err("the server has refused");
        assert!(matches!(told, Error::Refused(_)), "{told}");
        Ok(())
    })
}
