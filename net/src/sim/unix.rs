//! Unix sockets: names, streams and datagrams of one machine, as Linux has them. Nothing of them leaves it, and nothing takes time.
//!
//! ```text
//!   Names ─▶ listener: backlog ── accept ─▶ stream ◀── peers ──▶ stream       each holds what has come to it
//!        ╰─▶ datagrams: queue ◀────────── peer ── datagrams
//! ```
//!
//! Invariants:
//! * What has been sent is with its receiver when the call returns, and nowhere else.
//! * A stream has its peer until one of them is closed; whoever is left has both directions shut, as by a shutdown.
//! * A write that took less than it was given, or nothing, is followed by an event "writable" as soon as there is room; a read that found
//!   nothing by an event "readable" when there is something.

mod datagram;
mod endpoint;
mod name;
mod stream;

use std::collections::VecDeque;

use fibra_scheduler::seeded::Host;
use rustix::io::Errno;

use super::dice::Decision;
use super::state::{Socket, State};
use crate::listening::BACKLOG;
use crate::registration::{Happening, Tie};

use datagram::Datagrams;
pub(super) use name::Names;
use name::{Name, Wanted};
use stream::Stream;

/// How many bytes a socket may have sent that are not received, as Linux's `net.core.wmem_default`.
const BUFFER: usize = 212_992;

/// Whether who waits for room is told when so many bytes are left: not for a little.
fn is_room(left: usize) -> bool {
    left <= BUFFER / 4
}

/// Neither direction will work again.
const HUNG_UP: Happening = Happening { readable: true, writable: true, read_ended: true, failed: true, ..READABLE };
pub(super) const READABLE: Happening =
    Happening { readable: true, writable: false, urgent: false, read_ended: false, failed: false };
const WRITABLE: Happening = Happening { readable: false, writable: true, ..READABLE };

/// See the [module](self).
#[derive(Debug)]
pub(super) struct UnixSocket {
    pub(super) machine: u16,
    pub(super) host: Host,
    pub(super) tie: Option<Tie>,
    pub(super) error: Option<Errno>,
    name: Option<Name>,
    peer: Option<Peer>,
    is_read_shut: bool,
    is_write_shut: bool,
    kind: Kind,
}

/// The one socket that another is connected to; or was, if it is gone.
#[derive(Clone, Debug)]
struct Peer {
    number: u32,
    name: Option<Name>,
}

#[derive(Debug)]
enum Kind {
    /// The ends, here, of connections that nobody has accepted.
    Listener(VecDeque<u32>),
    Stream(Stream),
    Datagrams(Datagrams),
}

impl UnixSocket {
    fn new((machine, host): (u16, Host), kind: Kind) -> Self {
        let (is_read_shut, is_write_shut) = (false, false);
        Self { machine, host, tie: None, error: None, name: None, peer: None, is_read_shut, is_write_shut, kind }
    }
}

impl State {
    fn unix(&mut self, number: u32) -> Result<&mut UnixSocket, Errno> {
        match self.socket(number) {
            Some(Socket::Unix(socket)) => Ok(socket),
            Some(_) => Err(Errno::OPNOTSUPP),
            None => Err(Errno::BADF),
        }
    }

    fn raise_unix(&mut self, number: u32, happening: Happening) {
        if let Ok(socket) = self.unix(number) {
            let tie = socket.tie.clone();
            self.raise(&tie, happening);
        }
    }

    /// From now on the socket to which `tie` leads is told. An end may have come before, if nobody had accepted it.
    pub(super) fn attach_unix(&mut self, number: u32, tie: Option<Tie>) {
        let Ok(socket) = self.unix(number) else { return };
        socket.tie = tie;
        let happening = Happening {
            read_ended: socket.is_read_shut,
            writable: socket.is_write_shut,
            failed: socket.is_write_shut && socket.is_read_shut,
            ..READABLE
        };
        if socket.is_read_shut || socket.is_write_shut {
            self.raise_unix(number, happening);
        }
    }

    /// A socket of the calling fiber's machine, without a name.
    fn open_unix(&mut self, kind: Kind) -> Result<u32, Errno> {
        let caller = self.caller()?;
        self.machine(caller.0).open()?;
        Ok(self.add_socket(Socket::Unix(Box::new(UnixSocket::new(caller, kind)))))
    }

    /// As [`open_unix`](Self::open_unix), two that are each other's peers.
    fn open_unix_pair(&mut self, kind: fn() -> Kind) -> Result<(u32, u32), Errno> {
        let near = self.open_unix(kind())?;
        let far = self.open_unix(kind()).inspect_err(|_| self.close_unix(near))?;
        self.unix(near)?.peer = Some(Peer { number: far, name: None });
        self.unix(far)?.peer = Some(Peer { number: near, name: None });
        Ok((near, far))
    }

    /// As [`open_unix`](Self::open_unix), one with a name.
    fn bind_unix(&mut self, kind: Kind, wanted: Wanted) -> Result<u32, Errno> {
        let number = self.open_unix(kind)?;
        let machine = self.unix(number)?.machine;
        let name = self.machine(machine).unix.bind(wanted, number).inspect_err(|_| self.close_unix(number))?;
        self.unix(number)?.name = Some(name);
        Ok(number)
    }

