//! A peer that writes bytes by hand, straight from `docs/wire-format.md`: a second opinion on the crate's own encoder.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use fibra::net::TcpStream;

pub(crate) const PREFACE: [u8; 8] = *b"\xC1fibra\x01\x00";

pub(crate) const CALL: u8 = 1;
pub(crate) const REPLY: u8 = 2;
pub(crate) const FAILURE: u8 = 3;
pub(crate) const CANCEL: u8 = 4;
pub(crate) const GOAWAY: u8 = 5;

pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
}

impl Raw {
    /// Connects and exchanges prefaces.
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let mut raw = Self::connect_silently(addr);
        raw.send(&PREFACE);
        let mut answer = [0; 8];
        raw.stream.read_exact(&mut answer).expect("a preface");
        assert_eq!(answer, PREFACE);
        raw
    }

    /// Connects and says nothing.
    pub(crate) fn connect_silently(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("not zero");
        Self { stream }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// The next frame: kind, xid, body. `None` at the end of the stream.
    pub(crate) fn receive(&mut self) -> Option<(u8, u64, Vec<u8>)> {
        let mut header = [0; 16];
        match self.stream.read(&mut header) {
            Ok(0) => return None,
            Ok(count) => self.stream.read_exact(&mut header[count..]).expect("a whole header"),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error}"),
        }
        let len = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
        let mut body = vec![0; len as usize];
        self.stream.read_exact(&mut body).expect("a whole body");
        let xid = u64::from_be_bytes(header[8..].try_into().expect("eight bytes"));
        Some((header[4], xid, body))
    }
}

pub(crate) fn frame(kind: u8, xid: u64, body: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(body.len()).expect("a test's body").to_be_bytes().to_vec();
    frame.extend_from_slice(&[kind, 0, 0, 0]);
    frame.extend_from_slice(&xid.to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

/// A call that waits for `timeout`, with MessagePack `args`.
pub(crate) fn call(xid: u64, timeout: Duration, method: &str, args: &[u8]) -> Vec<u8> {
    let micros = u64::try_from(timeout.as_micros()).expect("a test's timeout");
    let mut body = micros.to_be_bytes().to_vec();
    body.push(u8::try_from(method.len()).expect("a test's method"));
    body.extend_from_slice(method.as_bytes());
    body.extend_from_slice(args);
    frame(CALL, xid, &body)
}

/// `desk.add(a, b)` of two small numbers.
pub(crate) fn add(xid: u64, a: u8, b: u8) -> Vec<u8> {
    call(xid, Duration::from_secs(10), "desk.add", &[0x92, a, b])
}
