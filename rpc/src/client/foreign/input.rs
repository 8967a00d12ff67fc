//! Where a message ends that comes in pieces, and what it says.
//!
//! Invariants:
//! * No more than a message of the greatest length is held, and what a piece in hand brings beyond.
//! * What a header announces is not allocated before it comes.

use std::io::{self, Read};

use super::message::Incoming;
use super::{Protocol, json, msgpack};
use crate::dialect::extent::Extent as MessagePackExtent;
use crate::dialect::json::extent::{Extent as JsonExtent, blanks};
use crate::dialect::json_rpc::framing;
use crate::limits::READ_BYTES;

/// The messages that come over a connection.
#[derive(Debug)]
pub(super) struct Input<R> {
    protocol: Protocol,
    stream: R,
    /// What has come and is not taken yet: of one message, unless several came at once.
    buffer: Vec<u8>,
    /// Where the next message begins.
    start: usize,
    bytes_max: usize,
}

impl<R: Read> Input<R> {
    pub(super) fn new(protocol: Protocol, stream: R, bytes_max: usize) -> Self {
        Self { protocol, stream, buffer: Vec::new(), start: 0, bytes_max }
    }

    /// Waits for the next message; `None` at the end.
    ///
    /// # Errors
    ///
    /// Those of the stream. `InvalidData`: what came is no message, or too long. `UnexpectedEof`: it ends within one.
    pub(super) fn next(&mut self) -> io::Result<Option<Incoming>> {
        let found = match self.protocol {
            Protocol::MessagePackRpc => self.msgpack()?,
            Protocol::JsonRpcFramed => self.framed()?,
            Protocol::JsonRpc | Protocol::JsonRpcHttp => self.json()?,
        };
        let Some(end) = found else { return Ok(None) };
        let message = &self.buffer[self.start..end];
        let incoming = match self.protocol {
            Protocol::MessagePackRpc => msgpack::read(message),
            protocol => std::str::from_utf8(message)
                .map_err(|error| error.to_string())
                .and_then(|message| json::read(protocol, message)),
        };
        self.start = end;
        incoming.map(Some).map_err(invalid)
    }

    /// Where the message ends.
    fn msgpack(&mut self) -> io::Result<Option<usize>> {
        let mut extent = MessagePackExtent::new();
        loop {
            if let Some(len) = extent.look(&self.buffer[self.start..]).map_err(invalid)? {
                self.check(len)?;
                return Ok(Some(self.start + len));
            }
            self.check(extent.at_least())?;
            if !self.read()? {
                return Ok(None);
            }
        }
    }

    /// The same, of a value that follows another, with or without blanks between them.
    fn json(&mut self) -> io::Result<Option<usize>> {
        let mut extent = JsonExtent::new();
        let mut has_begun = false;
        loop {
            if !has_begun {
                self.start += blanks(&self.buffer[self.start..]);
                has_begun = self.start < self.buffer.len();
            }
            let there = &self.buffer[self.start..];
            if let Some(len) = extent.look(there).map_err(invalid)? {
                self.check(len)?;
                return Ok(Some(self.start + len));
            }
            self.check(there.len())?;
            if !self.read()? {
                return Ok(None);
            }
        }
    }

    /// The same, of one behind its header part, which is taken.
    fn framed(&mut self) -> io::Result<Option<usize>> {
        let head = loop {
            if let Some(head) = framing::read(&self.buffer[self.start..], self.bytes_max).map_err(invalid)? {
                break head;
            }
            if !self.read()? {
                return Ok(None);
            }
        };
        self.start += head.start;
        while self.buffer.len() - self.start < head.len {
            if !self.read()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Some(self.start + head.len))
    }

    fn check(&self, at_least: usize) -> io::Result<()> {
        if at_least > self.bytes_max { Err(too_long(self.bytes_max)) } else { Ok(()) }
    }

    /// Reads more. `false`: that was all, and nothing of a message is there.
    fn read(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.start);
        self.start = 0;
        match more(&mut self.stream, &mut self.buffer)? {
            0 if self.buffer.is_empty() => Ok(false),
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(true),
        }
    }
}

/// Reads once, and appends it. How much that was: nothing at the end.
///
/// # Errors
///
/// Those of the stream.
pub(super) fn more(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let len = buffer.len();
    buffer.resize(len + READ_BYTES, 0);
    let count = stream.read(&mut buffer[len..]);
    buffer.truncate(len + count.as_ref().map_or(0, |count| *count));
    count
}

