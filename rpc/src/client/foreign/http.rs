//! JSON-RPC by HTTP POST: each call has a connection to itself, which is kept for the next.
//!
//! Source: RFC 9112 (HTTP/1.1).
//!
//! Invariants:
//! * A connection goes back to be used again only if its answer was read to the end, and both sides keep it.
//! * A call is written once. What has been written in part may have run.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fibra_net::TcpStream;
use fibra_scheduler::cancel::{self, Interrupted};
use fibra_scheduler::clock;
use parking_lot::Mutex;

use super::super::connect::io_error;
use super::super::target::Target;
use super::address::Address;
use super::input::more;
use super::json;
use super::message::{Answer, Call, Ended};
use crate::dialect::http::receiver::{NoAnswer, Received, Receiver};
use crate::error::{ConnectError, Disconnect, Executed};
use crate::limits::Limits;

/// Connections that are kept for later calls.
const IDLE_MAX: usize = 64;

/// See the [module](self).
pub(super) struct Http {
    target: Target,
    peer: SocketAddr,
    /// Request line and fields, all but the length.
    head: String,
    connect_timeout: Duration,
    bytes_max: usize,
    idle: Mutex<Vec<TcpStream>>,
}

impl Http {
    /// Makes the first connection.
    pub(super) fn connect(
        address: &Address,
        target: Target,
        connect_timeout: Duration,
        limits: &Limits,
    ) -> Result<Self, ConnectError> {
        let (stream, peer) = dial(&target, connect_timeout)?;
        let (path, host) = (address.path(), address.host());
        let host = host.strip_suffix(":80").unwrap_or(host);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nAccept: application/json\r\nContent-Length: "
        );
        let idle = Mutex::new(vec![stream]);
        Ok(Self { target, peer, head, connect_timeout, bytes_max: limits.frame_bytes, idle })
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Makes a call, until an ambient deadline or a cancellation cuts it.
    pub(super) fn call(&self, call: &Call<'_>) -> Result<Answer, Ended> {
        // Alone on its connection, any number will do.
        let response = self.exchange(&call.message(Some(1)))?;
        let text = std::str::from_utf8(&response.body).map_err(|error| error.to_string());
        match text.and_then(json::read_only_answer) {
            Ok(answer @ Answer::Error(_)) => Ok(answer),
            Ok(answer) if response.status < 300 => Ok(answer),
            Err(reason) if response.status < 300 => Err(Ended::NoAnswer(reason)),
            _ => Err(refused(response.status)),
        }
    }

    /// Tells a method, and reads that it was told.
    pub(super) fn notify(&self, call: &Call<'_>) -> Result<(), Ended> {
        let response = self.exchange(&call.message(None))?;
        if response.status < 300 { Ok(()) } else { Err(refused(response.status)) }
    }

    fn exchange(&self, message: &[u8]) -> Result<Received, Ended> {
        let mut stream = self.connection()?;
        let request = [self.head.as_bytes(), message.len().to_string().as_bytes(), b"\r\n\r\n", message].concat();
        let maybe = |error| ended(error, Executed::Maybe);
        stream.write_all(&request).map_err(maybe)?;
        let response = match read(&mut stream, self.bytes_max) {
            Ok(response) => response?,
            Err(error) => return Err(maybe(error)),
        };
        if response.is_reusable {
            let mut idle = self.idle.lock();
            if idle.len() < IDLE_MAX {
                idle.push(stream);
            }
        }
        Ok(response)
    }

    /// One that was kept and that the server has not closed meanwhile, or a new one.
    fn connection(&self) -> Result<TcpStream, Ended> {
        cancel::check().map_err(|interrupted| Ended::Interrupted(interrupted, Executed::No))?;
        loop {
            let Some(stream) = self.idle.lock().pop() else { break };
            let nothing_came = stream.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            if nothing_came {
                return Ok(stream);
            }
        }
        dial(&self.target, self.connect_timeout).map(|(stream, _)| stream).map_err(|error| match cancel::check() {
            Err(interrupted) => Ended::Interrupted(interrupted, Executed::No),
            Ok(()) => Ended::Lost(Disconnect::Unreachable(Arc::new(error)), Executed::No),
        })
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Connects to the first address that answers.
///
/// # Errors
///
/// That of the last address.
pub(super) fn dial(target: &Target, timeout: Duration) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let deadline = clock::now().checked_add(timeout);
    let mut failed = None;
    for (index, peer) in target.addrs().iter().copied().enumerate() {
        // One that does not answer leaves the others their share of the time.
        let others = u32::try_from(target.addrs().len() - index).unwrap_or(u32::MAX);
        let left = deadline.map_or(timeout, |deadline| deadline.saturating_duration_since(clock::now())) / others;
        let stream = TcpStream::connect_timeout(&peer, left).and_then(|stream| {
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        match stream {
            Ok(stream) => return Ok((stream, peer)),
            Err(error) => failed = Some(io_error(peer, timeout, error)),
        }
        if cancel::check().is_err() {
            break;
        }
    }
    Err(failed.unwrap_or_else(|| ConnectError::Resolve(io::ErrorKind::NotFound.into())))
}

fn ended(error: io::Error, executed: Executed) -> Ended {
    match error.kind() {
        io::ErrorKind::TimedOut => Ended::Interrupted(Interrupted::TimedOut, executed),
        _ if cancel::is_cancelled(&error) => Ended::Interrupted(Interrupted::Cancelled, executed),
        io::ErrorKind::UnexpectedEof => Ended::Lost(Disconnect::ClosedByPeer, executed),
        _ => Ended::Lost(Disconnect::Io(Arc::new(error)), executed),
    }
}

/// By their meaning in RFC 9110, these say that nothing was done with the request.
fn refused(status: u16) -> Ended {
    let executed = match status {
        300..=399 | 400 | 401 | 403..=407 | 411 | 413..=417 | 421 | 426 | 428 | 429 | 431 => Executed::No,
        _ => Executed::Maybe,
    };
    Ended::Refused(format!("HTTP status {status}, without a JSON-RPC response"), executed)
}

/// Reads the answer to one request. What is no answer is told beside the errors of the stream.
fn read(stream: &mut TcpStream, bytes_max: usize) -> io::Result<Result<Received, Ended>> {
    let mut receiver = Receiver::new(bytes_max);
    let mut piece = Vec::new();
    loop {
        piece.clear();
        if more(stream, &mut piece)? == 0 {
            return receiver.end().map(Ok).ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
        }
        match receiver.take(&piece) {
            Ok(Some(received)) => return Ok(Ok(received)),
            Ok(None) => {}
            Err(NoAnswer::Malformed(reason)) => return Ok(Err(Ended::NoAnswer(reason))),
            Err(too_large @ NoAnswer::TooLarge(_)) => return Ok(Err(Ended::TooLarge(too_large.to_string()))),
        }
    }
}
