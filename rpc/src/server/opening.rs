//! The opening of a connection: prefaces are exchanged, or it ends.
//!
//! Wire format: `docs/wire-format.md`, "Preface".

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use fibra_net::TcpStream;

use crate::limits::{PREFACE_TIMEOUT, WRITE_STALL_MAX};
use crate::wire::preface;

/// Why a connection was not opened.
pub(super) enum Unopened {
    Io(io::Error),
    NotFibra,
    Version(u8),
}

impl From<io::Error> for Unopened {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Unopened {
    /// Tells the log; a peer that merely went away is not worth a warning.
    pub(super) fn log(self, peer: SocketAddr) {
        match self {
            Self::Io(error) => tracing::debug!(%peer, %error, "a connection ended before it was opened"),
            Self::NotFibra => {
                tracing::warn!(%peer, reason = "it does not begin with a fibra preface", "closed a connection");
            }
            Self::Version(version) => {
                let ours = preface::VERSION;
                tracing::warn!(%peer, version, ours, reason = "unknown version", "closed a connection");
            }
        }
    }
}

/// Exchanges prefaces.
pub(super) fn open(mut stream: &TcpStream) -> Result<(), Unopened> {
    // Replies are written by the batch: waiting for more would only delay them.
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PREFACE_TIMEOUT))?;
    stream.set_write_timeout(Some(WRITE_STALL_MAX))?;
    let mut asked = [0; preface::LEN];
    stream.read_exact(&mut asked)?;
    let version = preface::decode(&asked).ok_or(Unopened::NotFibra)?;
    // The same answer says yes to our version and no to another.
    stream.write_all(&preface::encode(preface::VERSION))?;
    if version != preface::VERSION {
        return Err(Unopened::Version(version));
    }
    stream.set_read_timeout(None)?;
    Ok(())
}