    /// A stream that is connected to the listener of that name.
    fn connect_unix(&mut self, to: Wanted) -> Result<u32, Errno> {
        let caller = self.caller()?;
        let (machine, _) = caller;
        // As Linux, which makes the socket first.
        self.machine(machine).may_open()?;
        let number = self.machine(machine).unix.find(&to)?;
        let is_refused = self.link(machine, machine).falls(Decision::Refusal);
        let listener = self.unix(number)?;
        let name = listener.name.clone();
        match &listener.kind {
            Kind::Datagrams(_) => return Err(Errno::PROTOTYPE),
            _ if listener.is_read_shut || is_refused => return Err(Errno::CONNREFUSED),
            // As on Linux, where one more than that may wait.
            Kind::Listener(backlog) if backlog.len() > BACKLOG as usize => return Err(Errno::AGAIN),
            Kind::Listener(_) | Kind::Stream(_) => {}
        }
        let near = self.open_unix(Kind::Stream(Stream::default()))?;
        let mut far = UnixSocket::new(caller, Kind::Stream(Stream::default()));
        (far.name, far.peer) = (name.clone(), Some(Peer { number: near, name: None }));
        let far = self.add_socket(Socket::Unix(Box::new(far)));
        self.unix(near)?.peer = Some(Peer { number: far, name });
        if let Kind::Listener(backlog) = &mut self.unix(number)?.kind {
            backlog.push_back(far);
        }
        self.tell("a Unix connection", machine, machine, 0);
        self.raise_unix(number, READABLE);
        Ok(near)
    }

    /// The first of the backlog, and its peer's name.
    fn accept_unix(&mut self, number: u32) -> Result<(u32, Option<Name>), Errno> {
        let machine = self.unix(number)?.machine;
        // As Linux, which looks for a descriptor first.
        self.machine(machine).may_open()?;
        let Kind::Listener(backlog) = &mut self.unix(number)?.kind else { return Err(Errno::INVAL) };
        // That it was shut down the kernel, too, says only to those who block.
        let accepted = backlog.pop_front().ok_or(Errno::AGAIN)?;
        self.machine(machine).open()?;
        let peer = self.unix(accepted)?.peer.clone();
        Ok((accepted, peer.and_then(|peer| peer.name)))
    }

    /// Ends receiving, sending or both; of a listener, the listening.
    pub(super) fn shut_unix(&mut self, number: u32, read: bool, write: bool) -> Result<(), Errno> {
        let socket = self.unix(number)?;
        socket.is_read_shut |= read;
        socket.is_write_shut |= write;
        let machine = socket.machine;
        match (&mut socket.kind, &socket.peer) {
            (Kind::Stream(_), Some(peer)) => {
                let peer = peer.number;
                if let Ok(peer) = self.unix(peer) {
                    peer.is_read_shut |= write;
                    peer.is_write_shut |= read;
                }
                self.tell("a Unix stream is shut down", machine, machine, 0);
                let ended = Happening { readable: write, writable: read, read_ended: write, ..READABLE };
                self.raise_unix(peer, if read && write { HUNG_UP } else { ended });
            }
            (Kind::Datagrams(datagrams), _) => {
                let waiting = std::mem::take(&mut datagrams.waiting);
                waiting.into_iter().for_each(|sender| self.raise_unix(sender, WRITABLE));
            }
            (Kind::Stream(_) | Kind::Listener(_), _) => {}
        }
        Ok(())
    }

    /// The last handle to a socket is gone.
    pub(super) fn close_unix(&mut self, number: u32) {
        let Some(Socket::Unix(socket)) = self.take_socket(number) else { return };
        let machine = self.machine(socket.machine);
        machine.descriptors -= 1;
        if let Some(name) = &socket.name {
            machine.unix.release(name, number);
        }
        match socket.kind {
            Kind::Listener(backlog) => {
                for waiting in backlog {
                    if let Some(Socket::Unix(waiting)) = self.take_socket(waiting)
                        && let Some(peer) = waiting.peer
                    {
                        self.hang_up(peer.number, true);
                    }
                }
            }
            Kind::Stream(stream) => {
                if let Some(peer) = socket.peer {
                    self.hang_up(peer.number, stream.is_unread());
                }
            }
            Kind::Datagrams(datagrams) => self.lose_datagrams(datagrams),
        }
    }

    /// The peer of stream `number` is gone; if `is_reset`, with what had not been read.
    fn hang_up(&mut self, number: u32, is_reset: bool) {
        let Ok(socket) = self.unix(number) else { return };
        (socket.is_read_shut, socket.is_write_shut) = (true, true);
        if is_reset {
            socket.error = Some(Errno::CONNRESET);
        }
        let machine = socket.machine;
        self.tell(if is_reset { "a Unix reset" } else { "a Unix end" }, machine, machine, 0);
        self.raise_unix(number, HUNG_UP);
    }
}
