//! The state of a simulated network: machines, links, sockets, connections, and what will happen next.
//!
//! ```text
//!   a call of a fiber ─▶ State ─▶ an Event on the agenda ─▶ [its time comes] ─▶ State ─▶ raised: readiness of a socket
//! ```
//!
//! Invariants:
//! * Nobody is woken under the lock: what is [raised](State::raised) is told when it has been released.
//! * What happens depends on the calls, their order, the virtual time and the seed, and on nothing else: no hash tables, no addresses.
//! * Sockets and connections have numbers that are never used twice, so what refers to one that is gone finds nothing.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use fibra_scheduler::seeded::{self, Host};
use rustix::io::Errno;
use slab::Slab;

use super::agenda::{Agenda, Event, Instant};
use super::connection::Connection;
use super::datagram::{Datagram, Packet};
use super::dice::Dice;
use super::link::{Conditions, Latency, Link, nanos};
use super::listener::Listener;
use super::machine::Machine;
use super::report::Happened;
use super::unix::UnixSocket;
use crate::registration::{Happening, Tie};

/// How many of the last events a failure tells.
const REMEMBERED: usize = 64;

/// What a descriptor of the simulation stands for.
#[derive(Debug)]
pub(super) enum Socket {
    Stream { connection: u32, side: u8 },
    Listener(Box<Listener>),
    Datagram(Box<Datagram>),
    Unix(Box<UnixSocket>),
}

