//! The errors of a server as a whole. What goes wrong on one connection ends there, in the log.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Why a server did not start.
#[non_exhaustive]
#[derive(Debug)]
pub enum BindError {
    /// The caller is not a fiber, so there is no runtime for the server to run on.
    NoRuntime,
    /// Two services have a method of the same name.
    DuplicateMethod {
        /// The full name, `service.method`.
        name: String,
    },
    /// The name has no address, or could not be looked up.
    Resolve(io::Error),
    /// Another socket listens there.
    AddressInUse {
        /// Where.
        addr: SocketAddr,
    },
    /// The operating system refused the address.
    Io {
        /// Where.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The accepting fiber or thread could not be started.
    Spawn(io::Error),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRuntime => f.write_str(
                "cannot serve outside a fiber: bind within `fibra::run(|| ..)`, or ask for `thread_per_connection()`",
            ),
            Self::DuplicateMethod { name } => {
                write!(f, "cannot serve: two services have a method `{name}`; give one of them another name")
            }
            Self::Resolve(error) => write!(f, "cannot resolve the address to serve on: {error}"),
            Self::AddressInUse { addr } => write!(
                f,
                "cannot serve on {addr}: the address is in use; stop what listens there, or choose another port (0: any free)"
            ),
            Self::Io { addr, source } => write!(f, "cannot serve on {addr}: {source}"),
            Self::Spawn(error) => write!(f, "cannot start the accept loop: {error}"),
        }
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Resolve(error) | Self::Io { source: error, .. } | Self::Spawn(error) => Some(error),
            Self::NoRuntime | Self::DuplicateMethod { .. } | Self::AddressInUse { .. } => None,
        }
    }
}

/// Why a server that had started stopped accepting, without having been told to.
#[derive(Clone, Debug)]
pub struct ServeError {
    pub(crate) addr: SocketAddr,
    pub(crate) source: Arc<io::Error>,
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server on {} stopped accepting: {}", self.addr, self.source)
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
