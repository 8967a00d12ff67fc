//! Certificates for tests, made anew in each process.

#![allow(dead_code)] // Each test program uses a part of this.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The name of every server here.
pub(crate) const SERVER: &str = "server.test";

/// Who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key is made");
        Self(CertifiedIssuer::self_signed(params, key).expect("it signs itself"))
    }

    /// A certificate for `name`.
    pub(crate) fn issue(&self, name: &str) -> Identity {
        self.sign(CertificateParams::new([name.to_owned()]).expect("it is a name"))
    }

    /// A certificate for `name` that has expired.
    pub(crate) fn issue_expired(&self, name: &str) -> Identity {
        let mut params = CertificateParams::new([name.to_owned()]).expect("it is a name");
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key is made");
        let certificate = params.signed_by(&key, &self.0).expect("it is signed");
        Identity { chain: vec![certificate.der().clone()], key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() }
    }

    /// Trust in this authority only.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("it is an authority's certificate");
        roots
    }

    /// A server that shows a certificate for [`SERVER`].
    pub(crate) fn server(&self) -> ServerConfig {
        server_with(self.issue(SERVER))
    }

    /// A server as [`server`](Self::server), that demands a certificate of this authority from its clients.
    pub(crate) fn demanding_server(&self) -> ServerConfig {
        let Identity { chain, key } = self.issue(SERVER);
        let verifier = WebPkiClientVerifier::builder(Arc::new(self.roots())).build().expect("it has roots");
        ServerConfig::builder().with_client_cert_verifier(verifier).with_single_cert(chain, key).expect("they fit")
    }

    /// A client that trusts this authority.
    pub(crate) fn client(&self) -> ClientConfig {
        ClientConfig::builder().with_root_certificates(self.roots()).with_no_client_auth()
    }

    /// A client that trusts this authority and shows `identity`.
    pub(crate) fn client_as(&self, identity: Identity) -> ClientConfig {
        let Identity { chain, key } = identity;
        let builder = ClientConfig::builder().with_root_certificates(self.roots());
        builder.with_client_auth_cert(chain, key).expect("they fit")
    }
}

/// A server that shows `identity`.
pub(crate) fn server_with(identity: Identity) -> ServerConfig {
    let Identity { chain, key } = identity;
    ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).expect("they fit")
}

/// A verifier that accepts every certificate.
#[derive(Debug)]
pub(crate) struct Gullible;

impl rustls::client::danger::ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &rustls::pki_types::ServerName<'_>,
        _ocsp: &[u8],
        _now: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        vec![rustls::SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
