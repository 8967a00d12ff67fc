//! The error of connecting. No call has run yet, whatever it is.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::call::OneLine;

/// Why there is no connection to a server.
#[non_exhaustive]
#[derive(Debug)]
pub enum ConnectError {
    /// The caller is not a fiber, so there is no runtime for the connection to run on.
    NoRuntime,
    /// The name has no address, or could not be looked up.
    Resolve(io::Error),
    /// Nothing listens there.
    Refused {
        /// Where.
        peer: SocketAddr,
    },
    /// No connection within the timeout, or the server did not answer the preface.
    TimedOut {
        /// Where.
        peer: SocketAddr,
        /// The timeout.
        after: Duration,
    },
    /// It accepted the connection, and closed it before it answered.
    Closed {
        /// Where.
        peer: SocketAddr,
    },
    /// What answered is no fibra server.
    NotFibra {
        /// Where.
        peer: SocketAddr,
    },
    /// The server does not speak this version.
    Version {
        /// Where.
        peer: SocketAddr,
        /// The version asked for.
        ours: u8,
        /// The newest version that the server speaks.
        theirs: u8,
    },
    /// The server has no session for this client.
    Session {
        /// Where.
        peer: SocketAddr,
        /// Why not, in the server's words.
        message: String,
    },
    /// The network or the operating system failed.
    Io {
        /// Where.
        peer: SocketAddr,
        /// What failed.
        source: io::Error,
    },
    /// The connection's fibers could not be started: the runtime is at a limit.
    Spawn(io::Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRuntime => f.write_str(
                "cannot connect outside a fiber: connect within `fibra::run(|| ..)`, then share the proxy with any thread",
            ),
            Self::Resolve(error) => write!(f, "cannot resolve the server's address: {error}"),
            Self::Refused { peer } => {
                write!(f, "cannot connect to {peer}: connection refused; is a server running there?")
            }
            Self::TimedOut { peer, after } => {
                write!(f, "cannot connect to {peer}: no answer within {after:?}; is the address right, and the server up?")
            }
            Self::Closed { peer } => {
                write!(f, "cannot connect to {peer}: it closed the connection at once; is the server going down, or full?")
            }
            Self::NotFibra { peer } => write!(f, "cannot connect to {peer}: what answers there is not a fibra server"),
            Self::Version { peer, ours, theirs } => write!(
                f,
                "cannot connect to {peer}: it speaks protocol version {theirs} and this program {ours}; update the older one"
            ),
            Self::Session { peer, message } => {
                write!(f, "cannot connect to {peer}: it opens no session: {}", OneLine(message))
            }
            Self::Io { peer, source } => write!(f, "cannot connect to {peer}: {source}"),
            Self::Spawn(error) => write!(f, "cannot start the connection's fibers: {error}"),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Resolve(error) | Self::Io { source: error, .. } | Self::Spawn(error) => Some(error),
            Self::NoRuntime
            | Self::Refused { .. }
            | Self::TimedOut { .. }
            | Self::Closed { .. }
            | Self::NotFibra { .. }
            | Self::Version { .. }
            | Self::Session { .. } => None,
        }
    }
}
