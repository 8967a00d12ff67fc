//! An event loop on epoll, by way of mio: a connection is a state machine, and nothing may ever wait but the loop.
//!
//! One loop for each worker; the main thread accepts and deals the connections out. Edge-triggered, so a connection is read until
//! a read comes back short, without the read that would only say `EAGAIN`.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Instant;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use crate::request::{BUFFER, PAUSE, PREFIX, asks_for_pause, body_length, compute};
use crate::serve::{LOOPBACK, Serving, Workload, announce};

const ARRIVALS: Token = Token(usize::MAX);

pub(crate) fn serve(serving: &Serving) -> io::Result<()> {
    let loops = (0..serving.workers).map(|_| EventLoop::start(serving.workload)).collect::<io::Result<Vec<_>>>()?;
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
    workload: Workload,
    arrivals: Receiver<TcpStream>,
    connections: Slab<Connection>,
    /// All equally long, so in the order of their ends.
    pauses: VecDeque<(Instant, usize)>,
    buf: [u8; BUFFER],
}

impl EventLoop {
    fn start(workload: Workload) -> io::Result<(Sender<TcpStream>, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), ARRIVALS)?;
        let (sender, arrivals) = mpsc::channel();
        thread::spawn(move || {
            let (connections, pauses) = (Slab::new(), VecDeque::new());
            EventLoop { workload, arrivals, connections, pauses, buf: [0; BUFFER] }.run(poll)
        });
        Ok((sender, waker))
    }

    fn run(mut self, mut poll: Poll) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let timeout = self.pauses.front().map(|(end, _)| end.saturating_duration_since(Instant::now()));
            match poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                match event.token() {
                    ARRIVALS => self.welcome(&poll)?,
                    Token(key) => self.go_on(key, ends(event)),
                }
            }
            while let Some((_, key)) = self.pauses.pop_front_if(|(end, _)| *end <= Instant::now()) {
                self.connections[key].pausing = false;
                self.go_on(key, true);
            }
        }
    }

    fn welcome(&mut self, poll: &Poll) -> io::Result<()> {
        for mut stream in self.arrivals.try_iter() {
            let entry = self.connections.vacant_entry();
            poll.registry().register(&mut stream, Token(entry.key()), Interest::READABLE | Interest::WRITABLE)?;
            entry.insert(Connection { stream, input: Vec::new(), output: Vec::new(), pausing: false });
        }
        Ok(())
    }

    /// Lets a connection do what it can. `ends`: a short read does not prove that the rest can wait.
    fn go_on(&mut self, key: usize, ends: bool) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let done = match self.workload {
            Workload::Echo => connection.echo(&mut self.buf, ends),
            Workload::Request => connection.request(&mut self.buf, ends),
        };
        match done {
            Ok(Next::Event) => {}
            Ok(Next::Pause) => self.pauses.push_back((Instant::now() + PAUSE, key)),
            Ok(Next::End) | Err(_) => drop(self.connections.remove(key)),
        }
    }
}

fn ends(event: &Event) -> bool {
    event.is_read_closed() || event.is_error()
}

// handler: echo, request
/// What a connection goes on after.
enum Next {
    Event,
    Pause,
    End,
}

struct Connection {
    stream: TcpStream,
    /// What has arrived and has not been answered.
    input: Vec<u8>,
    /// Answers that the socket has not taken yet, or is not to get before the pause is over.
    output: Vec<u8>,
    pausing: bool,
}

impl Connection {
    /// Bytes read; `None` if there are none yet.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        match self.stream.read(buf) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            read => read.map(Some),
        }
    }

    /// Whether everything has been written.
    fn flush(&mut self) -> io::Result<bool> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                written => drop(self.output.drain(..written?)),
            }
        }
        Ok(true)
    }
}
// end

impl Connection {
    // handler: echo
    fn echo(&mut self, buf: &mut [u8], ends: bool) -> io::Result<Next> {
        let mut drained = false;
        while self.flush()? && !drained {
            match self.read(buf)? {
                None => break,
                Some(0) => return Ok(Next::End),
                Some(n) => {
                    self.output.extend_from_slice(&buf[..n]);
                    drained = n < buf.len() && !ends;
                }
            }
        }
        Ok(Next::Event)
    }
    // end

    // handler: request
    fn request(&mut self, buf: &mut [u8], ends: bool) -> io::Result<Next> {
        let mut drained = false;
        while !self.pausing && self.flush()? {
            if let Some(length) = self.frame()? {
                let body = &mut self.input[PREFIX..length];
                compute(body);
                self.pausing = asks_for_pause(body);
                self.output.extend(self.input.drain(..length));
                if self.pausing {
                    return Ok(Next::Pause);
                }
            } else if drained {
                break;
            } else {
                match self.read(buf)? {
                    None => break,
                    Some(0) => return Ok(Next::End),
                    Some(n) => {
                        self.input.extend_from_slice(&buf[..n]);
                        drained = n < buf.len() && !ends;
                    }
                }
            }
        }
        Ok(Next::Event)
    }

    /// The length of the first frame, once all of it is there.
    fn frame(&self) -> io::Result<Option<usize>> {
        if self.input.len() < PREFIX {
            return Ok(None);
        }
        let length = PREFIX + body_length(&self.input)?;
        Ok((self.input.len() >= length).then_some(length))
    }
    // end
}
