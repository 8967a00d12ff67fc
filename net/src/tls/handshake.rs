//! A TLS handshake, before it is finished.

use std::net;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, io};

use fibra_scheduler::sync::OwnedPermit;
use fibra_scheduler::{cancel, clock};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

use super::records::{Head, Pulled, Pushed, Records};
use super::{Error, HANDSHAKE_TIMEOUT, TlsStream};
use crate::TcpStream;
use crate::registration::Side;
use crate::socket::Socket;

/// A connection whose TLS handshake is still to be made, by [`finish`](Self::finish).
///
/// A [`TlsListener`](crate::tls::TlsListener) accepts such ones; [`client`](Self::client) and [`server`](Self::server) begin one on a
/// connection that exists, for instance after `STARTTLS` or behind a proxy's greeting.
///
/// It has its time, 10 s by default, from when it was accepted or begun. Dropping it closes the connection.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # fn config() -> std::sync::Arc<fibra_net::tls::rustls::ClientConfig> { unimplemented!() }
/// use std::time::Duration;
/// use fibra_net::TcpStream;
/// use fibra_net::tls::Handshake;
///
/// let tcp = TcpStream::connect("192.0.2.7:8443")?;
/// let stream = Handshake::client(tcp, "backend.internal", config())?.timeout(Duration::from_secs(2)).finish()?;
/// println!("{:?}", stream.alpn_protocol());
/// # Ok(()) }
/// ```
#[must_use = "the handshake is made by `finish`"]
pub struct Handshake {
    stream: TcpStream,
    records: Records,
    begun: Instant,
    timeout: Duration,
    permit: Option<OwnedPermit>,
}

impl Handshake {
    /// The client's side, with the server that calls itself `name`: a host name, or an IP address.
    ///
    /// # Errors
    ///
    /// [`Local`](Error::Local): `name` is neither, or the configuration is inconsistent.
    pub fn client(stream: TcpStream, name: &str, config: Arc<ClientConfig>) -> Result<Self, Error> {
        let name = ServerName::try_from(name)
            .map_err(|error| Error::Local(rustls::Error::General(format!("server name {name:?}: {error}"))))?;
        let tls = ClientConnection::new(config, name.to_owned())?;
        Ok(Self::new(stream, tls.into()))
    }

    /// The server's side.
    ///
    /// # Errors
    ///
    /// [`Local`](Error::Local): the configuration is inconsistent.
    pub fn server(stream: TcpStream, config: Arc<ServerConfig>) -> Result<Self, Error> {
        Ok(Self::new(stream, ServerConnection::new(config)?.into()))
    }

    fn new(stream: TcpStream, tls: rustls::Connection) -> Self {
        let records = Records::new(tls);
        Self { stream, records, begun: clock::now(), timeout: HANDSHAKE_TIMEOUT, permit: None }
    }

    /// One that counts among its listener's until it is finished or dropped.
    pub(super) fn under(mut self, permit: OwnedPermit) -> Self {
        self.permit = Some(permit);
        self
    }

    /// How long it may take, from its beginning. Default: 10 s, or what the listener says.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The connection, for its addresses and options.
    #[must_use]
    pub fn get_ref(&self) -> &TcpStream {
        &self.stream
    }

    /// Makes the handshake; the fiber parks while the peer is to speak.
    ///
    /// With TLS 1.3 a client has finished before the server has looked at its certificate: if the server does not accept it, the
    /// client's first read says so ([`Refused`](Error::Refused)).
    ///
    /// # Errors
    ///
    /// See [`Error`]. The peer has been told why, if it was there to be told; the connection is closed.
    pub fn finish(mut self) -> Result<TlsStream, Error> {
        // One that is too far to be an instant is none.
        let deadline = self.begun.checked_add(self.timeout);
        let driven = match deadline {
            Some(deadline) => cancel::with_deadline(deadline, || self.drive()),
            None => self.drive(),
        };
        match driven {
            Ok(()) => Ok(TlsStream::new(self.stream, self.records)),
            Err(error)
                if error.kind() == io::ErrorKind::TimedOut && deadline.is_some_and(|end| end <= clock::now()) =>
            {
                Err(Error::TimedOut)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn drive(&mut self) -> io::Result<()> {
        let Self { stream, records, .. } = self;
        let socket: &Arc<Socket<net::TcpStream>> = &stream.socket;
        let mut head = Head::default();
        loop {
            // A peer that always has one more byte to send would never be waited for.
            cancel::check()?;
            if records.tls().wants_write() {
                socket.run(Side::Write, |socket| records.push(socket), Pushed::evidence)?;
            } else if records.tls().is_handshaking() {
                socket.run(Side::Read, |socket| records.pull_handshake(socket, &mut head), Pulled::evidence)?;
            } else {
                return Ok(());
            }
        }
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handshake").field(&self.stream).finish()
    }
}
