//! UDP: datagrams that arrive whole, in whichever order, twice, or not.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use fibra_scheduler::seeded::Host;
use rustix::io::Errno;

use super::agenda::Event;
use super::dice::Decision;
use super::link::RETRY_MIN;
use super::options::Options;
use super::state::{Socket, State};
use crate::registration::{Happening, Tie};

/// The longest datagram of version 4: 65,535 bytes less two headers.
const DATAGRAM_MAX: usize = 65_507;

/// How many bytes may wait to be received, as Linux's default; each datagram counts for at least so much.
const QUEUE_MAX: usize = 212_992;
const OVERHEAD: usize = 768;

/// A UDP socket.
#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) machine: u16,
    pub(super) host: Host,
    pub(super) addr: SocketAddr,
    pub(super) peer: Option<SocketAddr>,
    pub(super) tie: Option<Tie>,
    pub(super) error: Option<Errno>,
    pub(super) options: Options,
    queue: VecDeque<(SocketAddr, Box<[u8]>)>,
    queued: usize,
}

/// A datagram on its way.
#[derive(Debug)]
pub(super) struct Packet {
    socket: u32,
    from: (u16, SocketAddr),
    to: (u16, SocketAddr),
    bytes: Box<[u8]>,
}

impl State {
    /// A UDP socket at `addr`.
    pub(super) fn bind_datagram(&mut self, addr: SocketAddr) -> Result<u32, Errno> {
        let (machine, host) = self.caller()?;
        let number = self.next_socket();
        self.machine(machine).open()?;
        let addr = match self.machine(machine).bind(false, addr, number) {
            Ok(addr) => addr,
            Err(error) => {
                self.machine(machine).descriptors -= 1;
                return Err(error);
            }
        };
        let (queue, options) = Default::default();
        let datagram = Datagram { machine, host, addr, peer: None, tie: None, error: None, options, queue, queued: 0 };
        Ok(self.add_socket(Socket::Datagram(Box::new(datagram))))
    }

    pub(super) fn connect_datagram(&mut self, number: u32, peer: SocketAddr) -> Result<(), Errno> {
        let datagram = self.datagram(number).ok_or(Errno::BADF)?;
        let (machine, local) = (datagram.machine, datagram.addr);
        if local.is_ipv4() && peer.is_ipv6() {
            return Err(Errno::AFNOSUPPORT);
        }
        self.route(machine, peer.ip()).ok_or(Errno::NETUNREACH)?;
        let own = self.machine(machine).addr_towards(peer.ip());
        let datagram = self.datagram(number).ok_or(Errno::BADF)?;
        datagram.peer = Some(peer);
        if datagram.addr.ip().is_unspecified() {
            datagram.addr.set_ip(own);
        }
        Ok(())
    }

    /// Sends `bytes` to `to`, or to the address that the socket is connected to.
    pub(super) fn send_datagram(&mut self, number: u32, bytes: &[u8], to: Option<SocketAddr>) -> Result<usize, Errno> {
        let datagram = self.datagram(number).ok_or(Errno::BADF)?;
        if let Some(error) = datagram.error.take() {
            return Err(error);
        }
        let Some(to) = to.or(datagram.peer) else { return Err(Errno::DESTADDRREQ) };
        if to.port() == 0 {
            return Err(Errno::INVAL);
        }
        if bytes.len() > DATAGRAM_MAX {
            return Err(Errno::MSGSIZE);
        }
        if datagram.addr.is_ipv4() && to.is_ipv6() {
            return Err(Errno::AFNOSUPPORT);
        }
        if to.ip() == IpAddr::V4(Ipv4Addr::BROADCAST) && !datagram.options.broadcast {
            return Err(Errno::ACCESS);
        }
        let (machine, mut local) = (datagram.machine, datagram.addr);
        let target = self.route(machine, to.ip()).ok_or(Errno::NETUNREACH)?;
        if local.ip().is_unspecified() {
            local.set_ip(self.machine(machine).addr_towards(to.ip()));
        }
        let now = self.now;
        let link = self.link(machine, target);
        let is_lost = link.falls(Decision::Loss);
        let copies = if is_lost { 0 } else { 1 + u32::from(link.falls(Decision::Duplication)) };
        for _ in 0..copies {
            let at = self.link(machine, target).datagram_arrival(now, bytes.len());
            let (from, to) = ((machine, local), (target, to));
            let packet = Packet { socket: number, from, to, bytes: bytes.into() };
            let packet = u32::try_from(self.packets.insert(packet)).map_err(|_many| Errno::NOBUFS)?;
            self.agenda.note(at, Event::Datagram { packet });
        }
        Ok(bytes.len())
    }

    /// A datagram has come to where it goes.
    pub(super) fn deliver(&mut self, packet: u32) {
        let Packet { from, to, .. } = self.packets[packet as usize];
        let link = self.link(from.0, to.0);
        if link.is_held {
            let at = self.now + RETRY_MIN;
            return self.agenda.note(at, Event::Datagram { packet });
        }
        let Packet { socket, bytes, .. } = self.packets.remove(packet as usize);
        let link = self.link(from.0, to.0);
        if link.is_cut() || self.machine(to.0).host.is_none() {
            return;
        }
        self.tell("datagram", from.0, to.0, bytes.len());
        let bound: Vec<u32> = self.machine(to.0).udp.at(to.1).collect();
        let hears = |socket: &Datagram| socket.peer.is_none_or(|peer| peer == from.1);
        let receiver = bound.into_iter().find(|&number| self.datagram(number).is_some_and(|socket| hears(socket)));
        match receiver.and_then(|number| self.datagram(number)) {
            Some(receiver) => {
                let takes = bytes.len() + OVERHEAD;
                if receiver.queued + takes > QUEUE_MAX {
                    return;
                }
                receiver.queued += takes;
                receiver.queue.push_back((from.1, bytes));
                let tie = receiver.tie.clone();
                self.raise(&tie, Happening { readable: true, ..Happening::default() });
            }
            // ICMP says so, to a socket that is connected.
            None => {
                if self.link(to.0, from.0).is_blocked() {
                    return;
                }
                let Some(sender) = self.datagram(socket).filter(|sender| sender.peer == Some(to.1)) else { return };
                sender.error = Some(Errno::CONNREFUSED);
                let tie = sender.tie.clone();
                let failed = Happening { readable: true, writable: true, failed: true, ..Happening::default() };
                self.raise(&tie, failed);
            }
        }
    }

    /// The first datagram, as much of it as fits into `buf`, and where it is from.
    pub(super) fn receive_datagram(
        &mut self,
        number: u32,
        buf: &mut [u8],
        peek: bool,
    ) -> Result<(usize, SocketAddr), Errno> {
        let machine = self.datagram(number).ok_or(Errno::BADF)?.machine;
        let is_stalled = self.machine(machine).is_stalled;
        let datagram = self.datagram(number).filter(|_| !is_stalled).ok_or(Errno::AGAIN)?;
        if let Some(error) = datagram.error.take() {
            return Err(error);
        }
        let Some((from, bytes)) = datagram.queue.front() else { return Err(Errno::AGAIN) };
        let (len, from) = (bytes.len().min(buf.len()), *from);
        buf[..len].copy_from_slice(&bytes[..len]);
        if !peek {
            datagram.queued -= bytes.len() + OVERHEAD;
            datagram.queue.pop_front();
        }
        Ok((len, from))
    }
}
