//! A client as bare as the floor: an event loop that sends prepared frames of fibra's wire and counts replies.
//!
//! It answers what one read brought with as many calls in one write. A reply is taken for the oldest call's: what the servers do here
//! never waits, so they answer in order.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fibra::rpc::codec;
use fibra::rpc::wire::frame::Open;
use fibra::rpc::wire::header::{self, FLAG_IDEMPOTENT};
use fibra::rpc::wire::{encode, preface};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::floor::REPLY;
use super::{ADD, check};
use crate::rpc::client::{Client, Load, follow};
use crate::rpc::shape::Callers;
use crate::rpc::window;

/// More than 256 replies.
const BUFFER: usize = 64 << 10;

/// A server that says nothing for so long, while it should, has failed.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where the xids of calls outside of the session begin.
const OUTSIDE: u64 = 1 << 63;

pub(crate) fn call(server: SocketAddr, _workers: usize) -> io::Result<()> {
    follow(&mut Raw::new(server, 0)?)
}

/// The same, with calls that may run twice: their xids are not looked up.
pub(crate) fn call_idempotent(server: SocketAddr, _workers: usize) -> io::Result<()> {
    follow(&mut Raw::new(server, FLAG_IDEMPOTENT)?)
}

struct Raw {
    server: SocketAddr,
    /// A call, but for its xid and what it acknowledges.
    template: Vec<u8>,
    poll: Poll,
    connections: Vec<Connection>,
    buf: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// Whether calls are the session's.
    in_session: bool,
    sent: u64,
    answered: u64,
    /// Calls that are still to be made.
    left: u64,
    /// When calls were made, and how many together: of those that have no reply.
    since: VecDeque<(Instant, u64)>,
    /// Bytes of a reply that has come in part.
    part: usize,
    output: Vec<u8>,
}

impl Raw {
    fn new(server: SocketAddr, flags: u8) -> io::Result<Self> {
        let mut template = Vec::new();
        let mut body = encode::call(&mut template, "calculator.add", flags, usize::MAX);
        codec::encode(&mut body, &(ADD.0, ADD.1)).map_err(io::Error::other)?;
        body.finish().map_err(io::Error::other)?;
        encode::stamp_call(&mut template, 0, 0, Duration::from_secs(10));
        Ok(Raw { server, template, poll: Poll::new()?, connections: Vec::new(), buf: vec![0; BUFFER] })
    }

    fn open(&mut self) -> io::Result<()> {
        let mut stream = std::net::TcpStream::connect(self.server)?;
        stream.set_nodelay(true)?;
        // To end with a reset: thousands of connections in TIME_WAIT would weigh on what is measured next.
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
        stream.write_all(&preface::encode(preface::VERSION))?;
        stream.read_exact(&mut [0; preface::LEN])?;
        let client = (u128::from(std::process::id()) << 64 | self.connections.len() as u128).to_be_bytes();
        let open = Open { client, incarnation: 1, server: 0, window: 512, secret: client.to_vec().into() };
        let mut frame = Vec::new();
        encode::open(&mut frame, &open);
        stream.write_all(&frame)?;
        let mut opened = [0; header::LEN];
        stream.read_exact(&mut opened)?;
        let length = opened.first_chunk().map_or(0, |&length| u32::from_be_bytes(length) as usize);
        stream.read_exact(self.buf.get_mut(..length).ok_or(ErrorKind::InvalidData)?)?;

        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        self.poll.registry().register(&mut stream, Token(self.connections.len()), Interest::READABLE)?;
        let in_session = self.template[5] & FLAG_IDEMPOTENT == 0;
        self.connections.push(Connection {
            stream,
            in_session,
            sent: 0,
            answered: 0,
            left: 0,
            since: VecDeque::new(),
            part: 0,
            output: Vec::new(),
        });
        Ok(())
    }

    /// Goes on until every call has its reply. For each reply a call follows, while the connection has any left and it is not over.
    fn drain(&mut self, mut under_way: u64, is_over: impl Fn() -> bool) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        while under_way > 0 {
            match self.poll.poll(&mut events, Some(PATIENCE)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            if events.is_empty() {
                return Err(io::Error::new(ErrorKind::TimedOut, format!("no answer for {} s", PATIENCE.as_secs())));
            }
            for event in &events {
                let Token(index) = event.token();
                let connection = &mut self.connections[index];
                let answered = connection.receive(&mut self.buf)?;
                let calls = if is_over() { 0 } else { answered.min(connection.left) };
                connection.left -= calls;
                connection.send(calls, &self.template)?;
                under_way = under_way + calls - answered;
            }
        }
        Ok(())
    }
}

impl Client for Raw {
    fn connect(&mut self, total: usize) -> io::Result<()> {
        while self.connections.len() < total {
            self.open()?;
            if let Some(connection) = self.connections.last_mut() {
                connection.send(1, &self.template)?;
            }
            self.drain(1, || true)?;
        }
        Ok(())
    }

    fn call(&mut self, callers: Callers, load: &Arc<Load>) -> io::Result<()> {
        let outstanding = callers.calls() as u64;
        for connection in &mut self.connections {
            connection.left = match **load {
                Load::Until(_) => u64::MAX,
                Load::Times(calls) => (callers.number as u64 * calls).saturating_sub(outstanding),
            };
            connection.send(outstanding, &self.template)?;
        }
        self.drain(outstanding * self.connections.len() as u64, || !load.goes_on(0))
    }
}

impl Connection {
    /// Makes so many calls in one write.
    fn send(&mut self, calls: u64, template: &[u8]) -> io::Result<()> {
        if calls == 0 {
            return Ok(());
        }
        self.output.clear();
        for _ in 0..calls {
            let at = self.output.len();
            self.output.extend_from_slice(template);
            self.sent += 1;
            let frame = &mut self.output[at..];
            if self.in_session {
                // The first call without a reply is the one after those answered.
                frame[6..8].copy_from_slice(&((self.sent - self.answered - 1) as u16).to_be_bytes());
                frame[8..16].copy_from_slice(&self.sent.to_be_bytes());
            } else {
                frame[8..16].copy_from_slice(&(OUTSIDE + self.sent).to_be_bytes());
            }
        }
        self.since.push_back((Instant::now(), calls));
        // There is room for it: what is under way is little.
        match self.stream.write(&self.output)? {
            n if n == self.output.len() => Ok(()),
            n => Err(io::Error::other(format!("a socket took {n} bytes of {}", self.output.len()))),
        }
    }

    /// Reads, and returns how many replies that made whole.
    fn receive(&mut self, buf: &mut [u8]) -> io::Result<u64> {
        let n = match self.stream.read(buf) {
            Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed a connection")),
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            read => read?,
        };
        // All are alike, so one is looked at: the first that begins here.
        if let Some(value) = buf[..n].get(REPLY - 1).filter(|_| self.part == 0) {
            check(i64::from(*value))?;
        }
        let bytes = self.part + n;
        self.part = bytes % REPLY;
        let answered = (bytes / REPLY) as u64;
        self.answered += answered;
        let now = Instant::now();
        let mut left = answered;
        while left > 0 {
            let Some((since, calls)) = self.since.front_mut() else { return Err(ErrorKind::InvalidData.into()) };
            let ended = left.min(*calls);
            window::answered(now - *since, ended);
            *calls -= ended;
            left -= ended;
            if *calls == 0 {
                self.since.pop_front();
            }
        }
        Ok(answered)
    }
}
