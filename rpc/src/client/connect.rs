//! Dialling a server, and exchanging prefaces with it.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fibra_net::{TcpStream, ToSocketAddrs};
use fibra_scheduler::clock;

use crate::error::ConnectError;
use crate::limits::{CONNECT_TIMEOUT, WRITE_STALL_MAX};
use crate::wire::preface;

/// A connection to the first address that answers as a fibra server of our version.
pub(super) fn dial(addr: impl ToSocketAddrs) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let addrs = addr.to_socket_addrs().map_err(ConnectError::Resolve)?;
    let deadline = clock::now() + CONNECT_TIMEOUT;
    let mut failed = None;
    for peer in addrs {
        match open(peer, deadline) {
            Ok(stream) => return Ok((stream, peer)),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| ConnectError::Resolve(io::Error::new(io::ErrorKind::NotFound, "it has no addresses"))))
}

fn open(peer: SocketAddr, deadline: Instant) -> Result<TcpStream, ConnectError> {
    let failed = |source| io_error(peer, source);
    let stream = TcpStream::connect_timeout(&peer, left(deadline)).map_err(failed)?;
    let answer = exchange(&stream, deadline).map_err(failed)?;
    match preface::decode(&answer) {
        Some(preface::VERSION) => Ok(stream),
        Some(theirs) => Err(ConnectError::Version { peer, ours: preface::VERSION, theirs }),
        None => Err(ConnectError::NotFibra { peer }),
    }
}

/// Sends our preface; returns the server's.
fn exchange(mut stream: &TcpStream, deadline: Instant) -> io::Result<[u8; preface::LEN]> {
    // Calls are written by the batch: waiting for more would only delay them.
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_STALL_MAX))?;
    stream.set_read_timeout(Some(left(deadline)))?;
    stream.write_all(&preface::encode(preface::VERSION))?;
    let mut answer = [0; preface::LEN];
    stream.read_exact(&mut answer)?;
    stream.set_read_timeout(None)?;
    Ok(answer)
}

/// The time left; never zero, which would mean "for ever" or be refused.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(clock::now()).max(Duration::from_millis(1))
}

fn io_error(peer: SocketAddr, source: io::Error) -> ConnectError {
    match source.kind() {
        io::ErrorKind::ConnectionRefused => ConnectError::Refused { peer },
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            ConnectError::Closed { peer }
        }
        io::ErrorKind::TimedOut => ConnectError::TimedOut { peer, after: CONNECT_TIMEOUT },
        _ => ConnectError::Io { peer, source },
    }
}
