//! Why TLS failed, and whose fault it is.
//!
//! Invariant: every error of rustls becomes one variant, in [`From`]; nobody else looks into them.

use std::{error, fmt, io};

use rustls::{AlertDescription, CertificateError};

/// Why a handshake, a read or a write failed.
///
/// [`Handshake`](crate::tls::Handshake) fails with it. Reads and writes fail with an [`io::Error`] that has it inside, see
/// [`of`](Self::of).
///
/// ```
/// use std::io;
/// use fibra_net::tls::{Error, Fault, rustls::AlertDescription};
///
/// let failed = io::Error::from(Error::Refused(AlertDescription::UnknownCA));
/// assert_eq!(failed.kind(), io::ErrorKind::ConnectionAborted);
/// assert_eq!(Error::of(&failed).map(Error::fault), Some(Fault::Local));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// What came is no TLS: somebody speaks plain HTTP to this port, or this is not the server's TLS port.
    NotTls {
        /// What came first, as far as it can be printed.
        received: String,
    },
    /// This end does not accept the peer's certificate: expired, of another name, of an unknown issuer.
    Certificate(CertificateError),
    /// The peer showed no certificate, and this end demands one.
    NoCertificate,
    /// The two have no version, cipher suite or application protocol in common.
    Incompatible(rustls::Error),
    /// The peer ended it with this alert: it does not accept our certificate, say, or that we have none.
    Refused(AlertDescription),
    /// The peer broke the protocol, or somebody between tampered with it.
    Protocol(rustls::Error),
    /// The configuration or the cryptographic provider of this end.
    Local(rustls::Error),
    /// The handshake was not finished in its time.
    TimedOut,
    /// The connection itself, or the wait for it: lost, reset, cancelled, past the ambient deadline. `UnexpectedEof`: the peer closed
    /// it in the middle of the handshake.
    Io(io::Error),
}

/// Who would have to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The peer: what it sent is not acceptable.
    Peer,
    /// This end: its configuration, or, as the peer says, its certificate.
    Local,
    /// Neither: the connection was lost, too slow, or given up.
    Connection,
}

impl Error {
    /// Whose fault it is, as seen from here.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotTls { .. }
            | Self::Certificate(_)
            | Self::NoCertificate
            | Self::Incompatible(_)
            | Self::Protocol(_) => Fault::Peer,
            Self::Refused(_) | Self::Local(_) => Fault::Local,
            Self::TimedOut | Self::Io(_) => Fault::Connection,
        }
    }

    /// The TLS error inside of a read's or write's; `None` if the connection itself failed.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTls { received } => write!(f, "the peer does not speak TLS: it sent {received:?}"),
            Self::Certificate(error) => write!(f, "the peer's certificate is not accepted: {error}"),
            Self::NoCertificate => f.write_str("the peer showed no certificate"),
            Self::Incompatible(error) => write!(f, "nothing in common with the peer: {error}"),
            Self::Refused(alert) => write!(f, "the peer refused: alert {alert:?}"),
            Self::Protocol(error) => write!(f, "the peer broke the TLS protocol: {error}"),
            Self::Local(error) => write!(f, "TLS on this end: {error}"),
            Self::TimedOut => f.write_str("the TLS handshake was not finished in time"),
            Self::Io(error) => write!(f, "the connection under TLS: {error}"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Incompatible(error) | Self::Protocol(error) | Self::Local(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::NotTls { .. } | Self::Certificate(_) | Self::NoCertificate | Self::Refused(_) | Self::TimedOut => {
                None
            }
        }
    }
}

impl From<rustls::Error> for Error {
    fn from(error: rustls::Error) -> Self {
        use rustls::Error as E;
        match error {
            E::InvalidCertificate(error) => Self::Certificate(error),
            E::NoCertificatesPresented => Self::NoCertificate,
            E::PeerIncompatible(_) | E::NoApplicationProtocol => Self::Incompatible(error),
            E::AlertReceived(alert) => Self::Refused(alert),
            E::InappropriateMessage { .. }
            | E::InappropriateHandshakeMessage { .. }
            | E::InvalidMessage(_)
            | E::DecryptError
            | E::PeerMisbehaved(_)
            | E::PeerSentOversizedRecord => Self::Protocol(error),
            _ => Self::Local(error),
        }
    }
}

impl From<io::Error> for Error {
    /// Also gets one out again that went into an `io::Error`.
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => error,
            Err(error) => Self::Io(error),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Io(error) => return error,
            Error::Refused(_) => io::ErrorKind::ConnectionAborted,
            Error::Local(_) => io::ErrorKind::InvalidInput,
            Error::TimedOut => io::ErrorKind::TimedOut,
            Error::NotTls { .. }
            | Error::Certificate(_)
            | Error::NoCertificate
            | Error::Incompatible(_)
            | Error::Protocol(_) => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_survives_the_way_through_an_io_error() {
        let through = Error::from(io::Error::from(Error::NoCertificate));
        assert!(matches!(through, Error::NoCertificate));
        let through = io::Error::from(Error::from(io::Error::from(io::ErrorKind::ConnectionReset)));
        assert_eq!(through.kind(), io::ErrorKind::ConnectionReset);
        assert!(Error::of(&through).is_none());
    }

    #[test]
    fn a_peer_that_misbehaves_is_told_from_a_configuration_that_cannot_work() {
        let theirs = Error::from(rustls::Error::DecryptError);
        let ours = Error::from(rustls::Error::BadMaxFragmentSize);
        assert_eq!((theirs.fault(), ours.fault()), (Fault::Peer, Fault::Local));
    }
}