/// How much a connection holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buffers {
    /// Sent, and not known to have arrived.
    pub(super) send: usize,
    /// Arrived or on the way, and not read.
    pub(super) receive: usize,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct State {
    pub(super) now: Instant,
    seed: u64,
    pub(super) agenda: Agenda,
    pub(super) machines: Vec<Machine>,
    pub(super) names: BTreeMap<Box<str>, u16>,
    /// `links[from][to]`.
    links: Vec<Vec<Link>>,
    /// Of links that nobody has said more about.
    pub(super) conditions: Conditions,
    pub(super) buffers: Buffers,
    /// The number of the first socket, and the sockets.
    base: u32,
    sockets: Vec<Option<Socket>>,
    pub(super) connections: Vec<Option<Box<Connection>>>,
    pub(super) packets: Slab<Packet>,
    /// Who is to be told of what.
    pub(super) raised: Vec<(Tie, Happening)>,
    /// Machines that are to be started.
    pub(super) boots: Vec<u16>,
    /// Faults that are to begin, or to end.
    pub(super) faults: Vec<(u16, bool)>,
    pub(super) happened: VecDeque<Happened>,
    /// How much has happened.
    pub(super) events: u64,
    /// What happens now is the end, which explains nothing.
    pub(super) is_over: bool,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now: 0,
            seed,
            agenda: Agenda::default(),
            machines: Vec::new(),
            names: BTreeMap::new(),
            links: Vec::new(),
            conditions: Conditions::default(),
            buffers: Buffers { send: 256 << 10, receive: 128 << 10 },
            base: 0,
            sockets: Vec::new(),
            connections: Vec::new(),
            packets: Slab::new(),
            raised: Vec::new(),
            boots: Vec::new(),
            faults: Vec::new(),
            happened: VecDeque::with_capacity(REMEMBERED),
            events: 0,
            is_over: false,
        }
    }

    /// Adds a machine.
    pub(super) fn add_machine(&mut self, name: &str) -> u16 {
        assert!(!self.names.contains_key(name), "there is a host '{name}' already");
        let number = u16::try_from(self.machines.len()).expect("fewer than 65,536 hosts");
        self.machines.push(Machine::new(name, number));
        self.names.insert(name.into(), number);
        let (seed, conditions) = (self.seed, self.conditions);
        let link = |from, to| Link::new(conditions, Dice::new(seed, from, to));
        for (from, row) in (0..).zip(&mut self.links) {
            row.push(link(from, number));
        }
        self.links.push((0..=number).map(|to| link(number, to)).collect());
        let itself = usize::from(number);
        // Within a machine nothing takes time.
        let at_once = Latency::fixed(Duration::ZERO);
        self.links[itself][itself].conditions = Conditions { latency: at_once, ..Conditions::default() };
        number
    }

    /// The way from a machine to another.
    pub(super) fn link(&mut self, from: u16, to: u16) -> &mut Link {
        &mut self.links[usize::from(from)][usize::from(to)]
    }

    /// All ways from one machine to another.
    pub(super) fn links(&mut self) -> impl Iterator<Item = (u16, u16, &mut Link)> {
        let rows = (0..).zip(&mut self.links);
        rows.flat_map(|(from, row)| (0..).zip(row).map(move |(to, link)| (from, to, link)))
            .filter(|(from, to, _)| from != to)
    }

    pub(super) fn machine(&mut self, machine: u16) -> &mut Machine {
        &mut self.machines[usize::from(machine)]
    }

    /// Whose address that is, for a socket of machine `from`.
    pub(super) fn route(&self, from: u16, to: IpAddr) -> Option<u16> {
        if self.machines[usize::from(from)].is_own(to) {
            return Some(from);
        }
        (0..).zip(&self.machines).find(|(_, machine)| machine.addrs.contains(&to)).map(|(number, _)| number)
    }

    /// The machine whose fiber is calling.
    pub(super) fn caller(&self) -> Result<(u16, Host), Errno> {
        let host = Host::current().ok_or(Errno::NETDOWN)?;
        let on = (0..).zip(&self.machines).find(|(_, machine)| machine.host == Some(host));
        on.map(|(number, _)| (number, host)).ok_or(Errno::NETDOWN)
    }

    /// Before the first socket: what the first is called.
    pub(super) fn begin(&mut self, base: u32) {
        self.base = base;
    }

    /// Gives `socket` a number.
    pub(super) fn add_socket(&mut self, socket: Socket) -> u32 {
        self.sockets.push(Some(socket));
        self.next_socket().wrapping_sub(1)
    }

    pub(super) fn next_socket(&self) -> u32 {
        self.base.wrapping_add(self.sockets.len() as u32)
    }

    pub(super) fn socket(&mut self, number: u32) -> Option<&mut Socket> {
        self.sockets.get_mut(number.wrapping_sub(self.base) as usize)?.as_mut()
    }

    pub(super) fn take_socket(&mut self, number: u32) -> Option<Socket> {
        self.sockets.get_mut(number.wrapping_sub(self.base) as usize)?.take()
    }

    pub(super) fn listener(&mut self, number: u32) -> Option<&mut Listener> {
        match self.socket(number)? {
            Socket::Listener(listener) => Some(listener),
            _ => None,
        }
    }

    pub(super) fn datagram(&mut self, number: u32) -> Option<&mut Datagram> {
        match self.socket(number)? {
            Socket::Datagram(datagram) => Some(datagram),
            _ => None,
        }
    }

    /// The socket to which `tie` leads is to be told.
    pub(super) fn raise(&mut self, tie: &Option<Tie>, happening: Happening) {
        if let Some(tie) = tie {
            self.raised.push((tie.clone(), happening));
        }
    }

    /// Lets everything happen that is due.
    pub(super) fn pump(&mut self) {
        while let Some(event) = self.agenda.pop(self.now) {
            match event {
                Event::Arrival { connection, from, number } => self.arrive(connection, from, number),
                Event::Acknowledgement { connection, from } => self.acknowledge(connection, from),
                Event::Window { connection, from } => self.open_window(connection, from),
                Event::Probe { connection, from } => self.probe(connection, from),
                Event::Datagram { packet } => self.deliver(packet),
                Event::Boot { machine } => self.boots.push(machine),
                Event::Fault { fault, begins } => self.faults.push((fault, begins)),
            }
        }
    }

    /// Notes that something has happened: for the trace, and for who looks for the reason of a failure.
    pub(super) fn tell(&mut self, what: &'static str, from: u16, to: u16, count: usize) {
        let code = what.bytes().fold(0_u64, |code, byte| code.wrapping_mul(31).wrapping_add(byte.into()));
        seeded::note(code ^ (u64::from(from) << 48) ^ (u64::from(to) << 32) ^ count as u64);
        self.events += 1;
        if self.is_over {
            return;
        }
        if self.happened.len() == REMEMBERED {
            self.happened.pop_front();
        }
        self.happened.push_back(Happened { at: self.now, what, from, to, count });
    }

    /// The last of what has happened until `at`, a line each.
    pub(super) fn describe_last(&self, at: Duration) -> Vec<String> {
        let name = |machine: u16| self.machines.get(usize::from(machine)).map_or("", |machine| &*machine.name);
        let until = self.happened.iter().take_while(|it| it.at <= nanos(at));
        until.map(|it| it.describe(name(it.from), name(it.to))).collect()
    }

    /// Who waits for something to read on a machine is to look again.
    pub(super) fn raise_readable(&mut self, machine: u16) {
        for place in 0..self.sockets.len() {
            match &self.sockets[place] {
                &Some(Socket::Stream { connection, side }) => {
                    self.at(connection, |state, connection| state.raise_arrived(connection, side.into(), machine));
                }
                Some(Socket::Datagram(datagram)) if datagram.machine == machine => {
                    let tie = datagram.tie.clone();
                    self.raise(&tie, Happening { readable: true, ..Happening::default() });
                }
                Some(Socket::Unix(socket)) if socket.machine == machine => {
                    let tie = socket.tie.clone();
                    self.raise(&tie, super::unix::READABLE);
                }
                _ => {}
            }
        }
    }

    /// A machine is gone, with all that it had.
    pub(super) fn lose(&mut self, machine: u16) {
        let Some(host) = self.machines[usize::from(machine)].host else { return };
        host.crash();
        self.machine(machine).lose_everything();
        self.tell("crash", machine, machine, 0);
        for place in 0..self.sockets.len() {
            let is_lost = match &self.sockets[place] {
                Some(Socket::Stream { connection, side }) => {
                    let connection = self.connections.get(*connection as usize).and_then(Option::as_ref);
                    connection.is_none_or(|connection| connection.ends[usize::from(*side)].host == Some(host))
                }
                Some(Socket::Listener(listener)) => listener.host == host,
                Some(Socket::Datagram(datagram)) => datagram.host == host,
                Some(Socket::Unix(socket)) => socket.host == host,
                None => false,
            };
            if is_lost {
                self.sockets[place] = None;
            }
        }
        for number in 0..self.connections.len() as u32 {
            self.at(number, |state, connection| {
                connection.lose(host);
                (0..2).for_each(|side| state.transmit(number, connection, side));
            });
        }
    }
}
