//! The floor: an event loop that answers each frame with one of a reply's size and looks at no more of it than its length and its xid.
//!
//! What one read brings is answered by one write. A connection begins as fibra's do, so that fibra's client can be served; from then
//! on all frames are calls, as long as the first, and each is answered with the number 8. Whatever else comes ends the connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpListener;
use std::ops::Range;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use fibra::rpc::wire::decode::Decoder;
use fibra::rpc::wire::frame::{Frame, Opened};
use fibra::rpc::wire::header::{self, Header, Kind};
use fibra::rpc::wire::{encode, preface};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use super::ADD;
use crate::serve::{LOOPBACK, announce};

/// More than 256 calls.
const BUFFER: usize = 64 << 10;

/// The length of a reply, and where it has its xid, as a call has.
pub(super) const REPLY: usize = header::LEN + 1;
const XID: Range<usize> = 8..header::LEN;

const ARRIVALS: Token = Token(usize::MAX);

pub(crate) fn serve(workers: usize) -> io::Result<()> {
    let loops = (0..workers).map(|_| EventLoop::start()).collect::<io::Result<Vec<_>>>()?;
    let listener = TcpListener::bind(LOOPBACK)?;
    announce(listener.local_addr()?)?;
    for (stream, (sender, waker)) in listener.incoming().zip(loops.iter().cycle()) {
        let stream = stream?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        sender.send(TcpStream::from_std(stream)).map_err(|_| io::Error::other("an event loop ended"))?;
        waker.wake()?;
    }
    Ok(())
}

struct EventLoop {
    arrivals: Receiver<TcpStream>,
    connections: Slab<Connection>,
    buf: Vec<u8>,
}

impl EventLoop {
    fn start() -> io::Result<(Sender<TcpStream>, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), ARRIVALS)?;
        let (sender, arrivals) = mpsc::channel();
        thread::spawn(move || EventLoop { arrivals, connections: Slab::new(), buf: vec![0; BUFFER] }.run(poll));
        Ok((sender, waker))
    }

    fn run(mut self, mut poll: Poll) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                let Token(key) = event.token();
                if event.token() == ARRIVALS {
                    self.welcome(&poll)?;
                } else if let Some(connection) = self.connections.get_mut(key) {
                    let ends = event.is_read_closed() || event.is_error();
                    if !matches!(connection.go_on(&mut self.buf, ends), Ok(true)) {
                        self.connections.remove(key);
                    }
                }
            }
        }
    }

    fn welcome(&mut self, poll: &Poll) -> io::Result<()> {
        for mut stream in self.arrivals.try_iter() {
            let entry = self.connections.vacant_entry();
            poll.registry().register(&mut stream, Token(entry.key()), Interest::READABLE | Interest::WRITABLE)?;
            entry.insert(Connection { stream, stage: Stage::Preface, rest: Vec::new(), output: Vec::new() });
        }
        Ok(())
    }
}

/// What comes next.
#[derive(Clone, Copy)]
enum Stage {
    Preface,
    Open,
    FirstCall,
    /// Calls with bodies of that length.
    Calls {
        length: usize,
        reply: [u8; REPLY],
    },
}

struct Connection {
    stream: TcpStream,
    stage: Stage,
    /// The beginning of what has not come whole.
    rest: Vec<u8>,
    /// What the socket has not taken.
    output: Vec<u8>,
}

impl Connection {
    /// Whether it goes on after the next event. `ends`: a short read does not prove that the rest can wait.
    fn go_on(&mut self, buf: &mut [u8], ends: bool) -> io::Result<bool> {
        while self.flush()? {
            match self.stream.read(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
                Ok(0) => return Ok(false),
                Ok(n) => {
                    self.take(&buf[..n])?;
                    self.flush()?;
                    if n < buf.len() && !ends {
                        break;
                    }
                }
            }
        }
        Ok(true)
    }

    /// Whether everything has been written.
    fn flush(&mut self) -> io::Result<bool> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Ok(n) if n == self.output.len() => self.output.clear(),
                written => drop(self.output.drain(..written?)),
            }
        }
        Ok(true)
    }

    /// Takes what has come, after what was left over.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.rest.is_empty() {
            return self.answer(bytes);
        }
        self.rest.extend_from_slice(bytes);
        let joined = std::mem::take(&mut self.rest);
        self.answer(&joined)
    }

    fn answer(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        loop {
            if let Stage::Calls { length, mut reply } = self.stage {
                let mut calls = bytes.chunks_exact(length + header::LEN);
                for call in &mut calls {
                    if call[..4] != (length as u32).to_be_bytes() {
                        return Err(ErrorKind::InvalidData.into());
                    }
                    reply[XID].copy_from_slice(&call[XID]);
                    self.output.extend_from_slice(&reply);
                }
                self.rest.extend_from_slice(calls.remainder());
                return Ok(());
            }
            match self.step(bytes)? {
                Some(length) => bytes = &bytes[length..],
                None => {
                    self.rest.extend_from_slice(bytes);
                    return Ok(());
                }
            }
        }
    }

    /// Takes one step before the calls, and returns how many bytes it took; `None` if it needs more.
    fn step(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        if let Stage::Preface = self.stage {
            let Some(asked) = bytes.first_chunk() else { return Ok(None) };
            preface::decode(asked).ok_or(ErrorKind::InvalidData)?;
            self.output.extend_from_slice(&preface::encode(preface::VERSION));
            self.stage = Stage::Open;
            return Ok(Some(preface::LEN));
        }
        let Some(length) = bytes.first_chunk().map(|&length| u32::from_be_bytes(length)) else { return Ok(None) };
        let length = usize::try_from(length).ok().filter(|&length| length < BUFFER).ok_or(ErrorKind::InvalidData)?;
        if let Stage::FirstCall = self.stage {
            self.stage = Stage::Calls { length, reply: reply() };
            return Ok(Some(0));
        }
        let Some(open) = bytes.get(..header::LEN + length) else { return Ok(None) };
        match Decoder::of(open.to_vec(), length).next_frame() {
            Ok(Some(Frame::Open(open))) => {
                let opened = Opened { resumed: false, incarnation: 1, window: open.window, lease: 60_000 };
                encode::opened(&mut self.output, &opened);
                self.stage = Stage::FirstCall;
                Ok(Some(header::LEN + length))
            }
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }
}

/// A reply, but for its xid.
fn reply() -> [u8; REPLY] {
    let mut reply = [0; REPLY];
    reply[..header::LEN].copy_from_slice(&Header { len: 1, kind: Kind::Reply, flags: 0, behind: 0, xid: 0 }.encode());
    // What small numbers are in MessagePack.
    reply[header::LEN] = ADD.2 as u8;
    reply
}
