//! The client's connections, and one turn of its event loop.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::request::PREFIX;
use crate::serve::Workload;

/// Bytes of every message, with its prefix if it is a frame.
const MESSAGE: usize = 64;

/// Of so many requests, one asks for a pause.
const REQUESTS_PER_PAUSE: u64 = 100;

/// How many connections are opened before the client waits until all of them have been served: fewer than any server's backlog.
const OPENED_AT_ONCE: usize = 100;

/// A server that says nothing for so long, while it should, has failed.
const PATIENCE: Duration = Duration::from_secs(15);

/// Moments, in nanoseconds since the client started.
pub(super) type Nanos = u64;

pub(super) struct Connections {
    server: SocketAddr,
    workload: Workload,
    poll: Poll,
    events: Events,
    all: Vec<Connection>,
    start: Instant,
    /// Requests whose answer is not there yet.
    pub(super) under_way: usize,
    sent: u64,
}

struct Connection {
    stream: TcpStream,
    /// Bytes of the answer that are there.
    received: usize,
    /// The moment from which the latency of the request under way counts.
    since: Option<Nanos>,
}

impl Connections {
    pub(super) fn new(server: SocketAddr, workload: Workload) -> io::Result<Self> {
        let (poll, events) = (Poll::new()?, Events::with_capacity(1024));
        let (all, start) = (Vec::new(), Instant::now());
        Ok(Connections { server, workload, poll, events, all, start, under_way: 0, sent: 0 })
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn now(&self) -> Nanos {
        self.start.elapsed().as_nanos() as Nanos
    }

    /// Opens connections until there are `total`. Each makes one request.
    pub(super) fn open(&mut self, total: usize) -> io::Result<()> {
        while self.len() < total {
            for _ in 0..OPENED_AT_ONCE.min(total - self.len()) {
                let stream = std::net::TcpStream::connect(self.server)?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                // To end with a reset: thousands of connections in TIME_WAIT would weigh on what is measured next.
                rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
                let mut stream = TcpStream::from_std(stream);
                self.poll.registry().register(&mut stream, Token(self.len()), Interest::READABLE)?;
                self.all.push(Connection { stream, received: 0, since: None });
                self.send(self.len() - 1, self.now())?;
            }
            self.drain()?;
        }
        Ok(())
    }

    pub(super) fn is_idle(&self, index: usize) -> bool {
        self.all[index].since.is_none()
    }

    /// Since when the requests under way are.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = Nanos> {
        self.all.iter().filter_map(|connection| connection.since)
    }

    /// Makes a request on an idle connection; its latency counts from `since`.
    pub(super) fn send(&mut self, index: usize, since: Nanos) -> io::Result<()> {
        let message = message(self.workload, self.sent);
        self.sent += 1;
        self.under_way += 1;
        let connection = &mut self.all[index];
        connection.since = Some(since);
        // There is room for it: nothing else is under way.
        match connection.stream.write(&message)? {
            MESSAGE => Ok(()),
            _ => Err(io::Error::other("a socket did not take 64 bytes")),
        }
    }

    /// Waits for all answers.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        while self.under_way > 0 {
            self.turn(None, |_, _, _| None)?;
        }
        Ok(())
    }

    /// Waits for answers, until `timeout`; without one, until the client's patience ends. Each answer is given to `answered`, with its
    /// connection, since when it counts, and the time; and what that returns is since when the connection's next request counts.
    pub(super) fn turn(
        &mut self,
        timeout: Option<Duration>,
        mut answered: impl FnMut(usize, Nanos, Nanos) -> Option<Nanos>,
    ) -> io::Result<()> {
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        match self.poll.poll(&mut events, Some(timeout.unwrap_or(PATIENCE))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        if events.is_empty() && timeout.is_none() {
            return Err(io::Error::new(ErrorKind::TimedOut, format!("no answer for {} s", PATIENCE.as_secs())));
        }
        for event in &events {
            let Token(index) = event.token();
            if let Some(since) = self.receive(index)?
                && let Some(next) = answered(index, since, self.now())
            {
                self.send(index, next)?;
            }
        }
        self.events = events;
        Ok(())
    }

    /// Reads. If that makes an answer whole: since when it counts.
    fn receive(&mut self, index: usize) -> io::Result<Option<Nanos>> {
        // One read is enough: it asks for more than can be there.
        let mut buf = [0; 2 * MESSAGE];
        let connection = &mut self.all[index];
        connection.received += match connection.stream.read(&mut buf) {
            Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed a connection")),
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            read => read?,
        };
        if connection.received < MESSAGE {
            return Ok(None);
        }
        connection.received = 0;
        self.under_way -= 1;
        Ok(connection.since.take())
    }
}

/// The `number`th message. One of a hundred asks for a pause: by a hash, so that no pattern of connections is always hit.
fn message(workload: Workload, number: u64) -> [u8; MESSAGE] {
    let mut message = [0; MESSAGE];
    if workload == Workload::Request {
        message[..PREFIX].copy_from_slice(&((MESSAGE - PREFIX) as u32).to_be_bytes());
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        message[PREFIX] = u8::from(hash.is_multiple_of(REQUESTS_PER_PAUSE));
        message[PREFIX + 1..][..8].copy_from_slice(&number.to_be_bytes());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_in_a_hundred_asks_for_a_pause() {
        let pauses = (0..100_000).filter(|&number| message(Workload::Request, number)[PREFIX] == 1).count();
        assert!((950..1050).contains(&pauses), "{pauses}");
    }
}
