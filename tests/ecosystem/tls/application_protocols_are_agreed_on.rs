//! ALPN: the first of the server's protocols that the client names, too.

use fibra::net::tls::Error;
use fibra::net::tls::rustls::AlertDescription;

use crate::certificates::Authority;
use crate::support::{Ends, Failure, on_one_worker, shake};

fn shake_with(client: &[&str], server: &[&str]) -> Result<Ends, Failure> {
    let authority = Authority::new();
    let protocols = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
    let (mut by_client, mut by_server) = (authority.client(), authority.server());
    by_client.alpn_protocols = protocols(client);
    by_server.alpn_protocols = protocols(server);
    shake(by_client, by_server)
}

#[test]
fn both_know_the_one_they_have_in_common() -> Result<(), Failure> {
    on_one_worker(|| {
        let (client, server) = shake_with(&["http/1.1", "h2"], &["h2", "http/1.0"])?;
        assert_eq!(client?.alpn_protocol().as_deref(), Some(b"h2".as_slice()));
        assert_eq!(server?.alpn_protocol().as_deref(), Some(b"h2".as_slice()));
        Ok(())
    })
}

#[test]
fn who_names_none_gets_none() -> Result<(), Failure> {
    on_one_worker(|| {
        let (client, server) = shake_with(&[], &["h2"])?;
        assert_eq!((client?.alpn_protocol(), server?.alpn_protocol()), (None, None));
        Ok(())
    })
}

#[test]
fn with_none_in_common_there_is_no_connection() -> Result<(), Failure> {
    on_one_worker(|| {
        let (client, server) = shake_with(&["http/1.1"], &["h2"])?;
        let server = server.expect_err("there is none in common");
        assert!(matches!(server, Error::Incompatible(_)), "{server}");
        let client = client.expect_err("there is none in common");
        assert!(matches!(client, Error::Refused(AlertDescription::NoApplicationProtocol)), "{client}");
        Ok(())
    })
}
