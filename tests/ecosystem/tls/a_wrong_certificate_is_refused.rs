//! The client says what is wrong with the server's certificate; the server is told that it was refused.

use fibra::net::tls::rustls::{CertificateError, ClientConfig, ServerConfig};
use fibra::net::tls::{Error, Fault, Handshake};
use std::sync::Arc;

use crate::certificates::{Authority, SERVER, server_with};
use crate::support::{Failure, on_one_worker, shake_by_name, tcp_pair};

/// What the client has against the certificate, and what that reads like.
fn objection(name: &str, client: ClientConfig, server: ServerConfig) -> Result<(CertificateError, String), Failure> {
    let (client, server) = shake_by_name(name, client, server)?;
    let told = server.expect_err("the client has refused");
    assert!(matches!(told, Error::Refused(_)), "{told}");
    assert_eq!(told.fault(), Fault::Local);
    let error = client.expect_err("the certificate is wrong");
    assert_eq!(error.fault(), Fault::Peer);
    let text = error.to_string();
    match error {
        Error::Certificate(objection) => Ok((objection, text)),
        other => Err(other.into()),
    }
}

#[test]
fn one_of_another_name() -> Result<(), Failure> {
    on_one_worker(|| {
        let authority = Authority::new();
        let (objection, text) = objection("other.test", authority.client(), authority.server())?;
        assert!(matches!(objection, CertificateError::NotValidForNameContext { .. }), "{objection:?}");
        assert!(text.contains("other.test") && text.contains(SERVER), "{text}");
        Ok(())
    })
}

#[test]
fn one_that_has_expired() -> Result<(), Failure> {
    on_one_worker(|| {
        let authority = Authority::new();
        let server = server_with(authority.issue_expired(SERVER));
        let (objection, text) = objection(SERVER, authority.client(), server)?;
        assert!(matches!(objection, CertificateError::ExpiredContext { .. }), "{objection:?}");
        assert!(text.contains("expired"), "{text}");
        Ok(())
    })
}

#[test]
fn one_of_an_authority_that_is_not_trusted() -> Result<(), Failure> {
    on_one_worker(|| {
        let client = ClientConfig::builder()
            .with_root_certificates(fibra::net::tls::rustls::RootCertStore::empty())
            .with_no_client_auth();
        let (objection, text) = objection(SERVER, client, Authority::new().server())?;
        assert_eq!(objection, CertificateError::UnknownIssuer);
        assert!(text.contains("the peer's certificate is not accepted"), "{text}");
        Ok(())
    })
}

#[test]
fn what_is_no_name_is_the_callers_fault() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, _far) = tcp_pair()?;
        let error = Handshake::client(near, "no name", Arc::new(Authority::new().client())).expect_err("it is no name");
        assert_eq!(error.fault(), Fault::Local);
        assert!(error.to_string().contains("no name"), "{error}");
        Ok(())
    })
}
