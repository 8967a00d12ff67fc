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
use crate::dialect::http::chunked::Chunked;
use crate::dialect::json_rpc::framing::number;
use crate::error::{ConnectError, Disconnect, Executed};
use crate::limits::Limits;

/// Connections that are kept for later calls.
const IDLE_MAX: usize = 64;

/// Longest head of an answer.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Fields that it may have.
const FIELDS_MAX: usize = 64;

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

/// An answer, read whole.
struct Response {
    status: u16,
    body: Vec<u8>,
    /// Whether another may come over the same connection.
    is_reusable: bool,
}

/// What an answer's head says.
struct Head {
    status: u16,
    len: usize,
    length: Length,
    keeps_alive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Known(usize),
    Chunked,
    UntilTheEnd,
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

    fn exchange(&self, message: &[u8]) -> Result<Response, Ended> {
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
fn read(stream: &mut TcpStream, bytes_max: usize) -> io::Result<Result<Response, Ended>> {
    let no_answer = |reason: String| Ok(Err(Ended::NoAnswer(reason)));
    let mut buffer = Vec::new();
    let head = loop {
        match head(&buffer) {
            // Of those that come before the answer, none is asked for.
            Ok(Some(head)) if head.status < 200 => {
                buffer.drain(..head.len);
                continue;
            }
            Ok(Some(head)) => break head,
            Ok(None) if buffer.len() > HEAD_BYTES_MAX => return no_answer("its head is too long".to_owned()),
            Ok(None) => {}
            Err(reason) => return no_answer(reason),
        }
        if more(stream, &mut buffer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    buffer.drain(..head.len);
    let too_large = || Ok(Err(Ended::TooLarge(format!("over the limit of {bytes_max} bytes"))));
    let (body, is_over) = match head.length {
        Length::Known(len) if len > bytes_max => return too_large(),
        Length::Known(len) => {
            while buffer.len() < len {
                if more(stream, &mut buffer)? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            let is_over = buffer.len() == len;
            buffer.truncate(len);
            (buffer, is_over)
        }
        Length::Chunked => {
            let mut chunked = Chunked::new(bytes_max);
            loop {
                let taken = match chunked.take(&buffer) {
                    Ok(taken) => taken,
                    Err(refused) => return no_answer(refused.reason.to_owned()),
                };
                buffer.drain(..taken);
                if chunked.has_ended() {
                    break (chunked.into_body(), buffer.is_empty());
                }
                if more(stream, &mut buffer)? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        Length::UntilTheEnd => {
            while more(stream, &mut buffer)? > 0 {
                if buffer.len() > bytes_max {
                    return too_large();
                }
            }
            (buffer, false)
        }
    };
    Ok(Ok(Response { status: head.status, body, is_reusable: head.keeps_alive && is_over }))
}

/// Reads the head at the beginning of `input`, once it is there as a whole.
///
/// # Errors
///
/// Why it is none, for people.
fn head(input: &[u8]) -> Result<Option<Head>, String> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let len = match response.parse(input) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(format!("it is no HTTP: {error}")),
    };
    let status = response.code.unwrap_or_default();
    let fields = |name: &'static str| {
        let fields = response.headers.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        fields.map(|field| field.value)
    };
    let has = |name, word: &str| {
        fields(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|value| value.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    let mut lengths = fields("content-length");
    let length = match (fields("transfer-encoding").next().is_some(), lengths.next()) {
        _ if status < 200 || status == 204 || status == 304 => Length::Known(0),
        (true, Some(_)) => return Err("it has a length and chunks".to_owned()),
        (true, None) if fields("transfer-encoding").count() == 1 && has("transfer-encoding", "chunked") => {
            Length::Chunked
        }
        (true, None) => return Err("it is encoded in a way that was not asked for".to_owned()),
        (false, Some(len)) if lengths.all(|other| other == len) => {
            Length::Known(number(len).ok_or_else(|| "its length is no number".to_owned())?)
        }
        (false, Some(_)) => return Err("it has two lengths".to_owned()),
        (false, None) => Length::UntilTheEnd,
    };
    let keeps_alive =
        if response.version == Some(1) { !has("connection", "close") } else { has("connection", "keep-alive") };
    Ok(Some(Head { status, len, length, keeps_alive }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(fields: &str) -> Result<Length, String> {
        let head = head(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes())?;
        Ok(head.expect("a whole head").length)
    }

    #[test]
    fn heads_say_how_long_the_body_is() {
        assert_eq!(length("Content-Length: 7\r\n"), Ok(Length::Known(7)));
        assert_eq!(length("content-length: 7\r\nContent-Length: 7\r\n"), Ok(Length::Known(7)));
        assert_eq!(length("Transfer-Encoding: Chunked\r\n"), Ok(Length::Chunked));
        assert_eq!(length("Server: x\r\n"), Ok(Length::UntilTheEnd));
        for fields in [
            "Content-Length: 7\r\nContent-Length: 8\r\n",
            "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Content-Length: -7\r\n",
            "Content-Length: x\r\n",
        ] {
            assert!(length(fields).is_err(), "{fields}");
        }
    }

    #[test]
    fn a_connection_is_kept_as_its_version_has_it() {
        let keeps = |text: &str| head(text.as_bytes()).expect("a head").expect("a whole one").keeps_alive;
        assert!(keeps("HTTP/1.1 200 OK\r\n\r\n") && keeps("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n"));
        assert!(!keeps("HTTP/1.0 200 OK\r\n\r\n") && !keeps("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n\r\n"));
        assert!(matches!(head(b"HTTP/1.1 200 OK\r\nA: b\r\n"), Ok(None)));
        assert!(head(b"SSH-2.0-x\r\n").is_err());
    }
}
