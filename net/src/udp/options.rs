//! The options of a UDP socket, as std has them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::UdpSocket;

impl UdpSocket {
    /// Allows sending to broadcast addresses (`SO_BROADCAST`). Default: `false`.
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn set_broadcast(&self, value: bool) -> io::Result<()> {
        self.socket.io().option(|io| io.set_broadcast(value), |options| options.broadcast = value)
    }

    /// Whether sending to broadcast addresses is allowed.
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.socket.io().option(|io| io.broadcast(), |options| options.broadcast)
    }

    /// Whether what is sent to IPv4 groups also comes back to this host (`IP_MULTICAST_LOOP`). Default: `true`.
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn set_multicast_loop_v4(&self, value: bool) -> io::Result<()> {
        self.socket.io().kernel()?.set_multicast_loop_v4(value)
    }

    /// Whether what is sent to IPv4 groups also comes back to this host.
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.socket.io().kernel()?.multicast_loop_v4()
    }

    /// Sets the time to live of what is sent to IPv4 groups, in hops (`IP_MULTICAST_TTL`). Default: 1.
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn set_multicast_ttl_v4(&self, value: u32) -> io::Result<()> {
        self.socket.io().kernel()?.set_multicast_ttl_v4(value)
    }

    /// The time to live of what is sent to IPv4 groups, in hops.
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.socket.io().kernel()?.multicast_ttl_v4()
    }

    /// Whether what is sent to IPv6 groups also comes back to this host (`IPV6_MULTICAST_LOOP`). Default: `true`.
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn set_multicast_loop_v6(&self, value: bool) -> io::Result<()> {
        self.socket.io().kernel()?.set_multicast_loop_v6(value)
    }

    /// Whether what is sent to IPv6 groups also comes back to this host.
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.socket.io().kernel()?.multicast_loop_v6()
    }

    /// Sets the time to live (`IP_TTL`) of what is sent, in hops.
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn set_ttl(&self, value: u32) -> io::Result<()> {
        self.socket.io().option(|io| io.set_ttl(value).map(Ok), |options| options.set_ttl(value))?
    }

    /// The time to live (`IP_TTL`), in hops.
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.io().option(|io| io.ttl(), |options| options.ttl)
    }

    /// Receives what is sent to the IPv4 group `group` (`IP_ADD_MEMBERSHIP`), on the interface with the address `interface`; with
    /// [`UNSPECIFIED`](Ipv4Addr::UNSPECIFIED) on one that the system chooses.
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.socket.io().kernel()?.join_multicast_v4(group, interface)
    }

    /// Receives what is sent to the IPv6 group `group` (`IPV6_ADD_MEMBERSHIP`), on the interface with the index `interface`; 0 is one that
    /// the system chooses.
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket.io().kernel()?.join_multicast_v6(group, interface)
    }

    /// Undoes [`join_multicast_v4`](Self::join_multicast_v4).
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.socket.io().kernel()?.leave_multicast_v4(group, interface)
    }

    /// Undoes [`join_multicast_v6`](Self::join_multicast_v6).
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket.io().kernel()?.leave_multicast_v6(group, interface)
    }
}
