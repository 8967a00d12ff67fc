//! A machine of the simulation: its name, addresses, ports, Unix sockets' names, descriptors, and which life it is in.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use fibra_scheduler::seeded::{Host, Skew};
use rustix::io::Errno;

use super::unix::Names;

/// Where ports begin that the machine chooses itself, as Linux's.
const EPHEMERAL: u16 = 32_768;

/// What a socket is bound to, in one protocol.
#[derive(Debug, Default)]
pub(super) struct Ports(BTreeMap<u16, Vec<(IpAddr, u32)>>);

impl Ports {
    fn is_free(&self, addr: SocketAddr) -> bool {
        let conflicts = |&(ip, _): &(IpAddr, u32)| {
            let same_family = ip.is_ipv4() == addr.is_ipv4();
            // "Any address" of version 6 is any of version 4, too.
            let any = |ip: IpAddr, other: IpAddr| ip.is_unspecified() && (ip.is_ipv6() || other.is_ipv4());
            (same_family && ip == addr.ip()) || any(ip, addr.ip()) || any(addr.ip(), ip)
        };
        !self.0.get(&addr.port()).is_some_and(|bound| bound.iter().any(conflicts))
    }

    pub(super) fn release(&mut self, addr: SocketAddr, socket: u32) {
        if let Some(bound) = self.0.get_mut(&addr.port()) {
            bound.retain(|&(_, other)| other != socket);
            if bound.is_empty() {
                self.0.remove(&addr.port());
            }
        }
    }

    /// The sockets that what comes to `addr` is for, those that are bound to just that address first.
    pub(super) fn at(&self, addr: SocketAddr) -> impl Iterator<Item = u32> {
        let bound = self.0.get(&addr.port()).map_or(&[][..], Vec::as_slice);
        let exact = bound.iter().filter(move |(ip, _)| *ip == addr.ip());
        let any = bound.iter().filter(move |(ip, _)| ip.is_unspecified() && (ip.is_ipv6() || addr.is_ipv4()));
        exact.chain(any).map(|&(_, socket)| socket)
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) name: Box<str>,
    pub(super) addrs: [IpAddr; 2],
    pub(super) skew: Skew,
    /// The life that it is in; `None` while it is down.
    pub(super) host: Option<Host>,
    pub(super) tcp: Ports,
    pub(super) udp: Ports,
    pub(super) unix: Names,
    next_port: u16,
    pub(super) descriptors: usize,
    pub(super) descriptors_max: usize,
    /// Whether, for now, there are no more than it has; a machine that is started anew begins without.
    pub(super) is_exhausted: bool,
    /// Whether, for now, nothing is read on it.
    pub(super) is_stalled: bool,
    /// How often it has been started.
    pub(super) boots: u32,
}

impl Machine {
    /// The machine number `number`, from 0.
    pub(super) fn new(name: &str, number: u16) -> Self {
        let [high, low] = (number + 1).to_be_bytes();
        Self {
            name: name.into(),
            addrs: [Ipv4Addr::new(10, 0, high, low).into(), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number + 1).into()],
            skew: Skew::default(),
            host: None,
            tcp: Ports::default(),
            udp: Ports::default(),
            unix: Names::default(),
            next_port: EPHEMERAL,
            descriptors: 0,
            descriptors_max: usize::MAX,
            is_exhausted: false,
            is_stalled: false,
            boots: 0,
        }
    }

    pub(super) fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || ip.is_unspecified() || self.addrs.contains(&ip)
    }

    /// By which of its addresses it reaches `peer`.
    pub(super) fn addr_towards(&self, peer: IpAddr) -> IpAddr {
        match (peer.is_loopback(), peer) {
            (true, _) => peer,
            (false, IpAddr::V4(_)) => self.addrs[0],
            (false, IpAddr::V6(_)) => self.addrs[1],
        }
    }

    pub(super) fn next_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(EPHEMERAL);
        port
    }

    /// Binds `socket` to `addr`, and to a free port if that says none.
    pub(super) fn bind(&mut self, is_tcp: bool, mut addr: SocketAddr, socket: u32) -> Result<SocketAddr, Errno> {
        if !self.is_own(addr.ip()) {
            return Err(Errno::ADDRNOTAVAIL);
        }
        let asked = addr.port();
        for _ in EPHEMERAL..u16::MAX {
            if asked == 0 {
                addr.set_port(self.next_port());
            }
            let ports = if is_tcp { &mut self.tcp } else { &mut self.udp };
            if ports.is_free(addr) {
                ports.0.entry(addr.port()).or_default().push((addr.ip(), socket));
                return Ok(addr);
            }
            if asked != 0 {
                break;
            }
        }
        Err(Errno::ADDRINUSE)
    }

    /// Whether there is a descriptor to take.
    pub(super) fn may_open(&self) -> Result<(), Errno> {
        if self.is_exhausted || self.descriptors >= self.descriptors_max { Err(Errno::MFILE) } else { Ok(()) }
    }

    /// Takes a descriptor.
    pub(super) fn open(&mut self) -> Result<(), Errno> {
        self.may_open()?;
        self.descriptors += 1;
        Ok(())
    }

    /// All that it had is gone.
    pub(super) fn lose_everything(&mut self) {
        (self.tcp, self.udp) = Default::default();
        self.unix.lose_sockets();
        (self.descriptors, self.is_exhausted, self.is_stalled) = (0, false, false);
        self.host = None;
    }
}
