//! Unix datagrams: none is lost or overtaken; who finds no room waits.

use std::collections::VecDeque;

use rustix::io::Errno;

use super::name::{Name, Wanted};
use super::{BUFFER, Kind, Peer, READABLE, UnixSocket, WRITABLE, is_room};
use crate::registration::Happening;
use crate::sim::state::State;

/// How many may wait to be received, as Linux's `net.unix.max_dgram_qlen`: no more are sent while there are more than that. Those of the
/// receiver's own peer do not count.
const QUEUE: usize = 10;

/// What Linux adds to each, and in which steps it takes memory, about.
const OVERHEAD: usize = 512;
const STEP: usize = 256;

/// A socket of datagrams.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    queue: VecDeque<Message>,
    /// How many bytes it has sent that are not received.
    sent: usize,
    wants_room: bool,
    /// Who is to be told when there is room in the queue.
    pub(super) waiting: Vec<u32>,
}

#[derive(Debug)]
struct Message {
    sender: u32,
    from: Option<Name>,
    bytes: Box<[u8]>,
}

impl Message {
    fn takes(&self) -> usize {
        self.bytes.len().max(1).next_multiple_of(STEP) + OVERHEAD
    }
}

impl UnixSocket {
    fn datagrams(&mut self) -> Result<&mut Datagrams, Errno> {
        match &mut self.kind {
            Kind::Datagrams(datagrams) => Ok(datagrams),
            Kind::Stream(_) | Kind::Listener(_) => Err(Errno::PROTOTYPE),
        }
    }

    fn is_peer(&self, other: u32) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.number == other)
    }
}

impl State {
    /// The socket that a datagram of `number` would come to at `to`.
    fn find_receiver(&mut self, number: u32, to: &Wanted) -> Result<u32, Errno> {
        let machine = self.unix(number)?.machine;
        let receiver = self.machine(machine).unix.find(to)?;
        self.unix(receiver)?.datagrams()?;
        self.may_send(number, receiver)?;
        Ok(receiver)
    }

    /// One that is connected hears nobody else.
    fn may_send(&mut self, number: u32, receiver: u32) -> Result<(), Errno> {
        match &self.unix(receiver)?.peer {
            Some(peer) if peer.number != number => Err(Errno::PERM),
            _ => Ok(()),
        }
    }

    /// Sets the one socket to send to, and to receive from.
    pub(super) fn connect_unix_datagrams(&mut self, number: u32, to: &Wanted) -> Result<(), Errno> {
        let receiver = self.find_receiver(number, to)?;
        let name = self.unix(receiver)?.name.clone();
        let before = self.unix(number)?.peer.replace(Peer { number: receiver, name });
        if let Some(before) = before.filter(|before| before.number != receiver) {
            self.part(number, before.number);
        }
        Ok(())
    }

    /// `number` is no longer connected to `before`: what has come from there is lost, which `before` is told if it was connected, too.
    fn part(&mut self, number: u32, before: u32) {
        let Ok(datagrams) = self.unix(number).and_then(UnixSocket::datagrams) else { return };
        let (lost, waiting) = (std::mem::take(&mut datagrams.queue), std::mem::take(&mut datagrams.waiting));
        if !lost.is_empty()
            && let Ok(before) = self.unix(before)
            && before.is_peer(number)
        {
            before.error = Some(Errno::CONNRESET);
            let tie = before.tie.clone();
            self.raise(&tie, Happening { failed: true, ..READABLE });
        }
        lost.iter().for_each(|message| self.make_room(message));
        waiting.into_iter().for_each(|sender| self.raise_unix(sender, WRITABLE));
        self.raise_unix(number, WRITABLE);
    }

    /// Sends to `to`, or else to the peer.
    pub(super) fn send_unix(&mut self, number: u32, bytes: &[u8], to: Option<&Wanted>) -> Result<usize, Errno> {
        if let Some(None) = to {
            return Err(Errno::INVAL);
        }
        if bytes.len() > BUFFER - 32 {
            return Err(Errno::MSGSIZE);
        }
        let socket = self.unix(number)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        if socket.is_write_shut {
            return Err(Errno::PIPE);
        }
        let (machine, from, peer) = (socket.machine, socket.name.clone(), socket.peer.as_ref().map(|peer| peer.number));
        let own = socket.datagrams()?;
        if own.sent >= BUFFER {
            own.wants_room = true;
            return Err(Errno::AGAIN);
        }
        let receiver = match to {
            Some(to) => self.find_receiver(number, to)?,
            None => self.peer_of(number, peer.ok_or(Errno::NOTCONN)?)?,
        };
        let it = self.unix(receiver)?;
        if it.is_read_shut {
            return Err(Errno::PIPE);
        }
        let is_mutual = receiver == number || it.is_peer(number);
        let datagrams = it.datagrams()?;
        if !is_mutual && datagrams.queue.len() > QUEUE {
            if peer == Some(receiver) && !datagrams.waiting.contains(&number) {
                datagrams.waiting.push(number);
            }
            return Err(Errno::AGAIN);
        }
        let message = Message { sender: number, from, bytes: bytes.into() };
        let takes = message.takes();
        datagrams.queue.push_back(message);
        self.unix(number)?.datagrams()?.sent += takes;
        self.tell("a Unix datagram", machine, machine, bytes.len());
        self.raise_unix(receiver, READABLE);
        Ok(bytes.len())
    }

    /// The peer of `number`, if it is there still; else that connection ends.
    fn peer_of(&mut self, number: u32, peer: u32) -> Result<u32, Errno> {
        if self.unix(peer).is_err() {
            self.unix(number)?.peer = None;
            self.part(number, peer);
            return Err(Errno::CONNREFUSED);
        }
        self.may_send(number, peer)?;
        Ok(peer)
    }

    /// The first datagram, as much of it as fits into `buf`, and who sent it.
    pub(super) fn receive_unix(&mut self, number: u32, buf: &mut [u8]) -> Result<(usize, Option<Name>), Errno> {
        let machine = self.unix(number)?.machine;
        if self.machine(machine).is_stalled {
            return Err(Errno::AGAIN);
        }
        let socket = self.unix(number)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        let datagrams = socket.datagrams()?;
        let message = datagrams.queue.pop_front().ok_or(Errno::AGAIN)?;
        let waiting = std::mem::take(&mut datagrams.waiting);
        self.make_room(&message);
        waiting.into_iter().for_each(|sender| self.raise_unix(sender, WRITABLE));
        let len = message.bytes.len().min(buf.len());
        buf[..len].copy_from_slice(&message.bytes[..len]);
        Ok((len, message.from))
    }

    /// Nobody receives any more what `datagrams` hold.
    pub(super) fn lose_datagrams(&mut self, datagrams: Datagrams) {
        datagrams.queue.iter().for_each(|message| self.make_room(message));
        datagrams.waiting.into_iter().for_each(|sender| self.raise_unix(sender, WRITABLE));
    }

    /// `message` is out of its queue.
    fn make_room(&mut self, message: &Message) {
        let Ok(sender) = self.unix(message.sender).and_then(UnixSocket::datagrams) else { return };
        sender.sent -= message.takes();
        if sender.wants_room && is_room(sender.sent) {
            sender.wants_room = false;
            self.raise_unix(message.sender, WRITABLE);
        }
    }
}
