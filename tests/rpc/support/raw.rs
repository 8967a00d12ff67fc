//! A peer that writes bytes by hand, straight from `docs/wire-format.md`: a second opinion on the crate's own encoder.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream};

pub(crate) const PREFACE: [u8; 8] = *b"\xC1fibra\x03\x00";

pub(crate) const CALL: u8 = 1;
pub(crate) const REPLY: u8 = 2;
pub(crate) const FAILURE: u8 = 3;
pub(crate) const CANCEL: u8 = 4;
pub(crate) const GOAWAY: u8 = 5;
pub(crate) const OPEN: u8 = 6;
pub(crate) const OPENED: u8 = 7;
pub(crate) const ITEM: u8 = 8;
pub(crate) const END: u8 = 9;
pub(crate) const CREDIT: u8 = 10;
pub(crate) const PING: u8 = 11;
pub(crate) const PONG: u8 = 12;
pub(crate) const ACKNOWLEDGE: u8 = 13;

pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    /// Those of the frame received last.
    pub(crate) flags: u8,
}

/// What an open says.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) client: u128,
    pub(crate) incarnation: u64,
    pub(crate) server: u64,
    pub(crate) window: u16,
    pub(crate) secret: Vec<u8>,
}

impl Default for Session {
    fn default() -> Self {
        Self { client: 1, incarnation: 1, server: 0, window: 512, secret: b"secret".to_vec() }
    }
}

impl Session {
    pub(crate) fn open(&self) -> Vec<u8> {
        let mut body = self.client.to_be_bytes().to_vec();
        body.extend_from_slice(&self.incarnation.to_be_bytes());
        body.extend_from_slice(&self.server.to_be_bytes());
        body.extend_from_slice(&self.window.to_be_bytes());
        body.push(u8::try_from(self.secret.len()).expect("a test's secret"));
        body.extend_from_slice(&self.secret);
        frame(OPEN, 0, &body)
    }
}

/// What an opened says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) resumed: bool,
    pub(crate) server: u64,
    pub(crate) window: u16,
}

impl Default for Opened {
    fn default() -> Self {
        Self { resumed: false, server: 1, window: 512 }
    }
}

impl Opened {
    fn frame(&self) -> Vec<u8> {
        let lease = 60_000_u32.to_be_bytes();
        let mut frame =
            frame(OPENED, 0, &[&self.server.to_be_bytes()[..], &self.window.to_be_bytes(), &lease].concat());
        frame[5] = self.resumed.into();
        frame
    }
}

impl Raw {
    /// Connects and opens a session that no other connection has.
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let mut raw = Self::connect_only(addr);
        let client = raw.stream.local_addr().expect("it is bound").port();
        assert!(!raw.open(&Session { client: client.into(), ..Session::default() }).resumed);
        raw
    }

    /// Connects and exchanges prefaces.
    pub(crate) fn connect_only(addr: SocketAddr) -> Self {
        let mut raw = Self::connect_silently(addr);
        raw.send(&PREFACE);
        let mut answer = [0; 8];
        raw.stream.read_exact(&mut answer).expect("a preface");
        assert_eq!(answer, PREFACE);
        raw
    }

    /// Opens a session.
    pub(crate) fn open(&mut self, session: &Session) -> Opened {
        self.send(&session.open());
        let (kind, xid, body) = self.receive().expect("an answer");
        assert_eq!((kind, xid, body.len()), (OPENED, 0, 14), "{body:?}");
        Opened {
            resumed: self.flags == 1,
            server: u64::from_be_bytes(body[..8].try_into().expect("eight bytes")),
            window: u16::from_be_bytes(body[8..10].try_into().expect("two bytes")),
        }
    }

    /// Accepts a client, and opens its session as a server that was never asked before. Returns its open's body.
    pub(crate) fn accept(listener: &TcpListener, opened: &Opened) -> (Self, Vec<u8>) {
        Self::answer(listener.accept().expect("a client").0, opened)
    }

    /// The same with a client that has been accepted.
    pub(crate) fn answer(stream: TcpStream, opened: &Opened) -> (Self, Vec<u8>) {
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("not zero");
        let mut raw = Self { stream, flags: 0 };
        raw.stream.read_exact(&mut [0; 8]).expect("a preface");
        raw.send(&PREFACE);
        let (kind, xid, body) = raw.receive().expect("an open");
        assert_eq!((kind, xid), (OPEN, 0));
        raw.send(&opened.frame());
        (raw, body)
    }

    /// Connects and says nothing.
    pub(crate) fn connect_silently(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("not zero");
        Self { stream, flags: 0 }
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
            // The test is over.
            Err(error) if fibra::cancel::is_cancelled(&error) => return None,
            Err(error) => panic!("{error}"),
        }
        let len = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
        let mut body = vec![0; len as usize];
        self.stream.read_exact(&mut body).expect("a whole body");
        let xid = u64::from_be_bytes(header[8..].try_into().expect("eight bytes"));
        self.flags = header[5];
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

