//! A TLS connection.
//!
//! Invariant: every `TlsStream` that a user holds has finished its handshake.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, slice};

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, Connection, ProtocolVersion};

use super::records::Records;
use super::session::Session;
use super::{Error, Handshake};
use crate::split::{self, Halves, ReadHalf, WriteHalf};
use crate::{TcpStream, ToSocketAddrs};

/// A TLS connection on TCP, of a client or a server, whose handshake is over.
///
/// Reads and writes as a [`TcpStream`] does, in plaintext: the fiber parks while it waits, timeouts, deadlines and cancellation cut
/// the wait. The [halves](Self::into_split) are for two fibers, which do not hold each other up.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # fn roots() -> fibra_net::tls::rustls::RootCertStore { unimplemented!() }
/// # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
/// use std::io::{Read, Write};
/// use std::sync::Arc;
/// use fibra_net::tls::{TlsStream, rustls::ClientConfig};
///
/// // Whom to trust is the program's to say: the crate webpki-roots has Mozilla's list, rustls-native-certs the system's.
/// let config = Arc::new(ClientConfig::builder().with_root_certificates(roots()).with_no_client_auth());
/// let mut stream = TlsStream::connect("example.org:443", "example.org", config)?;
/// stream.write_all(b"GET / HTTP/1.0\r\nHost: example.org\r\n\r\n")?;
/// let mut page = String::new();
/// stream.read_to_string(&mut page)?;
/// # Ok(())
/// # })?
/// # }
/// ```
///
/// # The end of the stream
///
/// * **`Ok(0)` means that the peer has said so** (`close_notify`). A connection that just ends may have been cut by anybody, and a
///   read fails with `UnexpectedEof`. Some peers never say it; whose protocol has an end of its own may take that for one.
/// * [`shutdown`](Self::shutdown) says it to the peer. So does dropping the stream, if that goes without waiting and what was written
///   is likely complete: not after a write that failed, nor in a fiber that panics, was cancelled or is past its deadline.
///
/// # Writes
///
/// A write returns when the kernel has taken all of it. One that is cut on its way, by a timeout or cancellation, has accepted what was
/// encrypted: that is kept, goes out with what is next written, flushed or read, and counts as written. [`flush`](Write::flush) tells
/// whether it has gone out.
pub struct TlsStream {
    session: Arc<Session>,
}

impl TlsStream {
    pub(super) fn new(stream: TcpStream, records: Records) -> Self {
        Self { session: Arc::new(Session::new(stream, records)) }
    }

    #[cfg(feature = "tokio-io")]
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Connects to one of `addr`'s addresses, as [`TcpStream::connect`] does, and makes the handshake with the server that calls itself
    /// `name`, within 10 s. For another time, or a connection that is there, see [`Handshake::client`].
    ///
    /// # Errors
    ///
    /// See [`Error`]; [`Io`](Error::Io) if there is no connection.
    pub fn connect<A: ToSocketAddrs>(addr: A, name: &str, config: Arc<ClientConfig>) -> Result<Self, Error> {
        Handshake::client(TcpStream::connect(addr)?, name, config)?.finish()
    }

    /// The TCP connection, for its addresses, options and timeouts, which are those of this stream. To read or write there would be to
    /// take part in the TLS connection.
    #[must_use]
    pub fn get_ref(&self) -> &TcpStream {
        self.session.stream()
    }

    /// The certificates that the peer has shown, its own first; `None` if it has shown none. They were verified as the
    /// configuration demands.
    #[must_use]
    pub fn peer_certificates(&self) -> Option<Vec<CertificateDer<'static>>> {
        self.session.records().tls().peer_certificates().map(<[_]>::to_vec)
    }

    /// The application protocol that was agreed on; `None` if the two do not both name some.
    #[must_use]
    pub fn alpn_protocol(&self) -> Option<Vec<u8>> {
        self.session.records().tls().alpn_protocol().map(<[_]>::to_vec)
    }

    /// The TLS version that was agreed on.
    #[must_use]
    pub fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.session.records().tls().protocol_version()
    }

    /// The name by which the client has asked for this server (SNI); `None` at the client's end, or if it has named none.
    #[must_use]
    pub fn server_name(&self) -> Option<String> {
        match self.session.records().tls() {
            Connection::Server(server) => server.server_name().map(str::to_owned),
            Connection::Client(_) => None,
        }
    }

    /// How long a read may wait before it fails with `TimedOut`; `None`, the default, waits for ever.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.get_ref().set_read_timeout(timeout)
    }

    /// How long a write may wait before it is cut; `None`, the default, waits for ever.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.get_ref().set_write_timeout(timeout)
    }

    /// Ends reading, writing or both. The writing: what is left goes out, then `close_notify`, which the peer sees as the end of the
    /// stream, and then TCP's own end; that may wait, as a write does. The reading: whoever waits wakes with `Ok(0)`.
    ///
    /// # Errors
    ///
    /// As [`write`](Write::write).
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.session.shutdown(how)
    }

    /// The two directions as values of their own, for two fibers, neither of which waits for the other. Dropping the [`WriteHalf`]
    /// ends the writing: what is left goes out, by the [`ReadHalf`] if need be, then `close_notify` unless what was written may not be
    /// complete, as when dropping the stream, and TCP's own end. [`reunite`](ReadHalf::reunite) undoes the split.
    pub fn into_split(self) -> (ReadHalf<Self>, WriteHalf<Self>) {
        let session = Arc::clone(&self.session);
        session.records().is_split = true;
        split::split(self, Self { session })
    }
}

impl Read for TlsStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.session.read(buf)
    }
}

impl Write for TlsStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.session.write(slice::from_ref(&IoSlice::new(buf)))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.session.write(bufs)
    }

    /// Waits until the kernel has taken everything. Only after a write that was cut is there something to wait for.
    fn flush(&mut self) -> io::Result<()> {
        self.session.flush()
    }
}

impl Halves for TlsStream {
    fn end_writing(&self) -> io::Result<()> {
        self.session.end_writing();
        Ok(())
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.session, &other.session)
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsStream").field(self.get_ref()).finish()
    }
}
