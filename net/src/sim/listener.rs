//! Listening, connecting and accepting.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use fibra_scheduler::seeded::Host;
use rustix::io::Errno;

use super::connection::{Connection, End, Flight, Phase};
use super::dice::Decision;
use super::options::Options;
use super::state::{Socket, State};
use crate::listening::BACKLOG;
use crate::registration::{Happening, Tie};

/// A socket that listens.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) machine: u16,
    pub(super) host: Host,
    pub(super) addr: SocketAddr,
    pub(super) tie: Option<Tie>,
    pub(super) options: Options,
    /// Connections that nobody has accepted, at their side 1.
    backlog: VecDeque<u32>,
    is_shut: bool,
}

impl State {
    /// A socket that listens at `addr`.
    pub(super) fn listen(&mut self, addr: SocketAddr) -> Result<u32, Errno> {
        let (machine, host) = self.caller()?;
        let number = self.next_socket();
        self.machine(machine).open()?;
        let addr = match self.machine(machine).bind(true, addr, number) {
            Ok(addr) => addr,
            Err(error) => {
                self.machine(machine).descriptors -= 1;
                return Err(error);
            }
        };
        let (backlog, options) = Default::default();
        let listener = Listener { machine, host, addr, tie: None, options, backlog, is_shut: false };
        Ok(self.add_socket(Socket::Listener(Box::new(listener))))
    }

    /// The first of the backlog, as a socket, and its peer's address.
    pub(super) fn accept(&mut self, number: u32) -> Result<(u32, SocketAddr), Errno> {
        let Some(listener) = self.listener(number) else { return Err(Errno::BADF) };
        if listener.is_shut {
            return Err(Errno::INVAL);
        }
        let (machine, first) = (listener.machine, listener.backlog.front().copied());
        // As Linux, which looks for a descriptor first.
        self.machine(machine).may_open()?;
        let connection = first.ok_or(Errno::AGAIN)?;
        self.machine(machine).open()?;
        if let Some(listener) = self.listener(number) {
            listener.backlog.pop_front();
        }
        let peer = self.at(connection, |_, connection| connection.ends[0].addr).ok_or(Errno::CONNABORTED)?;
        Ok((self.add_socket(Socket::Stream { connection, side: 1 }), peer))
    }

    /// A connection to `addr` that is being opened.
    pub(super) fn connect(&mut self, to: SocketAddr) -> Result<u32, Errno> {
        let (machine, host) = self.caller()?;
        let to = match to {
            SocketAddr::V6(to) if to.ip().is_unicast_link_local() && to.scope_id() == 0 => return Err(Errno::INVAL),
            to if to.ip().is_unspecified() && to.is_ipv4() => SocketAddr::new([127, 0, 0, 1].into(), to.port()),
            to => to,
        };
        let target = self.route(machine, to.ip()).ok_or(Errno::NETUNREACH)?;
        self.machine(machine).open()?;
        let near = self.machine(machine);
        let local = SocketAddr::new(near.addr_towards(to.ip()), near.next_port());
        let near = End::new(machine, Some(host), local, Phase::Opening);
        let mut connection = Connection::new(near, End::new(target, None, to, Phase::Absent));
        let number = u32::try_from(self.connections.len()).map_err(|_many| Errno::NOBUFS)?;
        self.send(number, &mut connection, 0, Flight::Open);
        self.connections.push(Some(Box::new(connection)));
        Ok(self.add_socket(Socket::Stream { connection: number, side: 0 }))
    }

    /// Somebody who asks for a connection has come to where it goes.
    pub(super) fn knock(&mut self, number: u32, connection: &mut Connection) {
        let (from, to) = (connection.ends[0].machine, connection.ends[1].machine);
        let is_refused = self.link(from, to).falls(Decision::Refusal);
        let at = connection.ends[1].addr;
        let listening: Vec<u32> = self.machine(to).tcp.at(at).collect();
        let listener = listening.into_iter().find(|&listener| self.listener(listener).is_some_and(|it| !it.is_shut));
        let Some(listener) = listener.and_then(|listener| self.listener(listener)).filter(|_| !is_refused) else {
            return self.send(number, connection, 1, Flight::Refused);
        };
        if listener.backlog.len() >= BACKLOG as usize {
            // Linux does not answer; it is asked again.
            return self.send_again(number, connection);
        }
        listener.backlog.push_back(number);
        let (host, tie) = (listener.host, listener.tie.clone());
        connection.ends[1] = End::new(to, Some(host), at, Phase::Open);
        self.raise(&tie, Happening { readable: true, ..Happening::default() });
        self.send(number, connection, 1, Flight::Opened);
    }

    fn send_again(&mut self, number: u32, connection: &mut Connection) {
        connection.delay(0, super::link::RETRY_MIN * 5);
        self.send(number, connection, 0, Flight::Open);
    }

    /// Ends the listening; those in the backlog are reset.
    pub(super) fn shut_listener(&mut self, number: u32) -> Result<(), Errno> {
        let listener = self.listener(number).ok_or(Errno::BADF)?;
        if std::mem::replace(&mut listener.is_shut, true) {
            return Err(Errno::NOTCONN);
        }
        let tie = listener.tie.clone();
        self.reset_backlog(number);
        self.raise(&tie, Happening { readable: true, read_ended: true, failed: true, ..Happening::default() });
        Ok(())
    }

    pub(super) fn reset_backlog(&mut self, number: u32) {
        let backlog = self.listener(number).map(|listener| std::mem::take(&mut listener.backlog)).unwrap_or_default();
        for waiting in backlog {
            self.at(waiting, |state, connection| {
                connection.ends[1].options.linger = Some(std::time::Duration::ZERO);
                state.close_end(waiting, connection, 1);
            });
        }
    }

    /// The addresses of a machine of that name, for a caller on a machine.
    pub(super) fn lookup(&self, name: &str) -> Vec<IpAddr> {
        if name == "localhost" {
            return vec![[127, 0, 0, 1].into()];
        }
        let machine = self.names.get(name).map(|&machine| &self.machines[usize::from(machine)]);
        // Version 4 only: one address is tried, instead of two in turns.
        machine.map_or_else(Vec::new, |machine| vec![machine.addrs[0]])
    }
}
