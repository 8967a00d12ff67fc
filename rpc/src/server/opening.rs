//! The opening of a connection: prefaces are exchanged and the session is opened, or it ends.
//!
//! Wire format: `docs/wire-format.md`, "Preface" and "6 open".
//!
//! A connection that begins otherwise is handed on with what has been read of it: it may speak another protocol (`foreign`).
//!
//! Invariant: it takes a peer no longer than [`PREFACE_TIMEOUT`], however few bytes at a time it sends; and if it is not opened, another
//! [`FAREWELL_TIME_MAX`](crate::limits::FAREWELL_TIME_MAX).

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use fibra_net::TcpStream;
use fibra_scheduler::clock;

use super::farewell;
use super::store::{Chosen, ChosenSession, Store};
use crate::handshake;
use crate::limits::{PEER_PROBES, PREFACE_TIMEOUT, WRITE_STALL_MAX};
use crate::session::{Refused, table};
use crate::wire::frame::{
    Frame, GOAWAY_EXPIRED, GOAWAY_FULL, GOAWAY_MALFORMED, GOAWAY_NOT_YOURS, GOAWAY_WRONG_INCARNATION, Opened,
};
use crate::wire::{encode, preface};

/// Why a connection was not opened.
pub(super) enum Unopened {
    Io(io::Error),
    /// It begins with the preface's first byte, and goes on otherwise.
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
            Self::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                tracing::warn!(%peer, reason = "it did not open in time", "closed a connection");
            }
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

/// What a connection has begun as.
pub(super) enum Begun {
    /// A native one, whose session is open.
    Native(ChosenSession),
    /// Another, with these bytes.
    Foreign(Vec<u8>),
}

/// Exchanges prefaces, and opens the session that the client asks for.
pub(super) fn open(mut stream: &TcpStream, sessions: &Arc<Chosen>) -> Result<Begun, Unopened> {
    let deadline = clock::now() + PREFACE_TIMEOUT;
    let mut input = Input { stream, deadline };
    if let Some(first) = exchange_prefaces(&mut input)? {
        return Ok(Begun::Foreign(first));
    }
    let mut answer = Vec::new();
    let opened = open_session(&mut input, sessions)?;
    match &opened {
        Ok((_, opened)) => encode::opened(&mut answer, opened),
        Err((code, reason)) => encode::goaway(&mut answer, *code, reason),
    }
    stream.write_all(&answer)?;
    stream.set_read_timeout(None)?;
    opened.map(|(held, _)| Begun::Native(held)).map_err(|(_, reason)| {
        farewell::wait(stream);
        Unopened::Refused(reason)
    })
}

/// With which code and words a connection is closed.
type LastWords = (u8, String);

/// The session that the client asks for.
fn open_session(
    input: &mut Input<'_>,
    sessions: &Arc<Chosen>,
) -> io::Result<Result<(ChosenSession, Opened), LastWords>> {
    let open = match handshake::read_frame(input)? {
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

/// What has been read instead, if the first byte is not a preface's.
fn exchange_prefaces(input: &mut Input<'_>) -> Result<Option<Vec<u8>>, Unopened> {
    let mut stream = input.stream;
    // Replies are written by the batch: waiting for more would only delay them.
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_STALL_MAX))?;
    // A client that is idle and one that is gone without a word look alike, and each holds a connection and a session.
    stream.set_keepalive(Some(PEER_PROBES))?;
    let mut asked = [0; preface::LEN];
    let count = input.read(&mut asked)?;
    let (first, rest) = asked.split_at_mut(count);
    if first.first().is_some_and(|&byte| byte != preface::FIRST) {
        return Ok(Some(first.to_vec()));
    }
    input.read_exact(rest)?;
    let version = preface::decode(&asked).ok_or(Unopened::NotFibra)?;
    // The same answer says yes to our version and no to another.
    stream.write_all(&preface::encode(preface::VERSION))?;
    if version != preface::VERSION {
        farewell::wait(stream);
        return Err(Unopened::Version(version));
    }
    Ok(None)
}

/// What the peer sends, all of which must come by the deadline.
struct Input<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

impl Read for Input<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(clock::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(bytes)
    }
}
