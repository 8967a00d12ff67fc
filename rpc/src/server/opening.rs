//! The opening of a connection: prefaces are exchanged and the session is opened, or it ends.
//!
//! Wire format: `docs/wire-format.md`, "Preface" and "6 open".

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use fibra_net::TcpStream;

use super::sessions::{Held, Sessions};
use crate::handshake;
use crate::limits::{PREFACE_TIMEOUT, WRITE_STALL_MAX};
use crate::session::{Refused, table};
use crate::wire::frame::{
    Frame, GOAWAY_EXPIRED, GOAWAY_FULL, GOAWAY_MALFORMED, GOAWAY_NOT_YOURS, GOAWAY_WRONG_INCARNATION, Opened,
};
use crate::wire::{encode, preface};

/// Why a connection was not opened.
pub(super) enum Unopened {
    Io(io::Error),
    NotFibra,
    Version(u8),
    /// Told so, with that reason.
    Refused(String),
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
            Self::Refused(reason) => tracing::warn!(%peer, reason, "closed a connection"),
        }
    }
}

/// Exchanges prefaces, and opens the session that the client asks for.
pub(super) fn open(mut stream: &TcpStream, sessions: &Arc<Sessions>) -> Result<Held, Unopened> {
    exchange_prefaces(stream)?;
    let mut answer = Vec::new();
    let opened = open_session(stream, sessions)?;
    match &opened {
        Ok((_, opened)) => encode::opened(&mut answer, opened),
        Err((code, reason)) => encode::goaway(&mut answer, *code, reason),
    }
    stream.write_all(&answer)?;
    stream.set_read_timeout(None)?;
    opened.map(|(held, _)| held).map_err(|(_, reason)| Unopened::Refused(reason))
}

/// With which code and words a connection is closed.
type LastWords = (u8, String);

/// The session that the client asks for.
fn open_session(stream: &TcpStream, sessions: &Arc<Sessions>) -> io::Result<Result<(Held, Opened), LastWords>> {
    let open = match handshake::read_frame(stream)? {
        Ok(Frame::Open(open)) => open,
        Ok(_) => return Ok(Err((GOAWAY_MALFORMED, "a connection begins with an open".to_owned()))),
        Err(malformed) => return Ok(Err((GOAWAY_MALFORMED, malformed.to_string()))),
    };
    Ok(sessions.open(&open).map_err(|unopened| match unopened {
        table::Unopened::Full { max } => (GOAWAY_FULL, format!("there are {max} sessions")),
        table::Unopened::Refused(refused) => {
            let code = match refused {
                Refused::NotYours => GOAWAY_NOT_YOURS,
                Refused::WrongIncarnation { .. } => GOAWAY_WRONG_INCARNATION,
                _ => GOAWAY_EXPIRED,
            };
            (code, refused.to_string())
        }
    }))
}

fn exchange_prefaces(mut stream: &TcpStream) -> Result<(), Unopened> {
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
    Ok(())
}