fn invalid(reason: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("what came is no message: {}", reason.to_string()))
}

fn too_long(bytes_max: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a message is longer than {bytes_max} bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One byte a read.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let len = out.len().min(1);
            self.0.read(&mut out[..len])
        }
    }

    fn ids(protocol: Protocol, bytes: &[u8]) -> (Vec<u32>, Option<io::ErrorKind>) {
        let mut input = Input::new(protocol, Drip(bytes), 64);
        let mut ids = Vec::new();
        loop {
            match input.next() {
                Ok(Some(Incoming::Answer(id, _))) => ids.push(id),
                Ok(Some(_)) => {}
                Ok(None) => return (ids, None),
                Err(error) => return (ids, Some(error.kind())),
            }
        }
    }

    #[test]
    fn messages_are_found_however_they_come() {
        let lines = b"{\"id\":1,\"result\":[{}]}\n\n {\"id\":2,\"result\":0}{\"method\":\"x\"}\r\n{\"id\":3}";
        assert_eq!(ids(Protocol::JsonRpc, lines), (vec![1, 2, 3], None));
        let framed = b"Content-Length: 8\r\n\r\n{\"id\":1}content-type: x\r\ncontent-length:9\r\n\r\n{\"id\":2 }";
        assert_eq!(ids(Protocol::JsonRpcFramed, framed), (vec![1, 2], None));
        let packed = b"\x94\x01\x01\xc0\xc0\x93\x02\xa1x\x90\x94\x01\x02\xc0\xa3abc";
        assert_eq!(ids(Protocol::MessagePackRpc, packed), (vec![1, 2], None));
    }

    #[test]
    fn what_is_no_message_or_ends_early_is_an_error() {
        use io::ErrorKind::{InvalidData, UnexpectedEof};
        let long = format!("{{\"id\":1,\"result\":\"{}\"}}", "x".repeat(100));
        let cases: [(Protocol, &[u8], io::ErrorKind); 13] = [
            (Protocol::JsonRpc, b"hello", InvalidData),
            (Protocol::JsonRpc, b"{\"id\":", UnexpectedEof),
            (Protocol::JsonRpc, b"[1]", InvalidData),
            (Protocol::JsonRpc, long.as_bytes(), InvalidData),
            (Protocol::JsonRpcFramed, b"Content-Length: 9\r\n\r\n{\"id\":1}", UnexpectedEof),
            (Protocol::JsonRpcFramed, b"Content-Le", UnexpectedEof),
            (Protocol::JsonRpcFramed, b"Content-Length: 99\r\n\r\n{}", InvalidData),
            (Protocol::JsonRpcFramed, b"Content-Length: -1\r\n\r\n{}", InvalidData),
            (Protocol::JsonRpcFramed, b"Content-Length: 8\r\nContent-Length: 8\r\n\r\n{\"id\":1}", InvalidData),
            (Protocol::JsonRpcFramed, b"\r\n{}", InvalidData),
            (Protocol::MessagePackRpc, b"\x94\x01\x01\xc0", UnexpectedEof),
            (Protocol::MessagePackRpc, b"\xc1", InvalidData),
            (Protocol::MessagePackRpc, b"\x94\x01\x01\xc0\xdb\x10\x00\x00\x00", InvalidData),
        ];
        for (protocol, bytes, kind) in cases {
            assert_eq!(ids(protocol, bytes), (vec![], Some(kind)), "{protocol:?} {}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        /// Nothing that a server sends makes it panic, or go on for ever.
        #[test]
        fn random_bytes_end(bytes in "[ -~\r\n]{0,80}", packed in proptest::collection::vec(any::<u8>(), 0..80)) {
            for protocol in [Protocol::JsonRpc, Protocol::JsonRpcFramed, Protocol::MessagePackRpc] {
                ids(protocol, bytes.as_bytes());
                ids(protocol, &packed);
            }
        }

        /// However a message is cut off, what was whole before it is there, and nothing else.
        #[test]
        fn what_is_cut_off_is_no_message(cut in 1..27_usize) {
            let bytes = b"Content-Length: 8\r\n\r\n{\"id\":1}Content-Length: 8\r\n\r\n{\"id\":2}";
            let (found, error) = ids(Protocol::JsonRpcFramed, &bytes[..bytes.len() - cut]);
            prop_assert_eq!((found, error), (vec![1], Some(io::ErrorKind::UnexpectedEof)));
        }
    }
}