/// The same call, with these bytes as metadata.
pub(crate) fn with_metadata(mut call: Vec<u8>, metadata: &[u8]) -> Vec<u8> {
    let len = u16::try_from(metadata.len()).expect("a test's metadata");
    // Behind the header and the timeout.
    call.splice(24..24, [&len.to_be_bytes()[..], metadata].concat());
    call[5] |= 0x08;
    let body = u32::try_from(call.len() - 16).expect("a test's call");
    call[..4].copy_from_slice(&body.to_be_bytes());
    call
}

/// The same call, with a place in lane 1: so many xids before its own the one lies that it comes after.
pub(crate) fn in_lane(call: Vec<u8>, gap: u16) -> Vec<u8> {
    in_lane_of(1, call, gap)
}

pub(crate) fn in_lane_of(lane: u8, mut call: Vec<u8>, gap: u16) -> Vec<u8> {
    let xid = u64::from_be_bytes(call[8..16].try_into().expect("eight bytes"));
    let after = if gap == 0 { 0 } else { xid - u64::from(gap) };
    // Behind the header and the timeout.
    call.splice(24..24, [&[lane][..], &after.to_be_bytes()].concat());
    call[5] |= 0x04;
    let body = u32::try_from(call.len() - 16).expect("a test's call");
    call[..4].copy_from_slice(&body.to_be_bytes());
    call
}

/// `ledger.write(n)` in a lane, as the call of that number, behind the one before.
pub(crate) fn write(n: u8) -> Vec<u8> {
    write_within(n, Duration::from_secs(10))
}

pub(crate) fn write_within(n: u8, timeout: Duration) -> Vec<u8> {
    behind_one(n, call(n.into(), timeout, "ledger.write", &[0x91, n]))
}

/// `ledger.write_slowly(n)`, likewise.
pub(crate) fn write_slowly(n: u8) -> Vec<u8> {
    behind_one(n, call(n.into(), Duration::from_secs(10), "ledger.write_slowly", &[0x91, n]))
}

/// In the lane behind the one before; all from the first on are waited for.
fn behind_one(n: u8, call: Vec<u8>) -> Vec<u8> {
    behind(in_lane(call, if n == 1 { 0 } else { 1 }), u16::from(n) - 1)
}

/// `ledger.read()`, as the call of that number.
pub(crate) fn read(n: u8) -> Vec<u8> {
    behind(call(n.into(), Duration::from_secs(10), "ledger.read", &[0x90]), u16::from(n) - 1)
}

/// An address of this host where nobody listens.
pub(crate) fn nowhere() -> SocketAddr {
    TcpListener::bind(super::LOOPBACK).and_then(|listener| listener.local_addr()).expect("a free port")
}

/// The same call, which says that so many xids before its own the first incomplete one lies.
pub(crate) fn behind(mut call: Vec<u8>, behind: u16) -> Vec<u8> {
    call[6..8].copy_from_slice(&behind.to_be_bytes());
    call
}

/// `desk.add(a, b)` of two small numbers.
pub(crate) fn add(xid: u64, a: u8, b: u8) -> Vec<u8> {
    call(xid, Duration::from_secs(10), "desk.add", &[0x92, a, b])
}
